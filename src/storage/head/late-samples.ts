// Out-of-order samples of one series before they become a chunk: a short run kept in time order by insertion
// (Prometheus's OOOChunk, at most 32 samples).

import { growColumns, type SampleColumns, sampleColumns } from '../../model/samples.ts';

/** Samples after which a run becomes a chunk, as Prometheus's out_of_order_cap_max. */
export const LATE_SAMPLES_MAX = 32;
const CAPACITY_MIN = 4;

/** An empty run. */
export function lateRun(): SampleColumns {
  return sampleColumns(CAPACITY_MIN);
}

/** Index of the first sample of `columns` at or after `time`. O(log n). */
export function lowerBound(columns: SampleColumns, time: number): number {
  let low = 0;
  let high = columns.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (columns.timestamps[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Inserts a sample whose time is not there yet. */
export function insertSample(columns: SampleColumns, time: number, low: number, high: number): void {
  const at = lowerBound(columns, time);
  const { count } = columns;
  growColumns(columns, count + 1);
  columns.timestamps.copyWithin(at + 1, at, count);
  columns.bits.copyWithin(2 * at + 2, 2 * at, 2 * count);
  columns.timestamps[at] = time;
  columns.bits[2 * at] = low;
  columns.bits[2 * at + 1] = high;
  columns.count = count + 1;
}

/** Appends samples [from, to) of `source` to `target`. */
export function appendSamples(target: SampleColumns, source: SampleColumns, from: number, to: number): void {
  growColumns(target, target.count + to - from);
  target.timestamps.set(source.timestamps.subarray(from, to), target.count);
  target.bits.set(source.bits.subarray(2 * from, 2 * to), 2 * target.count);
  target.count += to - from;
}
