// How many samples a native histogram counts as in `stats` and towards query.samples_max: its size in Prometheus's memory by that of a
// float sample (Prometheus promql/value.go, HPoint.size).

import type { HistogramColumns } from '../../../model/histogram.ts';
import type { SampleColumns } from '../../../model/samples.ts';
import type { BatchHistograms } from '../../source.ts';

/** Bytes of a histogram without spans, buckets and bounds, and of its timestamp. */
const FIXED_BYTES = 168 + 8;
/** Bytes of a span, of a bucket and of a bound, each. */
const ITEM_BYTES = 8;
const FLOAT_SAMPLE_BYTES = 16;

/** Samples that one histogram counts as. */
export function samplesOfHistogram(columns: HistogramColumns, row: number): number {
  const spans = (columns.spanStarts[row + 1]! - columns.spanStarts[row]!) / 2;
  const buckets = columns.bucketStarts[row + 1]! - columns.bucketStarts[row]!;
  const bounds = columns.boundStarts[row + 1]! - columns.boundStarts[row]!;
  return Math.trunc((FIXED_BYTES + ITEM_BYTES * (spans + buckets + bounds)) / FLOAT_SAMPLE_BYTES);
}

/** What histograms count as beyond the one sample that each cell counts as; `present` says which of `cells` cells are there at all. */
export function samplesBeyondCells(
  { columns, rows }: BatchHistograms,
  cells: number,
  present?: Uint8Array,
): number {
  let beyond = 0;
  let lastRow = -1;
  let last = 0;
  for (let cell = 0; cell < cells; cell++) {
    const row = rows[cell]!;
    if (row < 0 || present?.[cell] === 0) continue;
    if (row !== lastRow) last = samplesOfHistogram(columns, row) - 1;
    lastRow = row;
    beyond += last;
  }
  return beyond;
}

/** Of each sample of a series what those before it count as together, and at the end the sum; undefined where each counts as one. */
export function samplesBefore({ histograms, rows, count }: SampleColumns): Float64Array | undefined {
  if (histograms === undefined) return undefined;
  const before = new Float64Array(count + 1);
  for (let i = 0; i < count; i++)
    before[i + 1] = before[i]! + (rows[i]! < 0 ? 1 : samplesOfHistogram(histograms, rows[i]!));
  return before;
}
