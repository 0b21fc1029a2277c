// Bounds of time and the range of blocks. Plain numbers whose names carry the unit are used throughout.

/** Earliest and latest time Skein accepts: Prometheus's minTime/maxTime clipped to what a double holds exactly, ms. */
export const TIME_MIN = -9_007_199_254_740_991;
export const TIME_MAX = 9_007_199_254_740_991;

/** The block range of Prometheus and of every block a shard cuts: two hours, in ms. */
export const BLOCK_RANGE_MS: number = 2 * 60 * 60 * 1000;

/** A time for people, in UTC; one beyond what a date can say (100 million days) stays in milliseconds. */
export function isoTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
