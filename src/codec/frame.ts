// What the writer and the reader of WAL frames share: constants of docs/formats/frame.md and the decoded form.

import type { Exemplar, MetricMetadata, MetricType } from '../model/exemplar.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';

/** "SKWF" as the little-endian number a reader sees. */
export const FRAME_MAGIC = 0x46574b53;
/** The newest version this code knows in full: what it writes when a frame has histograms. */
export const FRAME_VERSION = 2;
/** Version of a frame without histograms, which readers of version 1 take too. */
export const FRAME_VERSION_PLAIN = 1;
/** Bytes of a writer id: 12 random ones of the process, 4 that count incarnations. */
export const WRITER_ID_BYTES = 16;

/** Section kinds, in the order in which they stand. */
export const SECTION = {
  symbols: 1,
  definitions: 2,
  samples: 3,
  startTimestamps: 4,
  exemplars: 5,
  metadata: 6,
  histograms: 7,
} as const;

/** Metric types by their number in frames and in remote write 2.0. */
export const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

/** Who wrote a frame and where it stands among that writer's frames. */
export interface FrameHeader {
  /** 16 bytes. */
  readonly writer: Uint8Array;
  readonly tenant: string;
  readonly epoch: number;
  /** Counter of the epoch's first frame. */
  readonly epochFirst: number;
  /** Number of this frame among the writer's, from 1. */
  readonly counter: number;
  /** Every frame up to this counter is acknowledged. */
  readonly settled: number;
  /** When the epoch began, in milliseconds since the Unix epoch. */
  readonly epochBegun: number;
}

/** A series that a frame defines. */
export interface FrameDefinition {
  readonly ref: number;
  readonly labels: Labels;
}

/** An exemplar of the series `ref`. */
export interface FrameExemplar extends Exemplar {
  readonly ref: number;
}

/** Metadata of one metric family. */
export interface FrameMetadata extends MetricMetadata {
  readonly family: string;
}

/** The native histograms of a frame: row r of `columns` is (refs[r], timestamps[r]). */
export interface FrameHistograms {
  readonly columns: HistogramColumns;
  readonly refs: Uint32Array;
  readonly timestamps: Float64Array;
  /** 0 when unknown. */
  readonly startTimestamps: Float64Array;
}

/**
 * A frame as decoded; everything is owned by whoever asked. Sample i is (refs[i], timestamps[i], values[i]); `bits` views the
 * same memory as `values` (low half at 2i, high half at 2i + 1) and is the only safe way to move a NaN's payload.
 */
export interface DecodedFrame extends FrameHeader {
  readonly version: number;
  readonly definitions: readonly FrameDefinition[];
  /** Samples; the length of the columns. */
  readonly count: number;
  readonly refs: Uint32Array;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly bits: Uint32Array;
  /** Per sample, 0 when unknown; undefined when no sample has one. */
  readonly startTimestamps: Float64Array | undefined;
  /** Undefined when the frame has none. */
  readonly histograms: FrameHistograms | undefined;
  readonly exemplars: readonly FrameExemplar[];
  readonly metadata: readonly FrameMetadata[];
}
