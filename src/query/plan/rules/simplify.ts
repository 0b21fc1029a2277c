// Takes out what changes nothing: nested step-invariants, invariants of plain numbers, double negation of scalars, matchers
// said twice.

import type { Matcher } from '../../../model/matcher.ts';
import { mapChildren, type PlanNode } from '../nodes.ts';

/** Returns an equal plan, simpler where it can be. */
export function simplify(node: PlanNode): PlanNode {
  const inner = mapChildren(node, simplify);
  if (inner.kind === 'step-invariant') {
    const { kind } = inner.input;
    if (kind === 'step-invariant' || kind === 'number' || kind === 'string') return inner.input;
  }
  if (inner.kind === 'negate' && inner.input.kind === 'number')
    return Object.freeze({ kind: 'number', value: -inner.input.value });
  if (inner.kind === 'select' || inner.kind === 'range-select') {
    const matchers = distinctMatchers(inner.matchers);
    if (matchers.length < inner.matchers.length) return Object.freeze({ ...inner, matchers });
  }
  return inner;
}

function distinctMatchers(matchers: readonly Matcher[]): readonly Matcher[] {
  return matchers.filter(
    (matcher, i) =>
      matchers.findIndex(
        (other) => other.name === matcher.name && other.op === matcher.op && other.value === matcher.value,
      ) === i,
  );
}
