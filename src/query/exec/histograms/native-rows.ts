// histogram_quantile and its kin over native histograms: each is a row of its own, next to the classic ones that are made of several
// series. Where both stand for the same labels at one step, neither counts.

import { BucketCursor } from '../../../model/bucket-cursor.ts';
import { FloatHistogram } from '../../../model/float-histogram.ts';
import { type Labels, labelValue, METRIC_NAME } from '../../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../../model/pause.ts';
import type { NanNote, NativeResult } from '../../kernels/histogram-quantile.ts';
import { goQuote } from '../../parse/go-text.ts';
import type { StepBatch } from '../../source.ts';
import { inform } from '../aggregation.ts';
import type { FunctionContext } from '../functions.ts';
import { rowHasSteps, takeRows } from '../step-batch.ts';
import { floatsOnly, histogramOfCell, histogramsOnly } from './histogram-cells.ts';

/** A vector as floats, and its native histograms where it has any. */
export interface NativeSplit {
  readonly floats: StepBatch;
  readonly native: StepBatch | undefined;
}

/** Tells native histograms from floats; series without any are left out of `native`, series without floats stay in `floats`. */
export function splitNative(batch: StepBatch): NativeSplit {
  if (batch.histograms === undefined) return { floats: batch, native: undefined };
  const native = histogramsOnly({ ...batch, present: batch.present.slice() });
  const rows = batch.labels.flatMap((_, row) => (rowHasSteps(native, row) ? [row] : []));
  return { floats: floatsOnly(batch), native: takeRows(native, rows) };
}

/** Computes a value for the histogram of a cell into `result`. */
export type NativeFunction = (
  histogram: FloatHistogram,
  cursor: BucketCursor,
  step: number,
  result: NativeResult,
) => void;

/** Maps each native histogram to a float; `take` gets what is to be said of it with its series. */
export async function mapNative(
  native: StepBatch,
  pause: Pause,
  compute: NativeFunction,
  take: (note: NanNote, series: Labels) => void,
): Promise<StepBatch> {
  const { labels, steps, present } = native;
  const values = new Float64Array(labels.length * steps);
  const histogram = new FloatHistogram();
  const cursor = new BucketCursor(histogram);
  const result: NativeResult = { value: 0, note: 'none' };
  const atOnce = rowsBetweenPauses(16 * steps);
  let last = -1;
  for (const [row, series] of labels.entries()) {
    if (row % atOnce === 0) await pause();
    for (let step = 0; step < steps; step++) {
      const cell = row * steps + step;
      const found = present[cell] === 1 ? histogramOfCell(native, cell) : undefined;
      if (found === undefined) continue;
      if (found.row !== last) histogram.load(found);
      last = found.row;
      result.note = 'none';
      compute(histogram, cursor, step, result);
      values[cell] = result.value;
      if (result.note !== 'none') take(result.note, series);
    }
  }
  return { labels, steps, values, present };
}

const NAN_TEXTS: Readonly<Record<NanNote, string>> = {
  none: '',
  'nan-result': 'input to histogram_quantile has NaN observations, result is NaN',
  skewed: 'input to histogram_quantile has NaN observations, result is skewed higher',
  excluded: 'input to histogram_fraction has NaN observations, which are excluded from all fractions',
};

/** Notes what NaN observations did, at the vector's place. */
export function noteNan(
  { annotations, showNames }: FunctionContext,
  where: string | undefined,
): (note: NanNote, series: Labels) => void {
  return (note, series) => {
    const name = showNames === true ? labelValue(series, METRIC_NAME) : '';
    inform(annotations, NAN_TEXTS[note] + (name === '' ? '' : ` for metric name ${goQuote(name)}`), where);
  };
}
