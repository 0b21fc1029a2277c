// From matchers to postings, with the meaning of Prometheus's PostingsForMatchers: a matcher that an absent label satisfies
// subtracts the values it refuses, every other one intersects the values it accepts. Regexes see each distinct value once.

import { type CompiledMatcher, compileMatcher } from '../../codec/regex.ts';
import { intersect, NO_POSTINGS, without } from './postings-set.ts';

/** An index that can look up postings by label. Results are sorted, without duplicates and borrowed. */
export interface PostingsIndex {
  /** Every series. */
  all(): Promise<Uint32Array>;
  /** Series whose label `name` has one of the values. */
  withValues(name: string, values: readonly string[]): Promise<Uint32Array>;
  /** Series that have the label and whose value is accepted; values are known to begin with `prefix` when it is given. */
  where(name: string, accepts: (value: string) => boolean, prefix: string | undefined): Promise<Uint32Array>;
  /** Series that have the label at all. */
  having(name: string): Promise<Uint32Array>;
}

/** The series all matchers accept; of no matchers: every series. */
export async function selectPostings(
  index: PostingsIndex,
  matchers: readonly CompiledMatcher[],
): Promise<Uint32Array> {
  const required = matchers.filter((m) => !m.matchesEmpty).sort((a, b) => cost(a) - cost(b));
  const lists: Uint32Array[] = [];
  for (const matcher of required) {
    const list = await accepted(index, matcher);
    if (list.length === 0) return NO_POSTINGS;
    lists.push(list);
  }
  const optional = matchers.filter((m) => m.matchesEmpty && !acceptsAll(m));
  let result = lists.length > 0 ? intersect(lists) : await index.all();
  for (const matcher of optional) {
    if (result.length === 0) return result;
    result = without(result, await refused(index, matcher));
  }
  return result;
}

// Exact lookups first: an empty one spares the scans.
function cost(matcher: CompiledMatcher): number {
  if (matcher.literals !== undefined) return matcher.literals.length;
  return matcher.prefix !== undefined ? 1e6 : 1e9;
}

function acceptsAll({ matcher }: CompiledMatcher): boolean {
  return matcher.op === '=~' && matcher.value === '.*';
}

async function accepted(index: PostingsIndex, compiled: CompiledMatcher): Promise<Uint32Array> {
  const { name, op, value } = compiled.matcher;
  if (compiled.literals !== undefined) return index.withValues(name, compiled.literals);
  if ((op === '!=' && value === '') || (op === '!~' && value === '') || (op === '=~' && value === '.+'))
    return index.having(name);
  return index.where(name, (text) => compiled.matches(text), compiled.prefix);
}

// Series with the label whose value the matcher does not accept.
async function refused(index: PostingsIndex, compiled: CompiledMatcher): Promise<Uint32Array> {
  const { name, op, value } = compiled.matcher;
  if (op === '!=') return index.withValues(name, [value]);
  if (value === '' || (op === '!~' && value === '.+')) return index.having(name);
  if (op === '!~') {
    const inverse = compileMatcher({ name, op: '=~', value });
    if (inverse.literals !== undefined) return index.withValues(name, inverse.literals);
    return index.where(name, (text) => inverse.matches(text), inverse.prefix);
  }
  return index.where(name, (text) => !compiled.matches(text), undefined);
}
