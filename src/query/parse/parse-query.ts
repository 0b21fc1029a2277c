// Text → checked AST: the door of this folder.

import type { Matcher } from '../../model/matcher.ts';
import type { Expr } from './ast.ts';
import { checkExpr } from './check.ts';
import { type ParseOptions, QUERY_LENGTH_MAX } from './options.ts';
import { ParseError } from './parse-error.ts';
import { ExpressionParser } from './parse-expression.ts';
import { parseVectorSelector } from './parse-selector.ts';
import { TokenStream } from './token-stream.ts';

/**
 * Parses and checks a PromQL expression. Throws ParseError (`bad_data`) with Prometheus's text and place; also for a query
 * that passes a limit on length or depth.
 */
export function parseQuery(text: string, options: ParseOptions = {}): Expr {
  const tokens = open(text, options);
  if (tokens.peek().kind === 'eof') tokens.fail({ start: 0, end: 0 }, 'no expression found in input');
  const parser = new ExpressionParser(tokens, options);
  const expr = parser.whole();
  checkExpr(expr, { text, written: parser.written });
  return expr;
}

/** Parses a selector of `match[]`: `name`, `{...}` or both. Throws ParseError. */
export function parseSelector(text: string, options: ParseOptions = {}): readonly Matcher[] {
  const tokens = open(text, options);
  const selector = parseVectorSelector(tokens);
  if (tokens.peek().kind !== 'eof') tokens.unexpected();
  return selector.matchers;
}

function open(text: string, options: ParseOptions): TokenStream {
  const lengthMax = options.lengthMax ?? QUERY_LENGTH_MAX;
  if (text.length > lengthMax) {
    const reason = `query is ${text.length} characters long, longer than ${lengthMax} (limit query.length-max)`;
    throw new ParseError(text.slice(0, 1), { start: 0, end: 0 }, reason);
  }
  return new TokenStream(text);
}
