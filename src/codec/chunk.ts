// Chunks: the compressed runs of samples of one series, as Prometheus stores them (tsdb/docs/format/chunks.md), and the
// encoding bytes that tell them apart.

/** Encoding byte of a float XOR chunk. */
export const CHUNK_XOR = 1;
/** Encoding bytes known but not yet readable here. */
export const CHUNK_HISTOGRAM = 2;
export const CHUNK_FLOAT_HISTOGRAM = 3;
export const CHUNK_XOR2 = 4;

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
