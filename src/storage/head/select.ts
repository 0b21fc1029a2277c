// From matchers to the series of a head, with the meaning of Prometheus's PostingsForMatchers: a matcher that accepts the empty
// value also accepts series without the label. Each distinct value is matched once.

import type { CompiledMatcher } from '../../codec/regex.ts';
import { intersect, NO_POSTINGS, without } from '../index/postings-set.ts';
import type { LabelName, SeriesIndex } from './series-index.ts';

/** The series that all matchers accept, ascending; of no matchers all. Borrowed until the head changes. */
export function selectRefs(index: SeriesIndex, matchers: readonly CompiledMatcher[]): Uint32Array {
  const exact: Uint32Array[] = [];
  const rest: CompiledMatcher[] = [];
  for (const matcher of matchers) {
    if (matcher.matchesEmpty || matcher.literals === undefined) {
      rest.push(matcher);
      continue;
    }
    const refs = index.collect(literalPairs(index, matcher));
    if (refs.length === 0) return NO_POSTINGS;
    exact.push(refs);
  }
  let result = exact.length > 0 ? intersect(exact) : undefined;
  // What must be there first: it narrows, and what is taken away then needs to look at less.
  rest.sort((a, b) => Number(a.matchesEmpty) - Number(b.matchesEmpty));
  for (const matcher of rest) {
    result = narrow(index, result, matcher);
    if (result.length === 0) return NO_POSTINGS;
  }
  return result ?? index.all();
}

function literalPairs(index: SeriesIndex, matcher: CompiledMatcher): number[] {
  const values = index.names.get(matcher.matcher.name)?.values;
  const out: number[] = [];
  if (values === undefined) return out;
  for (const literal of matcher.literals ?? []) {
    const pair = values.get(literal);
    if (pair !== undefined) out.push(pair);
  }
  return out;
}

// `base` undefined stands for all series.
function narrow(index: SeriesIndex, base: Uint32Array | undefined, matcher: CompiledMatcher): Uint32Array {
  const name = index.names.get(matcher.matcher.name);
  if (name === undefined) return matcher.matchesEmpty ? (base ?? index.all()) : NO_POSTINGS;
  if (base !== undefined && base.length <= name.values.size) return filterBase(index, base, name, matcher);
  const pairs: number[] = [];
  for (const [value, pair] of name.values) {
    if (matcher.matches(value) !== matcher.matchesEmpty) pairs.push(pair);
  }
  const refs = index.collect(pairs);
  if (matcher.matchesEmpty) return without(base ?? index.all(), refs);
  return base === undefined ? refs : intersect([base, refs]);
}

// Fewer candidates than values: looks at the candidates' values only.
function filterBase(
  index: SeriesIndex,
  base: Uint32Array,
  name: LabelName,
  matcher: CompiledMatcher,
): Uint32Array {
  const verdicts = new Map<number, boolean>([[-1, matcher.matchesEmpty]]);
  return base.filter((ref) => {
    const pair = index.pairOf(ref, name);
    let verdict = verdicts.get(pair);
    if (verdict === undefined) {
      verdict = matcher.matches(index.pairValue(pair));
      verdicts.set(pair, verdict);
    }
    return verdict;
  });
}
