// What only looks at count and sum of native histograms reads them without their buckets (Prometheus promql/engine.go,
// detectHistogramStatsDecoding).

import { mapChildren, type PlanNode } from '../nodes.ts';

/** Functions of count and sum alone. */
const OF_TOTALS: ReadonlySet<string> = new Set(['histogram_avg', 'histogram_count', 'histogram_sum']);
/** Functions of buckets. */
const OF_BUCKETS: ReadonlySet<string> = new Set([
  'histogram_fraction',
  'histogram_quantile',
  'histogram_quantiles',
]);

/** Marks the selectors below such functions, but those of subqueries and below what needs buckets: a trim, a quantile. */
export function readTotals(node: PlanNode): PlanNode {
  return mark(node, 'whole');
}

function mark(node: PlanNode, wanted: 'whole' | 'totals' | 'buckets'): PlanNode {
  if (node.kind === 'select' || node.kind === 'range-select')
    return wanted === 'totals' ? Object.freeze({ ...node, totalsOnly: true }) : node;
  const needsBuckets =
    node.kind === 'subquery' ||
    (node.kind === 'call' && OF_BUCKETS.has(node.func)) ||
    (node.kind === 'binary' && (node.op === '</' || node.op === '>/'));
  const isOfTotals = node.kind === 'call' && OF_TOTALS.has(node.func);
  const below = wanted === 'buckets' || needsBuckets ? 'buckets' : isOfTotals ? 'totals' : wanted;
  return mapChildren(node, (child) => mark(child, below));
}
