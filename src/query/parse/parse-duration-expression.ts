// Duration expressions: what stands in brackets and after `offset`. After `offset` a literal or a call ends the expression
// (`offset 5m * 2` multiplies the selector), while a parenthesis goes on (`offset (5m) + 1` is an offset of 301 s): so does
// Prometheus's grammar.

import type { DurationExpr, NumberLiteral, Position } from './ast.ts';
import type { Token } from './lexer.ts';
import { tryNumberLiteral } from './literals.ts';
import type { TokenStream } from './token-stream.ts';

/** A literal number of seconds or an expression of such. */
export type DurationNode = NumberLiteral | DurationExpr;

/** Largest literal Go's time.Duration holds, in seconds. */
const SECONDS_MAX = 2 ** 63 / 1e9;
const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  ['+', 1],
  ['-', 1],
  ['*', 2],
  ['/', 2],
  ['%', 2],
  ['^', 3],
]);
/** Precedence of operators inside the operand of a sign. */
const SIGNED = 3;

/** Parses duration expressions from a token stream; `depthMax` bounds their nesting. */
export class DurationParser {
  readonly #tokens: TokenStream;
  readonly #enabled: boolean;
  readonly #depthMax: number;
  #depth = 0;

  constructor(tokens: TokenStream, options: { readonly enabled: boolean; readonly depthMax: number }) {
    this.#tokens = tokens;
    this.#enabled = options.enabled;
    this.#depthMax = options.depthMax;
  }

  /** A range or step: an expression whose literal form must be greater than zero. */
  positive(): DurationNode {
    const node = this.#expression(1);
    if (node.kind === 'number' && node.value <= 0) {
      return this.#tokens.fail(node.position, 'duration must be greater than 0');
    }
    return node;
  }

  /** What follows `offset`. */
  offset(): DurationNode {
    const tokens = this.#tokens;
    const sign = this.#trySign();
    if (sign === undefined) {
      if (tokens.isNext('punctuation', '(')) return this.#expression(1);
      return this.#literal() ?? this.#call() ?? tokens.unexpected();
    }
    const literal = tryNumberLiteral(tokens);
    if (literal !== undefined) return this.#signed(sign, literal, false);
    const call = this.#call();
    if (call !== undefined) {
      const position = { start: sign.start, end: call.position.end };
      return this.#checked({
        kind: 'duration',
        op: sign.word as '+' | '-',
        right: call,
        wrapped: false,
        position,
      });
    }
    if (tokens.isNext('punctuation', '(')) {
      tokens.take();
      const inner = this.#expression(1);
      tokens.expect(')');
      return this.#signed(sign, inner, true);
    }
    return this.#operators(this.#signed(sign, this.#expression(SIGNED), false), 1);
  }

  #expression(least: number): DurationNode {
    if (++this.#depth > this.#depthMax) {
      this.#tokens.fail(this.#tokens.peek(), depthReason(this.#depthMax));
    }
    const node = this.#operators(this.#primary(), least);
    this.#depth--;
    return node;
  }

  #operators(first: DurationNode, least: number): DurationNode {
    let left = first;
    for (let count = 0; ; count++) {
      const token = this.#tokens.peek();
      const precedence = token.kind === 'operator' ? PRECEDENCE.get(token.word) : undefined;
      if (precedence === undefined || precedence < least) return left;
      if (count > this.#depthMax) this.#tokens.fail(token, depthReason(this.#depthMax));
      this.#tokens.take();
      const right = this.#expression(token.word === '^' ? precedence : precedence + 1);
      left = this.#binary(token, left, right);
    }
  }

  #binary(token: Token, left: DurationNode, right: DurationNode): DurationNode {
    this.#checked(left);
    if (right.kind === 'number' && right.value === 0) {
      if (token.word === '/') return this.#tokens.fail(token, 'division by zero');
      if (token.word === '%') return this.#tokens.fail(token, 'modulo by zero');
    }
    const position = { start: left.position.start, end: right.position.end };
    return { kind: 'duration', op: token.word as '+', left, right, wrapped: false, position };
  }

  #primary(): DurationNode {
    const tokens = this.#tokens;
    const sign = this.#trySign();
    if (sign !== undefined) return this.#signed(sign, this.#expression(SIGNED), false);
    if (tokens.tryTake('punctuation', '(') !== undefined) {
      const inner = this.#checked(this.#expression(1));
      tokens.expect(')');
      return inner.kind === 'duration' ? { ...inner, wrapped: true } : inner;
    }
    return this.#literal() ?? this.#call() ?? tokens.unexpected();
  }

  #literal(): NumberLiteral | undefined {
    const literal = tryNumberLiteral(this.#tokens);
    return literal && this.#inRange(literal, literal.position);
  }

  #call(): DurationExpr | undefined {
    const tokens = this.#tokens;
    const token = tokens.peek();
    if (token.kind !== 'preprocessor' || token.word === 'start' || token.word === 'end') return undefined;
    tokens.take();
    tokens.expect('(');
    if (token.word === 'step' || token.word === 'range') {
      const position = { start: token.start, end: tokens.expect(')').end };
      return this.#checked({ kind: 'duration', op: token.word, wrapped: false, position });
    }
    const op = token.word === 'min_of' ? 'min_of' : 'max_of';
    const left = this.#expression(1);
    tokens.expect(',');
    const right = this.#expression(1);
    const position = { start: token.start, end: tokens.expect(')').end };
    return this.#checked({ kind: 'duration', op, left, right, wrapped: false, position });
  }

  #trySign(): Token | undefined {
    return this.#tokens.tryTake('operator', '+') ?? this.#tokens.tryTake('operator', '-');
  }

  #signed(sign: Token, node: DurationNode, wrapped: boolean): DurationNode {
    if (node.kind === 'number') {
      const position = { start: sign.start, end: node.position.end };
      const value = sign.word === '-' ? -node.value : node.value;
      return this.#inRange({ ...node, value, position }, sign);
    }
    const inner = wrapped ? { ...node, wrapped: true } : node;
    if (sign.word === '+') return inner;
    const position = { start: sign.start, end: node.position.end };
    return { kind: 'duration', op: '-', right: inner, wrapped: false, position };
  }

  #inRange(literal: NumberLiteral, place: Position): NumberLiteral {
    // NaN is refused too; Prometheus takes it for minus 292 years.
    if (!(Math.abs(literal.value) <= SECONDS_MAX)) return this.#tokens.fail(place, 'duration out of range');
    return literal;
  }

  #checked<T extends DurationNode>(node: T): T {
    if (this.#enabled) return node;
    return this.#tokens.fail(node.position, 'experimental duration expression is not enabled');
  }
}

/** The message of every depth limit of the parser. */
export function depthReason(depthMax: number): string {
  return `expression is nested deeper than ${depthMax} levels (limit query.depth-max)`;
}
