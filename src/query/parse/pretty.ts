// AST → PromQL over several lines, as /api/v1/format_query answers (promql/parser/prettier.go): a node that fits into 100
// columns stays on one line, one that does not puts its parts on lines of their own, indented by two blanks per level.

import type { Expr } from './ast.ts';
import { aggregateHead, exprText, operatorText, subquerySuffix } from './print.ts';

/** Columns a line may have before its node is split; nodes are measured without their indentation, in UTF-8 bytes. */
const LINE_BYTES_MAX = 100;

/** The formatted expression. */
export function prettyExpr(expr: Expr): string {
  return pretty(expr, 0);
}

function pretty(expr: Expr, level: number): string {
  const indent = '  '.repeat(level);
  if (expr.kind === 'unary') return `${indent}${expr.op}${pretty(expr.expr, level).trim()}`;
  const flat = exprText(expr);
  const fits = Buffer.byteLength(flat) <= LINE_BYTES_MAX;
  switch (expr.kind) {
    case 'aggregate': {
      if (fits) return indent + flat;
      const param = expr.param === undefined ? '' : `${pretty(expr.param, level + 1)},\n`;
      return `${indent}${aggregateHead(expr)}(\n${param}${pretty(expr.expr, level + 1)}\n${indent})`;
    }
    case 'binary': {
      if (fits) return indent + flat;
      const left = pretty(expr.left, level + 1);
      return `${left}\n${indent}${operatorText(expr)}\n${pretty(expr.right, level + 1)}`;
    }
    case 'call': {
      if (fits) return indent + flat;
      const args = expr.args.map((arg) => pretty(arg, level + 1)).join(',\n');
      return `${indent}${expr.func}(\n${args}\n${indent})`;
    }
    case 'paren':
      return fits ? indent + flat : `${indent}(\n${pretty(expr.expr, level + 1)}\n${indent})`;
    case 'subquery':
      // Prometheus gives a short subquery no indentation.
      return fits ? flat : `${pretty(expr.expr, level)}${subquerySuffix(expr)}`;
    default:
      return indent + flat;
  }
}
