// Number and duration literals: decimal, hexadecimal, octal, with underscores, Inf and NaN; a duration is a number of seconds.

import type { NumberLiteral } from './ast.ts';
import { parseDuration } from './duration.ts';
import { goQuote } from './go-text.ts';
import type { Token } from './lexer.ts';
import type { TokenStream } from './token-stream.ts';

/** Consumes a number or a duration token; undefined when the next token is neither. */
export function tryNumberLiteral(tokens: TokenStream): NumberLiteral | undefined {
  const token = tokens.peek();
  if (token.kind !== 'number' && token.kind !== 'duration') return undefined;
  tokens.take();
  const position = { start: token.start, end: token.end };
  if (token.kind === 'number') {
    return { kind: 'number', value: numberValue(tokens, token), isDuration: false, position };
  }
  const duration = parseDuration(token.text);
  if (!duration.ok) return tokens.fail(token, duration.reason);
  return { kind: 'number', value: duration.ms / 1000, isDuration: true, position };
}

function numberValue(tokens: TokenStream, token: Token): number {
  const { text } = token;
  if (token.word === 'inf') return Number.POSITIVE_INFINITY;
  if (token.word === 'nan') return Number.NaN;
  const plain = text.replaceAll('_', '');
  const integer = integerValue(text, plain);
  if (integer !== undefined) return integer;
  const parsing = `error parsing number: strconv.ParseFloat: parsing ${goQuote(text)}`;
  if (/^0[xX]/.test(plain) || !isUnderscoreFit(text)) {
    return tokens.fail(token, `${parsing}: invalid syntax`);
  }
  const value = Number(plain);
  if (Number.isNaN(value)) return tokens.fail(token, `${parsing}: invalid syntax`);
  if (!Number.isFinite(value)) return tokens.fail(token, `${parsing}: value out of range`);
  return value;
}

// Whole numbers as strconv.ParseInt with base 0 reads them: a leading zero means octal; what does not fit an int64 is left
// to the float reader.
function integerValue(text: string, plain: string): number | undefined {
  if (!isUnderscoreFit(text)) return undefined;
  let value: bigint;
  if (/^0[xX][0-9a-fA-F]+$/.test(plain)) value = BigInt(plain);
  else if (/^0[0-7]+$/.test(plain)) value = BigInt(`0o${plain.slice(1)}`);
  else if (/^(?:0|[1-9][0-9]*)$/.test(plain)) value = BigInt(plain);
  else return undefined;
  return value <= 0x7fff_ffff_ffff_ffffn ? Number(value) : undefined;
}

// Underscores only between digits, or after a base prefix.
function isUnderscoreFit(text: string): boolean {
  return !/^_|_$|__/.test(text) && !/_[^0-9a-fA-F]|[^0-9a-fA-FxX]_/.test(text);
}
