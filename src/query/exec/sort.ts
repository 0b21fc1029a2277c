// Ordering of an instant vector's rows: sort, sort_desc, sort_by_label, sort_by_label_desc (Prometheus promql/functions.go,
// facette/natsort). A range query's answer is ordered by labels whatever these do.

import { compareLabels, type Labels, labelValue } from '../../model/labels.ts';
import type { Pause } from '../../model/pause.ts';
import { sortSliced } from '../../model/sliced-sort.ts';
import { compareText } from '../../model/text.ts';
import type { StepBatch } from '../source.ts';
import { takeRows } from './step-batch.ts';

/** Rows by value, NaN last in both directions; equal values keep their order. Absent rows are left out. One step only. */
export function sortByValue(batch: StepBatch, descending: boolean, pause: Pause): Promise<StepBatch> {
  const { values } = batch;
  const compare = (a: number, b: number): number => {
    const x = values[a]!;
    const y = values[b]!;
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    if (x === y) return 0;
    return x < y === descending ? 1 : -1;
  };
  return ordered(batch, compare, pause);
}

/** Rows by the named labels in natural order (x2 before x10), then by all labels; `descending` turns both around. */
export function sortByLabels(
  batch: StepBatch,
  { names, descending }: { names: readonly string[]; descending: boolean },
  pause: Pause,
): Promise<StepBatch> {
  const direction = descending ? -1 : 1;
  const compare = (a: number, b: number): number =>
    direction * compareBy(names, batch.labels[a]!, batch.labels[b]!);
  return ordered(batch, compare, pause);
}

function compareBy(names: readonly string[], a: Labels, b: Labels): number {
  for (const name of names) {
    const x = labelValue(a, name);
    const y = labelValue(b, name);
    if (x !== y) return naturallyBefore(x, y) ? -1 : 1;
  }
  return compareLabels(a, b);
}

async function ordered(
  batch: StepBatch,
  compare: (a: number, b: number) => number,
  pause: Pause,
): Promise<StepBatch> {
  if (batch.steps !== 1) return batch;
  const rows: number[] = [];
  for (let row = 0; row < batch.labels.length; row++) if (batch.present[row] === 1) rows.push(row);
  return takeRows(batch, await sortSliced(rows, compare, pause));
}

/** Whether `a` stands before `b`: runs of digits compare as numbers, other runs as text. */
export function naturallyBefore(a: string, b: string): boolean {
  const left = a.match(RUNS) ?? [];
  const right = b.match(RUNS) ?? [];
  for (const [i, run] of left.entries()) {
    const other = right[i];
    if (other === undefined) return false;
    const numbers = isInteger(run) && isInteger(other);
    if (numbers ? BigInt(run) === BigInt(other) : run === other) {
      if (i === left.length - 1) return true;
      if (i === right.length - 1) return false;
      continue;
    }
    return numbers ? BigInt(run) < BigInt(other) : compareText(run, other) < 0;
  }
  return false;
}

const RUNS = /\d+|\D+/g;
const INT64_MAX = 2n ** 63n - 1n;

// Go reads a run as a number only while an int64 holds it.
function isInteger(run: string): boolean {
  return /^\d+$/.test(run) && BigInt(run) <= INT64_MAX;
}
