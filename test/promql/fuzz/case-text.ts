// A difference as a case in promqltest's language: the series, the query, and what Prometheus answers.

import { formatSampleValue } from '../../../src/codec/float-text.ts';
import { CUSTOM_BUCKETS_SCHEMA } from '../../../src/model/histogram.ts';
import type { HistogramRow } from '../../../src/model/histogram-equality.ts';
import { isStaleMarker, type WrittenSample, type WrittenSeries } from '../../helpers/write-requests.ts';
import type { Answer, Grid, SeriesAnswer } from './ask.ts';
import type { Question } from './shrink.ts';

const HINTS = ['', ' counter_reset_hint:reset', ' counter_reset_hint:not_reset', ' counter_reset_hint:gauge'];

/** The case; the load's step is the greatest that all times of the samples are multiples of. */
export function caseText(
  series: readonly WrittenSeries[],
  { query, grid }: Question,
  theirs: Answer,
): string {
  const stepMs = commonStep(series);
  const lines = series.map(
    ({ labels, samples }) => `  ${metricText(labels)} ${samplesText(samples, stepMs)}`,
  );
  const at =
    grid.step === 0
      ? `eval instant at ${durationOf(grid.end)}`
      : `eval range from ${durationOf(grid.start)} to ${durationOf(grid.end)} step ${durationOf(grid.step)}`;
  const lookback = grid.lookback === undefined ? [] : [`# lookback_delta=${grid.lookback}`];
  return [
    `load ${stepMs}ms`,
    ...lines,
    '',
    ...lookback,
    `${at} ${query}`,
    ...answerLines(theirs, grid),
    '',
  ].join('\n');
}

function commonStep(series: readonly WrittenSeries[]): number {
  const step = series.flatMap(({ samples }) => samples.map(({ time }) => time)).reduce(commonDivisor, 0);
  return step === 0 ? 60_000 : step;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

function metricText(labels: WrittenSeries['labels']): string {
  return `{${labels.map(([name, value]) => `${/^\w+$/.test(name) ? name : JSON.stringify(name)}=${JSON.stringify(value)}`).join(', ')}}`;
}

function samplesText(samples: readonly WrittenSample[], stepMs: number): string {
  const items: string[] = [];
  let next = 0;
  for (const { time, value } of samples) {
    const at = time / stepMs;
    if (at > next) items.push(at - next === 1 ? '_' : `_x${at - next}`);
    items.push(valueText(value));
    next = at + 1;
  }
  return items.join(' ');
}

function valueText(value: WrittenSample['value']): string {
  if (typeof value === 'number') return isStaleMarker(value) ? 'stale' : formatSampleValue(value);
  const { columns, row } = value;
  if (isStaleMarker(columns.sums[row]!)) return 'stale';
  return `{{${histogramNotation(value)}}}`;
}

function histogramNotation({ columns, row }: HistogramRow): string {
  const side = (negative: boolean): string => {
    const prefix = negative ? 'n_' : '';
    const { first, counts } = denseSide({ columns, row }, negative);
    return counts.length === 0 ? '' : ` ${prefix}offset:${first} ${prefix}buckets:[${counts.join(' ')}]`;
  };
  const schema = columns.schemas[row]!;
  const bounds =
    schema === CUSTOM_BUCKETS_SCHEMA
      ? ` custom_values:[${columns.bounds.slice(columns.boundStarts[row], columns.boundStarts[row + 1]).join(' ')}]`
      : ` z_bucket:${columns.zeroCounts[row]} z_bucket_w:${columns.zeroThresholds[row]}`;
  return `schema:${schema} count:${columns.counts[row]} sum:${formatSampleValue(columns.sums[row]!)}${bounds}${side(false)}${side(true)}${HINTS[columns.hints[row]!]}`;
}

// Buckets from the first to the last of a side, empty ones between spans included.
function denseSide({ columns, row }: HistogramRow, negative: boolean): { first: number; counts: number[] } {
  const [from, to] = negative
    ? [columns.negativeSpanStarts[row]!, columns.spanStarts[row + 1]!]
    : [columns.spanStarts[row]!, columns.negativeSpanStarts[row]!];
  let bucket = negative ? columns.negativeBucketStarts[row]! : columns.bucketStarts[row]!;
  const counts: number[] = [];
  for (let i = from; i < to; i += 2) {
    if (i > from) for (let gap = columns.spans[i]!; gap > 0; gap--) counts.push(0);
    for (let n = columns.spans[i + 1]!; n > 0; n--) counts.push(columns.buckets[bucket++]!);
  }
  return { first: columns.spans[from] ?? 0, counts };
}

function durationOf(seconds: number): string {
  return `${Math.round(seconds * 1000)}ms`;
}

function answerLines(answer: Answer, grid: Grid): string[] {
  if (answer.kind === 'error') return [`  expect fail msg: ${answer.error}`];
  const notes = [
    ...answer.warnings.map((note) => `  expect warn msg: ${note}`),
    ...answer.infos.map((note) => `  expect info msg: ${note}`),
  ];
  return [...notes, ...answer.series.map((series) => answerLine(series, grid))];
}

// Of a histogram an answer does not tell the schema: it is there as a comment, for people.
function answerLine({ key, points }: SeriesAnswer, grid: Grid): string {
  const numbers = [...points.values()].filter((point) => typeof point === 'number');
  if (numbers.length < points.size) return `# ${key} ${JSON.stringify([...points])}`;
  if (grid.step === 0) return `  ${key} ${numbers.map(formatSampleValue).join(' ')}`;
  const values: string[] = [];
  for (let time = grid.start; time <= grid.end; time += grid.step) {
    const found = [...points].find(([at]) => Math.abs(at - time) < grid.step / 2)?.[1];
    values.push(typeof found === 'number' ? formatSampleValue(found) : '_');
  }
  return `  ${key} ${values.join(' ')}`;
}
