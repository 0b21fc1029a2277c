// Limits and times of ingest, each with its unit, default and reason; the process's config fills it.

import type { RequestLimits } from '../../../codec/remote-write/columns.ts';

/** Configuration of an Ingestor. */
export interface IngestConfig extends RequestLimits {
  /** Partitions of the cluster: a power of two, at most 1024. */
  readonly partitions: number;
  /** Labels that tell replicas of an HA pair apart: not hashed, so that both land in one partition. */
  readonly replicaLabels: readonly string[];
  /** Milliseconds a sample may lie before the newest one of its tenant's partition (Prometheus: out_of_order_time_window). */
  readonly outOfOrderWindowMs: number;
  /** Milliseconds a sample may lie ahead of the clock. Prometheus's remote write receiver has 10 minutes. */
  readonly futureMs: number;
  /** Labels a series may have. */
  readonly labelsMax: number;
  /** Bytes of a label's name. */
  readonly labelNameBytesMax: number;
  /** Bytes of a label's value. */
  readonly labelValueBytesMax: number;
  /** UTF-8 characters all labels of an exemplar may have together (OpenMetrics: 128). */
  readonly exemplarRunesMax: number;
  /** Bytes of a metric's help text; longer metadata is dropped and counted. */
  readonly helpBytesMax: number;
  /** Bytes after which a frame is closed; well below the bus's largest payload. */
  readonly frameBytesMax: number;
  /** Milliseconds after which a writer begins a new epoch and defines its series again. */
  readonly epochMs: number;
  /** Milliseconds after which a series that was not seen is forgotten. */
  readonly seriesIdleMs: number;
  /** Bytes the recognition of one tenant's series may take; when full, it starts from nothing. */
  readonly seriesBytesMax: number;
  /** Tenants remembered at once; beyond it new ones are refused with `limited`. */
  readonly tenantsMax: number;
  /** Texts of complaints kept of one request; the rest is counted. */
  readonly errorsMax: number;
}

/** What a fresh installation uses. */
export const INGEST_DEFAULTS: IngestConfig = {
  partitions: 8,
  replicaLabels: [],
  outOfOrderWindowMs: 60 * 60_000,
  futureMs: 10 * 60_000,
  seriesMax: 500_000,
  samplesMax: 1_000_000,
  exemplarsMax: 100_000,
  metadataMax: 500_000,
  histogramBucketsMax: 10_000,
  symbolsMax: 2_000_000,
  labelBytesMax: 65_536,
  labelsMax: 128,
  labelNameBytesMax: 1024,
  labelValueBytesMax: 16_384,
  exemplarRunesMax: 128,
  helpBytesMax: 16_384,
  frameBytesMax: 256 * 1024,
  epochMs: 10 * 60_000,
  seriesIdleMs: 15 * 60_000,
  seriesBytesMax: 1024 * 1024 * 1024,
  tenantsMax: 10_000,
  errorsMax: 10,
};
