// Exemplars and metric metadata: what travels beside samples.

import type { Labels } from './labels.ts';

/** One exemplar of a series. */
export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly timestamp: number;
}

/** Prometheus's metric types as the metadata API prints them. */
export type MetricType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown';

/** What /api/v1/metadata says of one metric family. */
export interface MetricMetadata {
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}
