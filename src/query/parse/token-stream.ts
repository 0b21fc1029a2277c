// One token of lookahead over the lexer, and the wording of syntax errors. Prometheus's grammar has `error` productions at a
// few places; an unexpected token is reported with the context of the innermost one that is open. Here an open one is a
// context on a stack.

import type { Position } from './ast.ts';
import { describeToken, Lexer, type Token, type TokenKind } from './lexer.ts';
import { ParseError } from './parse-error.ts';

/** What Prometheus says around an unexpected token: `in <where>, expected <expected>`. */
export interface ErrorContext {
  readonly where: string;
  readonly expected: string;
}

/** The tokens of one query. */
export class TokenStream {
  readonly text: string;
  readonly #lexer: Lexer;
  readonly #contexts: ErrorContext[] = [];
  #ahead: Token | undefined;
  #second: Token | undefined;
  /** Where the last consumed token ends. */
  lastEnd = 0;

  constructor(text: string) {
    this.text = text;
    this.#lexer = new Lexer(text);
  }

  /** The next token, not consumed. */
  peek(): Token {
    this.#ahead ??= this.#lexer.next();
    return this.#ahead;
  }

  /** Consumes the next token. */
  take(): Token {
    const token = this.peek();
    this.#ahead = this.#second;
    this.#second = undefined;
    this.lastEnd = token.end;
    return token;
  }

  /** Gives the token taken last back, to be taken again. */
  putBack(token: Token): void {
    this.#second = this.#ahead;
    this.#ahead = token;
  }

  /** Whether the next token is this word of this kind. */
  isNext(kind: TokenKind, word: string): boolean {
    const token = this.peek();
    return token.kind === kind && token.word === word;
  }

  /** Consumes the next token when it is this word of this kind. */
  tryTake(kind: TokenKind, word: string): Token | undefined {
    return this.isNext(kind, word) ? this.take() : undefined;
  }

  /** Consumes punctuation or fails with the open context. */
  expect(word: string): Token {
    return this.tryTake('punctuation', word) ?? this.unexpected();
  }

  /** Runs `body` with an error context open. */
  within<T>(where: string, expected: string, body: () => T): T {
    this.#contexts.push({ where, expected });
    const result = body();
    this.#contexts.pop();
    return result;
  }

  /** Fails at the next token, with the given context or the innermost open one. */
  unexpected(context: ErrorContext | undefined = this.#contexts.at(-1)): never {
    const token = this.peek();
    let reason = `unexpected ${describeToken(token)}`;
    if (context !== undefined && context.where !== '') reason += ` in ${context.where}`;
    if (context !== undefined && context.expected !== '') reason += `, expected ${context.expected}`;
    return this.fail(token, reason);
  }

  /** Fails at a position. */
  fail(position: Position, reason: string): never {
    throw new ParseError(this.text, { start: position.start, end: position.end }, reason);
  }
}
