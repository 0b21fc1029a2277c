// Differences from Prometheus that are accepted, each with its reason. Nothing else is.

import type { AggregateExpr, Expr } from '../../../src/query/parse/ast.ts';
import { walkExpr } from '../../../src/query/parse/ast-walk.ts';
import { exprText } from '../../../src/query/parse/print.ts';
import { typeOf } from '../../../src/query/parse/types.ts';
import type { Answer, Grid, HistogramAnswer, PointAnswer } from './ask.ts';
import { type Difference, difference, pointsNear } from './compare.ts';
import type { Judgement } from './judge.ts';
import { normalNote, normalText } from './normal-texts.ts';
import type { WorldFlags } from './world.ts';

/** A difference and where it was found. */
export interface Finding {
  readonly expr: Expr;
  readonly grid: Grid;
  readonly flags: WorldFlags;
  readonly found: Difference;
  /** What both say to another query over the same grid. */
  readonly judgePart: (query: string) => Promise<Judgement>;
}

/** A kind of differences that may be. */
export interface Accepted {
  readonly name: string;
  readonly reason: string;
  /** Whether a difference of a query, as it stands there, is of this kind. */
  readonly covers: (finding: Finding) => boolean | Promise<boolean>;
}

const SAME_LABELS = 'vector cannot contain metrics with the same labelset';

const PARAMETER_ERROR = /value is NaN|flows int64|invalid (smoothing|trend) factor/;
const SUM_NOTES =
  /(mix of histograms and floats for|mix of histograms with exponential and custom|mismatched custom buckets|conflicting counter resets)/;

const PAIR_NOTES =
  /incompatible (sample types|bucket layout)|conflicting counter resets|mismatched custom buckets/;

/** All accepted kinds. */
export const ACCEPTED: readonly Accepted[] = [
  {
    name: 'limitk',
    reason: 'limitk takes the first series that come: by labels here, in the order of the storage there',
    covers: ({ expr, found }) =>
      isAggregate(expr, 'limitk') && sameAtEachStep(found, (a, b) => a.length === b.length),
  },
  {
    name: 'ties',
    reason: 'of equal values topk and bottomk keep those with the first labels here, any there',
    covers: ({ expr, found }) =>
      (isAggregate(expr, 'topk', 'bottomk') ||
        (expr.kind === 'subquery' && hasAggregate(expr, 'topk', 'bottomk'))) &&
      sameAtEachStep(found, (a, b) => samePoints(a, b)),
  },
  {
    name: 'info-time',
    reason:
      '3.14 looks for info series at the time of evaluation; later versions, whose test files we follow, where the first selector looks',
    covers: ({ expr }) => hasCall(expr, 'info', ([base]) => base !== undefined && isShifted(base)),
  },
  {
    name: 'info-names',
    reason: '3.14 brings names back that delayed name removal has marked; later versions do not',
    covers: ({ expr, flags, found }) =>
      flags.delayedNames &&
      hasCall(expr, 'info') &&
      (errorOf(found.ours) === SAME_LABELS || withoutNames(found) === undefined),
  },
  {
    name: 'info-reach',
    reason:
      '3.14 reads info series only as far back as the ranges of the query reach, even where that is less than the lookback',
    covers: ({ expr, found }) =>
      (found.kind === 'labels' || sameAtEachStep(found, samePoints)) &&
      hasCall(
        expr,
        'info',
        ([base]) => base !== undefined && hasNode(base, ({ kind }) => kind === 'matrix-selector'),
      ),
  },
  {
    name: 'pinned-parameter',
    reason: 'an @ within the parameter of an aggregation holds at the first step alone in 3.14',
    covers: ({ expr }) =>
      hasNode(expr, (node) => node.kind === 'aggregate' && node.param !== undefined && isPinned(node.param)),
  },
  {
    name: 'unseen-duplicates',
    reason:
      'Prometheus lets equal series pass where floats of one meet histograms of the other at one time, and with delayed name removal ' +
      'from operator to operator of an instant query',
    covers: ({ flags, grid, found: { theirs, ours } }) =>
      errorOf(ours) === SAME_LABELS &&
      errorOf(theirs) !== SAME_LABELS &&
      ((flags.delayedNames && grid.start === grid.end) || hasHistograms(theirs)),
  },
  {
    name: 'failing-parts',
    reason:
      'where several parts of a query fail, operands are evaluated at once here: the failure of any may be told',
    covers: ({ expr, found: { theirs, ours }, judgePart }) =>
      theirs.kind === 'error' &&
      ours.kind === 'error' &&
      theirs.errorType === ours.errorType &&
      somePart(expr, async (part) => {
        const { theirs: answer } = await judgePart(exprText(part));
        if (answer.kind !== 'error') return false;
        // The part fails as the whole does here; or as the whole does there, whose parameter was looked at first here.
        const isParameter = part !== expr && PARAMETER_ERROR.test(ours.error);
        return normalText(answer.error) === normalText(isParameter ? theirs.error : ours.error);
      }),
  },
  {
    name: 'nan-quantiles',
    reason:
      'of a native histogram with NaN observations 3.14 interpolates in its highest bucket, a slip (docs/api.md)',
    covers: ({ expr, found, judgePart }) =>
      found.kind === 'value' &&
      somePart(expr, async (part) => {
        if (part.kind !== 'call' || !part.func.startsWith('histogram_quantile')) return false;
        const vector = part.args[part.func === 'histogram_quantile' ? 1 : 0];
        if (vector === undefined) return false;
        const { theirs } = await judgePart(exprText(vector));
        return someHistogram(theirs, ({ sum }) => Number.isNaN(sum));
      }),
  },
  {
    name: 'equal-bounds',
    reason:
      'histogram_quantiles of Prometheus merges buckets of equal bounds (le="1", le="1.0") in place, again for each further quantile',
    covers: ({ expr, found }) =>
      found.kind === 'value' && hasCall(expr, 'histogram_quantiles', (args) => args.length > 3),
  },
  {
    name: 'rounding',
    reason:
      'a part of the query differs in the last digits (order of summation, mathematical functions), which the rest makes visible',
    covers: ({ expr, found, judgePart }) =>
      (found.kind === 'value' || found.kind === 'labels' || found.kind === 'order') &&
      somePart(expr, async (part) => {
        if (part === expr) return false;
        const { found: within, theirs, ours } = await judgePart(exprText(part));
        return within === undefined && !isExact(theirs, ours);
      }),
  },
  {
    name: 'never-evaluated',
    reason:
      'what Prometheus refuses when it comes there is refused when planning here; subqueries without steps are never evaluated',
    covers: ({ found: { theirs, ours } }) =>
      theirs.kind === 'data' &&
      theirs.series.length === 0 &&
      /modifier can only be used with/.test(errorOf(ours) ?? ''),
  },
  {
    name: 'sum-notes',
    reason:
      'which notes a sum of floats, exponential and custom histograms brings depends on their order; partitions are summed up first',
    covers: ({ expr, found }) =>
      hasAggregate(expr, 'sum', 'avg') && notesDiffer(found, (note) => SUM_NOTES.test(note)),
  },
  {
    name: 'sum-zero-buckets',
    reason:
      'the zero bucket of a sum of histograms of several resolutions and zero thresholds depends on their order; its totals do not',
    covers: ({ expr, found }) => hasAggregate(expr, 'sum', 'avg') && totalsAgree(found),
  },
  {
    name: 'timestamp-offset',
    reason: 'timestamp() of a selector with both @ and offset leaves the offset out of account in 3.14',
    covers: ({ expr }) =>
      hasCall(expr, 'timestamp', ([selector]) => {
        const bare = selector?.kind === 'paren' ? selector.expr : selector;
        const isOffset =
          bare?.kind === 'vector-selector' && (bare.offsetMs !== 0 || bare.offsetExpr !== undefined);
        return isOffset && bare.at !== undefined;
      }),
  },
  {
    name: 'natural-order',
    reason:
      'Prometheus has no order for series that lack a label of sort_by_label: its comparison of nothing with something says no both ways',
    covers: ({ expr, found: { kind, theirs } }) =>
      kind === 'order' &&
      ['sort_by_label', 'sort_by_label_desc'].some((func) =>
        hasCall(expr, func, (args) => lacksLabel(theirs, args)),
      ),
  },
  {
    name: 'missed-resets',
    reason:
      'where the later of two histograms has no more buckets, 3.14 looks at one of the earlier one alone to tell a reset (detectReset does not go on)',
    covers: ({ expr, found, judgePart }) =>
      found.kind === 'value' &&
      somePart(expr, async (part) => {
        const range = part.kind === 'call' ? part.args.find((arg) => typeOf(arg) === 'matrix') : undefined;
        if (range === undefined) return false;
        const { theirs, ours } = await judgePart(`resets(${exprText(range)})`);
        return total(theirs) < total(ours);
      }),
  },
  {
    name: 'varying',
    reason: "Prometheus's answer is another each time: it goes through Go's maps, whose order is random",
    covers: async ({ expr, found: { theirs }, judgePart }) => {
      for (let i = 0; i < 5; i++) {
        const again = await judgePart(exprText(expr));
        if (difference(theirs, again.theirs, 'none') !== undefined) return true;
      }
      return false;
    },
  },
  {
    name: 'before-1970',
    reason: 'ts_of_last_over_time of Prometheus is 0 for samples before 1970',
    covers: ({ expr, found }) =>
      hasCall(expr, 'ts_of_last_over_time') &&
      found.kind === 'value' &&
      sameAtEachStep(found, (a, b) =>
        b.every((ours, i) => ours === a[i] || (a[i] === 0 && Number(ours) < 0)),
      ),
  },
  {
    name: 'panic',
    reason: 'Prometheus stumbles over a range without samples that is anchored or smoothed',
    covers: ({ found }) => /^unexpected error: runtime error/.test(errorOf(found.theirs) ?? ''),
  },
  {
    name: 'pair-notes',
    reason:
      'of the pairs of a binary operation that do not fit at one step the last is told, whose order is that of the storage',
    covers: ({ found }) => notesDiffer(found, (note) => PAIR_NOTES.test(note)),
  },
  {
    name: 'shared-places',
    reason:
      'of equal parts of a query, which are evaluated once here, the last has its place told; where Prometheus counts it tells the first',
    covers: ({ found }) =>
      notesDiffer(found, (note) => /fixed for monotonicity|start time that overlaps/.test(note)),
  },
  {
    name: 'pinned-subquery',
    reason:
      'in 3.14 a range function of a subquery with @ and of a scalar that varies has no result: the subquery is not recognized',
    covers: ({ expr }) =>
      hasNode(
        expr,
        (node) => node.kind === 'call' && node.args.length > 1 && node.args.some(isPinnedSubquery),
      ),
  },
];

// Whether some series of an answer has none of the labels that are the arguments after the first.
function lacksLabel(answer: Answer, [, ...labels]: readonly Expr[]): boolean {
  const names = labels.flatMap((label) => (label.kind === 'string' ? [label.value] : []));
  return (
    answer.kind === 'data' &&
    answer.series.some(({ key }) => names.some((name) => !key.includes(`${name}="`)))
  );
}

// Whether all floats are near and all histograms are in count and sum.
function totalsAgree({ kind, theirs, ours }: Difference): boolean {
  if (kind !== 'value' || theirs.kind === 'error' || ours.kind === 'error') return false;
  const mine = new Map(ours.series.map(({ key, points }) => [key, points]));
  const bare = (point: PointAnswer | undefined): PointAnswer | undefined =>
    typeof point === 'object' ? { ...point, buckets: [] } : point;
  return theirs.series.every(({ key, points }) =>
    [...points].every(([time, point]) => {
      const other = bare(mine.get(key)?.get(time));
      return other !== undefined && pointsNear(bare(point)!, other);
    }),
  );
}

function isPinnedSubquery(expr: Expr): boolean {
  return expr.kind === 'paren'
    ? isPinnedSubquery(expr.expr)
    : expr.kind === 'subquery' && expr.at !== undefined;
}

function hasAggregate(expr: Expr, ...ops: readonly AggregateExpr['op'][]): boolean {
  return hasNode(expr, (node) => isAggregate(node, ...ops));
}

function hasHistograms(answer: Answer): boolean {
  return someHistogram(answer, () => true);
}

function someHistogram(answer: Answer, test: (histogram: HistogramAnswer) => boolean): boolean {
  if (answer.kind === 'error') return false;
  return answer.series.some(({ points }) =>
    [...points.values()].some((point) => typeof point !== 'number' && test(point)),
  );
}

// Whether all that two answers differ in is notes, each of this kind.
function notesDiffer({ kind, theirs, ours }: Difference, is: (note: string) => boolean): boolean {
  return kind === 'notes' && notesOf(theirs, ours).every(is);
}

function isAggregate(expr: Expr, ...ops: readonly AggregateExpr['op'][]): boolean {
  if (expr.kind === 'paren') return isAggregate(expr.expr, ...ops);
  return expr.kind === 'aggregate' && ops.includes(expr.op);
}

function hasCall(expr: Expr, func: string, test: (args: readonly Expr[]) => boolean = () => true): boolean {
  return hasNode(expr, (node) => node.kind === 'call' && node.func === func && test(node.args));
}

function hasNode(expr: Expr, test: (node: Expr) => boolean): boolean {
  let is = false;
  walkExpr(expr, (node) => {
    if (test(node)) is = true;
  });
  return is;
}

function isPinned(expr: Expr): boolean {
  return hasNode(
    expr,
    (node) => (node.kind === 'vector-selector' || node.kind === 'subquery') && node.at !== undefined,
  );
}

function isShifted(expr: Expr): boolean {
  return hasNode(expr, (node) => {
    if (node.kind !== 'vector-selector' && node.kind !== 'subquery') return false;
    return node.offsetMs !== 0 || node.offsetExpr !== undefined || node.at !== undefined;
  });
}

// Notes that one of the answers has, the other not.
function notesOf(theirs: Answer, ours: Answer): string[] {
  if (theirs.kind === 'error' || ours.kind === 'error') return [];
  const [a, b] = [theirs, ours].map(({ warnings, infos }) => [...warnings, ...infos].map(normalNote));
  return [...a!.filter((note) => !b!.includes(note)), ...b!.filter((note) => !a!.includes(note))];
}

// The sum of all floats of an answer.
function total(answer: Answer): number {
  if (answer.kind === 'error') return 0;
  const points = answer.series.flatMap((one) => [...one.points.values()]);
  return points.reduce<number>((sum, point) => sum + (typeof point === 'number' ? point : 0), 0);
}

// Whether two answers have the same numbers, bit by bit but for NaN and -0.
function isExact(theirs: Answer, ours: Answer): boolean {
  if (theirs.kind === 'error' || ours.kind === 'error') return true;
  const mine = new Map(ours.series.map(({ key, points }) => [key, points]));
  return theirs.series.every(({ key, points }) =>
    [...points].every(([time, point]) => JSON.stringify(point) === JSON.stringify(mine.get(key)?.get(time))),
  );
}

async function somePart(expr: Expr, test: (part: Expr) => Promise<boolean>): Promise<boolean> {
  const parts: Expr[] = [];
  walkExpr(expr, (node) => {
    if (node.kind === 'call' || node.kind === 'aggregate' || node.kind === 'binary') parts.push(node);
  });
  for (const part of parts) if (await test(part)) return true;
  return false;
}

function errorOf(answer: Answer): string | undefined {
  return answer.kind === 'error' ? answer.error : undefined;
}

// Whether the points of both answers that stand at one time pass a test, for each time.
function sameAtEachStep(
  { theirs, ours }: Difference,
  same: (theirs: readonly PointAnswer[], ours: readonly PointAnswer[]) => boolean,
): boolean {
  if (theirs.kind === 'error' || ours.kind === 'error') return false;
  const [a, b] = [pointsByTime(theirs), pointsByTime(ours)];
  return a.size === b.size && [...a].every(([time, points]) => same(points, b.get(time) ?? []));
}

function pointsByTime(answer: Answer & { kind: 'data' }): Map<number, PointAnswer[]> {
  const byTime = new Map<number, PointAnswer[]>();
  for (const { points } of answer.series)
    for (const [time, point] of points) byTime.set(time, [...(byTime.get(time) ?? []), point]);
  return byTime;
}

function samePoints(theirs: readonly PointAnswer[], ours: readonly PointAnswer[]): boolean {
  const left = [...ours];
  for (const point of theirs) {
    const at = left.findIndex((other) => pointsNear(point, other));
    if (at < 0) return false;
    left.splice(at, 1);
  }
  return left.length === 0;
}

// What still differs when no series has a name; an error about equal series counts as having none.
function withoutNames({ theirs, ours }: Difference): Difference | undefined {
  const [a, b] = [theirs, ours].map((answer): Answer => {
    if (answer.kind === 'error') return answer;
    const series = answer.series.map(({ key, points }) => ({
      key: key.replace(/__name__="(?:[^"\\]|\\.)*"(?:, )?/, ''),
      points,
    }));
    return { ...answer, series: series.sort((x, y) => (x.key < y.key ? -1 : 1)) };
  });
  return difference(a!, b!, 'none');
}
