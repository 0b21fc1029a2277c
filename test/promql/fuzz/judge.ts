// Asks both servers the same and says what differs.

import type { Expr } from '../../../src/query/parse/ast.ts';
import { ALL_PARSE_FEATURES } from '../../../src/query/parse/options.ts';
import { parseQuery } from '../../../src/query/parse/parse-query.ts';
import { ask, type Grid } from './ask.ts';
import { type Difference, difference, type VectorOrder } from './compare.ts';
import type { World } from './world.ts';

/** The difference between the servers in a query, undefined when there is none. */
export async function judge(world: World, query: string, grid: Grid): Promise<Difference | undefined> {
  const [theirs, ours] = await Promise.all([ask(world.prometheusUrl, query, grid), ask(world.skeinUrl, query, grid)]);
  return difference(theirs, ours, orderOf(tryParse(query)));
}

/** A query as a tree; undefined when it is none. */
export function tryParse(query: string): Expr | undefined {
  try {
    return parseQuery(query, ALL_PARSE_FEATURES);
  } catch {
    return undefined;
  }
}

function orderOf(expr: Expr | undefined): VectorOrder {
  if (expr?.kind === 'paren') return orderOf(expr.expr);
  if (expr?.kind === 'call' && expr.func.startsWith('sort_by_label')) return 'labels';
  if (expr?.kind === 'call' && expr.func.startsWith('sort')) return 'values';
  if (expr?.kind !== 'aggregate' || (expr.op !== 'topk' && expr.op !== 'bottomk')) return 'none';
  return expr.grouping.length === 0 && !expr.without ? 'values' : 'none';
}
