// The series of an answer in Prometheus's order. They stay in the batches they came in: an answer may be large, and is read once.

import { compareLabels, type Labels, labelsKey } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import { sortSliced } from '../../model/sliced-sort.ts';
import type { OrderedSeries, StepBatch } from '../source.ts';
import { rowHasSteps, sameLabelsError } from './step-batch.ts';

/** How the series of an answer are ordered: as they came where the query itself sorts. */
export type SeriesOrder = 'as-they-came' | 'by-labels';

/** The series that have a step, in order. `execution` error when two series have the same labels. */
export async function arrange(
  batches: readonly StepBatch[],
  order: SeriesOrder,
  pause: Pause,
): Promise<OrderedSeries> {
  const all = seriesOf(batches);
  const found: number[] = [];
  const atOnce = rowsBetweenPauses(batches[0]?.steps ?? 1);
  for (let i = 0; i < all.labels.length; i++) {
    if (i % atOnce === 0) await pause();
    if (rowHasSteps(batches[all.partOf[i]!]!, all.rows[i]!)) found.push(i);
  }
  if (order === 'as-they-came') refuseEqual(all.labels);
  const places = order === 'by-labels' ? await byLabels(found, all.labels, pause) : found;
  await pause();
  return {
    batches,
    partOf: Uint32Array.from(places, (place) => all.partOf[place]!),
    rows: Uint32Array.from(places, (place) => all.rows[place]!),
  };
}

function seriesOf(batches: readonly StepBatch[]): {
  readonly labels: readonly Labels[];
  readonly partOf: Uint32Array;
  readonly rows: Uint32Array;
} {
  const labels = batches.length === 1 ? batches[0]!.labels : batches.flatMap((batch) => batch.labels);
  const partOf = new Uint32Array(labels.length);
  const rows = new Uint32Array(labels.length);
  let at = 0;
  for (const [part, batch] of batches.entries())
    for (let row = 0; row < batch.labels.length; row++) {
      partOf[at] = part;
      rows[at++] = row;
    }
  return { labels, partOf, rows };
}

async function byLabels(
  places: readonly number[],
  labels: readonly Labels[],
  pause: Pause,
): Promise<readonly number[]> {
  const sorted = await sortSliced(places, (a, b) => compareLabels(labels[a]!, labels[b]!), pause);
  for (let i = 1; i < sorted.length; i++) {
    const [a, b] = [labels[sorted[i - 1]!]!, labels[sorted[i]!]!];
    if (a.length === b.length && compareLabels(a, b) === 0) throw sameLabelsError();
  }
  return sorted;
}

function refuseEqual(labels: readonly Labels[]): void {
  if (new Set(labels.map(labelsKey)).size < labels.length) throw sameLabelsError();
}
