// The series notation of promqltest: `name{label="value"} 1+2x3 _ _x2 stale {{schema:0 count:3 buckets:[1 2]}}`.

import { type Labels, labelsFrom, METRIC_NAME } from '../../src/model/labels.ts';
import { parseDuration } from '../../src/query/parse/duration.ts';
import { unquote } from '../../src/query/parse/go-text.ts';
import { histogramSequence, type NotedHistogram, parseHistogram } from './histogram-notation.ts';

/** One value of a sequence. */
export type SequenceValue =
  | { readonly kind: 'omitted' }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'stale' }
  | ({ readonly kind: 'histogram' } & NotedHistogram);

/** A series line. */
export interface SeriesLine {
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
}

/** Most values one item of a sequence may stand for. */
const REPEAT_MAX = 1_000_000;
// No hexadecimal numbers: `0x5` is zero five times more.
const NUMBER = String.raw`(?:[0-9][0-9_]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[iI]nf|[nN]a[nN])`;
const ITEM = new RegExp(`^([+-]?${NUMBER})(?:([+-])(${NUMBER}))?(?:x([0-9]+))?$`);
const LABEL = /\s*(?:([A-Za-z_][\w]*)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`))\s*(=?)\s*/y;
const STRING = /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)\s*,?\s*/y;

/** Parses a series line; throws Error with what is wrong. */
export function parseSeriesLine(line: string): SeriesLine {
  const { labels, end } = parseMetric(line);
  const rest = line.slice(end);
  if (rest !== '' && !/^\s/.test(rest))
    throw new Error(`unexpected ${JSON.stringify(rest)} after the metric`);
  const values: SequenceValue[] = [];
  for (const item of splitItems(rest)) values.push(...parseItem(item));
  return { labels, values };
}

/** A line of start timestamps: of each value by how many ms they stand from it; undefined where none is given. */
export interface StartsLine {
  readonly labels: Labels;
  readonly starts: readonly (number | undefined)[];
}

/** Parses `name{label="value"}@st _ -30s -1mx3 0-1sx2`; throws Error with what is wrong. */
export function parseStartsLine(line: string): StartsLine {
  const { labels, end } = parseMetric(line);
  const starts = line
    .slice(end + '@st'.length)
    .trim()
    .split(/\s+/)
    .flatMap(parseStarts);
  return { labels, starts };
}

function parseStarts(item: string): (number | undefined)[] {
  const blank = /^_(?:x([0-9]+))?$/.exec(item);
  if (blank !== null) return new Array(Number(blank[1] ?? 1)).fill(undefined);
  const found = /^([+-]?)([0-9][0-9a-z]*?)(?:([+-])([0-9][0-9a-z]*?))?(?:x([0-9]+))?$/.exec(item);
  if (found === null) throw new Error(`bad start timestamp ${JSON.stringify(item)}`);
  const [, sign, first = '', direction, step, times] = found;
  const start = durationOf(first) * (sign === '-' ? -1 : 1);
  const delta = step === undefined ? 0 : durationOf(step) * (direction === '-' ? -1 : 1);
  return Array.from({ length: Number(times ?? 0) + 1 }, (_, i) => start + i * delta);
}

function durationOf(text: string): number {
  if (text === '0') return 0;
  const duration = parseDuration(text);
  if (!duration.ok) throw new Error(`bad start timestamp ${JSON.stringify(text)}`);
  return duration.ms;
}

/** The metric at the start of a line, and where it ends. */
export function parseMetric(line: string): { labels: Labels; end: number } {
  const name = /^[A-Za-z_:][\w:]*/.exec(line)?.[0] ?? '';
  const pairs: [string, string][] = [];
  let end = name.length;
  if (line[end] === '{') end = parseLabels(line, end + 1, pairs);
  if (name !== '') pairs.push([METRIC_NAME, name]);
  return { labels: labelsFrom(pairs), end };
}

function parseLabels(line: string, start: number, pairs: [string, string][]): number {
  let at = start;
  for (;;) {
    while (/[\s,]/.test(line[at] ?? '')) at++;
    if (line[at] === '}') return at + 1;
    LABEL.lastIndex = at;
    const found = LABEL.exec(line);
    if (found === null) throw new Error(`bad label at column ${at + 1}`);
    const [, word, quoted, equals] = found;
    const label = word ?? unquote(quoted as string);
    at = LABEL.lastIndex;
    if (equals === '') {
      pairs.push([METRIC_NAME, label]);
      continue;
    }
    STRING.lastIndex = at;
    const value = STRING.exec(line);
    if (value === null) throw new Error(`bad label value at column ${at + 1}`);
    pairs.push([label, unquote(value[1] as string)]);
    at = STRING.lastIndex;
  }
}

// Items stand between blanks, but histograms have blanks within.
function splitItems(text: string): string[] {
  return text.match(/(?:\{\{.*?\}\}|[^\s{])+/g) ?? [];
}

function parseItem(item: string): SequenceValue[] {
  if (item.startsWith('{{')) return parseHistogramItem(item);
  const blank = /^_(?:x([0-9]+))?$/.exec(item);
  if (blank !== null) return repeat(Number(blank[1] ?? 1), () => ({ kind: 'omitted' }));
  const stale = /^stale(?:x([0-9]+))?$/.exec(item);
  if (stale !== null) return repeat(Number(stale[1] ?? 0) + 1, () => ({ kind: 'stale' }));
  const found = ITEM.exec(item);
  if (found === null) {
    const duration = parseDuration(item);
    if (duration.ok) return [{ kind: 'float', value: duration.ms / 1000 }];
    throw new Error(`bad series value ${JSON.stringify(item)}`);
  }
  const [, first = '', sign, step, times] = found;
  let value = parseNumber(first);
  const delta = step === undefined ? 0 : parseNumber(step) * (sign === '-' ? -1 : 1);
  if (step !== undefined && times === undefined) throw new Error(`series value ${item} lacks its xN`);
  return repeat(Number(times ?? 0) + 1, () => {
    const current = value;
    if (step !== undefined) value += delta;
    return { kind: 'float', value: current };
  });
}

function repeat(count: number, make: (index: number) => SequenceValue): SequenceValue[] {
  if (count > REPEAT_MAX) throw new Error(`${count} repetitions are more than ${REPEAT_MAX}`);
  return Array.from({ length: count }, (_, index) => make(index));
}

/** A number as Go's ParseInt and ParseFloat read it. */
export function parseNumber(text: string): number {
  const [, sign, body = ''] = /^([+-]?)(.*)$/.exec(text) ?? [];
  const folded = body.toLowerCase().replaceAll('_', '');
  const magnitude =
    folded === 'inf' ? Number.POSITIVE_INFINITY : folded === 'nan' ? Number.NaN : Number(folded);
  return sign === '-' ? -magnitude : magnitude;
}

function parseHistogramItem(item: string): SequenceValue[] {
  const found = /^\{\{(.*?)\}\}(?:([+-])\{\{(.*?)\}\})?(?:x([0-9]+))?$/.exec(item);
  if (found === null) throw new Error(`bad histogram ${item}`);
  const [, first = '', sign, second, times] = found;
  const base = parseHistogram(first, parseNumber);
  const count = Number(times ?? 0);
  if (second === undefined) return repeat(count + 1, () => ({ kind: 'histogram', ...base }));
  if (count > REPEAT_MAX) throw new Error(`${count} repetitions are more than ${REPEAT_MAX}`);
  const step = parseHistogram(second, parseNumber);
  const sequence = { times: count, sign: sign === '-' ? -1 : 1 };
  return histogramSequence(base.histogram, step.histogram, sequence).map((histogram) => ({
    kind: 'histogram',
    histogram,
    hasHint: step.hasHint,
  }));
}
