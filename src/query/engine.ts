// The query engine: text -> AST (cached) -> plan -> operators -> result. With a SeriesSource it evaluates everything itself; with
// a FragmentRunner it sends fragments to the shards and merges what comes back. It knows no network and no storage.

import type { Hasher } from '../codec/hash.ts';
import { Annotations } from '../model/annotations.ts';
import { DomainError } from '../model/errors.ts';
import { linkedController } from '../platform/abort.ts';
import type { Clock } from '../platform/clock.ts';
import type { MemoryPool } from '../platform/memory.ts';
import type { Turns } from '../platform/turns.ts';
import { type QueryAccount, QueryBudget, type QueryLimits } from './budget.ts';
import { distributes } from './exec/aggregate.ts';
import { openExecution } from './exec/build-operator.ts';
import { checkGrid, type ExecContext } from './exec/context.ts';
import { evaluateFragment } from './exec/fragment.ts';
import { Profile } from './exec/profile.ts';
import { instantValue, rangeValue } from './exec/query-value.ts';
import { type EvalModes, modesOf } from './modes.ts';
import type { OperatorTree } from './operator-tree.ts';
import type { Expr, ValueType } from './parse/ast.ts';
import type { ParseOptions } from './parse/options.ts';
import { parseQuery } from './parse/parse-query.ts';
import { typeOf } from './parse/types.ts';
import { buildPlan } from './plan/build.ts';
import { planTree } from './plan/plan-text.ts';
import { chooseAggregates } from './plan/rules/aggregates.ts';
import { distribute } from './plan/rules/distribute.ts';
import { readTotals } from './plan/rules/histogram-totals.ts';
import { simplify } from './plan/rules/simplify.ts';
import { type SharedPlan, sharePlan } from './plan/share.ts';
import type { QueryResult } from './result.ts';
import {
  type FragmentReply,
  type FragmentRunner,
  type SeriesSource,
  type StepRange,
  stepCount,
} from './source.ts';

/** Parsed queries an engine remembers, and the longest text it remembers. */
const CACHED_QUERIES_MAX = 500;
const CACHED_TEXT_MAX = 16 * 1024;

/** What an engine is made from: one of `source` and `fragments`. */
export interface EngineOptions extends EvalModes {
  /** How far an instant selector looks back, ms. */
  readonly lookbackMs: number;
  /** Step of subqueries that name none, ms. */
  readonly defaultStepMs: number;
  readonly limits: QueryLimits;
  /** Features of the parser that are off by default. */
  readonly features?: ParseOptions;
  readonly source?: SeriesSource;
  readonly fragments?: FragmentRunner;
  /** For limit_ratio alone, which loads one of its own without it. */
  readonly hasher?: Hasher;
  /** With a clock long queries give way to other work of the process, their own cancellation among it. */
  readonly clock?: Clock;
  /** Working memory of all queries of the process together. */
  readonly memory?: MemoryPool;
  /** What long queries take turns by. */
  readonly turns?: Turns;
}

/** What every query may say. */
export interface QueryOptions {
  readonly query: string;
  readonly lookbackMs?: number;
  /** In place of the engine's own, ms; see EvalModes. */
  readonly maxResolutionMs?: number;
  readonly limits?: QueryLimits;
  readonly signal?: AbortSignal;
  /** Measures each operator; the result has them as `analysis`. */
  readonly analyze?: boolean;
  /** Gets the account of the query before it begins: what it uses can be seen while it runs, and after it failed. */
  readonly onAccount?: (account: QueryAccount) => void;
}

/** A query at one time, ms. */
export interface InstantQuery extends QueryOptions {
  readonly timeMs: number;
}

/** A query at start, start + step, ... <= end, ms. */
export interface RangeQuery extends QueryOptions {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** Evaluates PromQL. */
export interface Engine {
  instant(query: InstantQuery): Promise<QueryResult>;
  range(query: RangeQuery): Promise<QueryResult>;
  /** The plan of a query. */
  explain(query: InstantQuery | RangeQuery): OperatorTree;
}

/** Makes an engine; it holds nothing but a bounded cache of parsed queries. */
export function createEngine(options: EngineOptions): Engine {
  const parsed = new Map<string, Expr>();
  const evaluate = async (
    query: QueryOptions,
    grid: StepRange,
    instant: boolean,
    budget: QueryBudget,
  ): Promise<QueryResult> => {
    await budget.pause();
    const expr = parseCached(parsed, query.query, options.features);
    checkGrid(grid, budget);
    refuseType(typeOf(expr), instant);
    const { node, shared } = planQuery(expr, query.query, grid, options);
    const annotations = new Annotations();
    const { source, fragments, hasher } = options;
    const profile = query.analyze === true ? new Profile(budget) : undefined;
    const context: ExecContext = openExecution(
      {
        budget,
        annotations,
        lookbackMs: query.lookbackMs ?? options.lookbackMs,
        ...modesOf({ ...options, maxResolutionMs: query.maxResolutionMs ?? options.maxResolutionMs ?? 0 }),
        ...(source === undefined ? {} : { source }),
        ...(fragments === undefined ? {} : { fragments }),
        ...(hasher === undefined ? {} : { hasher }),
        ...(profile === undefined ? {} : { profile }),
      },
      shared,
    );
    const value = instant ? await instantValue(node, grid, context) : await rangeValue(node, grid, context);
    const { samplesRead, samplesQueryable, samplesPeak, seriesSeen, bytesPeak } = budget;
    const statistics = { samplesRead, samplesQueryable, samplesPeak, seriesSeen, bytesPeak };
    const analysis = profile === undefined ? {} : { analysis: profile.tree(node) };
    return { value, annotations: annotations.shown(), statistics, ...analysis };
  };
  const run = async (query: QueryOptions, grid: StepRange, instant: boolean): Promise<QueryResult> => {
    const life = linkedController(query.signal);
    const budget = new QueryBudget(query.limits ?? options.limits, life.signal, options);
    query.onAccount?.(budget);
    try {
      return await evaluate(query, grid, instant, budget);
    } catch (error) {
      // Parts of the query that still run elsewhere are of no use to anybody now.
      life.abort(new DomainError('canceled', 'query was canceled'));
      throw error;
    } finally {
      budget.close();
      life.unlink();
    }
  };
  return {
    instant: (query) => run(query, instantGrid(query.timeMs), true),
    range: (query) => run(query, rangeGrid(query), false),
    explain(query) {
      const grid = 'timeMs' in query ? instantGrid(query.timeMs) : rangeGrid(query);
      const expr = parseCached(parsed, query.query, options.features);
      return planTree(planQuery(expr, query.query, grid, options).node);
    },
  };
}

/** What a shard does with a fragment: evaluates it over its own series; each reply encodes to about 256 KiB at most. */
export function runFragment(
  fragment: Uint8Array,
  source: SeriesSource,
  budget: QueryBudget,
): AsyncIterable<FragmentReply> {
  return evaluateFragment(fragment, source, budget);
}

function instantGrid(time: number): StepRange {
  return { start: time, end: time, step: 0 };
}

function rangeGrid({ startMs: start, endMs: end, stepMs: step }: RangeQuery): StepRange {
  if (!(step > 0))
    throw new DomainError('bad_data', `cannot run range query: step must be above zero, got ${step} ms`);
  if (end < start) throw new DomainError('bad_data', 'cannot run range query: its end is before its start');
  const grid = { start, end, step };
  if (!Number.isSafeInteger(stepCount(grid)))
    throw new DomainError('bad_data', 'cannot run range query: too many steps');
  return grid;
}

function parseCached(parsed: Map<string, Expr>, text: string, features: ParseOptions | undefined): Expr {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const expr = parseQuery(text, features);
  if (text.length <= CACHED_TEXT_MAX) {
    parsed.set(text, expr);
    if (parsed.size > CACHED_QUERIES_MAX) parsed.delete(parsed.keys().next().value as string);
  }
  return expr;
}

function planQuery(expr: Expr, query: string, grid: StepRange, options: EngineOptions): SharedPlan {
  const built = buildPlan(expr, { query, grid, defaultStepMs: options.defaultStepMs });
  const plan = chooseAggregates(readTotals(simplify(built)));
  return sharePlan(options.fragments === undefined ? plan : distribute(plan, distributes));
}

function refuseType(type: ValueType, instant: boolean): void {
  if (instant || type === 'scalar' || type === 'vector') return;
  const name = type === 'string' ? 'string' : 'range vector';
  throw new DomainError(
    'bad_data',
    `invalid expression type "${name}" for range query, must be Scalar or instant Vector`,
  );
}
