// Native histograms on their way into a range function that does not read them from storage: steps of a subquery, raw samples of a
// partition.

import { HistogramColumns, RESET_HINT } from '../../../model/histogram.ts';
import { growColumns, type SampleColumns } from '../../../model/samples.ts';
import type { BatchHistograms, StepBatch } from '../../source.ts';

/** Says which of the samples in `target` are histograms; these are borrowed. */
export function shareHistograms(target: SampleColumns, { columns, rows }: BatchHistograms): void {
  target.histograms = columns;
  if (target.rows.length < target.values.length) target.rows = new Int32Array(target.values.length);
  target.rows.set(rows.subarray(0, target.count));
  target.rows.fill(-1, target.count);
}

/**
 * Adds the histograms of one row of a batch to columns that have its present steps as floats. What they knew of counter resets is
 * forgotten: it was about samples that the subquery may not see, or sees more than once.
 */
export function histogramsFromSteps(batch: StepBatch, row: number, target: SampleColumns): void {
  const { histograms, steps, present } = batch;
  if (histograms === undefined) return;
  const from = row * steps;
  if (!histograms.rows.subarray(from, from + steps).some((at, i) => at >= 0 && present[from + i] === 1))
    return;
  growColumns(target, target.count);
  const columns = new HistogramColumns();
  const rows = new Int32Array(target.count).fill(-1);
  for (let i = 0, sample = 0, last = -1; i < steps; i++) {
    if (present[from + i] === 0) continue;
    const at = histograms.rows[from + i]!;
    if (at >= 0) {
      rows[sample] = at === last ? columns.count - 1 : columns.copyRow(histograms.columns, at);
      if (columns.hints[rows[sample]!] !== RESET_HINT.gauge)
        columns.hints[rows[sample]!] = RESET_HINT.unknown;
      last = at;
    }
    sample++;
  }
  shareHistograms(target, { columns, rows });
}
