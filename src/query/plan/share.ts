// Equal parts of a plan are made one object, so that each is read and sent to the shards once however often it is written.

import { mapChildren, type PlanNode } from './nodes.ts';

/** Kinds worth keeping a result of: those that read series. */
const SHARABLE: ReadonlySet<PlanNode['kind']> = new Set(['select', 'range-function', 'aggregate', 'remote']);

/** A plan whose equal parts are identical objects, and the set of those that occur more than once. */
export interface SharedPlan {
  readonly node: PlanNode;
  readonly shared: ReadonlySet<PlanNode>;
}

/** Finds the highest equal parts of a plan. Cost O(nodes x depth) characters of text. */
export function sharePlan(root: PlanNode): SharedPlan {
  const known = new Map<string, PlanNode>();
  const shared = new Set<PlanNode>();
  const visit = (node: PlanNode): PlanNode => {
    if (SHARABLE.has(node.kind)) {
      const key = JSON.stringify(node, keyPart);
      const same = known.get(key);
      if (same !== undefined) {
        shared.add(same);
        return same;
      }
      const mapped = mapChildren(node, visit);
      known.set(key, mapped);
      return mapped;
    }
    return mapChildren(node, visit);
  };
  return { node: visit(root), shared };
}

// Where a node was written is left out: it only shows in notes, and those of the first place say it all.
function keyPart(key: string, value: unknown): unknown {
  if (key === 'where' || key === 'wheres') return undefined;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
