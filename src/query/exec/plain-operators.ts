// Operators without much of their own: binary operations, unary minus, absent, and what is the same at every step.

import { DomainError, invariant } from '../../model/errors.ts';
import { FloatHistogram } from '../../model/float-histogram.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import type { BinaryOperator } from '../parse/ast.ts';
import { dropsName, namesUnique } from '../plan/names.ts';
import type { AbsentNode, BinaryNode, NegateNode, PlanNode, StepInvariantNode } from '../plan/nodes.ts';
import { type BatchHistograms, type StepBatch, type StepRange, stepCount } from '../source.ts';
import { StateMemory } from './aggregation.ts';
import { binaryScalars, binaryVectorScalar, binaryVectors } from './binary.ts';
import { collect, type ExecContext, oneStep, release } from './context.ts';
import { combineMixedScalar } from './histograms/binary-histograms.ts';
import { histogramOfCell } from './histograms/histogram-cells.ts';
import { isTrim, type PairOperator } from './histograms/pairs.ts';
import { Rows } from './rows.ts';
import { batchBytes, dropNames, mergeEqualSeries } from './step-batch.ts';

/** Streams a binary operation with at least one vector. */
export async function* streamBinary(
  node: BinaryNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const { budget } = context;
  const steps = stepCount(grid);
  if (node.shape === 'vectors') {
    invariant(node.matching !== undefined, 'a binary operation of two vectors has a matching');
    // Both sides at once: on a querier their fragments travel together.
    const [left, right] = await Promise.all([
      collect(context.stream(node.left, grid), steps, budget),
      collect(context.stream(node.right, grid), steps, budget),
    ]);
    const memory = new StateMemory(budget);
    const result = await binaryVectors(node, left.batch, right.batch, {
      annotations: context.annotations,
      pause: budget.pause,
      memory,
    });
    memory.release();
    yield result;
    release(left, budget);
    release(right, budget);
    return;
  }
  const scalarOnLeft = node.shape === 'scalar-vector';
  const scalar = await context.scalar(scalarOnLeft ? node.left : node.right, grid);
  const vector = scalarOnLeft ? node.right : node.left;
  const { op, returnBool, where } = node;
  const { annotations } = context;
  yield* mapSamples({ input: vector, drops: dropsName(node), grid, context }, (batch, memory) => {
    const ofFloats = (floats: StepBatch): StepBatch =>
      binaryVectorScalar(op, returnBool, floats, scalar, scalarOnLeft);
    if (!isTrim(op) && batch.histograms === undefined) return ofFloats(batch);
    const operation = { op: pairOperator(op), returnBool, where, annotations };
    return combineMixedScalar(operation, { vector: batch, scalar, scalarOnLeft, memory }, ofFloats);
  });
}

function pairOperator(op: BinaryOperator): PairOperator {
  invariant(op !== 'and' && op !== 'or' && op !== 'unless', `operator ${op} with a scalar`);
  return op;
}

/** A mapping of each batch of a vector to one of the same series, perhaps without their names. */
export interface SampleMapping {
  readonly input: PlanNode;
  /** Whether the mapping drops metric names, so that series may become equal. */
  readonly drops: boolean;
  readonly grid: StepRange;
  readonly context: ExecContext;
}

/**
 * Streams `map` of each batch; series that become equal are joined, or refused where they overlap. What `map` accounts for is given
 * back when it is done: results are accounted for by whoever gets them.
 */
export async function* mapSamples(
  { input, drops, grid, context }: SampleMapping,
  map: (batch: StepBatch, memory: StateMemory) => StepBatch | Promise<StepBatch>,
): AsyncGenerator<StepBatch> {
  const memory = new StateMemory(context.budget);
  const mapped = async (batch: StepBatch): Promise<StepBatch> => {
    const result = await map(batch, memory);
    memory.release();
    return result;
  };
  if (!drops || namesUnique(input)) {
    for await (const batch of context.stream(input, grid)) yield mapped(batch);
    return;
  }
  const held = await collect(context.stream(input, grid), stepCount(grid), context.budget);
  yield await mergeEqualSeries(await mapped(held.batch), context.budget.pause);
  release(held, context.budget);
}

/** Value per step of a binary operation of two scalars. */
export async function scalarBinary(
  node: BinaryNode,
  grid: StepRange,
  context: ExecContext,
): Promise<Float64Array> {
  const left = await context.scalar(node.left, grid);
  return binaryScalars(node.op, left, await context.scalar(node.right, grid));
}

/** Streams unary minus of a vector. */
export function streamNegate(
  node: NegateNode,
  grid: StepRange,
  context: ExecContext,
): AsyncIterable<StepBatch> {
  return mapSamples({ input: node.input, drops: true, grid, context }, (batch, memory) => {
    memory.hold(batchBytes(batch));
    const values = batch.values.map((value) => -value);
    return dropNames({ ...batch, values, histograms: negated(batch.histograms) });
  });
}

function negated(histograms: BatchHistograms | undefined): BatchHistograms | undefined {
  if (histograms === undefined) return undefined;
  const columns = new HistogramColumns();
  const one = new FloatHistogram();
  for (let row = 0; row < histograms.columns.count; row++)
    one.load({ columns: histograms.columns, row }).scale(-1).store(columns);
  return { columns, rows: histograms.rows };
}

/** One series with the node's labels, 1 at the steps where the input has nothing. */
export async function* streamAbsent(
  node: AbsentNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const steps = stepCount(grid);
  const present = new Uint8Array(steps).fill(1);
  for await (const batch of context.stream(node.input, grid)) {
    const cells = batch.labels.length * steps;
    for (let i = 0, step = 0; i < cells; i++, step = step + 1 === steps ? 0 : step + 1)
      if (batch.present[i] === 1) present[step] = 0;
  }
  if (present.includes(1))
    yield { labels: [node.labels], steps, values: new Float64Array(steps).fill(1), present };
}

/** Streams what is the same at every step: evaluated at the first, repeated for the others. */
export async function* streamInvariant(
  node: StepInvariantNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const steps = stepCount(grid);
  const once = oneStep(grid);
  if (node.input.kind === 'string') throw new DomainError('internal', 'cannot repeat a string as a vector');
  for await (const batch of context.stream(node.input, once)) {
    if (steps === 1) {
      yield batch;
      continue;
    }
    const rows = new Rows(steps, context.budget);
    for (const [row, labels] of batch.labels.entries()) {
      if (batch.present[row] === 0) continue;
      rows.open(batch.labels.length - row);
      rows.values.fill(batch.values[row]!, rows.offset, rows.offset + steps);
      rows.present.fill(1, rows.offset, rows.offset + steps);
      const histogram = histogramOfCell(batch, row);
      if (histogram !== undefined)
        rows.histograms(new Int32Array(steps).fill(histogram.row), histogram.columns);
      const full = rows.keep(labels) ? rows.take() : undefined;
      if (full !== undefined) yield full;
    }
    const rest = rows.take();
    if (rest !== undefined) yield rest;
    rows.close();
  }
}
