// Who listens to which subject: an exact table for plain subjects, a list for patterns with wildcards (there are few).

import { invariant } from '../../model/errors.ts';

/** Values by subject or pattern; one pattern may hold many values. */
export interface SubjectMap<Value> {
  /** Adds `value` under a subject or pattern; returns what removes it again (harmless when called twice). */
  add(pattern: string, value: Value): () => void;
  /** Values whose pattern matches `subject`, in order of their addition within each pattern. */
  match(subject: string): Value[];
}

interface Wildcard<Value> {
  readonly tokens: readonly string[];
  readonly values: Set<Value>;
}

/** An empty map. */
export function createSubjectMap<Value>(): SubjectMap<Value> {
  const exact = new Map<string, Set<Value>>();
  const wildcards = new Map<string, Wildcard<Value>>();

  const valuesOf = (pattern: string, tokens: readonly string[]): Set<Value> => {
    if (!tokens.includes('*') && !tokens.includes('>')) {
      const found = exact.get(pattern) ?? new Set();
      exact.set(pattern, found);
      return found;
    }
    const found = wildcards.get(pattern) ?? { tokens, values: new Set() };
    wildcards.set(pattern, found);
    return found.values;
  };

  return {
    add(pattern, value) {
      const tokens = pattern.split('.');
      checkTokens(pattern, tokens);
      const values = valuesOf(pattern, tokens);
      values.add(value);
      return () => {
        values.delete(value);
        if (values.size > 0) return;
        if (exact.get(pattern) === values) exact.delete(pattern);
        if (wildcards.get(pattern)?.values === values) wildcards.delete(pattern);
      };
    },
    match(subject) {
      const out = [...(exact.get(subject) ?? [])];
      if (wildcards.size === 0) return out;
      const tokens = subject.split('.');
      for (const wildcard of wildcards.values())
        if (matches(wildcard.tokens, tokens)) out.push(...wildcard.values);
      return out;
    },
  };
}

function checkTokens(pattern: string, tokens: readonly string[]): void {
  for (const [index, token] of tokens.entries()) {
    invariant(token !== '' && !/\s/.test(token), `subject "${pattern}" has an empty token or a space`);
    invariant(
      token !== '>' || index === tokens.length - 1,
      `subject "${pattern}": ">" may only be the last token`,
    );
  }
}

function matches(pattern: readonly string[], tokens: readonly string[]): boolean {
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === '>') return tokens.length > i;
    if (i >= tokens.length || (pattern[i] !== '*' && pattern[i] !== tokens[i])) return false;
  }
  return pattern.length === tokens.length;
}
