// What differs between the answers of two servers.

import type { Answer, HistogramAnswer, PointAnswer, SeriesAnswer } from './ask.ts';
import { normalNote, normalText } from './normal-texts.ts';

/** What an answer can differ in. */
export type DifferenceKind = 'error' | 'type' | 'labels' | 'value' | 'order' | 'notes';

/** A difference; `theirs` and `ours` are the whole answers. */
export interface Difference {
  readonly kind: DifferenceKind;
  readonly text: string;
  readonly theirs: Answer;
  readonly ours: Answer;
}

/** Relative error allowed. */
const EPSILON = 1e-9;
/** Below the smallest normal number relative errors mean nothing. */
const TINY = 1e-300;

/** The first difference of an answer from Prometheus's; `order` says what the query defines of the order of an instant vector. */
export function difference(theirs: Answer, ours: Answer, order: VectorOrder): Difference | undefined {
  const found = firstDifference(theirs, ours, order);
  return found === undefined ? undefined : { ...found, theirs, ours };
}

/** What of the order of an instant vector a query defines: nothing, that of its values, or that of its labels. */
export type VectorOrder = 'none' | 'values' | 'labels';

type Found = Pick<Difference, 'kind' | 'text'>;

function firstDifference(theirs: Answer, ours: Answer, order: VectorOrder): Found | undefined {
  if (theirs.kind === 'error' || ours.kind === 'error') {
    const [a, b] = [theirs, ours].map((answer) =>
      answer.kind === 'error'
        ? `${answer.status} ${answer.errorType}: ${normalText(answer.error)}`
        : 'no error',
    );
    return a === b ? undefined : { kind: 'error', text: `theirs ${a}\n  ours   ${b}` };
  }
  if (theirs.type !== ours.type)
    return { kind: 'type', text: `theirs a ${theirs.type}, ours a ${ours.type}` };
  if (theirs.text !== ours.text)
    return {
      kind: 'value',
      text: `theirs ${JSON.stringify(theirs.text)}, ours ${JSON.stringify(ours.text)}`,
    };
  return (
    seriesDifference(theirs.series, ours.series) ??
    orderDifference(theirs.series, ours.series, theirs.type === 'matrix' ? 'labels' : order) ??
    notesDifference(theirs.warnings, ours.warnings) ??
    notesDifference(theirs.infos, ours.infos)
  );
}

function seriesDifference(theirs: readonly SeriesAnswer[], ours: readonly SeriesAnswer[]): Found | undefined {
  const mine = new Map(ours.map(({ key, points }) => [key, points]));
  if (mine.size !== ours.length) return { kind: 'labels', text: 'ours has a series twice' };
  for (const { key, points } of theirs) {
    const found = mine.get(key);
    if (found === undefined)
      return {
        kind: 'labels',
        text: `only theirs has ${key}: ${pointsText(points)}; ours ${[...mine.keys()].slice(0, 3).join(' ') || 'nothing'}`,
      };
    const text = pointsDifference(points, found);
    if (text !== undefined) return { kind: 'value', text: `${key}: ${text}` };
    mine.delete(key);
  }
  for (const [key, points] of mine)
    return { kind: 'labels', text: `only ours has ${key}: ${pointsText(points)}` };
  return undefined;
}

function pointsDifference(
  theirs: ReadonlyMap<number, PointAnswer>,
  ours: ReadonlyMap<number, PointAnswer>,
): string | undefined {
  for (const [time, point] of theirs) {
    const found = ours.get(time);
    if (found === undefined) return `only theirs has ${pointText(point)} at ${time}`;
    if (!pointsNear(point, found))
      return `at ${time} theirs ${pointText(point)}\n  ours   ${pointText(found)}`;
  }
  for (const [time, point] of ours)
    if (!theirs.has(time)) return `only ours has ${pointText(point)} at ${time}`;
  return undefined;
}

// Equal values may stand in any order where values order them.
function orderDifference(
  theirs: readonly SeriesAnswer[],
  ours: readonly SeriesAnswer[],
  order: VectorOrder,
): Found | undefined {
  if (order === 'none') return undefined;
  for (const [index, { key, points }] of theirs.entries()) {
    const other = ours[index]!;
    const [a, b] = [[...points.values()][0]!, [...other.points.values()][0]!];
    if (order === 'labels' ? key === other.key : pointsNear(a, b)) continue;
    return { kind: 'order', text: `at place ${index} theirs ${key}, ours ${other.key}` };
  }
  return undefined;
}

function notesDifference(theirs: readonly string[], ours: readonly string[]): Found | undefined {
  // Of many notes Prometheus shows any ten.
  if (theirs.some((note) => note.endsWith('annotations omitted')) && theirs.length === ours.length)
    return undefined;
  const [a, b] = [theirs, ours].map((notes) => new Set(notes.map(normalNote)));
  const [missing, extra] = [[...a!].filter((note) => !b!.has(note)), [...b!].filter((note) => !a!.has(note))];
  if (missing.length + extra.length === 0) return undefined;
  return { kind: 'notes', text: `theirs ${missing.join(' | ')}\n  ours   ${extra.join(' | ')}` };
}

/** Whether two points are as good as equal. */
export function pointsNear(a: PointAnswer, b: PointAnswer): boolean {
  if (typeof a === 'number' || typeof b === 'number')
    return typeof a === typeof b && near(a as number, b as number);
  return (
    near(a.count, b.count) &&
    near(a.sum, b.sum) &&
    a.buckets.length === b.buckets.length &&
    a.buckets.every((bucket, i) => bucket.every((cell, j) => near(cell, b.buckets[i]![j]!)))
  );
}

/** Whether two numbers are as good as equal; NaN equals NaN. */
export function near(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const apart = Math.abs(a - b);
  return apart <= EPSILON * Math.max(Math.abs(a), Math.abs(b)) || apart < TINY;
}

function pointsText(points: ReadonlyMap<number, PointAnswer>): string {
  const shown = [...points].slice(0, 4).map(([time, point]) => `${pointText(point)}@${time}`);
  return `${shown.join(' ')}${points.size > 4 ? ` ... ${points.size} points` : ''}`;
}

function pointText(point: PointAnswer): string {
  return typeof point === 'number' ? String(point) : histogramText(point);
}

const OPENING = ['(', '[', '(', '['];
const CLOSING = [']', ')', ')', ']'];

function histogramText({ count, sum, buckets }: HistogramAnswer): string {
  const shown = buckets.map(
    ([rule = 0, lower, upper, observations]) =>
      `, ${OPENING[rule]}${lower},${upper}${CLOSING[rule]}:${observations}`,
  );
  return `{count:${count}, sum:${sum}${shown.join('')}}`;
}
