// Compares an answer with what an `eval` expects. Every function returns what differs as a sentence, or undefined.

import type { HistogramRow } from '../../src/model/histogram-equality.ts';
import { compareLabels, type Labels, labelsKey, labelsText } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/samples.ts';
import type { QueryResult, QueryValue } from '../../src/query/result.ts';
import type { OrderedSeries, RawColumns, StepBatch, StepRange } from '../../src/query/source.ts';
import { describeHistogram, describeRow, histogramMatches } from './histogram-notation.ts';
import type { EvalCommand, Expectation } from './script.ts';
import type { SequenceValue } from './series.ts';

/** Relative error allowed. */
const EPSILON = 1e-6;
const MIN_NORMAL = 2 ** -1022;

/** A series with its points in time order. */
interface Points {
  readonly labels: Labels;
  readonly times: readonly number[];
  readonly values: readonly PointValue[];
}

/** A float, a staleness marker or a native histogram. */
type PointValue = number | 'stale' | HistogramRow;

/** What differs between an answer and the expectation. */
export function compareValue(command: EvalCommand, value: QueryValue): string | undefined {
  switch (value.type) {
    case 'scalar':
      return compareScalar(command, value.value);
    case 'string':
      if (command.text === value.value) return undefined;
      return `expected string ${JSON.stringify(command.text)} but got ${JSON.stringify(value.value)}`;
    case 'vector':
      return compareVector(
        command,
        seriesPoints(value.series, { start: value.timestamp, end: value.timestamp, step: 0 }),
      );
    case 'matrix':
      return compareMatrix(command, seriesPoints(value.series, value.range));
    case 'raw-matrix':
      return compareMatrix(command, value.series.map(rawPoints));
  }
}

/** The answer of a range query at one of its steps against the expectation of the instant query. */
export function compareStep(command: EvalCommand, value: QueryValue, timeMs: number): string | undefined {
  if (value.type !== 'matrix') return `expected a matrix in range mode but got ${value.type}`;
  const series = seriesPoints(value.series, value.range);
  const order = unsorted(series);
  if (order !== undefined) return order;
  const at = series.flatMap(({ labels, times, values }) => {
    const value = values[times.indexOf(timeMs)];
    return value === undefined ? [] : [{ labels, times: [timeMs], values: [value] }];
  });
  if (command.scalar === undefined) return compareVector(command, at);
  const found = at[0]?.values[0];
  return compareScalar(command, typeof found === 'number' ? found : Number.POSITIVE_INFINITY);
}

/** What differs between the notes of an answer and the expectation. */
export function compareNotes(
  command: EvalCommand,
  result: QueryResult,
  isRewritten: boolean,
): string | undefined {
  for (const [level, wanted, unwanted] of [
    ['warning', 'warn', 'no_warn'],
    ['info', 'info', 'no_info'],
  ] as const) {
    const found = result.annotations.filter((note) => note.level === level).map(({ text }) => text);
    const expects = command.expects.get(wanted) ?? [];
    const difference = compareTexts(expects, found, { kind: wanted, isRewritten });
    if (difference !== undefined) return difference;
    if (command.expects.has(unwanted) && found.length > 0)
      return `unexpected ${wanted} ${JSON.stringify(found)}`;
  }
  return undefined;
}

/** Whether a failure is the expected one. */
export function compareFailure(command: EvalCommand, message: string): string | undefined {
  const wanted = command.expects.get('fail')?.[0];
  if (wanted === undefined) return `query failed: ${message}`;
  return wanted.matches(message) ? undefined : `expected error ${wanted.text} but got: ${message}`;
}

function compareTexts(
  expects: readonly Expectation[],
  found: readonly string[],
  { kind, isRewritten }: { readonly kind: string; readonly isRewritten: boolean },
): string | undefined {
  if (expects.length === 0) return undefined;
  const missing = expects.find((expected) => !found.some((text) => expected.matches(text, isRewritten)));
  if (missing !== undefined) return `expected ${kind} ${missing.text} but got ${JSON.stringify(found)}`;
  const extra = found.find((text) => !expects.some((expected) => expected.matches(text, isRewritten)));
  return extra === undefined ? undefined : `unexpected ${kind} ${JSON.stringify(extra)}`;
}

function compareScalar(command: EvalCommand, value: number): string | undefined {
  if (command.scalar === undefined) return `expected series but got scalar ${value}`;
  return almostEqual(command.scalar, value)
    ? undefined
    : `expected scalar ${command.scalar} but got ${value}`;
}

function compareVector(command: EvalCommand, found: readonly Points[]): string | undefined {
  if (command.scalar !== undefined) return 'expected a scalar but got a vector';
  const isOrdered = command.expects.has('ordered');
  const seen = new Set<string>();
  for (const [index, { labels, values }] of found.entries()) {
    const name = labelsText(labels);
    const expected = command.expected.get(labelsKey(labels));
    const value = values[0] as PointValue;
    if (expected === undefined) return `unexpected ${name} with value ${describeValue(value)}`;
    if (isOrdered && expected.place !== index + 1) {
      return `expected ${name} at place ${expected.place} but it was at ${index + 1}`;
    }
    const wanted = expected.values[0] ?? { kind: 'omitted' };
    if (!matchesValue(wanted, value))
      return `expected ${describe(wanted)} for ${name} but got ${describeValue(value)}`;
    seen.add(labelsKey(labels));
  }
  return missing(command, seen);
}

function compareMatrix(command: EvalCommand, found: readonly Points[]): string | undefined {
  if (command.expects.has('ordered')) return 'expected ordered result, but query returned a matrix';
  if (command.scalar !== undefined) return 'expected a scalar but got a matrix';
  const order = unsorted(found);
  if (order !== undefined) return order;
  const seen = new Set<string>();
  for (const points of found) {
    const name = labelsText(points.labels);
    const expected = command.expected.get(labelsKey(points.labels));
    if (expected === undefined) return `unexpected ${name} with ${pointsText(points)}`;
    const difference = comparePoints(command, expected.values, points);
    if (difference !== undefined) return `${name}: ${difference} (got ${pointsText(points)})`;
    seen.add(labelsKey(points.labels));
  }
  return missing(command, seen);
}

function comparePoints(
  command: EvalCommand,
  values: readonly SequenceValue[],
  points: Points,
): string | undefined {
  let next = 0;
  for (const [index, wanted] of values.entries()) {
    const time = command.startMs + index * command.stepMs;
    if (time > command.endMs) return `expected ${values.length} points, more than the range has`;
    if (wanted.kind === 'omitted') continue;
    if (points.times[next] !== time) return `expected ${describe(wanted)} at ${time} but got none there`;
    const value = points.values[next] as PointValue;
    if (!matchesValue(wanted, value))
      return `expected ${describe(wanted)} at ${time} but got ${describeValue(value)}`;
    next++;
  }
  return next < points.times.length ? `got a point at ${points.times[next]} that is not expected` : undefined;
}

function missing(command: EvalCommand, seen: ReadonlySet<string>): string | undefined {
  for (const [key, { labels }] of command.expected) {
    if (!seen.has(key)) return `expected ${labelsText(labels)} was not found`;
  }
  return undefined;
}

function unsorted(series: readonly Points[]): string | undefined {
  for (let i = 1; i < series.length; i++) {
    const before = (series[i - 1] as Points).labels;
    const after = (series[i] as Points).labels;
    if (compareLabels(before, after) > 0) {
      return `matrix is not sorted: ${labelsText(before)} stands before ${labelsText(after)}`;
    }
  }
  return undefined;
}

function seriesPoints({ batches, partOf, rows }: OrderedSeries, range: StepRange): Points[] {
  return Array.from(rows).flatMap((row, place) => {
    const batch = batches[partOf[place]!]!;
    const { labels, steps, present } = batch;
    const from = row * steps;
    const indexes = Array.from({ length: steps }, (_, step) => step).filter((i) => present[from + i] === 1);
    const times = indexes.map((i) => range.start + i * range.step);
    return indexes.length === 0
      ? []
      : [{ labels: labels[row]!, times, values: indexes.map((i) => valueAt(batch, from + i)) }];
  });
}

function rawPoints(series: RawColumns): Points {
  const { labels, timestamps, values } = series;
  return { labels, times: [...timestamps], values: [...values].map((_, index) => valueAt(series, index)) };
}

function valueAt(
  { values, histograms }: Pick<StepBatch, 'values' | 'histograms'>,
  index: number,
): PointValue {
  const row = histograms?.rows[index] ?? -1;
  if (histograms !== undefined && row >= 0) return { columns: histograms.columns, row };
  const bits = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  return isStaleAt(bits, index) ? 'stale' : (values[index] as number);
}

function matchesValue(wanted: SequenceValue, value: PointValue): boolean {
  if (wanted.kind === 'stale') return value === 'stale';
  if (wanted.kind === 'histogram')
    return typeof value === 'object' && histogramMatches(wanted, value, almostEqual);
  return wanted.kind === 'float' && typeof value === 'number' && almostEqual(wanted.value, value);
}

/** Equal up to a relative error; NaN equals NaN. */
export function almostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  if (a === b) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < EPSILON * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < EPSILON;
}

function describe(value: SequenceValue): string {
  if (value.kind === 'float') return String(value.value);
  return value.kind === 'histogram' ? describeHistogram(value.histogram) : value.kind;
}

function describeValue(value: PointValue): string {
  return typeof value === 'object' ? describeRow(value) : String(value);
}

function pointsText({ times, values }: Points): string {
  const shown = times
    .slice(0, 12)
    .map((time, index) => `${describeValue(values[index] as PointValue)}@${time}`);
  return `[${shown.join(' ')}${times.length > 12 ? ` ... ${times.length} points` : ''}]`;
}
