// Out-of-order samples of one series before they become a chunk: a short run kept in time order by insertion
// (Prometheus's OOOChunk, at most 32 samples).

import type { TimeSpan } from '../../codec/chunk.ts';
import { type HistogramRow, histogramsEqual } from '../../model/histogram-equality.ts';
import {
  clearSamples,
  growColumns,
  histogramAt,
  histogramsOf,
  pushSample,
  type SampleColumns,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  sampleColumns,
} from '../../model/samples.ts';
import { mergeSamples } from '../block/merge-samples.ts';

/** Samples after which a run becomes a chunk, as Prometheus's out_of_order_cap_max. */
export const LATE_SAMPLES_MAX = 32;
const CAPACITY_MIN = 4;

/** What a sample says: the two halves of a float, or of the histogram's sum with the histogram. */
export interface SampleValue {
  readonly low: number;
  readonly high: number;
  readonly histogram?: HistogramRow;
}

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

/** Inserts a sample whose time is not there yet: a float, or a histogram whose sum it has as value. */
export function insertSample(
  columns: SampleColumns,
  time: number,
  { low, high, histogram }: SampleValue,
): void {
  const at = lowerBound(columns, time);
  const { count } = columns;
  growColumns(columns, count + 1);
  columns.timestamps.copyWithin(at + 1, at, count);
  columns.bits.copyWithin(2 * at + 2, 2 * at, 2 * count);
  columns.timestamps[at] = time;
  columns.bits[2 * at] = low;
  columns.bits[2 * at + 1] = high;
  columns.count = count + 1;
  const row = histogram && histogramsOf(columns).copyRow(histogram.columns, histogram.row);
  if (columns.histograms === undefined) return;
  columns.rows.copyWithin(at + 1, at, count);
  columns.rows[at] = row ?? -1;
}

/** Appends samples [from, to) of `source` to `target`. */
function appendSamples(target: SampleColumns, source: SampleColumns, from: number, to: number): void {
  if (source.histograms !== undefined) {
    for (let i = from; i < to; i++) pushSample(target, source, i);
    return;
  }
  growColumns(target, target.count + to - from);
  target.timestamps.set(source.timestamps.subarray(from, to), target.count);
  target.bits.set(source.bits.subarray(2 * from, 2 * to), 2 * target.count);
  target.count += to - from;
}

/** Merges what a run has within `span` into `target`; `piece` is scratch. */
export function mergeRun(
  run: SampleColumns,
  span: TimeSpan,
  piece: SampleColumns,
  target: SampleColumns,
): void {
  clearSamples(piece);
  const from = lowerBound(run, span.start);
  let to = from;
  while (to < run.count && run.timestamps[to]! <= span.end) to++;
  appendSamples(piece, run, from, to);
  mergeSamples(target, piece);
}

/** Whether a value is the staleness marker. */
export function isStale({ low, high }: SampleValue): boolean {
  return low === STALE_NAN_LOW && high === STALE_NAN_HIGH;
}

/** Whether the first sample of `found` is this one; staleness markers of floats and histograms are the same. */
export function isSameSample(found: SampleColumns, sample: SampleValue): boolean {
  const there = histogramAt(found, 0);
  const { histogram } = sample;
  if (there !== undefined && histogram !== undefined) return histogramsEqual(there, histogram);
  const isSame = found.bits[0] === sample.low && found.bits[1] === sample.high;
  return isSame && ((there === undefined && histogram === undefined) || isStale(sample));
}
