// AST to plan: resolves @, offsets, default subquery steps and the functions of the query's own range, and finds what is the
// same at every step (Prometheus promql/engine.go, PreprocessExpr).

import { compileMatcher } from '../../codec/regex.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import { type Labels, labelsFrom, METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { RANGE_KERNELS } from '../kernels/range-kernels.ts';
import type {
  AggregateExpr,
  BinaryExpr,
  CallExpr,
  Expr,
  MatrixSelector,
  Subquery,
  VectorSelector,
} from '../parse/ast.ts';
import type { StepRange } from '../source.ts';
import { DurationError, durationErrorIn, durationMsOf } from './durations.ts';
import {
  type BinaryShape,
  nodeType,
  type PlanNode,
  type RangeSelectNode,
  type SelectNode,
  type StepInvariantNode,
  type SubqueryNode,
} from './nodes.ts';
import { PlaceRanks } from './position.ts';
import { atOf, firstShift, offsetOf } from './shift.ts';

/** What a plan depends on beside the expression. */
export interface BuildOptions {
  readonly query: string;
  readonly grid: StepRange;
  readonly defaultStepMs: number;
}

interface BuildContext extends BuildOptions {
  readonly ranks: PlaceRanks;
}

/** A node, whether it is the same at every step, and whether it is worth wrapping then (constants are not). */
interface Built {
  readonly node: PlanNode;
  readonly invariant: boolean;
  readonly wrap: boolean;
}

/** Functions that look at the evaluation time, so that a fixed @ below does not make them constant. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'hour',
  'minute',
  'month',
  'year',
  'predict_linear',
  'time',
  'timestamp',
]);
const DEPTH_MAX = 2000;

/** Builds the plan of a checked expression. `execution` errors for what this version does not evaluate. */
export function buildPlan(expr: Expr, options: BuildOptions): PlanNode {
  try {
    return wrapped(build(expr, { ...options, ranks: new PlaceRanks() }, 0));
  } catch (error) {
    throw error instanceof DurationError ? durationErrorIn(options.query, error) : error;
  }
}

function placeOf({ query, ranks }: BuildContext, offset: number): string {
  return ranks.place(query, offset);
}

function wrapped(built: Built): PlanNode {
  return built.wrap ? invariantNode(built.node) : built.node;
}

function invariantNode(input: PlanNode): StepInvariantNode {
  return Object.freeze({ kind: 'step-invariant', input });
}

function variant(node: PlanNode): Built {
  return { node: Object.freeze(node), invariant: false, wrap: false };
}

function constant(node: PlanNode): Built {
  return { node: Object.freeze(node), invariant: true, wrap: false };
}

function steady(node: PlanNode, invariant: boolean): Built {
  return { node: Object.freeze(node), invariant, wrap: invariant };
}

function build(expr: Expr, context: BuildContext, depth: number): Built {
  if (depth > DEPTH_MAX)
    throw new DomainError('bad_data', `cannot plan query: nested deeper than ${DEPTH_MAX}`);
  switch (expr.kind) {
    case 'number':
      return constant({ kind: 'number', value: expr.value });
    case 'string':
      return constant({ kind: 'string', value: expr.value });
    case 'paren':
      return build(expr.expr, context, depth + 1);
    case 'vector-selector':
      return buildSelect(expr, context, false);
    case 'matrix-selector':
      return buildRangeSelect(expr, context);
    case 'subquery':
      return buildSubquery(expr, context, depth + 1);
    case 'unary': {
      const input = build(expr.expr, context, depth + 1);
      if (expr.op === '+') return input;
      return { ...input, node: Object.freeze({ kind: 'negate', input: input.node }) };
    }
    case 'binary':
      return buildBinary(expr, context, depth + 1);
    case 'aggregate':
      return buildAggregate(expr, context, depth + 1);
    case 'call':
      return buildCall(expr, context, depth + 1);
    case 'duration':
      throw new DomainError('execution', 'cannot plan query: a duration expression was left unresolved');
  }
}

function buildSelect(expr: VectorSelector, context: BuildContext, timestamps: boolean): Built {
  const at = atOf(expr, context.grid);
  const { matchers } = expr;
  const offsetMs = offsetOf(expr, context.grid);
  const where = placeOf(context, expr.position.start);
  const smoothed = expr.extended === 'smoothed' && !timestamps ? { smoothed: true as const, where } : {};
  return steady({ kind: 'select', matchers, timestamps, offsetMs, ...smoothed, ...at }, at !== undefined);
}

// The start times of what a selector finds.
function buildStarts(expr: VectorSelector, context: BuildContext): Built {
  const built = buildSelect(expr, context, true);
  return { ...built, node: Object.freeze({ ...(built.node as SelectNode), starts: true }) };
}

function buildRangeSelect(expr: MatrixSelector, context: BuildContext): Built {
  const at = atOf(expr.selector, context.grid);
  const { matchers } = expr.selector;
  const offsetMs = offsetOf(expr.selector, context.grid);
  const rangeMs =
    expr.rangeExpr === undefined ? expr.rangeMs : durationMsOf(expr.rangeExpr, context.grid, false);
  const extension = expr.selector.extended === undefined ? {} : { extension: expr.selector.extended };
  const node: RangeSelectNode = { kind: 'range-select', matchers, rangeMs, offsetMs, ...extension, ...at };
  return { node: Object.freeze(node), invariant: at !== undefined, wrap: false };
}

// Functions that may look beyond their window's borders.
const ANCHORED_SAFE = 'changes, delta, increase, rate, resets';
const SMOOTHED_SAFE = 'delta, increase, rate';

function checkExtension(func: string, input: RangeSelectNode | SubqueryNode): void {
  if (input.kind !== 'range-select' || input.extension === undefined) return;
  const safe = input.extension === 'anchored' ? ANCHORED_SAFE : SMOOTHED_SAFE;
  if (safe.split(', ').includes(func)) return;
  const text = `${input.extension} modifier can only be used with: ${safe} - not with ${func}`;
  throw new DomainError('execution', text);
}

function buildSubquery(expr: Subquery, context: BuildContext, depth: number): Built {
  const inner = build(expr.expr, context, depth);
  const at = atOf(expr, context.grid);
  const stepMs = expr.stepExpr === undefined ? expr.stepMs : durationMsOf(expr.stepExpr, context.grid, false);
  const node: SubqueryNode = {
    kind: 'subquery',
    // Constant below, it is still evaluated once only, at the start of the subquery.
    input: inner.invariant && inner.wrap ? invariantNode(inner.node) : inner.node,
    rangeMs: expr.rangeExpr === undefined ? expr.rangeMs : durationMsOf(expr.rangeExpr, context.grid, false),
    stepMs: stepMs === 0 ? context.defaultStepMs : stepMs,
    offsetMs: offsetOf(expr, context.grid),
    ...at,
  };
  return { node: Object.freeze(node), invariant: at !== undefined, wrap: false };
}

function buildBinary(expr: BinaryExpr, context: BuildContext, depth: number): Built {
  const left = build(expr.left, context, depth);
  const right = build(expr.right, context, depth);
  const invariant = left.invariant && right.invariant;
  const leftNode = invariant ? left.node : wrapped(left);
  const rightNode = invariant ? right.node : wrapped(right);
  const node: PlanNode = {
    kind: 'binary',
    shape: binaryShape(leftNode, rightNode),
    op: expr.op,
    returnBool: expr.returnBool,
    left: leftNode,
    right: rightNode,
    where: placeOf(context, expr.position.start),
    ...(expr.matching === undefined ? {} : { matching: expr.matching }),
  };
  return { node: Object.freeze(node), invariant, wrap: invariant && (left.wrap || right.wrap) };
}

function binaryShape(left: PlanNode, right: PlanNode): BinaryShape {
  if (nodeType(left) === 'scalar') return nodeType(right) === 'scalar' ? 'scalars' : 'scalar-vector';
  return nodeType(right) === 'scalar' ? 'vector-scalar' : 'vectors';
}

function buildAggregate(expr: AggregateExpr, context: BuildContext, depth: number): Built {
  const input = build(expr.expr, context, depth);
  const param = expr.param === undefined ? undefined : build(expr.param, context, depth);
  const noted = expr.op === 'topk' || expr.op === 'bottomk' ? expr : withoutParens(expr.expr);
  // As in Prometheus the parameter's own variance is not looked at: k is taken at the first step then.
  const node: PlanNode = {
    kind: 'aggregate',
    op: expr.op,
    stage: 'whole',
    grouping: expr.grouping,
    without: expr.without,
    input: input.node,
    where: placeOf(context, withoutParens(expr.param ?? expr.expr).position.start),
    histogramWhere: placeOf(context, noted.position.start),
    ...(param === undefined ? {} : { param: input.invariant ? param.node : wrapped(param) }),
  };
  return { node: Object.freeze(node), invariant: input.invariant, wrap: input.wrap };
}

// Info series are looked at as of the time at which the first selector below looks.
function buildInfo(expr: CallExpr, context: BuildContext, depth: number): Built {
  const [base, selector] = expr.args.map(withoutParens);
  invariant(base !== undefined, 'info() has an argument');
  const built = build(base, context, depth);
  const shift = firstShift(base, context.grid) ?? { offsetMs: 0 };
  const matchers = selector?.kind === 'vector-selector' ? selector.matchers : [];
  // As in Prometheus the selector of labels is one like any other, which is the same at every step only with an @.
  const isSteady = built.invariant && (selector?.kind !== 'vector-selector' || selector.at !== undefined);
  return steady(
    { kind: 'info', input: isSteady ? built.node : wrapped(built), matchers, ...shift },
    isSteady,
  );
}

function buildCall(expr: CallExpr, context: BuildContext, depth: number): Built {
  if (expr.func === 'info') return buildInfo(expr, context, depth);
  const args = expr.args.map(withoutParens);
  const folded = foldQueryFunction(expr.func, context.grid);
  if (folded !== undefined) return constant({ kind: 'number', value: folded });
  if (expr.func === 'time') return variant({ kind: 'time' });
  const first = args[0];
  if (expr.func === 'timestamp' && first?.kind === 'vector-selector')
    return buildSelect(first, context, true);
  if (expr.func === 'start_timestamp' && first?.kind === 'vector-selector')
    return buildStarts(first, context);
  const built = args.map((arg) => build(arg, context, depth));
  const invariant = built.every((arg) => arg.invariant) && !TIME_DEPENDENT.has(expr.func);
  const nodes = built.map((arg) => (invariant ? arg.node : wrapped(arg)));
  const node = callNode({ expr, args, nodes }, context);
  // A call of constants alone (vector(1), pi()) is as cheap per step as a repetition, but must not vary: both are right.
  return steady(node, invariant);
}

/** start(), end(), range() and step() are constants of a query, in seconds. */
function foldQueryFunction(func: string, grid: StepRange): number | undefined {
  if (func === 'start') return grid.start / 1000;
  if (func === 'end') return grid.end / 1000;
  if (func === 'range') return (grid.end - grid.start) / 1000;
  if (func === 'step') return grid.start === grid.end ? 0 : grid.step / 1000;
  return undefined;
}

interface CallParts {
  readonly expr: CallExpr;
  readonly args: readonly Expr[];
  readonly nodes: readonly PlanNode[];
}

function callNode({ expr, args, nodes }: CallParts, context: BuildContext): PlanNode {
  const wheres = args.map((arg) => placeOf(context, arg.position.start));
  const rangeIndex = nodes.findIndex((node) => node.kind === 'range-select' || node.kind === 'subquery');
  const where = placeOf(context, expr.position.start);
  if (rangeIndex >= 0) {
    const input = nodes[rangeIndex] as RangeSelectNode | SubqueryNode;
    const rest = nodes.filter((_, i) => i !== rangeIndex);
    checkExtension(expr.func, input);
    if (expr.func === 'absent_over_time') {
      const present = rangeFunction('last_over_time', input, []);
      return Object.freeze({ kind: 'absent', labels: absentLabels(args[0]), input: present });
    }
    if (!RANGE_KERNELS.has(expr.func))
      throw new DomainError('execution', `cannot evaluate function ${expr.func}: not supported`);
    // Prometheus points its notes at the first argument, whichever that is; of a subquery it no longer knows the place by then.
    const isLost = rangeIndex === 0 && input.kind === 'subquery';
    return rangeFunction(expr.func, input, rest, isLost ? placeOf(context, 0) : wheres[0]);
  }
  if (expr.func === 'absent')
    return Object.freeze({ kind: 'absent', labels: absentLabels(args[0]), input: nodes[0] as PlanNode });
  return Object.freeze({ kind: 'call', func: expr.func, args: Object.freeze(nodes), where, wheres });
}

function rangeFunction(
  func: string,
  input: RangeSelectNode | SubqueryNode,
  args: readonly PlanNode[],
  where = '',
): PlanNode {
  return Object.freeze({ kind: 'range-function', func, input, args, where });
}

function withoutParens(expr: Expr): Expr {
  let inner = expr;
  while (inner.kind === 'paren') inner = inner.expr;
  return inner;
}

/** The labels an absent series gets: those its selector fixes with one `=`. */
function absentLabels(expr: Expr | undefined): Labels {
  const selector = expr?.kind === 'matrix-selector' ? expr.selector : expr;
  if (selector?.kind !== 'vector-selector') return [];
  const fixed = new Map<string, string>();
  const seen = new Set<string>();
  // Prometheus has put matchers in this order by then.
  const matchers = selector.matchers.toSorted((a, b) => Number(isSubtracting(a)) - Number(isSubtracting(b)));
  for (const { name, op, value } of matchers) {
    if (name === METRIC_NAME) continue;
    if (op === '=' && !seen.has(name)) {
      fixed.set(name, value);
      seen.add(name);
    } else fixed.delete(name);
  }
  return labelsFrom(fixed);
}

// Whether a matcher takes series away from those that have no such label.
function isSubtracting(matcher: Matcher): boolean {
  return (matcher.op === '!=' || matcher.op === '!~') && compileMatcher(matcher).matchesEmpty;
}
