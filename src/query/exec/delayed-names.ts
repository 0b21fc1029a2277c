// The end of delayed name removal (name-note.ts): names that are to go are taken off the answer.

import type { Pause } from '../../model/pause.ts';
import type { StepBatch } from '../source.ts';
import { hasNameNote, withoutNameNote } from './name-note.ts';
import { mergeEqualSeries } from './step-batch.ts';

/** Removes what is to go; `execution` error when two series become equal at one step. */
export async function removeNames(batch: StepBatch, pause: Pause): Promise<StepBatch> {
  if (!batch.labels.some(hasNameNote)) return batch;
  return mergeEqualSeries({ ...batch, labels: batch.labels.map(withoutNameNote) }, pause);
}
