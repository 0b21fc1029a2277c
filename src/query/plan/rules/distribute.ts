// Moves to the shards what can run there: everything that looks at one series at a time, and the first half of aggregations
// whose partial results merge. A shard sees all samples of its series, but only its share of the series.

import type { AggregateOperator } from '../../parse/ast.ts';
import { isPerSample } from '../functions.ts';
import { dropsName, namesUnique } from '../names.ts';
import { type AggregateNode, mapChildren, nodeType, type PlanNode, type RemoteNode } from '../nodes.ts';

/** Rewrites a plan for a querier; `distributes` says which aggregations have mergeable partial states. */
export function distribute(node: PlanNode, distributes: (op: AggregateOperator) => boolean): PlanNode {
  if (node.kind === 'range-select') return remote(node, false);
  if (nodeType(node) === 'vector' && perSeries(node)) return remote(node, risksEqual(node));
  if (node.kind === 'absent' && perSeries(node.input)) {
    const present = aggregate('group', node.input);
    return Object.freeze({ ...node, input: distribute(present, distributes) });
  }
  if (node.kind === 'aggregate') return distributeAggregate(node, distributes);
  return mapChildren(node, (child) => distribute(child, distributes));
}

function aggregate(op: AggregateOperator, input: PlanNode): AggregateNode {
  return Object.freeze({
    kind: 'aggregate',
    op,
    stage: 'whole',
    grouping: [],
    without: false,
    input,
    where: '',
  });
}

function distributeAggregate(node: AggregateNode, distributes: (op: AggregateOperator) => boolean): PlanNode {
  const local =
    perSeries(node.input) && !risksEqual(node.input) && (node.param === undefined || onShard(node.param));
  // limit_ratio hashes whole label sets: done in one place, the answer does not hang on the partitions.
  if (local && node.op !== 'limit_ratio' && distributes(node.op)) {
    const partial: AggregateNode = Object.freeze({ ...node, stage: 'partial' });
    return Object.freeze({ ...node, stage: 'merge', input: remote(partial, false) });
  }
  return mapChildren(node, (child) => distribute(child, distributes));
}

function remote(fragment: PlanNode, distinct: boolean): RemoteNode {
  return Object.freeze({ kind: 'remote', fragment, distinct });
}

/** Whether series of different shards may become equal in `node`: the check for that needs all of them in one place. */
function risksEqual(node: PlanNode): boolean {
  switch (node.kind) {
    case 'range-function':
      return !namesUnique(node.input);
    case 'select':
      return node.timestamps && !namesUnique(node);
    case 'binary':
      return risksEqual(node.shape === 'vector-scalar' ? node.left : node.right);
    case 'call':
      return node.args.some((arg) => nodeType(arg) === 'vector' && risksEqual(arg));
    case 'negate':
    case 'step-invariant':
      return risksEqual(node.input);
    default:
      return false;
  }
}

/** Whether a vector node looks at one series at a time. */
function perSeries(node: PlanNode): boolean {
  switch (node.kind) {
    case 'select':
      return true;
    case 'range-function':
      if (!node.args.every(onShard)) return false;
      if (node.input.kind === 'remote') return false;
      return (
        node.input.kind === 'range-select' || (perSeries(node.input.input) && !risksEqual(node.input.input))
      );
    case 'negate':
      return nodeType(node.input) === 'vector' && perSeries(node.input) && namesUnique(node.input);
    case 'step-invariant':
      return perSeries(node.input);
    case 'call':
      return isPerSample(node.func) && node.args.length > 0 && node.args.every(perSeriesArgument);
    case 'binary': {
      if (node.shape !== 'vector-scalar' && node.shape !== 'scalar-vector') return false;
      const [vector, scalar] =
        node.shape === 'vector-scalar' ? [node.left, node.right] : [node.right, node.left];
      return onShard(scalar) && perSeries(vector) && (!dropsName(node) || namesUnique(vector));
    }
    default:
      return false;
  }
}

function perSeriesArgument(arg: PlanNode): boolean {
  return nodeType(arg) === 'vector' ? perSeries(arg) && namesUnique(arg) : onShard(arg);
}

/** Whether a scalar (or string) can be computed without any series. */
function onShard(node: PlanNode): boolean {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'time':
      return true;
    case 'step-invariant':
    case 'negate':
      return onShard(node.input);
    case 'binary':
      return node.shape === 'scalars' && onShard(node.left) && onShard(node.right);
    case 'call':
      return node.func !== 'scalar' && nodeType(node) === 'scalar' && node.args.every(onShard);
    default:
      return false;
  }
}
