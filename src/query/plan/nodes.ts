// The logical plan: frozen nodes, already free of everything that depends on the query's start, end and step. A node is a
// scalar (one number per step), a vector (a step batch) or a string. plan-text.ts prints it, plan-codec.ts carries it.

import type { AggregateView } from '../../codec/aggregate-chunk.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { Extension } from '../kernels/extended.ts';
import type { AggregateOperator, BinaryOperator, VectorMatching } from '../parse/ast.ts';

/** A number. */
export interface NumberNode {
  readonly kind: 'number';
  readonly value: number;
}

/** A string literal. */
export interface StringNode {
  readonly kind: 'string';
  readonly value: string;
}

/** time(): the step's time in seconds. */
export interface TimeNode {
  readonly kind: 'time';
}

/** What selectors and subqueries share: step time t looks at (`at` ?? t) - offsetMs. */
export interface Shift {
  readonly offsetMs: number;
  readonly at?: number;
}

/** An instant selector; `timestamps`: the samples' times in seconds instead of their values, metric name dropped. */
export interface SelectNode extends Shift {
  readonly kind: 'select';
  readonly matchers: readonly Matcher[];
  readonly timestamps: boolean;
  /** With `timestamps`: the metric name stays. */
  readonly keepNames?: true;
  /** With `timestamps`: when the samples' counters started instead. */
  readonly starts?: true;
  /** Interpolated between neighbouring samples (extended selectors). */
  readonly smoothed?: true;
  /** `line:col`, for notes; of smoothed ones. */
  readonly where?: string;
  /** Of native histograms only count and sum are wanted. */
  readonly totalsOnly?: true;
  /** What windows of downsampled data are to say; averages when absent. */
  readonly aggregate?: AggregateView;
}

/** A range selector: only as input of a range function, or alone as a whole instant query. */
export interface RangeSelectNode extends Shift {
  readonly kind: 'range-select';
  readonly matchers: readonly Matcher[];
  readonly rangeMs: number;
  /** Borders of the window as extended selectors treat them. */
  readonly extension?: Extension;
  /** Of native histograms only count and sum are wanted. */
  readonly totalsOnly?: true;
  /** What windows of downsampled data are to say; averages when absent. */
  readonly aggregate?: AggregateView;
}

/** A subquery: `input` on a grid of its own, aligned to multiples of `stepMs`. */
export interface SubqueryNode extends Shift {
  readonly kind: 'subquery';
  readonly input: PlanNode;
  readonly rangeMs: number;
  readonly stepMs: number;
}

/** A function over a range vector; `args` are its scalar arguments in order; `where` is `line:col` of the first argument. */
export interface RangeFunctionNode {
  readonly kind: 'range-function';
  readonly func: string;
  readonly input: RangeSelectNode | SubqueryNode | RemoteNode;
  readonly args: readonly PlanNode[];
  readonly where: string;
}

/** absent() and absent_over_time(): 1 with `labels` at steps where `input` has nothing. */
export interface AbsentNode {
  readonly kind: 'absent';
  readonly labels: Labels;
  readonly input: PlanNode;
}

/**
 * An aggregation. `stage`: `whole` does it all; `partial` (in a fragment) yields mergeable state, `merge` (at the querier) takes
 * it from its remote input. `where` is `line:col` of the parameter, or of the expression where there is none.
 */
export interface AggregateNode {
  readonly kind: 'aggregate';
  readonly op: AggregateOperator;
  readonly stage: 'whole' | 'partial' | 'merge';
  readonly grouping: readonly string[];
  readonly without: boolean;
  readonly input: PlanNode;
  readonly param?: PlanNode;
  readonly where: string;
  /** `line:col` of what notes on native histograms point at: the expression, of topk and bottomk the aggregation. */
  readonly histogramWhere?: string;
}

/** Which sides of a binary operation are vectors. */
export type BinaryShape = 'scalars' | 'vectors' | 'vector-scalar' | 'scalar-vector';

/** A binary operation; `matching` is there when both sides are vectors. */
export interface BinaryNode {
  readonly kind: 'binary';
  readonly shape: BinaryShape;
  readonly op: BinaryOperator;
  readonly returnBool: boolean;
  readonly matching?: VectorMatching;
  readonly left: PlanNode;
  readonly right: PlanNode;
  readonly where: string;
}

/** Unary minus. */
export interface NegateNode {
  readonly kind: 'negate';
  readonly input: PlanNode;
}

/** A function over instant vectors, scalars and strings; `wheres` holds `line:col` of each argument. */
export interface CallNode {
  readonly kind: 'call';
  readonly func: string;
  readonly args: readonly PlanNode[];
  readonly where: string;
  readonly wheres: readonly string[];
}

/** info(): the input's series with labels of info series, which are read as of the time the input's first selector looks at. */
export interface InfoNode extends Shift {
  readonly kind: 'info';
  readonly input: PlanNode;
  /** The second argument's, those of `__name__` included. */
  readonly matchers: readonly Matcher[];
}

/** The same at every step: evaluated once, at the grid's start. */
export interface StepInvariantNode {
  readonly kind: 'step-invariant';
  readonly input: PlanNode;
}

/** `fragment` runs on every partition; `distinct`: equal label sets of two partitions are an error. */
export interface RemoteNode {
  readonly kind: 'remote';
  readonly fragment: PlanNode;
  readonly distinct: boolean;
}

/** Any node of a plan. */
export type PlanNode =
  | NumberNode
  | StringNode
  | TimeNode
  | SelectNode
  | RangeSelectNode
  | SubqueryNode
  | RangeFunctionNode
  | AbsentNode
  | AggregateNode
  | BinaryNode
  | NegateNode
  | CallNode
  | InfoNode
  | StepInvariantNode
  | RemoteNode;

/** Functions whose result is a scalar. */
const SCALAR_CALLS: ReadonlySet<string> = new Set(['scalar', 'pi', 'min_of', 'max_of']);

/** The type of a node's result. */
export function nodeType(node: PlanNode): 'scalar' | 'vector' | 'string' | 'matrix' {
  switch (node.kind) {
    case 'number':
    case 'time':
      return 'scalar';
    case 'string':
      return 'string';
    case 'range-select':
    case 'subquery':
      return 'matrix';
    case 'binary':
      return node.shape === 'scalars' ? 'scalar' : 'vector';
    case 'negate':
    case 'step-invariant':
      return nodeType(node.input);
    case 'remote':
      return nodeType(node.fragment);
    case 'call':
      return SCALAR_CALLS.has(node.func) ? 'scalar' : 'vector';
    case 'select':
    case 'range-function':
    case 'absent':
    case 'aggregate':
    case 'info':
      return 'vector';
  }
}

/** The node with each child replaced by `map(child)`; the node itself when no child changed. */
export function mapChildren(node: PlanNode, map: (child: PlanNode) => PlanNode): PlanNode {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'time':
    case 'select':
    case 'range-select':
    case 'remote':
      return node;
    case 'subquery':
    case 'absent':
    case 'negate':
    case 'info':
    case 'step-invariant': {
      const input = map(node.input);
      return input === node.input ? node : Object.freeze({ ...node, input });
    }
    case 'range-function': {
      const input = map(node.input);
      const args = mapAll(node.args, map);
      if (input === node.input && args === node.args) return node;
      const ranged = input.kind === 'range-select' || input.kind === 'subquery' || input.kind === 'remote';
      return ranged ? Object.freeze({ ...node, input, args }) : node;
    }
    case 'aggregate': {
      const input = map(node.input);
      const param = node.param === undefined ? undefined : map(node.param);
      if (input === node.input && param === node.param) return node;
      return Object.freeze({ ...node, input, ...(param === undefined ? {} : { param }) });
    }
    case 'binary': {
      const left = map(node.left);
      const right = map(node.right);
      return left === node.left && right === node.right ? node : Object.freeze({ ...node, left, right });
    }
    case 'call': {
      const args = mapAll(node.args, map);
      return args === node.args ? node : Object.freeze({ ...node, args });
    }
  }
}

function mapAll(nodes: readonly PlanNode[], map: (child: PlanNode) => PlanNode): readonly PlanNode[] {
  const mapped = nodes.map(map);
  return mapped.every((node, i) => node === nodes[i]) ? nodes : Object.freeze(mapped);
}

/** The nodes directly below, remote fragments included. */
export function childrenOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'time':
    case 'select':
    case 'range-select':
      return [];
    case 'subquery':
    case 'absent':
    case 'negate':
    case 'info':
    case 'step-invariant':
      return [node.input];
    case 'range-function':
      return [node.input, ...node.args];
    case 'aggregate':
      return node.param === undefined ? [node.input] : [node.input, node.param];
    case 'binary':
      return [node.left, node.right];
    case 'call':
      return node.args;
    case 'remote':
      return [node.fragment];
  }
}
