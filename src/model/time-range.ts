// Arithmetic on aligned time ranges.

/** The largest multiple of `width` that is <= `time` (also for negative times). */
export function alignDown(time: number, width: number): number {
  return Math.floor(time / width) * width;
}
