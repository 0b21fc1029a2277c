// The value type of an expression, and what documentation calls it.

import type { Expr, ValueType } from './ast.ts';
import { FUNCTIONS } from './function-table.ts';

/** The type an expression evaluates to; a binary expression is a scalar only when both sides are. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
    case 'duration':
      return 'scalar';
    case 'string':
      return 'string';
    case 'vector-selector':
    case 'aggregate':
      return 'vector';
    case 'matrix-selector':
    case 'subquery':
      return 'matrix';
    case 'call':
      return FUNCTIONS.get(expr.func)?.returns ?? 'none';
    case 'paren':
    case 'unary':
      return typeOf(expr.expr);
    case 'binary':
      return expr.matching === undefined && typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar'
        ? 'scalar'
        : 'vector';
  }
}

/** `instant vector` for vector, `range vector` for matrix, else the type's name. */
export function documentedType(type: ValueType): string {
  if (type === 'vector') return 'instant vector';
  return type === 'matrix' ? 'range vector' : type;
}
