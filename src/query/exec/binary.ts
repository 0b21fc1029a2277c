// Binary operations of vectors and scalars. Where every match group has one series per side, whole rows are combined; where
// series of a group take turns over time, conflicts are judged step by step (match-steps.ts), as Prometheus does.

import type { Annotations } from '../../model/annotations.ts';
import { DomainError, InvariantError, invariant } from '../../model/errors.ts';
import { type Labels, labelsKey } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import {
  combineNumbers,
  combineRows,
  compareRows,
  isComparison,
  type PairJob,
} from '../kernels/elementwise.ts';
import type { RowCells } from '../kernels/group-columns.ts';
import type { ArithmeticOperator, BinaryOperator, ComparisonOperator, VectorMatching } from '../parse/ast.ts';
import { dropsName } from '../plan/names.ts';
import type { StepBatch } from '../source.ts';
import type { StateMemory } from './aggregation.ts';
import { combineMixedRows, type MixedPairs } from './histograms/binary-histograms.ts';
import { isTrim } from './histograms/pairs.ts';
import { matchByStep } from './match-steps.ts';
import { intersectVectors, subtractVectors, uniteVectors } from './set-operations.ts';
import { CELL_BYTES, dropNames, rowHasSteps, takeRows } from './step-batch.ts';
import {
  type Matched,
  matchSignatures,
  type PairOperation,
  resultLabels,
  uniqueRows,
} from './vector-match.ts';

const ROWS_AT_ONCE = rowsBetweenPauses(0);

/** A binary operation of two vectors. */
export interface VectorOperation {
  readonly op: BinaryOperator;
  readonly returnBool: boolean;
  readonly matching?: VectorMatching;
  /** `line:col` of the operation, for notes. */
  readonly where?: string;
}

/** Where notes of an operation go, and how it gives way to others. */
export interface BinaryContext {
  readonly annotations: Annotations;
  readonly pause: Pause;
  /** Where results are accounted for while they arise. */
  readonly memory: StateMemory;
}

/** Combines two vectors over the same steps; takes both over. `execution` errors for series that match more than once. */
export async function binaryVectors(
  operation: VectorOperation,
  left: StepBatch,
  right: StepBatch,
  context: BinaryContext,
): Promise<StepBatch> {
  const { op, matching } = operation;
  invariant(matching !== undefined, 'a binary operation of two vectors has a matching');
  invariant(left.steps === right.steps, `operands of ${left.steps} and ${right.steps} steps`);
  const signatures = await matchSignatures(matching, left.labels, right.labels, context.pause);
  switch (op) {
    case 'and':
      return intersectVectors({ left, right, signatures }, context);
    case 'or':
      return uniteVectors({ left, right, signatures }, context);
    case 'unless':
      return subtractVectors({ left, right, signatures }, context);
    default: {
      const { returnBool, where } = operation;
      const paired = { op, returnBool, matching, where };
      const result =
        (await matchRows(paired, { left, right, signatures }, context)) ??
        (await matchByStep(paired, { left, right, signatures }, context));
      const keepsRows = returnBool || !(isComparison(op) || result.histograms !== undefined);
      return keepsRows ? result : withoutEmptyRows(result);
    }
  }
}

function withoutEmptyRows(batch: StepBatch): StepBatch {
  const kept: number[] = [];
  for (let row = 0; row < batch.labels.length; row++) if (rowHasSteps(batch, row)) kept.push(row);
  return kept.length === batch.labels.length ? batch : takeRows(batch, kept);
}

// Row by row; undefined where series share a match group or result labels, so that steps have to be looked at one by one.
async function matchRows(
  operation: PairOperation,
  { left, right, signatures }: Matched,
  context: BinaryContext,
): Promise<StepBatch | undefined> {
  const { matching } = operation;
  if (matching.fillLeft !== undefined || matching.fillRight !== undefined) return undefined;
  const swapped = matching.card === 'one-to-many';
  const groups = signatures.groups.length;
  const ones = uniqueRows(swapped ? signatures.left : signatures.right, groups);
  if (ones === undefined) return undefined;
  const manySignatures = swapped ? signatures.right : signatures.left;
  if (matching.card === 'one-to-one' && uniqueRows(manySignatures, groups) === undefined) return undefined;
  const [many, one] = swapped ? [right, left] : [left, right];
  const manyRows: number[] = [];
  const labels: Labels[] = [];
  const keys = new Set<string>();
  for (let row = 0; row < manySignatures.length; row++) {
    if (row % ROWS_AT_ONCE === 0) await context.pause();
    const partner = ones[manySignatures[row]!]!;
    if (partner < 0) continue;
    const result = resultLabels(many.labels[row]!, one.labels[partner]!, operation);
    manyRows.push(row);
    labels.push(result);
    keys.add(labelsKey(result));
  }
  if (keys.size < labels.length) return undefined;
  const oneRows = manyRows.map((row) => ones[manySignatures[row]!]!);
  const [leftRows, rightRows] = swapped ? [oneRows, manyRows] : [manyRows, oneRows];
  const pairs = { left, right, leftRows, rightRows, labels };
  const { op, returnBool, where } = operation;
  if (isTrim(op) || left.histograms !== undefined || right.histograms !== undefined)
    return combineMixedRows({ op, returnBool, where, annotations: context.annotations }, pairs, context);
  return combinePairs(op, returnBool, pairs, context);
}

async function combinePairs(
  op: ArithmeticOperator | ComparisonOperator,
  returnBool: boolean,
  { left, right, leftRows, rightRows, labels }: MixedPairs,
  { pause, memory }: BinaryContext,
): Promise<StepBatch> {
  const { steps } = left;
  memory.hold(labels.length * steps * CELL_BYTES);
  const output: RowCells = {
    values: new Float64Array(labels.length * steps),
    present: new Uint8Array(labels.length * steps),
    from: 0,
  };
  const a: RowCells = { values: left.values, present: left.present, from: 0 };
  const b: RowCells = { values: right.values, present: right.present, from: 0 };
  const job: PairJob = { left: a, right: b, output, steps };
  const atOnce = rowsBetweenPauses(steps);
  for (let i = 0; i < labels.length; i++) {
    if (i % atOnce === 0) await pause();
    a.from = leftRows[i]! * steps;
    b.from = rightRows[i]! * steps;
    output.from = i * steps;
    if (isComparison(op)) compareRows(op, returnBool ? 'bool' : 'left', job);
    else combineRows(op, job);
  }
  return { labels, steps, values: output.values, present: output.present };
}

/**
 * Combines each series with a number per step; takes the vector over and works in it. Filters keep the vector's value,
 * whichever side it is on. Series that lose their names may have become equal: mergeEqualSeries() is the caller's.
 */
export function binaryVectorScalar(
  op: BinaryOperator,
  returnBool: boolean,
  vector: StepBatch,
  scalar: Float64Array,
  scalarOnLeft: boolean,
): StepBatch {
  if (op === 'and' || op === 'or' || op === 'unless' || op === '</' || op === '>/')
    throw new InvariantError(`operator ${op} with a scalar`);
  const { steps, values, present, labels } = vector;
  invariant(scalar.length === steps, `scalar of ${scalar.length} steps, vector of ${steps}`);
  const row: RowCells = { values, present, from: 0 };
  const numbers: RowCells = { values: scalar, present: new Uint8Array(steps).fill(1), from: 0 };
  const job: PairJob = {
    left: scalarOnLeft ? numbers : row,
    right: scalarOnLeft ? row : numbers,
    output: row,
    steps,
  };
  const result = returnBool ? 'bool' : scalarOnLeft ? 'right' : 'left';
  for (let i = 0; i < labels.length; i++) {
    row.from = i * steps;
    if (isComparison(op)) compareRows(op, result, job);
    else combineRows(op, job);
  }
  if (dropsName({ op, returnBool })) return dropNames(vector);
  return withoutEmptyRows(vector);
}

/** Combines two scalars step by step; comparisons give 1 or 0. */
export function binaryScalars(op: BinaryOperator, left: Float64Array, right: Float64Array): Float64Array {
  invariant(left.length === right.length, `scalars of ${left.length} and ${right.length} steps`);
  if (op === '</' || op === '>/')
    throw new DomainError('execution', `operator "${op}" not allowed for Scalar operations`);
  if (op === 'and' || op === 'or' || op === 'unless')
    throw new InvariantError(`operator ${op} between scalars`);
  return left.map((value, i) => combineNumbers(op, value, right[i]!));
}
