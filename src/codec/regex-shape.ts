// What a pattern matches, where that can be told without a regex engine: a finite set of literals (`a|b`, `x(1|2)?`, `v[12]`)
// or literals with `.*` / `.+` between them. Only patterns that are certainly valid RE2 are given a shape; everything else
// is 'other', with the literal it must start with.

/** A literal and what stands before it: nothing of its own for the first part, else a gap of at least `gapMin` characters. */
export interface WildcardPart {
  readonly literal: string;
  readonly gapMin: number;
}

/** The outcome: `prefix` is a literal every match starts with, '' when none is known. */
export type PatternShape =
  | { readonly kind: 'literals'; readonly values: readonly string[]; readonly prefix: '' }
  | { readonly kind: 'wildcards'; readonly parts: readonly WildcardPart[]; readonly prefix: string }
  | { readonly kind: 'other'; readonly prefix: string };

/** Most values a product of alternatives may have; a flat alternation may have any number. */
const PRODUCT_MAX = 1_000;
/** Deepest nesting of groups looked into. */
const GROUP_DEPTH_MAX = 16;

/** Tells the shape of a pattern. */
export function shapeOfPattern(pattern: string): PatternShape {
  const body = stripAnchors(pattern);
  const scanner = new ShapeScanner(body);
  const values = scanner.alternation(0);
  if (values !== undefined && scanner.at === body.length) {
    return { kind: 'literals', values: [...new Set(values)], prefix: '' };
  }
  return wildcardsOf(body) ?? { kind: 'other', prefix: prefixOf(body) };
}

// `^x$` says what anchoring says already. A `$` after an odd number of backslashes is a character; with an alternation the
// anchors would belong to its first and last branch only, which is the same under full anchoring.
function stripAnchors(pattern: string): string {
  let body = pattern;
  if (body.startsWith('^') && !/^\^[*+?{]/.test(body)) body = body.slice(1);
  if (body.endsWith('$') && (/(\\*)\$$/.exec(body)?.[1]?.length ?? 0) % 2 === 0) body = body.slice(0, -1);
  return body;
}

const META = '\\.+*?()|[]{}^$';
const QUANTIFIER = '*+?{';

class ShapeScanner {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  // Every method returns the finite set of strings its part matches, or undefined where that is not known.
  alternation(depth: number): string[] | undefined {
    const all: string[] = [];
    for (;;) {
      const branch = this.#concatenation(depth);
      if (branch === undefined) return undefined;
      for (const value of branch) all.push(value);
      if (this.#text[this.at] !== '|') return all;
      this.at++;
    }
  }

  #concatenation(depth: number): string[] | undefined {
    let values: string[] = [''];
    while (this.at < this.#text.length) {
      const char = this.#text[this.at] as string;
      if (char === '|' || char === ')') break;
      const atom = this.#quantified(depth);
      if (atom === undefined || values.length * atom.length > PRODUCT_MAX) return undefined;
      values =
        atom.length === 1
          ? values.map((value) => value + atom[0])
          : values.flatMap((value) => atom.map((next) => value + next));
    }
    return values;
  }

  #quantified(depth: number): string[] | undefined {
    const atom = this.#atom(depth);
    const quantifier = this.#text[this.at];
    if (atom === undefined || quantifier === undefined || !QUANTIFIER.includes(quantifier)) return atom;
    if (quantifier !== '?' || QUANTIFIER.includes(this.#text[this.at + 1] ?? ' ')) return undefined;
    this.at++;
    return [...atom, ''];
  }

  #atom(depth: number): string[] | undefined {
    const char = this.#text[this.at] as string;
    if (char === '(') return this.#group(depth);
    if (char === '[') return this.#charClass();
    const literal = literalAt(this.#text, this.at);
    if (literal === undefined) return undefined;
    this.at = literal.end;
    return [literal.value];
  }

  #group(depth: number): string[] | undefined {
    if (depth >= GROUP_DEPTH_MAX) return undefined;
    const opening = this.#text.startsWith('(?:', this.at) ? 3 : 1;
    if (opening === 1 && this.#text[this.at + 1] === '?') return undefined;
    this.at += opening;
    const values = this.alternation(depth + 1);
    if (values === undefined || this.#text[this.at] !== ')') return undefined;
    this.at++;
    return values.length > PRODUCT_MAX ? undefined : values;
  }

  // Letters, digits and `_` only, with their ranges: `[abc]`, `[0-9]`.
  #charClass(): string[] | undefined {
    const found = /^\[((?:[A-Za-z0-9_](?:-[A-Za-z0-9])?)+)\]/.exec(this.#text.slice(this.at, this.at + 80));
    if (found === null) return undefined;
    this.at += found[0].length;
    const values: string[] = [];
    for (const [, first, last] of (found[1] as string).matchAll(/(\w)(?:-(\w))?/g)) {
      const end = (last ?? (first as string)).charCodeAt(0);
      const start = (first as string).charCodeAt(0);
      if (start > end) return undefined;
      for (let code = start; code <= end; code++) values.push(String.fromCharCode(code));
    }
    return [...new Set(values)];
  }
}

interface LiteralAt {
  readonly value: string;
  readonly end: number;
}

// One literal character, escaped or not; undefined at a meta character or an escape that is more than a character.
function literalAt(text: string, at: number): LiteralAt | undefined {
  const char = text[at] as string;
  if (char === '\\') {
    const next = text[at + 1];
    if (next === undefined || !/[!-/:-@[-`{-~]/.test(next)) return undefined;
    return { value: next, end: at + 2 };
  }
  if (META.includes(char)) return undefined;
  const value = String.fromCodePoint(text.codePointAt(at) as number);
  return { value, end: at + value.length };
}

function wildcardsOf(body: string): PatternShape | undefined {
  const parts: WildcardPart[] = [];
  let literal = '';
  let gapMin = 0;
  let at = 0;
  while (at < body.length) {
    if (body[at] === '.') {
      const quantifier = body[at + 1];
      if (quantifier !== '*' && quantifier !== '+') return undefined;
      if (QUANTIFIER.includes(body[at + 2] ?? ' ')) return undefined;
      parts.push({ literal, gapMin });
      literal = '';
      gapMin = quantifier === '+' ? 1 : 0;
      at += 2;
      continue;
    }
    const next = literalAt(body, at);
    if (next === undefined || QUANTIFIER.includes(body[next.end] ?? ' ')) return undefined;
    literal += next.value;
    at = next.end;
  }
  if (parts.length === 0) return undefined;
  parts.push({ literal, gapMin });
  const joined = joinGaps(parts);
  // A gap of two characters cannot be told by counting UTF-16 units.
  if (joined.some((part) => part.gapMin > 1)) return undefined;
  return { kind: 'wildcards', parts: joined, prefix: (joined[0] as WildcardPart).literal };
}

// `.*.+` has an empty literal between two gaps: one gap of their summed length.
function joinGaps(parts: readonly WildcardPart[]): WildcardPart[] {
  const joined: WildcardPart[] = [];
  let carried = 0;
  parts.forEach((part, index) => {
    const gapMin = part.gapMin + carried;
    const inner = index > 0 && index < parts.length - 1;
    carried = inner && part.literal === '' ? gapMin : 0;
    if (!inner || part.literal !== '') joined.push({ literal: part.literal, gapMin });
  });
  return joined;
}

function prefixOf(body: string): string {
  if (body.includes('|')) return '';
  let prefix = '';
  let at = 0;
  while (at < body.length) {
    const next = literalAt(body, at);
    if (next === undefined || QUANTIFIER.includes(body[next.end] ?? ' ')) {
      // `x+` still starts with x.
      if (next !== undefined && body[next.end] === '+') prefix += next.value;
      break;
    }
    prefix += next.value;
    at = next.end;
  }
  return prefix;
}
