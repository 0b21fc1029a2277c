// Equal parts of a plan are made one object, so that each is read and sent to the shards once however often it is written.

import { childrenOf, mapChildren, type PlanNode } from './nodes.ts';

/** Kinds worth keeping a result of: those that read series. */
const SHARABLE: ReadonlySet<PlanNode['kind']> = new Set(['select', 'range-function', 'aggregate', 'remote']);

/** A plan whose equal parts are identical objects, and the set of those that occur more than once. */
export interface SharedPlan {
  readonly node: PlanNode;
  readonly shared: ReadonlySet<PlanNode>;
}

/** Finds the highest equal parts of a plan. Cost O(nodes x depth) characters of text. */
export function sharePlan(root: PlanNode): SharedPlan {
  const shared = new Set<PlanNode>();
  // Equal parts have leaves of their own; most queries have but one.
  if (countLeaves(root) < 2) return { node: root, shared };
  const { keys, last } = lastOfEach(root);
  const known = new Map<string, PlanNode>();
  const visit = (node: PlanNode): PlanNode => {
    const key = keys.get(node);
    if (key === undefined) return mapChildren(node, visit);
    const same = known.get(key);
    if (same !== undefined) {
      shared.add(same);
      return same;
    }
    const mapped = mapChildren(last.get(key) ?? node, visit);
    known.set(key, mapped);
    return mapped;
  };
  return { node: visit(root), shared };
}

// The keys of all nodes worth sharing; and of equal ones the one furthest back in the query, whose places are those that notes show.
function lastOfEach(root: PlanNode): {
  readonly keys: ReadonlyMap<PlanNode, string>;
  readonly last: ReadonlyMap<string, PlanNode>;
} {
  const keys = new Map<PlanNode, string>();
  const last = new Map<string, PlanNode>();
  const visit = (node: PlanNode): void => {
    if (SHARABLE.has(node.kind)) {
      const key = JSON.stringify(node, keyPart);
      keys.set(node, key);
      last.set(key, node);
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(root);
  return { keys, last };
}

function countLeaves(node: PlanNode): number {
  if (node.kind === 'select' || node.kind === 'range-select' || node.kind === 'remote') return 1;
  let count = 0;
  for (const child of childrenOf(node)) count += countLeaves(child);
  return count;
}

// Where a node was written is left out: it only shows in notes.
function keyPart(key: string, value: unknown): unknown {
  if (key === 'where' || key === 'wheres' || key === 'histogramWhere') return undefined;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
