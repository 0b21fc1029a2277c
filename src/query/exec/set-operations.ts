// and, or, unless: whether a left or right series is there at a step depends on whether its match group is on the other side.

import { type Labels, labelsKey } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import type { StepBatch } from '../source.ts';
import type { BinaryContext } from './binary.ts';
import { HistogramCells, histogramOfCell } from './histograms/histogram-cells.ts';
import { CELL_BYTES, rowHasSteps, takeManyRows } from './step-batch.ts';
import type { Matched } from './vector-match.ts';

/** Steps at which each match group has a series; undefined for groups without any. */
async function groupPresence(
  { steps, present }: StepBatch,
  signatures: Int32Array,
  groups: number,
  pause: Pause,
): Promise<(Uint8Array | undefined)[]> {
  const atOnce = rowsBetweenPauses(steps);
  const masks: (Uint8Array | undefined)[] = new Array(groups).fill(undefined);
  const owned = new Uint8Array(groups);
  for (let row = 0; row < signatures.length; row++) {
    if (row % atOnce === 0) await pause();
    const group = signatures[row]!;
    const cells = present.subarray(row * steps, (row + 1) * steps);
    let mask = masks[group];
    if (mask === undefined) {
      masks[group] = cells;
      continue;
    }
    // A group's first series lends its presence; it is copied once there is a second.
    if (owned[group] === 0) {
      mask = masks[group] = mask.slice();
      owned[group] = 1;
    }
    for (let i = 0; i < steps; i++) mask[i]! |= cells[i]!;
  }
  return masks;
}

/** left and right: left series at the steps where their group is on the right. Works in `left`. */
export async function intersectVectors(
  { left, right, signatures }: Matched,
  context: BinaryContext,
): Promise<StepBatch> {
  const { pause } = context;
  const masks = await groupPresence(right, signatures.right, signatures.groups.length, pause);
  const { steps, present } = left;
  const kept: number[] = [];
  const atOnce = rowsBetweenPauses(steps);
  for (let row = 0; row < left.labels.length; row++) {
    if (row % atOnce === 0) await pause();
    const mask = masks[signatures.left[row]!];
    if (mask === undefined) continue;
    const from = row * steps;
    for (let i = 0; i < steps; i++) present[from + i]! &= mask[i]!;
    if (rowHasSteps(left, row)) kept.push(row);
  }
  return keepRows(left, kept, context);
}

/** left unless right: left series at the steps where their group is not on the right. Works in `left`. */
export async function subtractVectors(
  { left, right, signatures }: Matched,
  context: BinaryContext,
): Promise<StepBatch> {
  const { pause } = context;
  const masks = await groupPresence(right, signatures.right, signatures.groups.length, pause);
  const { steps, present } = left;
  const kept: number[] = [];
  const atOnce = rowsBetweenPauses(steps);
  for (let row = 0; row < left.labels.length; row++) {
    if (row % atOnce === 0) await pause();
    const mask = masks[signatures.left[row]!];
    const from = row * steps;
    if (mask !== undefined) for (let i = 0; i < steps; i++) present[from + i]! &= 1 - mask[i]!;
    if (mask === undefined || rowHasSteps(left, row)) kept.push(row);
  }
  return keepRows(left, kept, context);
}

async function keepRows(
  batch: StepBatch,
  rows: readonly number[],
  { pause, memory }: BinaryContext,
): Promise<StepBatch> {
  if (rows.length === batch.labels.length) return batch;
  memory.hold(rows.length * batch.steps * CELL_BYTES);
  return takeManyRows(batch, rows, pause);
}

/**
 * left or right: all left series, then right ones at the steps where their group is not on the left. A right series with the
 * labels of a left one continues it. Works in `right`.
 */
export async function uniteVectors(
  { left, right, signatures }: Matched,
  context: BinaryContext,
): Promise<StepBatch> {
  const { pause } = context;
  const masks = await groupPresence(left, signatures.left, signatures.groups.length, pause);
  const { steps } = left;
  const added: number[] = [];
  const atOnce = rowsBetweenPauses(steps);
  for (let row = 0; row < right.labels.length; row++) {
    if (row % atOnce === 0) await pause();
    const mask = masks[signatures.right[row]!];
    const from = row * steps;
    if (mask !== undefined) for (let i = 0; i < steps; i++) right.present[from + i]! &= 1 - mask[i]!;
    if (rowHasSteps(right, row)) added.push(row);
  }
  return appendRows(left, right, added, context);
}

async function appendRows(
  left: StepBatch,
  right: StepBatch,
  added: readonly number[],
  { pause, memory }: BinaryContext,
): Promise<StepBatch> {
  if (added.length === 0) return left;
  const { steps } = left;
  const atOnce = rowsBetweenPauses(steps);
  const places = new Map<string, number>();
  for (const [row, labels] of left.labels.entries()) {
    if (row % atOnce === 0) await pause();
    places.set(labelsKey(labels), row);
  }
  const labels: Labels[] = [...left.labels];
  const targets: number[] = [];
  for (const [n, row] of added.entries()) {
    if (n % atOnce === 0) await pause();
    const place = places.get(labelsKey(right.labels[row]!));
    targets.push(place ?? labels.push(right.labels[row]!) - 1);
  }
  memory.hold(labels.length * steps * CELL_BYTES);
  const values = new Float64Array(labels.length * steps);
  const present = new Uint8Array(labels.length * steps);
  const isMixed = left.histograms !== undefined || right.histograms !== undefined;
  const cells = isMixed ? new HistogramCells(memory) : undefined;
  if (left.histograms !== undefined) cells?.fill(0, left.histograms.rows, left.histograms.columns);
  values.set(left.values.subarray(0, left.labels.length * steps));
  present.set(left.present.subarray(0, left.labels.length * steps));
  for (const [n, row] of added.entries()) {
    if (n % atOnce === 0) await pause();
    const from = row * steps;
    const target = targets[n]! * steps;
    for (let i = 0; i < steps; i++) {
      if (right.present[from + i] === 0) continue;
      values[target + i] = right.values[from + i]!;
      present[target + i] = 1;
      const histogram = histogramOfCell(right, from + i);
      if (histogram !== undefined) cells?.set(target + i, histogram.columns, histogram.row);
    }
  }
  return { labels, steps, values, present, histograms: cells?.take(labels.length * steps) };
}
