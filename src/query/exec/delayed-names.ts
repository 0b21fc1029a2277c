// Delayed name removal (name-note.ts) where names come into being and at its end, when those that are to go are taken off the answer.

import { type Labels, labelValue, METRIC_NAME } from '../../model/labels.ts';
import type { Pause } from '../../model/pause.ts';
import type { StepBatch } from '../source.ts';
import { hasNameNote, noteName, withoutNameNote } from './name-note.ts';
import { mergeEqualSeries } from './step-batch.ts';

/** Removes what is to go; `execution` error when two series become equal at one step. */
export async function removeNames(batch: StepBatch, pause: Pause): Promise<StepBatch> {
  if (!batch.labels.some(hasNameNote)) return batch;
  return mergeEqualSeries({ ...batch, labels: batch.labels.map(withoutNameNote) }, pause);
}

/** Notes of names that a query has made for series without any: they are kept. */
export function noteNewNames(batch: StepBatch): StepBatch {
  const isNew = (labels: Labels): boolean => !hasNameNote(labels) && labelValue(labels, METRIC_NAME) !== '';
  if (!batch.labels.some(isNew)) return batch;
  return { ...batch, labels: batch.labels.map((labels) => (isNew(labels) ? noteName(labels) : labels)) };
}
