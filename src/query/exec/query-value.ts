// From a plan to the value of an answer: Prometheus's result types, in its order.

import { compareLabels, type Labels, labelsKey } from '../../model/labels.ts';
import type { Pause } from '../../model/pause.ts';
import { sortSliced } from '../../model/sliced-sort.ts';
import { childrenOf, nodeType, type PlanNode } from '../plan/nodes.ts';
import type { QueryValue } from '../result.ts';
import { type StepBatch, type StepRange, stepCount } from '../source.ts';
import { collect, type ExecContext } from './context.ts';
import { removeNames } from './delayed-names.ts';
import { readMatrix } from './matrix.ts';
import { rowHasSteps, sameLabelsError, takeRows } from './step-batch.ts';

/** Evaluates an instant query. */
export async function instantValue(
  node: PlanNode,
  grid: StepRange,
  context: ExecContext,
): Promise<QueryValue> {
  const timestamp = grid.start;
  if (node.kind === 'string') return { type: 'string', timestamp, value: node.value };
  switch (nodeType(node)) {
    case 'scalar': {
      const [value = Number.NaN] = await context.scalar(node, grid);
      return { type: 'scalar', timestamp, value };
    }
    case 'matrix':
      return { type: 'raw-matrix', series: await readMatrix(node, grid, context) };
    default: {
      const batch = await wholeVector(node, grid, context);
      const arranged = await arrange(batch, !keepsOrder(node), context.budget.pause);
      return { type: 'vector', timestamp, batch: arranged };
    }
  }
}

/** Evaluates a range query; a scalar becomes one series without labels. */
export async function rangeValue(node: PlanNode, grid: StepRange, context: ExecContext): Promise<QueryValue> {
  const steps = stepCount(grid);
  if (nodeType(node) === 'scalar') {
    const values = await context.scalar(node, grid);
    return {
      type: 'matrix',
      range: grid,
      batch: { labels: [[]], steps, values, present: new Uint8Array(steps).fill(1) },
    };
  }
  const batch = await wholeVector(node, grid, context);
  return { type: 'matrix', range: grid, batch: await arrange(batch, true, context.budget.pause) };
}

async function wholeVector(node: PlanNode, grid: StepRange, context: ExecContext): Promise<StepBatch> {
  const steps = stepCount(grid);
  const { batch } = await collect(context.stream(node, grid), steps, context.budget);
  return context.delayedNames === true ? removeNames(batch, context.budget.pause) : batch;
}

const ORDERED: ReadonlySet<string> = new Set([
  'topk',
  'bottomk',
  'sort',
  'sort_desc',
  'sort_by_label',
  'sort_by_label_desc',
]);

// Whether a node's order of series means something: it does when something below sorts.
function keepsOrder(node: PlanNode): boolean {
  if (node.kind === 'aggregate') return ORDERED.has(node.op);
  if (node.kind === 'call' && ORDERED.has(node.func)) return true;
  return childrenOf(node).some(keepsOrder);
}

// Leaves out series without a step; sorts by labels; equal label sets next to each other are an error.
async function arrange(batch: StepBatch, sort: boolean, pause: Pause): Promise<StepBatch> {
  const found: number[] = [];
  for (let row = 0; row < batch.labels.length; row++) if (rowHasSteps(batch, row)) found.push(row);
  const order = (a: number, b: number): number => compareLabels(batch.labels[a]!, batch.labels[b]!);
  const rows = sort ? await sortSliced(found, order, pause) : found;
  if (sort) {
    for (let i = 1; i < rows.length; i++) {
      const [a, b] = [batch.labels[rows[i - 1]!] as Labels, batch.labels[rows[i]!] as Labels];
      if (a.length === b.length && compareLabels(a, b) === 0) throw sameLabelsError();
    }
  } else if (new Set(batch.labels.map(labelsKey)).size < batch.labels.length) throw sameLabelsError();
  await pause();
  const inOrder = rows.length === batch.labels.length && rows.every((row, i) => row === i);
  return inOrder ? batch : takeRows(batch, rows);
}
