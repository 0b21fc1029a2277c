// resets and changes of series with native histograms: samples of both kinds in the order of time, a change of kind counts. After
// Prometheus promql/functions.go (funcResets, funcChanges).

import { histogramsIdentical } from '../../model/histogram-equality.ts';
import type { SampleColumns } from '../../model/samples.ts';
import type { HistogramSamples } from './histogram-samples.ts';
import { startedAnew } from './start-times.ts';

/** A series' samples of both kinds, and its histograms, `places[k]` being the place of sample k among these. */
export interface MixedSamples {
  readonly columns: SampleColumns;
  readonly histograms: HistogramSamples;
  readonly places: Int32Array;
}

/** How often samples [from, to) change, or fall (`isResets`). */
export function countChanges(
  { columns, histograms, places }: MixedSamples,
  [from, to]: readonly [number, number],
  isResets: boolean,
): number {
  let count = 0;
  for (let k = from + 1; k < to; k++) {
    const wasHistogram = columns.rows[k - 1]! >= 0;
    if (wasHistogram !== columns.rows[k]! >= 0) count++;
    else if (!wasHistogram) count += Number(isResets ? falls(columns, histograms, k) : changes(columns, k));
    else count += Number(isResets ? histograms.isReset(places[k]!) : histogramChanges(columns, k));
  }
  return count;
}

function falls({ timestamps, values, starts }: SampleColumns, samples: HistogramSamples, k: number): boolean {
  if (values[k]! < values[k - 1]!) return true;
  return samples.starts !== undefined && starts !== undefined && startedAnew(timestamps, starts, k);
}

function changes({ values }: SampleColumns, k: number): boolean {
  const [before, now] = [values[k - 1]!, values[k]!];
  return now !== before && !(Number.isNaN(now) && Number.isNaN(before));
}

function histogramChanges({ histograms, rows }: SampleColumns, k: number): boolean {
  if (histograms === undefined) return false;
  return !histogramsIdentical(
    { columns: histograms, row: rows[k]! },
    { columns: histograms, row: rows[k - 1]! },
  );
}
