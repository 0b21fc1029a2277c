// Regular expressions with RE2's syntax and linear-time matching (door to `re2js`), anchored at both ends, dot matching
// newlines: Prometheus compiles `^(?s:pattern)$`. Most matchers of real queries never reach the engine: regex-shape.ts finds
// sets of literals and literal/wildcard sequences first.

import { RE2JS } from 're2js';
import { DomainError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import { type PatternShape, shapeOfPattern, type WildcardPart } from './regex-shape.ts';

/** Longest pattern that is looked at at all, in UTF-16 units; alternations of thousands of literals fit. */
export const PATTERN_LENGTH_MAX = 1_048_576;
/** Largest compiled program, in instructions; RE2 itself bounds repeats to 1,000 and trees to 128 MiB. */
export const PROGRAM_SIZE_MAX = 100_000;

/** A matcher ready to run over label values. */
export interface CompiledMatcher {
  readonly matcher: Matcher;
  /** Whether a label value (`''` for an absent label) satisfies the matcher. */
  matches(value: string): boolean;
  /** Whether series without the label satisfy it. */
  readonly matchesEmpty: boolean;
  /** Only of `=` and `=~`: exactly the values that match, sorted by nothing, without duplicates. */
  readonly literals?: readonly string[];
  /** Only of `=~` without `literals`: every matching value starts with it; never empty. */
  readonly prefix?: string;
}

/** Compiles a matcher; `bad_data` with Go's text (`error parsing regexp: ...`) for a bad or too large pattern. */
export function compileMatcher(matcher: Matcher): CompiledMatcher {
  const { op, value: wanted } = matcher;
  if (op === '=') {
    const matches = (value: string): boolean => value === wanted;
    return { matcher, matches, matchesEmpty: wanted === '', literals: [wanted] };
  }
  if (op === '!=') return { matcher, matches: (value) => value !== wanted, matchesEmpty: wanted !== '' };
  const shape = shapeOf(wanted);
  const positive = predicateOf(wanted, shape);
  if (op === '!~') {
    return { matcher, matches: (value) => !positive(value), matchesEmpty: !positive('') };
  }
  const base = { matcher, matches: positive, matchesEmpty: positive('') };
  if (shape.kind === 'literals') return { ...base, literals: shape.values };
  return shape.prefix === '' ? base : { ...base, prefix: shape.prefix };
}

/** Compiled matchers an owner remembers, and verdicts of each: a few MB at worst. */
const MATCHERS_MAX = 64;
const VERDICTS_MAX = 2000;
/** Longer patterns are compiled anew each time. */
const REMEMBERED_PATTERN_MAX = 4096;

/** Remembers compiled regular expressions, and what they said of each value: dashboards ask the same again and again. */
export class MatcherCache {
  readonly #compiled = new Map<string, CompiledMatcher>();

  /** As compileMatcher. */
  compile(matcher: Matcher): CompiledMatcher {
    const { name, op, value } = matcher;
    if (op === '=' || op === '!=' || value.length > REMEMBERED_PATTERN_MAX) return compileMatcher(matcher);
    const key = `${op}${name}\xff${value}`;
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      compiled = withVerdicts(compileMatcher(matcher));
      if (this.#compiled.size >= MATCHERS_MAX)
        this.#compiled.delete(this.#compiled.keys().next().value as string);
      this.#compiled.set(key, compiled);
    }
    return compiled;
  }
}

function withVerdicts(compiled: CompiledMatcher): CompiledMatcher {
  if (compiled.literals !== undefined) return compiled;
  const verdicts = new Map<string, boolean>();
  const matches = (value: string): boolean => {
    let verdict = verdicts.get(value);
    if (verdict === undefined) {
      verdict = compiled.matches(value);
      if (verdicts.size < VERDICTS_MAX) verdicts.set(value, verdict);
    }
    return verdict;
  };
  return { ...compiled, matches };
}

/** A pattern compiled for label_replace: anchored at both ends, with capture groups. */
export interface CompiledRegex {
  /** Whether the whole text matches. */
  matches(text: string): boolean;
  /** The template with `$1`, `${1}`, `$name`, `$$` filled in as Go's Regexp.Expand does; undefined without a match. */
  expand(text: string, template: string): string | undefined;
}

/** Compiles a pattern; `bad_data` with Go's text (`error parsing regexp: ...`) for a bad or too large one. */
export function compileRegex(pattern: string): CompiledRegex {
  const engine = compileEngine(pattern);
  const names = engine.namedGroups();
  return {
    matches: (text) => engine.testExact(text),
    expand(text, template) {
      const found = engine.matcher(text);
      if (!found.matches()) return undefined;
      return expandTemplate(template, (name, index) => {
        const group = index >= 0 ? index : names[name];
        if (group === undefined || group > engine.groupCount()) return '';
        return found.group(group) ?? '';
      });
    },
  };
}

function shapeOf(pattern: string): PatternShape {
  if (pattern.length > PATTERN_LENGTH_MAX) throw tooLarge();
  return shapeOfPattern(pattern);
}

function predicateOf(pattern: string, shape: PatternShape): (value: string) => boolean {
  switch (shape.kind) {
    case 'literals': {
      if (shape.values.length === 1) {
        const only = shape.values[0];
        return (value) => value === only;
      }
      const values = new Set(shape.values);
      return (value) => values.has(value);
    }
    case 'wildcards':
      return wildcardPredicate(shape.parts);
    case 'other': {
      const engine = compileEngine(pattern);
      const { prefix } = shape;
      if (prefix === '') return (value) => engine.testExact(value);
      return (value) => value.startsWith(prefix) && engine.testExact(value);
    }
  }
}

// Literals with gaps between them: the first literal stands at the start, the last at the end, and taking the leftmost place
// for each one between is always right, because gaps may hold anything.
function wildcardPredicate(parts: readonly WildcardPart[]): (value: string) => boolean {
  const head = parts[0] as WildcardPart;
  const tail = parts[parts.length - 1] as WildcardPart;
  const prefix = head.literal;
  const suffix = tail.literal;
  const middle = parts.slice(1, -1);
  const least = tail.gapMin;
  if (middle.length === 0) {
    const lengthMin = prefix.length + suffix.length + least;
    if (suffix === '') return (value) => value.length >= lengthMin && value.startsWith(prefix);
    return (value) => value.length >= lengthMin && value.startsWith(prefix) && value.endsWith(suffix);
  }
  return (value) => {
    if (!value.startsWith(prefix) || !value.endsWith(suffix)) return false;
    let at = prefix.length;
    for (const part of middle) {
      const found = value.indexOf(part.literal, at + part.gapMin);
      if (found < 0) return false;
      at = found + part.literal.length;
    }
    return value.length - suffix.length >= at + least;
  };
}

function compileEngine(pattern: string): RE2JS {
  if (pattern.length > PATTERN_LENGTH_MAX) throw tooLarge();
  let engine: RE2JS;
  try {
    engine = RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    throw new DomainError('bad_data', goErrorText(error, pattern), { cause: error });
  }
  if (engine.programSize() > PROGRAM_SIZE_MAX) throw tooLarge();
  return engine;
}

function tooLarge(): DomainError {
  return new DomainError('bad_data', 'error parsing regexp: expression too large');
}

// The engine puts the dot flag in front of the pattern when it quotes all of it, and leaves the quoted part out where Go
// shows an empty one.
function goErrorText(error: unknown, pattern: string): string {
  const text = error instanceof Error ? error.message : String(error);
  if (text.endsWith('trailing backslash at end of expression')) return `${text}: \`\``;
  if (text.endsWith('expression nests too deeply')) return `${text}: \`${pattern}\``;
  return text.replace(/: `\(\?s\)/, ': `');
}

// Go's Regexp.Expand: `$name` takes the longest run of word characters, `${name}` ends at the brace, `$$` is a dollar, and
// anything else after a dollar leaves the dollar as it is.
function expandTemplate(template: string, group: (name: string, index: number) => string): string {
  return template.replace(TEMPLATE_REFERENCE, (all, braced?: string, bare?: string) => {
    if (all === '$$') return '$';
    const name = braced ?? bare ?? '';
    return group(name, GROUP_NUMBER.test(name) ? Number(name) : -1);
  });
}

const TEMPLATE_REFERENCE = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;
const GROUP_NUMBER = /^(?:0|[1-9][0-9]{0,8})$/;
