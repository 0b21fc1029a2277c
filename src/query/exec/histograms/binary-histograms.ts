// Binary operations of series with native histograms, cell by cell; series of floats never come here.

import type { Annotation, Annotations } from '../../../model/annotations.ts';
import type { Labels } from '../../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../../model/pause.ts';
import type { StepBatch } from '../../source.ts';
import type { StateMemory } from '../aggregation.ts';
import { CELL_BYTES, dropNames } from '../step-batch.ts';
import { floatsOnly, HistogramCells, histogramOfCell } from './histogram-cells.ts';
import { isTrim, type Operand, PairCombiner, type PairOperator } from './pairs.ts';

/** A cell of a batch as an operand. */
export function operandAt(batch: StepBatch, cell: number): Operand {
  return { value: batch.values[cell]!, histogram: histogramOfCell(batch, cell) };
}

/** Notes of an operation: as in Prometheus the last one of each step counts. */
export class StepNotes {
  readonly #last: (Annotation | undefined)[] = [];

  /** Takes the note on a pair at a step, if there is one. */
  take(step: number, note: Annotation | undefined): void {
    if (note !== undefined) this.#last[step] = note;
  }

  /** Hands them on. */
  addTo(annotations: Annotations): void {
    for (const note of this.#last) if (note !== undefined) annotations.add(note);
  }
}

/** What the results of pairs go to. */
interface PairOutput {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly cells: HistogramCells;
}

/** A binary operation and where its notes go. */
export interface MixedOperation {
  readonly op: PairOperator;
  readonly returnBool: boolean;
  readonly where: string | undefined;
  readonly annotations: Annotations;
}

function combineInto(
  combiner: PairCombiner,
  [left, right]: readonly [Operand, Operand],
  returnBool: boolean,
  { values, present, cells }: PairOutput,
  cell: number,
): void {
  const outcome = combiner.combine(left, right);
  const isKept = outcome !== 'refused' && outcome !== 'unkept';
  if (returnBool) {
    values[cell] = isKept ? 1 : 0;
    present[cell] = outcome === 'refused' ? 0 : 1;
    return;
  }
  present[cell] = isKept ? 1 : 0;
  if (outcome === 'float') values[cell] = combiner.value;
  else if (outcome === 'left' && left.histogram !== undefined) {
    values[cell] = left.value;
    cells.set(cell, left.histogram.columns, left.histogram.row);
  } else if (outcome === 'computed') {
    values[cell] = combiner.computed.sum;
    cells.put(cell, combiner.computed);
  }
}

/** Rows that meet: row i of the result is of leftRows[i] and rightRows[i]. */
export interface MixedPairs {
  readonly left: StepBatch;
  readonly right: StepBatch;
  readonly leftRows: readonly number[];
  readonly rightRows: readonly number[];
  readonly labels: readonly Labels[];
}

/** Combines rows of two vectors. */
export async function combineMixedRows(
  { op, returnBool, where, annotations }: MixedOperation,
  { left, right, leftRows, rightRows, labels }: MixedPairs,
  { pause, memory }: { readonly pause: Pause; readonly memory: StateMemory },
): Promise<StepBatch> {
  const { steps } = left;
  const size = labels.length * steps;
  memory.hold(size * CELL_BYTES);
  const cells = new HistogramCells(memory);
  const output = { values: new Float64Array(size), present: new Uint8Array(size), cells };
  const combiner = new PairCombiner(op, where);
  const notes = new StepNotes();
  const atOnce = rowsBetweenPauses(16 * steps);
  for (let i = 0; i < labels.length; i++) {
    if (i % atOnce === 0) await pause();
    for (let step = 0; step < steps; step++) {
      const a = leftRows[i]! * steps + step;
      const b = rightRows[i]! * steps + step;
      if (left.present[a] === 0 || right.present[b] === 0) continue;
      combineInto(combiner, [operandAt(left, a), operandAt(right, b)], returnBool, output, i * steps + step);
      notes.take(step, combiner.note);
    }
  }
  notes.addTo(annotations);
  return {
    labels,
    steps,
    values: output.values,
    present: output.present,
    histograms: cells.take(size),
  };
}

/** A vector and a scalar, one number per step. */
export interface MixedScalar {
  readonly vector: StepBatch;
  readonly scalar: Float64Array;
  readonly scalarOnLeft: boolean;
  /** Where the result is accounted for while it arises. */
  readonly memory: StateMemory;
}

/**
 * Combines each value with a number per step. `ofFloats` computes the floats of a batch, which is handed over to it; a comparison has
 * nothing for histograms, so that it may leave series out.
 */
export function combineMixedScalar(
  { op, returnBool, where, annotations }: MixedOperation,
  { vector, scalar, scalarOnLeft, memory }: MixedScalar,
  ofFloats: (floats: StepBatch) => StepBatch,
): StepBatch {
  const { steps, labels, present } = vector;
  const { length } = present;
  memory.hold(length * CELL_BYTES);
  const values = new Float64Array(length);
  const output = { values, present: new Uint8Array(length), cells: new HistogramCells(memory) };
  const combiner = new PairCombiner(op, where);
  const notes = new StepNotes();
  for (let cell = 0; cell < labels.length * steps; cell++) {
    if (present[cell] === 0) continue;
    const operand = operandAt(vector, cell);
    if (operand.histogram === undefined && !isTrim(op)) continue;
    const number = { value: scalar[cell % steps]!, histogram: undefined };
    combineInto(combiner, scalarOnLeft ? [number, operand] : [operand, number], returnBool, output, cell);
    notes.take(cell % steps, combiner.note);
  }
  notes.addTo(annotations);
  if (isTrim(op)) return { labels, steps, ...output, histograms: output.cells.take(length) };
  const floats = ofFloats(floatsOnly({ ...vector, present: present.slice() }));
  if (!output.present.includes(1)) return floats;
  for (let cell = 0; cell < length; cell++) {
    if (output.present[cell] === 1) values[cell] = output.values[cell]!;
    else {
      values[cell] = floats.values[cell]!;
      output.present[cell] = floats.present[cell]!;
    }
  }
  return dropNames({ labels, steps, values, present: output.present, histograms: output.cells.take(length) });
}
