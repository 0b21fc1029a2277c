// Which part of downsampled data a selector reads, by the function or aggregation around it, as Thanos chooses it (pkg/query/querier.go,
// aggrsFromFunc). Two things are not as there, because windows of some samples are not samples: count_values counts averages, and
// an instant selector below sum_over_time or count_over_time (of a subquery) reads averages.

import type { AggregateView } from '../../../codec/aggregate-chunk.ts';
import { mapChildren, type PlanNode, type RangeSelectNode, type SelectNode } from '../nodes.ts';

const COUNTER_FUNCTIONS: ReadonlySet<string> = new Set(['rate', 'increase', 'irate', 'resets']);

/** What a range selector below a function reads; undefined for averages. */
const OF_RANGES: ReadonlyMap<string, AggregateView> = new Map([
  ['count_over_time', 'count'],
  ['sum_over_time', 'sum'],
]);

function aggregateOf(func: string): AggregateView | undefined {
  if (func === 'min' || func === 'min_over_time') return 'min';
  if (func === 'max' || func === 'max_over_time') return 'max';
  return COUNTER_FUNCTIONS.has(func) ? 'counter' : undefined;
}

/** Says of every selector what it reads of downsampled data. */
export function chooseAggregates(node: PlanNode): PlanNode {
  return mark(node, '');
}

// `func`: the nearest function or aggregation above; none above a binary operation.
function mark(node: PlanNode, func: string): PlanNode {
  switch (node.kind) {
    case 'select':
      return marked(node, aggregateOf(func));
    case 'range-select':
      return marked(node, OF_RANGES.get(func) ?? aggregateOf(func));
    case 'range-function':
    case 'call':
      return mapChildren(node, (child) => mark(child, node.func));
    case 'aggregate':
      return mapChildren(node, (child) => mark(child, node.op));
    case 'binary':
    case 'absent':
    case 'info':
      return mapChildren(node, (child) => mark(child, ''));
    default:
      return mapChildren(node, (child) => mark(child, func));
  }
}

function marked(node: SelectNode | RangeSelectNode, aggregate: AggregateView | undefined): PlanNode {
  return aggregate === undefined ? node : Object.freeze({ ...node, aggregate });
}
