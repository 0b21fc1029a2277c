// Chunks: the compressed runs of samples of one series, as Prometheus stores them (tsdb/docs/format/chunks.md), and the
// encoding bytes that tell them apart.

/** Encoding byte of a float XOR chunk. */
export const CHUNK_XOR = 1;
/** Encoding bytes of native histograms with integer and with float counts. */
export const CHUNK_HISTOGRAM = 2;
export const CHUNK_FLOAT_HISTOGRAM = 3;
/** Encoding byte of floats with start timestamps, and of both kinds of histograms with them: read, never written. */
export const CHUNK_XOR2 = 4;
export const CHUNK_HISTOGRAM_ST = 5;
export const CHUNK_FLOAT_HISTOGRAM_ST = 6;
/** Encoding byte of Thanos's chunks of several aggregates of the same samples (aggregate-chunk.ts). */
export const CHUNK_AGGREGATE = 0xff;

/** How a chunk of histograms came about: the upper two bits of a header byte (chunkenc.CounterResetHeader). */
export const RESET_HEADER = { unknown: 0x00, noReset: 0x40, reset: 0x80, gauge: 0xc0 } as const;

/** The bytes of a chunk with what tells how to read them. */
export type EncodedBytes = Pick<Chunk, 'encoding' | 'bytes'>;

/**
 * One chunk in memory. `bytes` is the chunk's data as in a chunk segment after the encoding byte (uint16 sample count, then
 * the bit stream); borrowed from whoever gave it (a head slab, a cache) and never changed.
 */
export interface Chunk {
  readonly encoding: number;
  readonly bytes: Uint8Array;
  /** Time of the first and last sample, ms. */
  readonly minTime: number;
  readonly maxTime: number;
}

/** A series as the block writer takes it and the block reader gives it: labels and chunks in time order, not overlapping. */
export interface ChunkSeries {
  readonly labels: readonly string[];
  readonly chunks: readonly Chunk[];
}

/** Samples wanted: start <= t <= end, ms. */
export interface TimeSpan {
  readonly start: number;
  readonly end: number;
}

/** The span that holds every sample. */
export const ALL_TIMES: TimeSpan = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };
