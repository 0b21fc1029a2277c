// Functions of each native histogram by itself: histogram_count, _sum, _avg, _stddev and _stdvar. Floats have nothing for them.

import type { BucketCursor } from '../../../model/bucket-cursor.ts';
import type { FloatHistogram } from '../../../model/float-histogram.ts';
import { type Labels, labelsWith, METRIC_NAME } from '../../../model/labels.ts';
import type { Pause } from '../../../model/pause.ts';
import { nativeVariance } from '../../kernels/histogram-quantile.ts';
import type { StepBatch } from '../../source.ts';
import { hasNameNote, noteNameToGo } from '../name-note.ts';
import { emptyBatch } from '../step-batch.ts';
import { mapNative, splitNative } from './native-rows.ts';

type HistogramFunction = (histogram: FloatHistogram, cursor: BucketCursor) => number;

const FUNCTIONS: ReadonlyMap<string, HistogramFunction> = new Map<string, HistogramFunction>([
  ['histogram_count', ({ count }) => count],
  ['histogram_sum', ({ sum }) => sum],
  ['histogram_avg', ({ sum, count }) => sum / count],
  ['histogram_stddev', (histogram, cursor) => Math.sqrt(nativeVariance(histogram, cursor))],
  ['histogram_stdvar', nativeVariance],
]);

/** Whether a function is one of them. */
export function isHistogramFunction(func: string): boolean {
  return FUNCTIONS.has(func);
}

/** Applies one to the histograms of a batch. */
export async function applyHistogramFunction(
  func: string,
  batch: StepBatch,
  pause: Pause,
): Promise<StepBatch> {
  const { native } = splitNative(batch);
  const compute = FUNCTIONS.get(func);
  if (native === undefined || compute === undefined) return emptyBatch(batch.steps);
  const result = await mapNative(
    native,
    pause,
    (histogram, cursor, _step, out) => {
      out.value = compute(histogram, cursor);
    },
    () => {},
  );
  return { ...result, labels: result.labels.map(withoutName) };
}

// Type and unit stay here, as in Prometheus.
function withoutName(labels: Labels): Labels {
  return hasNameNote(labels) ? noteNameToGo(labels) : labelsWith(labels, METRIC_NAME, '');
}
