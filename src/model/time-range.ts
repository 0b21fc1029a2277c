// Algebra of half-open time ranges [start, end).

/** Milliseconds since the epoch, `start` included, `end` excluded. */
export interface TimeRange {
  readonly start: number;
  readonly end: number;
}

/** The largest multiple of `width` that is <= `time` (also for negative times). */
export function alignDown(time: number, width: number): number {
  return Math.floor(time / width) * width;
}
