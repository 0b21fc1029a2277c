// From a plan to the value of an answer: Prometheus's result types, in its order.

import { childrenOf, nodeType, type PlanNode } from '../plan/nodes.ts';
import type { QueryValue } from '../result.ts';
import { type OrderedSeries, type StepBatch, type StepRange, stepCount } from '../source.ts';
import { arrange, type SeriesOrder } from './arrange.ts';
import { collect, collectParts, type ExecContext } from './context.ts';
import { removeNames } from './delayed-names.ts';
import { readMatrix } from './matrix.ts';

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
      const order = keepsOrder(node) ? 'as-they-came' : 'by-labels';
      return { type: 'vector', timestamp, series: await vectorOf(node, grid, order, context) };
    }
  }
}

/** Evaluates a range query; a scalar becomes one series without labels. */
export async function rangeValue(node: PlanNode, grid: StepRange, context: ExecContext): Promise<QueryValue> {
  const steps = stepCount(grid);
  if (nodeType(node) === 'scalar') {
    const values = await context.scalar(node, grid);
    const batch: StepBatch = { labels: [[]], steps, values, present: new Uint8Array(steps).fill(1) };
    return {
      type: 'matrix',
      range: grid,
      series: { batches: [batch], partOf: new Uint32Array(1), rows: new Uint32Array(1) },
    };
  }
  return { type: 'matrix', range: grid, series: await vectorOf(node, grid, 'by-labels', context) };
}

async function vectorOf(
  node: PlanNode,
  grid: StepRange,
  order: SeriesOrder,
  context: ExecContext,
): Promise<OrderedSeries> {
  const { budget } = context;
  if (context.delayedNames !== true) {
    const { batches } = await collectParts(context.stream(node, grid), budget);
    return arrange(batches, order, budget.pause);
  }
  const { batch } = await collect(context.stream(node, grid), stepCount(grid), budget);
  return arrange([await removeNames(batch, budget.pause)], order, budget.pause);
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
