// Text → tokens, one at a time, by the rules of Prometheus 3.14's lexer (promql/parser/lex.go): which words are keywords
// depends on the case-folded word alone, braces know no keywords, brackets know nothing but duration expressions. Lexical
// errors carry Prometheus's texts and places.

import { goQuote, goQuoteRune, goUnicode } from './go-text.ts';
import { ParseError } from './parse-error.ts';

/** What a token is; `word` tells which one. */
export type TokenKind =
  | 'eof'
  | 'identifier'
  | 'metric-identifier'
  | 'number'
  | 'duration'
  | 'string'
  | 'keyword'
  | 'aggregator'
  | 'preprocessor'
  | 'operator'
  | 'punctuation';

/** One token; `start` and `end` are UTF-16 offsets, `text` is as written, `word` folded to lower case for words. */
export interface Token {
  readonly kind: TokenKind;
  readonly word: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const WORDS: ReadonlyMap<string, TokenKind> = new Map(
  (
    [
      ['operator', 'and or unless atan2'],
      [
        'aggregator',
        'sum avg count min max group stddev stdvar topk bottomk count_values quantile limitk limit_ratio',
      ],
      [
        'keyword',
        'offset smoothed anchored by without on ignoring group_left group_right fill fill_left fill_right bool',
      ],
      ['preprocessor', 'start end step range max_of min_of'],
      ['number', 'inf nan'],
    ] as const
  ).flatMap(([kind, words]) => words.split(' ').map((word) => [word, kind] as const)),
);
const DURATION_WORDS: ReadonlySet<string> = new Set(['step', 'range', 'max_of', 'min_of']);

const isSpace = (char: string | undefined): boolean => char !== undefined && ' \t\n\r'.includes(char);
const isDigit = (char: string | undefined): boolean => char !== undefined && char >= '0' && char <= '9';
const isAlpha = (char: string | undefined): boolean => char !== undefined && /^[A-Za-z_]$/.test(char);
const isAlphaNumeric = (char: string | undefined): boolean => isAlpha(char) || isDigit(char);

/** How Prometheus names a token in `unexpected ...`. */
export function describeToken(token: Token): string {
  const { kind, text } = token;
  switch (kind) {
    case 'eof':
      return 'end of input';
    case 'identifier':
      return `identifier ${goQuote(text)}`;
    case 'metric-identifier':
      return `metric identifier ${goQuote(text)}`;
    case 'keyword':
      return `<${text}>`;
    case 'operator':
      return `<op:${text}>`;
    case 'aggregator':
      return `<aggr:${text}>`;
    case 'preprocessor':
    case 'punctuation':
      return goQuote(text);
    default:
      return `${kind} ${shortened(text)}`;
  }
}

function shortened(text: string): string {
  return Buffer.byteLength(text) > 10 ? `${goQuote([...text].slice(0, 10).join(''))}...` : goQuote(text);
}

/** The token stream of one query; `next` throws ParseError at the first lexical error. */
export class Lexer {
  readonly #text: string;
  #at = 0;
  #start = 0;
  #parenDepth = 0;
  #inBraces = false;
  #inBrackets = false;
  // Right after `[`, and after each token of a duration expression but a number: then lex.go lexes more narrowly.
  #durationStrict = false;
  #seenColon = false;
  #seenDuration = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next token; after the last one `eof` again and again. */
  next(): Token {
    this.#skipBlank();
    this.#start = this.#at;
    if (this.#inBraces) return this.#inBrace();
    if (this.#durationStrict) return this.#inDuration();
    return this.#statement();
  }

  #skipBlank(): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (isSpace(char)) this.#at++;
      else if (char === '#' && !this.#durationStrict) {
        while (this.#at < this.#text.length && !'\r\n'.includes(this.#text[this.#at] as string)) this.#at++;
      } else return;
    }
  }

  #peek(): string | undefined {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? undefined : String.fromCodePoint(code);
  }

  #take(): string | undefined {
    const char = this.#peek();
    this.#at += char?.length ?? 0;
    return char;
  }

  #emit(kind: TokenKind): Token {
    const text = this.#text.slice(this.#start, this.#at);
    const word = kind === 'operator' || kind === 'punctuation' ? text : text.toLowerCase();
    return {
      kind,
      word: /[A-Z]/.test(word) ? word.toLowerCase() : word,
      text,
      start: this.#start,
      end: this.#at,
    };
  }

  #fail(reason: string, start = this.#start): never {
    throw new ParseError(this.#text, { start, end: this.#text.length }, reason);
  }

  #statement(): Token {
    const char = this.#take();
    if (char === undefined) return this.#end();
    const symbol = this.#symbol(char);
    if (symbol !== undefined) return symbol;
    if (isDigit(char) || (char === '.' && isDigit(this.#peek()))) return this.#number();
    if (char === '"' || char === "'") return this.#string(char);
    if (char === '`') return this.#rawString();
    if (isAlpha(char) || char === ':') return this.#inBrackets ? this.#bracketWord(char) : this.#word();
    return this.#fail(`unexpected character: ${goQuoteRune(char)}`);
  }

  #end(): Token {
    if (this.#parenDepth !== 0) return this.#fail('unclosed left parenthesis');
    if (this.#inBrackets) return this.#fail('unclosed left bracket');
    return this.#emit('eof');
  }

  #symbol(char: string): Token | undefined {
    switch (char) {
      case '*':
      case '/':
      case '%':
      case '+':
      case '-':
      case '^':
      case '@':
        return this.#emit('operator');
      case '<':
      case '>':
        if (this.#peek() === '=' || this.#peek() === '/') this.#at++;
        return this.#emit('operator');
      case '=':
        if (this.#peek() === '~') return this.#fail("unexpected character after '=': '~'");
        if (this.#peek() !== '=') return this.#emit('punctuation');
        this.#at++;
        return this.#emit('operator');
      case '!': {
        const next = this.#take();
        if (next !== '=') return this.#fail(`unexpected character after '!': ${goQuoteRune(next)}`);
        return this.#emit('operator');
      }
      case ',':
        return this.#emit('punctuation');
      case '(':
      case ')':
        return this.#paren(char);
      case '{':
        this.#inBraces = true;
        return this.#emit('punctuation');
      case '[':
      case ']':
        return this.#bracket(char);
      default:
        return undefined;
    }
  }

  #paren(char: string): Token {
    this.#parenDepth += char === '(' ? 1 : -1;
    if (this.#parenDepth < 0) return this.#fail("unexpected right parenthesis ')'", this.#at);
    return this.#emit('punctuation');
  }

  #bracket(char: string): Token {
    if (char === '[') {
      if (this.#inBrackets) return this.#fail("unexpected left bracket '['");
      this.#seenColon = false;
    } else if (!this.#inBrackets) return this.#fail("unexpected right bracket ']'");
    this.#inBrackets = char === '[';
    this.#durationStrict = this.#inBrackets;
    return this.#emit('punctuation');
  }

  // Inside brackets once a number has been seen: a colon or one of the duration words.
  #bracketWord(char: string): Token {
    if (char === ':') {
      if (this.#seenColon) return this.#fail("unexpected colon ':'");
      this.#seenColon = true;
      return this.#emit('punctuation');
    }
    if ('srm'.includes(char.toLowerCase()) && this.#takeDurationWord()) return this.#emit('preprocessor');
    return this.#fail(`unexpected character: ${goQuoteRune(char)}, expected ':'`);
  }

  #takeDurationWord(): boolean {
    while (isAlpha(this.#peek())) this.#at++;
    return DURATION_WORDS.has(this.#text.slice(this.#start, this.#at).toLowerCase());
  }

  #inDuration(): Token {
    const char = this.#take();
    if (char === undefined) return this.#fail('unexpected end of input in duration expression');
    if (isDigit(char) || (char === '.' && isDigit(this.#peek()))) {
      this.#seenDuration = true;
      this.#durationStrict = false;
      return this.#number();
    }
    if ('+-*/%^'.includes(char)) return this.#emit('operator');
    switch (char) {
      case ']':
        this.#seenColon = false;
        return this.#bracket(char);
      case '(':
      case ')':
        return this.#paren(char);
      case ',':
        return this.#emit('punctuation');
      case ':':
        return this.#strictColon();
      default:
        if ('srm'.includes(char.toLowerCase()) && this.#takeDurationWord()) return this.#emit('preprocessor');
        return this.#fail(`unexpected character in duration expression: ${goQuoteRune(char)}`);
    }
  }

  #strictColon(): Token {
    if (!this.#seenDuration)
      return this.#fail('unexpected colon before duration in duration expression', this.#at);
    if (this.#seenColon) return this.#fail('unexpected repeated colon in duration expression', this.#at);
    this.#seenColon = true;
    return this.#emit('punctuation');
  }

  #inBrace(): Token {
    const char = this.#take();
    if (char === undefined) return this.#fail('unexpected end of input inside braces');
    if (isAlpha(char)) {
      while (isAlphaNumeric(this.#peek())) this.#at++;
      return this.#emit('identifier');
    }
    switch (char) {
      case ',':
        return this.#emit('punctuation');
      case '"':
      case "'":
        return this.#string(char);
      case '`':
        return this.#rawString();
      case '=':
        if (this.#peek() !== '~') return this.#emit('punctuation');
        this.#at++;
        return this.#emit('operator');
      case '!': {
        const next = this.#take();
        if (next === '~' || next === '=') return this.#emit('operator');
        return this.#fail(`unexpected character after '!' inside braces: ${goQuoteRune(next)}`);
      }
      case '{':
        return this.#fail("unexpected left brace '{'");
      case '}':
        this.#inBraces = false;
        return this.#emit('punctuation');
      default:
        return this.#fail(`unexpected character inside braces: ${goQuoteRune(char)}`);
    }
  }

  #word(): Token {
    while (isAlphaNumeric(this.#peek()) || this.#peek() === ':') this.#at++;
    const text = this.#text.slice(this.#start, this.#at);
    const kind = WORDS.get(text.toLowerCase());
    if (kind === undefined) return this.#emit(text.includes(':') ? 'metric-identifier' : 'identifier');
    // fill and its kin are keywords only before a parenthesis, so that metrics may be called so.
    if (/^fill(?:_left|_right)?$/i.test(text) && !/^[ \t\r\n]*\(/.test(this.#text.slice(this.#at))) {
      return this.#emit('identifier');
    }
    return this.#emit(kind);
  }

  #string(quote: string): Token {
    for (;;) {
      const char = this.#take();
      if (char === undefined || char === '\n') return this.#fail('unterminated quoted string');
      if (char === '\ufffd' || isLoneSurrogate(char)) return this.#fail('invalid UTF-8 rune');
      if (char === quote) return this.#emit('string');
      if (char === '\\') this.#escape(quote);
    }
  }

  #rawString(): Token {
    for (;;) {
      const char = this.#take();
      if (char === undefined) return this.#fail('unterminated raw string');
      if (char === '\ufffd' || isLoneSurrogate(char)) return this.#fail('invalid UTF-8 rune');
      if (char === '`') return this.#emit('string');
    }
  }

  #escape(quote: string): void {
    const char = this.#take() ?? this.#fail('escape sequence not terminated');
    if ('abfnrtv\\'.includes(char) || char === quote) return;
    if (/^[0-7]$/.test(char)) {
      this.#at--;
      this.#escapeDigits(3, 8, 255);
    } else if (char === 'x') this.#escapeDigits(2, 16, 255);
    else if (char === 'u') this.#escapeDigits(4, 16, 0x10ffff);
    else if (char === 'U') this.#escapeDigits(8, 16, 0x10ffff);
    else this.#fail(`unknown escape sequence ${goUnicode(char)}`);
  }

  #escapeDigits(digits: number, base: number, max: number): void {
    let value = 0;
    for (let i = 0; i < digits; i++) {
      const char = this.#take() ?? this.#fail('escape sequence not terminated');
      const digit = /^[0-9a-fA-F]$/.test(char) ? Number.parseInt(char, 16) : 16;
      if (digit >= base) this.#fail(`illegal character ${goUnicode(char)} in escape sequence`);
      value = value * base + digit;
    }
    if (value > max || (value >= 0xd800 && value < 0xe000)) {
      this.#fail('escape sequence is an invalid Unicode code point');
    }
  }

  // A number or a duration; the first character is rewound. How far a bad one reaches is part of the message.
  #number(): Token {
    this.#at = this.#start;
    if (this.#scanNumber()) return this.#emit('number');
    if (this.#scanDuration()) return this.#emit('duration');
    return this.#fail(`bad number or duration syntax: ${goQuote(this.#text.slice(this.#start, this.#at))}`);
  }

  #accept(valid: string): boolean {
    const char = this.#text[this.#at];
    if (char === undefined || !valid.includes(char)) return false;
    this.#at++;
    return true;
  }

  #scanNumber(): boolean {
    let digits = '0123456789';
    if (this.#accept('0') && this.#accept('xX')) {
      this.#accept('_');
      digits = '0123456789abcdefABCDEF';
    }
    this.#accept('.');
    this.#accept(digits);
    let seenDot = false;
    let seenExponent = false;
    for (;;) {
      if (this.#accept('.')) {
        if (seenDot || this.#accept('_.') || digits.length > 10) return false;
        seenDot = true;
      } else if (this.#accept('eE')) {
        // Of a hexadecimal number too, where `e` is a digit: 0x1e is an error in Prometheus.
        if (seenExponent) return false;
        seenExponent = true;
        this.#accept('+-');
        if (this.#accept('._eE') || this.#peek() === undefined) return false;
      } else if (this.#accept('_')) {
        if (this.#accept('._eE') || this.#peek() === undefined) return false;
      } else if (this.#accept(digits)) {
        while (this.#accept(digits));
      } else break;
    }
    return this.#at > this.#start && !isAlphaNumeric(this.#peek());
  }

  #scanDuration(): boolean {
    if (!this.#accept('smhdwy')) return false;
    this.#accept('s');
    while (this.#accept('0123456789')) {
      while (this.#accept('0123456789'));
      if (!this.#accept('smhdw')) return false;
      this.#accept('s');
    }
    if (!isAlphaNumeric(this.#peek())) return true;
    this.#take();
    return false;
  }
}

function isLoneSurrogate(char: string): boolean {
  return char.length === 1 && char >= '\ud800' && char <= '\udfff';
}
