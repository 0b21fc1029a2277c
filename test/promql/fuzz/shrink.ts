// Makes a query that differs smaller: parts of its tree are left out or replaced by simpler ones as long as it still differs.

import type { Expr, VectorSelector } from '../../../src/query/parse/ast.ts';
import { exprText } from '../../../src/query/parse/print.ts';
import { typeOf } from '../../../src/query/parse/types.ts';
import type { Grid } from './ask.ts';
import { tryParse } from './judge.ts';

/** A query and when it is asked. */
export interface Question {
  readonly query: string;
  readonly grid: Grid;
}

const TRIES_MAX = 400;
const NOWHERE = { start: 0, end: 0 };
const ONE: Expr = { kind: 'number', value: 1, isDuration: false, position: NOWHERE };

/** The smallest question found of which `differs` still says true. */
export async function shrinkQuestion(
  question: Question,
  differs: (question: Question) => Promise<boolean>,
): Promise<Question> {
  let best = question;
  let tries = 0;
  const attempt = async (smaller: Question): Promise<boolean> => {
    if (tries++ >= TRIES_MAX || !(await differs(smaller).catch(() => false))) return false;
    best = smaller;
    return true;
  };
  const shrinkQuery = async (): Promise<boolean> => {
    const expr = tryParse(best.query);
    if (expr === undefined) return shrinkText(best, attempt);
    const seen = new Set([best.query]);
    for (const smaller of smallerExprs(expr)) {
      const query = exprText(smaller);
      if (seen.has(query) || query.length > best.query.length + 4) continue;
      seen.add(query);
      if (await attempt({ ...best, query })) return true;
    }
    return false;
  };
  for (let more = true; more; ) {
    more = await shrinkQuery();
    more = (await shrinkGrid(best, attempt)) || more;
  }
  return best;
}

async function shrinkGrid(
  { query, grid }: Question,
  attempt: (smaller: Question) => Promise<boolean>,
): Promise<boolean> {
  const { start, end, step, lookback } = grid;
  if (lookback !== undefined && (await attempt({ query, grid: { start, end, step } }))) return true;
  if (step === 0) return false;
  for (let time = start; time <= end; time += step)
    if (await attempt({ query, grid: { ...grid, start: time, end: time, step: 0 } })) return true;
  const steps = Math.floor((end - start) / step);
  const half = Math.ceil(steps / 2) * step;
  if (steps > 1 && (await attempt({ query, grid: { ...grid, end: end - half } }))) return true;
  return steps > 1 && attempt({ query, grid: { ...grid, start: start + half } });
}

// Texts that do not parse: characters go.
async function shrinkText(
  { query, grid }: Question,
  attempt: (smaller: Question) => Promise<boolean>,
): Promise<boolean> {
  for (const size of [16, 8, 4, 2, 1])
    for (let at = 0; at + size <= query.length; at++)
      if (await attempt({ query: query.slice(0, at) + query.slice(at + size), grid })) return true;
  return false;
}

/** Expressions a little smaller than this one, the smallest first. */
function* smallerExprs(expr: Expr): Generator<Expr> {
  for (const child of childrenOf(expr)) if (child.kind !== 'string' && child.kind !== 'duration') yield child;
  yield* simpler(expr);
  for (const [child, put] of slots(expr)) {
    if (typeOf(child) === 'scalar' && child.kind !== 'number') yield put(ONE);
    for (const smaller of smallerExprs(child)) if (typeOf(smaller) === typeOf(child)) yield put(smaller);
  }
}

function childrenOf(expr: Expr): Expr[] {
  return slots(expr).map(([child]) => child);
}

/** The parts of an expression with what it is with another in their place. */
function slots(expr: Expr): [Expr, (child: Expr) => Expr][] {
  switch (expr.kind) {
    case 'aggregate': {
      const { param } = expr;
      const inner: [Expr, (child: Expr) => Expr] = [expr.expr, (child) => ({ ...expr, expr: child })];
      return param === undefined ? [inner] : [inner, [param, (child) => ({ ...expr, param: child })]];
    }
    case 'binary':
      return [
        [expr.left, (left) => ({ ...expr, left })],
        [expr.right, (right) => ({ ...expr, right })],
      ];
    case 'call':
      return expr.args.map((arg, index) => [
        arg,
        (child) => ({ ...expr, args: expr.args.with(index, child) }),
      ]);
    case 'subquery':
    case 'paren':
    case 'unary':
      return [[expr.expr, (child) => ({ ...expr, expr: child })]];
    case 'matrix-selector':
      return [
        [expr.selector, (child) => (child.kind === 'vector-selector' ? { ...expr, selector: child } : expr)],
      ];
    case 'number':
    case 'string':
    case 'vector-selector':
    case 'duration':
      return [];
  }
}

// The same node with less to it.
function* simpler(expr: Expr): Generator<Expr> {
  switch (expr.kind) {
    case 'aggregate':
      if (expr.grouping.length > 0 || expr.without) yield { ...expr, grouping: [], without: false };
      for (const label of expr.grouping)
        yield { ...expr, grouping: expr.grouping.filter((one) => one !== label) };
      break;
    case 'binary': {
      const { matching, ...plain } = expr;
      if (expr.returnBool) yield { ...expr, returnBool: false };
      if (matching === undefined) break;
      yield plain;
      const { fillLeft, fillRight, ...unfilled } = matching;
      if (fillLeft !== undefined || fillRight !== undefined) yield { ...plain, matching: unfilled };
      if (fillLeft !== undefined && fillRight !== undefined) {
        yield { ...plain, matching: { ...unfilled, fillLeft } };
        yield { ...plain, matching: { ...unfilled, fillRight } };
      }
      for (const label of matching.include)
        yield {
          ...plain,
          matching: { ...matching, include: matching.include.filter((one) => one !== label) },
        };
      for (const label of matching.labels)
        yield { ...plain, matching: { ...matching, labels: matching.labels.filter((one) => one !== label) } };
      break;
    }
    case 'call':
      if (expr.args.length > 1) yield { ...expr, args: expr.args.slice(0, -1) };
      break;
    case 'subquery': {
      const { offsetExpr, at, rangeExpr, stepExpr, ...plain } = expr;
      if (offsetExpr !== undefined || at !== undefined || expr.offsetMs !== 0)
        yield { ...plain, ...(rangeExpr && { rangeExpr }), ...(stepExpr && { stepExpr }), offsetMs: 0 };
      if (rangeExpr !== undefined || stepExpr !== undefined)
        yield { ...expr, ...plain, rangeMs: expr.rangeMs || 300_000, stepMs: expr.stepMs || 60_000 };
      break;
    }
    case 'matrix-selector': {
      const { rangeExpr, ...plain } = expr;
      if (rangeExpr !== undefined) yield { ...plain, rangeMs: 300_000 };
      for (const rangeMs of [15_000, 30_000, 60_000, 120_000, 300_000])
        if (rangeExpr === undefined && rangeMs < expr.rangeMs) yield { ...plain, rangeMs };
      break;
    }
    case 'vector-selector':
      yield* simplerSelectors(expr);
      break;
    case 'number':
      if (expr.value !== 1) yield ONE;
      break;
    case 'string':
    case 'paren':
    case 'unary':
    case 'duration':
      break;
  }
}

function* simplerSelectors(expr: VectorSelector): Generator<Expr> {
  const { offsetExpr, at, extended, ...plain } = expr;
  if (offsetExpr !== undefined || expr.offsetMs !== 0)
    yield { ...plain, ...(at && { at }), ...(extended && { extended }), offsetMs: 0 };
  if (at !== undefined) yield { ...plain, ...(offsetExpr && { offsetExpr }), ...(extended && { extended }) };
  if (extended !== undefined) yield { ...plain, ...(offsetExpr && { offsetExpr }), ...(at && { at }) };
  for (const matcher of expr.matchers)
    if (matcher.name !== '__name__')
      yield { ...expr, matchers: expr.matchers.filter((one) => one !== matcher) };
}
