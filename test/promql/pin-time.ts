// Pins a query to a time: `@ T` on every selector and outermost subquery that has no time of its own. Such a query must give
// the same answer whenever it is evaluated, which promqltest uses to try each instant query at other times too.

import type { Expr, VectorSelector } from '../../src/query/parse/ast.ts';
import { exprText } from '../../src/query/parse/print.ts';

/** Functions whose value depends on the time of evaluation even over pinned selectors. */
const TIME_FUNCTIONS = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'end',
  'hour',
  'minute',
  'month',
  'year',
  'predict_linear',
  'range',
  'start',
  'step',
  'time',
  'timestamp',
]);

/** The pinned query's text; undefined when it cannot be pinned because of a function that looks at the clock. */
export function pinTime(expr: Expr, timestampMs: number): string | undefined {
  let isPinnable = true;
  const selector = (node: VectorSelector): VectorSelector =>
    node.at?.kind === 'time' ? node : { ...node, at: { kind: 'time', timestampMs } };
  const pin = (node: Expr): Expr => {
    switch (node.kind) {
      case 'vector-selector':
        return selector(node);
      case 'matrix-selector':
        return { ...node, selector: selector(node.selector) };
      case 'subquery':
        return node.at?.kind === 'time' ? node : { ...node, at: { kind: 'time', timestampMs } };
      case 'call':
        if (TIME_FUNCTIONS.has(node.func)) isPinnable = false;
        return { ...node, args: node.args.map(pin) };
      case 'aggregate':
        return { ...node, expr: pin(node.expr), ...(node.param && { param: pin(node.param) }) };
      case 'binary':
        return { ...node, left: pin(node.left), right: pin(node.right) };
      case 'paren':
      case 'unary':
        return { ...node, expr: pin(node.expr) };
      default:
        return node;
    }
  };
  const pinned = pin(expr);
  return isPinnable ? exprText(pinned) : undefined;
}

/** The times a query pinned at `timestampMs` is tried at. */
export function otherTimes(timestampMs: number): readonly number[] {
  if (timestampMs === 0) return [-1000, 0, 1000];
  return [-10 * timestampMs, 0, Math.trunc(timestampMs / 5), timestampMs, 10 * timestampMs];
}
