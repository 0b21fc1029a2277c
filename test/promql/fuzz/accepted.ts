// Differences from Prometheus that are accepted, each with its reason. Nothing else is.

import type { AggregateExpr, Expr, TimeModifiers } from '../../../src/query/parse/ast.ts';
import { walkExpr } from '../../../src/query/parse/ast-walk.ts';
import type { Answer, Grid, PointAnswer } from './ask.ts';
import { type Difference, difference, pointsNear } from './compare.ts';
import type { WorldFlags } from './world.ts';

/** A difference and where it was found. */
export interface Finding {
  readonly expr: Expr;
  readonly grid: Grid;
  readonly flags: WorldFlags;
  readonly found: Difference;
}

/** A kind of differences that may be. */
export interface Accepted {
  readonly name: string;
  readonly reason: string;
  /** Whether a difference of a query, as it stands there, is of this kind. */
  readonly covers: (finding: Finding) => boolean;
}

const SAME_LABELS = 'vector cannot contain metrics with the same labelset';

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
      isAggregate(expr, 'topk', 'bottomk') && sameAtEachStep(found, (a, b) => samePoints(a, b)),
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
      flags.delayedNames && hasCall(expr, 'info') && withoutNames(found) === undefined,
  },
  {
    name: 'unseen-duplicates',
    reason:
      'with delayed name removal instant queries of Prometheus let equal series pass from operator to operator; range queries do not',
    covers: ({ flags, grid, found: { theirs, ours } }) =>
      flags.delayedNames &&
      grid.start === grid.end &&
      errorOf(ours) === SAME_LABELS &&
      errorOf(theirs) !== SAME_LABELS,
  },
];

function isAggregate(expr: Expr, ...ops: readonly AggregateExpr['op'][]): boolean {
  if (expr.kind === 'paren') return isAggregate(expr.expr, ...ops);
  return expr.kind === 'aggregate' && ops.includes(expr.op);
}

function hasCall(expr: Expr, func: string, test: (args: readonly Expr[]) => boolean = () => true): boolean {
  let isThere = false;
  walkExpr(expr, (node) => {
    if (node.kind === 'call' && node.func === func && test(node.args)) isThere = true;
  });
  return isThere;
}

function isShifted(expr: Expr): boolean {
  let is = false;
  const look = ({ offsetMs, offsetExpr, at }: TimeModifiers): void => {
    if (offsetMs !== 0 || offsetExpr !== undefined || at !== undefined) is = true;
  };
  walkExpr(expr, (node) => {
    if (node.kind === 'vector-selector' || node.kind === 'subquery') look(node);
  });
  return is;
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
