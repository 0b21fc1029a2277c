// Small operations on step batches and label sets that several operators need.

import { DomainError } from '../../model/errors.ts';
import { type Labels, labelsKey } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import type { StepBatch } from '../source.ts';
import { concatHistograms, takeHistograms } from './histograms/histogram-cells.ts';
import { samplesBeyondCells } from './histograms/sample-counts.ts';
import { dropMetadataLabels } from './name-note.ts';

/** Bytes of one cell of a step batch: value and presence. */
export const CELL_BYTES = 9;

/** What the list of a series' labels takes, and each text in it: most of them are shared between series. */
const LABELS_BYTES = 64;
const TEXT_BYTES = 16;

/** Bytes of a batch, its labels included. */
export function batchBytes({ labels, steps, histograms }: StepBatch): number {
  const cells = labels.length * steps;
  let bytes = cells * CELL_BYTES + labels.length * LABELS_BYTES;
  for (let row = 0; row < labels.length; row++) bytes += labels[row]!.length * TEXT_BYTES;
  return bytes + (histograms === undefined ? 0 : histograms.columns.bytes + 4 * cells);
}

/** Samples of a batch: steps of its series that are there, where a native histogram counts as several. */
export function batchSamples({ present, labels, steps, histograms }: StepBatch): number {
  const cells = labels.length * steps;
  let count = 0;
  for (let i = 0; i < cells; i++) count += present[i]!;
  return histograms === undefined ? count : count + samplesBeyondCells(histograms, cells, present);
}

/** What Prometheus answers when two series of one vector become equal. */
export function sameLabelsError(): DomainError {
  return new DomainError('execution', 'vector cannot contain metrics with the same labelset');
}

/** A batch without series. */
export function emptyBatch(steps: number): StepBatch {
  return { labels: [], steps, values: new Float64Array(0), present: new Uint8Array(0) };
}

/** One batch of all series of `batches`, in order; a single batch is handed on as it is. */
export async function concatBatches(
  batches: readonly StepBatch[],
  steps: number,
  pause: Pause,
): Promise<StepBatch> {
  if (batches.length === 1) return batches[0] as StepBatch;
  let series = 0;
  for (const batch of batches) series += batch.labels.length;
  const labels: Labels[] = [];
  const values = new Float64Array(series * steps);
  const present = new Uint8Array(series * steps);
  for (const batch of batches) {
    await pause();
    values.set(batch.values.subarray(0, batch.labels.length * steps), labels.length * steps);
    present.set(batch.present.subarray(0, batch.labels.length * steps), labels.length * steps);
    for (const set of batch.labels) labels.push(set);
  }
  return { labels, steps, values, present, histograms: concatHistograms(batches) };
}

/** Whether row `row` has at least one present step. */
export function rowHasSteps(batch: StepBatch, row: number): boolean {
  const end = (row + 1) * batch.steps;
  for (let i = row * batch.steps; i < end; i++) if (batch.present[i] === 1) return true;
  return false;
}

/** takeRows for many rows. */
export async function takeManyRows(
  batch: StepBatch,
  rows: readonly number[],
  pause: Pause,
): Promise<StepBatch> {
  const { steps } = batch;
  const values = new Float64Array(rows.length * steps);
  const present = new Uint8Array(rows.length * steps);
  const labels: Labels[] = [];
  const atOnce = rowsBetweenPauses(steps);
  for (const [i, row] of rows.entries()) {
    if (i % atOnce === 0) await pause();
    copyRow(batch, row, { values, present, at: i * steps });
    labels.push(batch.labels[row] as Labels);
  }
  return { labels, steps, values, present, histograms: takeHistograms(batch, rows) };
}

function copyRow(
  { values, present, steps }: StepBatch,
  row: number,
  to: { readonly values: Float64Array; readonly present: Uint8Array; readonly at: number },
): void {
  to.values.set(values.subarray(row * steps, (row + 1) * steps), to.at);
  to.present.set(present.subarray(row * steps, (row + 1) * steps), to.at);
}

/** The rows of a batch in the order of `rows`. */
export function takeRows(batch: StepBatch, rows: readonly number[]): StepBatch {
  const { steps } = batch;
  const values = new Float64Array(rows.length * steps);
  const present = new Uint8Array(rows.length * steps);
  const labels = rows.map((row, i) => {
    copyRow(batch, row, { values, present, at: i * steps });
    return batch.labels[row] as Labels;
  });
  return { labels, steps, values, present, histograms: takeHistograms(batch, rows) };
}

/** The batch with metadata labels dropped from every series. */
export function dropNames(batch: StepBatch): StepBatch {
  return { ...batch, labels: batch.labels.map(dropMetadataLabels) };
}

/** Joins rows of equal labels; `execution` error when two of them are present at one step. */
export async function mergeEqualSeries(batch: StepBatch, pause: Pause): Promise<StepBatch> {
  const rowOf = new Map<string, number>();
  const target: number[] = [];
  const { steps } = batch;
  const atOnce = rowsBetweenPauses(steps);
  for (const [row, labels] of batch.labels.entries()) {
    if (row % atOnce === 0) await pause();
    const key = labelsKey(labels);
    const first = rowOf.get(key);
    if (first === undefined) rowOf.set(key, row);
    target.push(first ?? row);
  }
  if (rowOf.size === batch.labels.length) return batch;
  const values = batch.values.slice();
  const present = batch.present.slice();
  const rows = batch.histograms?.rows.slice();
  const histograms = rows && batch.histograms && { ...batch.histograms, rows };
  for (const [row, first] of target.entries()) {
    if (row % atOnce === 0) await pause();
    if (first === row) continue;
    for (let i = 0; i < steps; i++) {
      if (present[row * steps + i] === 0) continue;
      if (present[first * steps + i] === 1) throw sameLabelsError();
      present[first * steps + i] = 1;
      values[first * steps + i] = values[row * steps + i]!;
      if (rows !== undefined) rows[first * steps + i] = rows[row * steps + i]!;
    }
  }
  return takeManyRows(
    { labels: batch.labels, steps, values, present, histograms },
    [...rowOf.values()],
    pause,
  );
}

/** Remembers label sets and refuses to see one twice. */
export class DistinctLabels {
  readonly #seen = new Set<string>();

  /** Adds one set; `execution` error when it was added before. */
  add(labels: Labels): void {
    const before = this.#seen.size;
    this.#seen.add(labelsKey(labels));
    if (this.#seen.size === before) throw sameLabelsError();
  }
}
