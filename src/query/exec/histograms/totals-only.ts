// Samples of which only count and sum are wanted. Since later steps cannot see resets in buckets that are gone, what buckets say of
// them becomes a hint (Prometheus promql/histogram_stats_iterator.go).

import { FloatHistogram } from '../../../model/float-histogram.ts';
import { HistogramColumns, RESET_HINT } from '../../../model/histogram.ts';
import { detectReset } from '../../../model/histogram-reset.ts';
import { isStaleAt, type SampleColumns } from '../../../model/samples.ts';

/** Takes the buckets off the histograms of a series, in its columns. */
export function dropBuckets(columns: SampleColumns): void {
  const { histograms, rows, count } = columns;
  if (histograms === undefined) return;
  const totals = new HistogramColumns();
  let [now, before] = [new FloatHistogram(), new FloatHistogram()];
  let isFirst = true;
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    if (row < 0) continue;
    const target = totals.begin();
    rows[i] = target;
    totals.floats[target] = 1;
    totals.schemas[target] = histograms.schemas[row]!;
    totals.hints[target] = histograms.hints[row]!;
    totals.counts[target] = histograms.counts[row]!;
    totals.setSum(target, histograms.sumBits[2 * row]!, histograms.sumBits[2 * row + 1]!);
    if (isStaleAt(histograms.sumBits, row)) continue;
    now.load({ columns: histograms, row });
    if (now.hint === RESET_HINT.unknown && !isFirst)
      totals.hints[target] = detectReset(now, before) ? RESET_HINT.reset : RESET_HINT.noReset;
    [now, before] = [before, now];
    isFirst = false;
  }
  columns.histograms = totals;
}
