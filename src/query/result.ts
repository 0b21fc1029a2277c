// What a query returns: Prometheus's four result types, still in columns.

import type { Annotation } from '../model/annotations.ts';
import type { OperatorTree } from './operator-tree.ts';
import type { OrderedSeries, RawColumns, StepRange } from './source.ts';

/** The value part of an answer. A vector's batches have one step; a matrix keeps the whole grid and its absent steps. */
export type QueryValue =
  | { readonly type: 'scalar'; readonly timestamp: number; readonly value: number }
  | { readonly type: 'string'; readonly timestamp: number; readonly value: string }
  | { readonly type: 'vector'; readonly timestamp: number; readonly series: OrderedSeries }
  /** Matrix of a range query, sorted by labels; series without a present step are left out. */
  | { readonly type: 'matrix'; readonly range: StepRange; readonly series: OrderedSeries }
  /** Raw samples of an instant query whose expression is a range selector: each series with its own timestamps. */
  | { readonly type: 'raw-matrix'; readonly series: readonly RawColumns[] };

/** Counters of `stats`; samplesRead and samplesQueryable as Prometheus's samplesRead and totalQueryableSamples. */
export interface QueryStatistics {
  readonly samplesRead: number;
  readonly samplesQueryable: number;
  readonly samplesPeak: number;
  readonly seriesSeen: number;
  readonly bytesPeak: number;
}

/** An answer. */
export interface QueryResult {
  readonly value: QueryValue;
  readonly annotations: readonly Annotation[];
  readonly statistics: QueryStatistics;
  /** The plan as it ran, when that was asked for. */
  readonly analysis?: OperatorTree;
}
