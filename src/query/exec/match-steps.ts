// Vector matching step by step, exactly in Prometheus's order (promql/engine.go, VectorBinop): for vectors whose match groups
// or results have several series that (should) never meet at one step, and for fill modifiers.

import { type Labels, labelsKey } from '../../model/labels.ts';
import { rowsBetweenPauses } from '../../model/pause.ts';
import { isComparison } from '../kernels/elementwise.ts';
import type { StepBatch } from '../source.ts';
import type { StateMemory } from './aggregation.ts';
import type { BinaryContext } from './binary.ts';
import { operandAt, StepNotes } from './histograms/binary-histograms.ts';
import { type Operand, PairCombiner } from './histograms/pairs.ts';
import { RowList } from './row-list.ts';
import { sameLabelsError } from './step-batch.ts';
import {
  ambiguousGrouping,
  duplicateSeries,
  implicitManyToOne,
  type Matched,
  type PairOperation,
  resultLabels,
} from './vector-match.ts';

/** No series: a fill value stands in. */
const FILL = -1;

/** Combines two vectors; errors as Prometheus raises them at the first step that has a conflict. */
export async function matchByStep(
  operation: PairOperation,
  matched: Matched,
  { annotations, pause, memory }: BinaryContext,
): Promise<StepBatch> {
  const matcher = new StepMatcher(operation, matched, memory);
  const { left, right } = matched;
  const atOnce = rowsBetweenPauses(16 * (left.labels.length + right.labels.length));
  for (let step = 0; step < left.steps; step++) {
    if (step % atOnce === 0) await pause();
    matcher.run(step);
  }
  matcher.notes.addTo(annotations);
  return matcher.take();
}

/** One side of the operation: `rows` present at the current step. */
interface Side {
  readonly batch: StepBatch;
  readonly signatures: Int32Array;
  readonly fill: number | undefined;
  rows: number[];
}

class StepMatcher {
  readonly notes: StepNotes = new StepNotes();
  readonly #combiner: PairCombiner;
  readonly #operation: PairOperation;
  readonly #groups: readonly Labels[];
  readonly #many: Side;
  readonly #one: Side;
  readonly #swapped: boolean;
  /** Row of the one side per group at the current step, or -1. */
  readonly #oneRows: Int32Array;
  /** Result rows that each group has brought forth at the current step. */
  readonly #matched: Set<number>[];
  readonly #output: RowList;
  readonly #rowOfLabels = new Map<string, number>();
  readonly #rowOfPair = new Map<string, number>();
  #conflict = false;

  constructor(operation: PairOperation, { left, right, signatures }: Matched, memory: StateMemory) {
    const { matching } = operation;
    this.#operation = operation;
    this.#combiner = new PairCombiner(operation.op, operation.where);
    this.#swapped = matching.card === 'one-to-many';
    const leftSide = { batch: left, signatures: signatures.left };
    const rightSide = { batch: right, signatures: signatures.right };
    // As in Prometheus, fill_left is the fill of the many side and fill_right of the one side even when group_right swaps them.
    this.#many = { ...(this.#swapped ? rightSide : leftSide), fill: matching.fillLeft, rows: [] };
    this.#one = { ...(this.#swapped ? leftSide : rightSide), fill: matching.fillRight, rows: [] };
    this.#groups = signatures.groups;
    this.#oneRows = new Int32Array(signatures.groups.length);
    this.#matched = signatures.groups.map(() => new Set());
    this.#output = new RowList(left.steps, memory);
  }

  take(): StepBatch {
    return this.#output.take();
  }

  run(step: number): void {
    this.#combineStep(step);
    // Prometheus looks for equal results when a step is done: what is wrong with its matches is told first.
    if (this.#conflict) throw sameLabelsError();
  }

  #combineStep(step: number): void {
    const many = this.#many;
    const one = this.#one;
    many.rows = presentRows(many.batch, step);
    one.rows = presentRows(one.batch, step);
    if (many.rows.length === 0 && one.rows.length === 0) return;
    const filled = many.fill !== undefined || one.fill !== undefined;
    if ((many.rows.length === 0 || one.rows.length === 0) && !filled) return;
    this.#placeOnes();
    for (const matched of this.#matched) matched.clear();
    for (const row of many.rows) {
      const partner = this.#oneRows[many.signatures[row]!]!;
      if (partner !== FILL || one.fill !== undefined) this.#combine(step, row, partner);
    }
    if (many.fill === undefined) return;
    for (const row of one.rows)
      if (this.#matched[one.signatures[row]!]!.size === 0) this.#combine(step, FILL, row);
  }

  #placeOnes(): void {
    const { batch, signatures, rows } = this.#one;
    this.#oneRows.fill(FILL);
    for (const row of rows) {
      const group = signatures[row]!;
      const earlier = this.#oneRows[group]!;
      if (earlier !== FILL) {
        const pair = [batch.labels[earlier]!, batch.labels[row]!] as const;
        throw duplicateSeries(this.#groups[group]!, this.#swapped ? 'left' : 'right', pair);
      }
      this.#oneRows[group] = row;
    }
  }

  // Combines a row of each side at a step; FILL takes the side's fill value.
  #combine(step: number, manyRow: number, oneRow: number): void {
    const group = manyRow === FILL ? this.#one.signatures[oneRow]! : this.#many.signatures[manyRow]!;
    const many = operandOf(this.#many, manyRow, step);
    const one = operandOf(this.#one, oneRow, step);
    const left = this.#swapped ? one : many;
    const outcome = this.#combiner.combine(left, this.#swapped ? many : one);
    this.notes.take(step, this.#combiner.note);
    if (outcome === 'refused') return;
    const result = this.#resultRow(group, manyRow, oneRow);
    const matched = this.#matched[group]!;
    if (this.#operation.matching.card === 'one-to-one') {
      if (matched.size > 0) throw implicitManyToOne();
    } else if (matched.has(result)) throw ambiguousGrouping();
    matched.add(result);
    const { op, returnBool } = this.#operation;
    if (outcome === 'unkept' && !returnBool) return;
    const cell = result * this.#output.steps + step;
    if (this.#output.present[cell] === 1) this.#conflict = true;
    this.#output.present[cell] = 1;
    if (returnBool && isComparison(op)) this.#output.values[cell] = outcome === 'unkept' ? 0 : 1;
    else if (outcome === 'float') this.#output.values[cell] = this.#combiner.value;
    else if (outcome === 'computed') this.#output.computedHistogram(cell, this.#combiner.computed);
    else if (left.histogram !== undefined)
      this.#output.histogram(cell, left.histogram.columns, left.histogram.row);
  }

  // The output row of a pair: pairs with equal result labels share one.
  #resultRow(group: number, manyRow: number, oneRow: number): number {
    const pair = `${manyRow},${oneRow},${manyRow === FILL || oneRow === FILL ? group : ''}`;
    let row = this.#rowOfPair.get(pair);
    if (row !== undefined) return row;
    const many = manyRow === FILL ? this.#groups[group]! : this.#many.batch.labels[manyRow]!;
    const one = oneRow === FILL ? this.#groups[group]! : this.#one.batch.labels[oneRow]!;
    const labels = resultLabels(many, one, this.#operation);
    const key = labelsKey(labels);
    row = this.#rowOfLabels.get(key);
    if (row === undefined) {
      row = this.#output.open(labels);
      this.#rowOfLabels.set(key, row);
    }
    this.#rowOfPair.set(pair, row);
    return row;
  }
}

function presentRows({ labels, steps, present }: StepBatch, step: number): number[] {
  const rows: number[] = [];
  for (let row = 0; row < labels.length; row++) if (present[row * steps + step] === 1) rows.push(row);
  return rows;
}

function operandOf({ batch, fill }: Side, row: number, step: number): Operand {
  if (row === FILL) return { value: fill ?? Number.NaN, histogram: undefined };
  return operandAt(batch, row * batch.steps + step);
}
