// Smoothed instant selectors over a series with native histograms: interpolated like floats, but never between the two kinds.

import { FloatHistogram } from '../../../model/float-histogram.ts';
import { HistogramColumns } from '../../../model/histogram.ts';
import { type SampleColumns, sampleColumns } from '../../../model/samples.ts';
import { selectSmoothed } from '../../kernels/extended.ts';
import { smoothedHistogram } from '../../kernels/histogram-extended.ts';
import { HistogramSamples, type TakeNote } from '../../kernels/histogram-samples.ts';
import type { SelectJob } from '../../kernels/select.ts';
import { findWindows } from '../../kernels/window.ts';
import type { BatchHistograms } from '../../source.ts';
import { dropStale, keepFloats } from './split-columns.ts';

/** Fills one row of a smoothed selector; a step with both kinds around it has nothing but a note. */
export function smoothHistograms(
  columns: SampleColumns,
  job: SelectJob,
  note: TakeNote,
): BatchHistograms & { readonly found: number } {
  dropStale(columns);
  const { steps, step, offset, present, output, lookback } = job;
  const floats = sampleColumns(1);
  keepFloats(columns, floats);
  selectSmoothed(floats, job);
  const samples = new HistogramSamples();
  samples.take(columns, false);
  const around = { steps, step, end: job.reference, range: lookback, before: 0, after: lookback };
  const floatWindows = windowsOf(floats.timestamps, floats.count, around);
  const windows = windowsOf(samples.timestamps, samples.count, around);
  const results = new HistogramColumns();
  const rows = new Int32Array(steps).fill(-1);
  const [result, scratch] = [new FloatHistogram(), new FloatHistogram()];
  const window = { first: 0, last: 0, end: job.reference, range: lookback, unevenMs: 0 };
  let found = 0;
  for (let i = 0; i < steps; i++, window.end += step) {
    window.first = windows.from[i]!;
    window.last = windows.to[i]! - 1;
    if (window.last >= window.first) {
      const isMixed = floatWindows.to[i]! > floatWindows.from[i]!;
      if (isMixed) note('mixed');
      const isThere = !isMixed && smoothedHistogram(samples, window, result, scratch, note);
      present[offset + i] = isThere ? 1 : 0;
      if (isThere) {
        rows[i] = result.store(results);
        output[offset + i] = result.sum;
      }
    }
    found += present[offset + i]!;
  }
  return { columns: results, rows, found };
}

interface Around {
  readonly steps: number;
  readonly step: number;
  readonly end: number;
  readonly range: number;
  readonly before: number;
  readonly after: number;
}

function windowsOf(
  timestamps: Float64Array,
  count: number,
  around: Around,
): { from: Int32Array; to: Int32Array } {
  const from = new Int32Array(around.steps);
  const to = new Int32Array(around.steps);
  findWindows({ ...around, timestamps, from, to }, count);
  return { from, to };
}
