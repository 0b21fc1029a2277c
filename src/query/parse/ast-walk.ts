// Walking the AST.

import type { Matcher } from '../../model/matcher.ts';
import type { Expr } from './ast.ts';

/** The direct children of a node that are evaluated, in the order Prometheus visits them. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'aggregate':
      return expr.param === undefined ? [expr.expr] : [expr.expr, expr.param];
    case 'binary':
      return [expr.left, expr.right];
    case 'call':
      return expr.args;
    case 'subquery':
    case 'paren':
    case 'unary':
      return [expr.expr];
    case 'matrix-selector':
      return [expr.selector];
    case 'number':
    case 'string':
    case 'vector-selector':
    case 'duration':
      return [];
  }
}

/** Calls `visit` on every node, parents first. */
export function walkExpr(expr: Expr, visit: (expr: Expr) => void): void {
  visit(expr);
  for (const child of childrenOf(expr)) walkExpr(child, visit);
}

/** The matchers of every vector selector in the expression, as /api/v1/query_exemplars needs them. */
export function extractSelectors(expr: Expr): readonly (readonly Matcher[])[] {
  const selectors: (readonly Matcher[])[] = [];
  walkExpr(expr, (node) => {
    if (node.kind === 'vector-selector') selectors.push(node.matchers);
  });
  return selectors;
}
