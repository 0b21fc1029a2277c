// Function calls over instant vectors: per-sample functions run batch by batch as they come, the others see the whole vector.

import { DomainError } from '../../model/errors.ts';
import { greater, lesser } from '../kernels/elementwise.ts';
import { isPerSample } from '../plan/functions.ts';
import { type CallNode, nodeType, type PlanNode } from '../plan/nodes.ts';
import { type StepBatch, type StepRange, stepCount } from '../source.ts';
import { warn } from './aggregation.ts';
import { collect, type ExecContext, release } from './context.ts';
import { noteNewNames } from './delayed-names.ts';
import {
  applySampleFunction,
  applyVectorFunction,
  type FunctionArgument,
  isVectorFunction,
  scalarOf,
  takesHistograms,
} from './elementwise.ts';
import { floatsOnly } from './histograms/histogram-cells.ts';
import { applyHistogramFunction, isHistogramFunction } from './histograms/histogram-functions.ts';
import { mapSamples } from './plain-operators.ts';
import { CELL_BYTES, dropNames } from './step-batch.ts';

/** Streams a function's result. */
export async function* streamCall(
  node: CallNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const vectorIndex = node.args.findIndex((arg) => nodeType(arg) === 'vector');
  const input = node.args[vectorIndex];
  if (node.func === 'timestamp' && input !== undefined) {
    yield* mapSamples({ input, drops: true, grid, context }, (batch) => evaluationTimes(batch, grid));
    return;
  }
  if (node.func === 'start_timestamp' && input !== undefined) {
    // Only selectors have any; evaluated for its errors and notes alone.
    for await (const _ of context.stream(input, grid, true));
    return;
  }
  if (isHistogramFunction(node.func) && input !== undefined) {
    const { pause } = context.budget;
    yield* mapSamples({ input, drops: true, grid, context }, (batch) =>
      applyHistogramFunction(node.func, batch, pause),
    );
    return;
  }
  if (!isVectorFunction(node.func))
    throw new DomainError('execution', `cannot evaluate function ${node.func}: not supported`);
  const steps = stepCount(grid);
  const notes = {
    annotations: context.annotations,
    pause: context.budget.pause,
    wheres: node.wheres,
    showNames: context.delayedNames ?? false,
  };
  const args = await otherArguments(node, grid, context);
  if (input === undefined) {
    context.budget.holdBytes(steps * CELL_BYTES);
    yield await applyVectorFunction(node.func, args, grid, notes);
    context.budget.releaseBytes(steps * CELL_BYTES);
    return;
  }
  const seesHistograms = takesHistograms(node.func);
  const withVector = (batch: StepBatch): FunctionArgument[] =>
    args.map((arg, i) =>
      i === vectorIndex ? { kind: 'vector', batch: seesHistograms ? batch : floatsOnly(batch) } : arg,
    );
  if (isPerSample(node.func)) {
    yield* mapSamples({ input, drops: true, grid, context }, (batch) =>
      applySampleFunction(node.func, withVector(batch), grid),
    );
    return;
  }
  if (node.func.startsWith('sort') && grid.start !== grid.end) {
    const text = 'sort is ineffective for range queries since results are always ordered by labels';
    warn(context.annotations, text, node.where);
  }
  const held = await collect(context.stream(input, grid), steps, context.budget);
  const result = await applyVectorFunction(node.func, withVector(held.batch), grid, notes);
  yield context.delayedNames === true ? noteNewNames(result) : result;
  release(held, context.budget);
}

// The scalar and string arguments; the place of the vector is filled later.
async function otherArguments(
  node: CallNode,
  grid: StepRange,
  context: ExecContext,
): Promise<FunctionArgument[]> {
  const args: FunctionArgument[] = [];
  for (const arg of node.args) {
    if (nodeType(arg) === 'scalar') args.push({ kind: 'scalar', values: await context.scalar(arg, grid) });
    else args.push({ kind: 'string', value: stringOf(arg) });
  }
  return args;
}

function stringOf(node: PlanNode): string {
  if (node.kind === 'string') return node.value;
  return node.kind === 'step-invariant' ? stringOf(node.input) : '';
}

function evaluationTimes(batch: StepBatch, grid: StepRange): StepBatch {
  const values = new Float64Array(batch.values.length);
  for (let i = 0; i < values.length; i++) values[i] = (grid.start + (i % batch.steps) * grid.step) / 1000;
  return dropNames({ ...batch, values, histograms: undefined });
}

/** Value per step of a call whose result is a scalar. */
export async function scalarCall(
  node: CallNode,
  grid: StepRange,
  context: ExecContext,
): Promise<Float64Array> {
  const steps = stepCount(grid);
  const [first, second] = node.args;
  if (node.func === 'pi') return new Float64Array(steps).fill(Math.PI);
  if (first === undefined)
    throw new DomainError('internal', `cannot evaluate ${node.func}: it has no argument`);
  if (node.func === 'scalar') {
    const held = await collect(context.stream(first, grid), steps, context.budget);
    release(held, context.budget);
    return scalarOf(floatsOnly(held.batch));
  }
  const values = (await context.scalar(first, grid)).slice();
  if (second === undefined)
    throw new DomainError('internal', `cannot evaluate ${node.func}: it has one argument`);
  const others = await context.scalar(second, grid);
  for (let i = 0; i < steps; i++)
    values[i] = (node.func === 'min_of' ? lesser : greater)(values[i]!, others[i]!);
  return values;
}
