// Branded units: numbers that must not be swapped by mistake. Hot loops take plain numbers whose names carry the unit.

declare const brand: unique symbol;
type Brand<Name extends string> = number & { readonly [brand]: Name };

/** Milliseconds since the Unix epoch; exact as a double up to 2^53. */
export type TimestampMs = Brand<'TimestampMs'>;
/** A span of time in milliseconds. */
export type DurationMs = Brand<'DurationMs'>;
/** Index of a partition of the cluster, 0 <= p < P. */
export type PartitionId = Brand<'PartitionId'>;
/** Position of a message in one partition's log; the first message has sequence 1. */
export type Sequence = Brand<'Sequence'>;

/** Earliest and latest time Skein accepts: Prometheus's minTime/maxTime clipped to what a double holds exactly. */
export const TIME_MIN: TimestampMs = -9_007_199_254_740_991 as TimestampMs;
export const TIME_MAX: TimestampMs = 9_007_199_254_740_991 as TimestampMs;

/** Makes a timestamp from milliseconds since the epoch. */
export function timestampMs(value: number): TimestampMs {
  return value as TimestampMs;
}

/** Makes a duration from milliseconds. */
export function durationMs(value: number): DurationMs {
  return value as DurationMs;
}

/** Makes a partition id from an index. */
export function partitionId(value: number): PartitionId {
  return value as PartitionId;
}

/** Makes a log sequence. */
export function sequence(value: number): Sequence {
  return value as Sequence;
}

/** The block range of Prometheus and of every block a shard cuts: two hours. */
export const BLOCK_RANGE_MS: DurationMs = durationMs(2 * 60 * 60 * 1000);
