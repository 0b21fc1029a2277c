// The samples of a series with native histograms, without staleness markers, and its floats alone.

import { growColumns, isStaleAt, type SampleColumns } from '../../../model/samples.ts';

/** Removes staleness markers of both kinds in place; returns the samples left. */
export function dropStale(columns: SampleColumns): number {
  const { bits, timestamps, starts, rows, count } = columns;
  let kept = 0;
  for (let i = 0; i < count; i++) {
    if (isStaleAt(bits, i)) continue;
    bits[2 * kept] = bits[2 * i]!;
    bits[2 * kept + 1] = bits[2 * i + 1]!;
    timestamps[kept] = timestamps[i]!;
    if (starts !== undefined) starts[kept] = starts[i]!;
    rows[kept++] = rows[i]!;
  }
  columns.count = kept;
  return kept;
}

/** Copies the floats of a series. */
export function keepFloats(columns: SampleColumns, target: SampleColumns): void {
  target.count = 0;
  growColumns(target, columns.count);
  target.starts = columns.starts === undefined ? undefined : new Float64Array(columns.count);
  for (let i = 0; i < columns.count; i++) {
    if (columns.rows[i]! >= 0) continue;
    const at = target.count++;
    target.timestamps[at] = columns.timestamps[i]!;
    target.bits[2 * at] = columns.bits[2 * i]!;
    target.bits[2 * at + 1] = columns.bits[2 * i + 1]!;
    if (target.starts !== undefined) target.starts[at] = columns.starts![i]!;
  }
}
