// Asks both servers the same and says what differs.

import type { Expr } from '../../../src/query/parse/ast.ts';
import { ALL_PARSE_FEATURES } from '../../../src/query/parse/options.ts';
import { parseQuery } from '../../../src/query/parse/parse-query.ts';
import { type Answer, ask, type Grid } from './ask.ts';
import { type Difference, difference, type VectorOrder } from './compare.ts';
import type { World } from './world.ts';

/** Both answers and what differs, if anything. */
export interface Judgement {
  readonly found: Difference | undefined;
  readonly theirs: Answer;
  readonly ours: Answer;
}

/** Asks both servers a query. */
export async function judge(world: World, query: string, grid: Grid): Promise<Judgement> {
  const [theirs, ours] = await Promise.all([
    ask(world.prometheusUrl, query, grid),
    ask(world.skeinUrl, query, grid),
  ]);
  return { found: difference(theirs, ours, orderOf(tryParse(query))), theirs, ours };
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
