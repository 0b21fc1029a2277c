// What is wrong with a histogram, in Prometheus's words (Validate of model/histogram/histogram.go and float_histogram.go).

import {
  CUSTOM_BUCKETS_SCHEMA,
  EXPONENTIAL_SCHEMA_MAX,
  EXPONENTIAL_SCHEMA_MIN,
  type HistogramColumns,
  INTEGER_COUNT_MAX,
} from '../model/histogram.ts';
import { formatGeneral } from './float-text.ts';

const NEGATIVE_BUCKET = 'histogram has a bucket whose observation count is negative';
const NEGATIVE_OFFSET = 'histogram has a span whose offset is negative';
const SPANS_MISMATCH = 'histogram spans specify different number of buckets than provided';

/** What is wrong with a row, or '' when it may be stored. */
export function histogramProblem(columns: HistogramColumns, row: number): string {
  const schema = columns.schemas[row]!;
  const isCustom = schema === CUSTOM_BUCKETS_SCHEMA;
  if (!isCustom && (schema < EXPONENTIAL_SCHEMA_MIN || schema > EXPONENTIAL_SCHEMA_MAX))
    return `histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema ${schema}`;
  const shape = isCustom ? customProblem(columns, row) : exponentialProblem(columns, row);
  if (shape !== '') return shape;
  const isFloat = columns.floats[row] === 1;
  if (isFloat && columns.counts[row]! < 0)
    return `observation count is  ${formatGeneral(columns.counts[row]!)}: histogram's observation count is negative`;
  const side = bucketsProblem(columns, row, false);
  if (side !== '') return `positive side: ${side}`;
  return isFloat ? '' : countProblem(columns, row);
}

function exponentialProblem(columns: HistogramColumns, row: number): string {
  const shape = spansProblem(columns, row);
  if (shape !== '') return shape;
  const observed = bucketsProblem(columns, row, true);
  if (observed !== '') return `negative side: ${observed}`;
  const zeroCount = columns.zeroCounts[row]!;
  if (columns.floats[row] === 1 && zeroCount < 0)
    return `zero bucket has observation count of ${formatGeneral(zeroCount)}: ${NEGATIVE_BUCKET}`;
  if (columns.boundStarts[row + 1]! > columns.boundStarts[row]!)
    return 'histogram with exponential schema must not have custom bounds';
  return '';
}

/** What is wrong with the spans of a row of exponential buckets, or ''. */
export function spansProblem(columns: HistogramColumns, row: number): string {
  const { spanStarts, negativeSpanStarts, bucketStarts, negativeBucketStarts } = columns;
  const split = negativeSpanStarts[row]!;
  const middle = negativeBucketStarts[row]!;
  const positive = sideProblem(columns, spanStarts[row]!, split, middle - bucketStarts[row]!);
  if (positive !== '') return `positive side: ${positive}`;
  const negative = sideProblem(columns, split, spanStarts[row + 1]!, bucketStarts[row + 1]! - middle);
  return negative === '' ? '' : `negative side: ${negative}`;
}

function customProblem(columns: HistogramColumns, row: number): string {
  const problem = boundsProblem(columns, row);
  if (problem !== '') return `custom buckets: ${problem}`;
  if (columns.zeroCounts[row] !== 0) return 'custom buckets: must have zero count of 0';
  if (columns.zeroThresholds[row] !== 0) return 'custom buckets: must have zero threshold of 0';
  if (columns.spanStarts[row + 1]! > columns.negativeSpanStarts[row]!)
    return 'custom buckets: must not have negative spans';
  if (columns.bucketStarts[row + 1]! > columns.negativeBucketStarts[row]!)
    return 'custom buckets: must not have negative buckets';
  return '';
}

function boundsProblem(columns: HistogramColumns, row: number): string {
  const { bounds, boundStarts, spans, spanStarts, negativeSpanStarts } = columns;
  const first = boundStarts[row]!;
  const end = boundStarts[row + 1]!;
  for (let i = first; i < end; i++) {
    const bound = bounds[i]!;
    if (Number.isNaN(bound)) return 'histogram custom bounds must not be NaN';
    if (i > first && bound <= bounds[i - 1]!)
      return `previous bound is ${fixed(bounds[i - 1]!)} and current is ${fixed(bound)}: histogram custom bounds must be in strictly increasing order`;
  }
  if (end > first && bounds[end - 1] === Number.POSITIVE_INFINITY)
    return 'last +Inf bound must not be explicitly defined: histogram custom bounds must be finite';
  let covered = 0;
  for (let at = spanStarts[row]!; at < negativeSpanStarts[row]!; at += 2) {
    if (spans[at]! < 0) return spanText(columns, row, at);
    covered += spans[at]! + (spans[at + 1]! >>> 0);
  }
  const buckets = columns.negativeBucketStarts[row]! - columns.bucketStarts[row]!;
  const mismatch = lengthProblem(columns, spanStarts[row]!, negativeSpanStarts[row]!, buckets);
  if (mismatch !== '') return mismatch;
  if (end - first + 1 < covered)
    return `only ${end - first} custom bounds defined which is insufficient to cover total span length of ${covered}: histogram custom bounds are too few`;
  return '';
}

function spanText(columns: HistogramColumns, row: number, at: number): string {
  return `span number ${(at - columns.spanStarts[row]!) / 2 + 1} with offset ${columns.spans[at]}: ${NEGATIVE_OFFSET}`;
}

function sideProblem(columns: HistogramColumns, from: number, to: number, buckets: number): string {
  for (let at = from + 2; at < to; at += 2)
    if (columns.spans[at]! < 0)
      return `span number ${(at - from) / 2 + 1} with offset ${columns.spans[at]}: ${NEGATIVE_OFFSET}`;
  return lengthProblem(columns, from, to, buckets);
}

function lengthProblem(columns: HistogramColumns, from: number, to: number, buckets: number): string {
  let needed = 0;
  for (let at = from; at < to; at += 2) needed += columns.spans[at + 1]! >>> 0;
  return needed === buckets ? '' : `spans need ${needed} buckets, have ${buckets} buckets: ${SPANS_MISMATCH}`;
}

function bucketsProblem(columns: HistogramColumns, row: number, negative: boolean): string {
  const { buckets, bucketStarts, negativeBucketStarts } = columns;
  const from = negative ? negativeBucketStarts[row]! : bucketStarts[row]!;
  const to = negative ? bucketStarts[row + 1]! : negativeBucketStarts[row]!;
  const isFloat = columns.floats[row] === 1;
  for (let i = from; i < to; i++)
    if (buckets[i]! < 0)
      return `bucket number ${i - from + 1} has observation count of ${isFloat ? formatGeneral(buckets[i]!) : buckets[i]}: ${NEGATIVE_BUCKET}`;
  return '';
}

// Observations of NaN are in no bucket, but in the count.
function countProblem(columns: HistogramColumns, row: number): string {
  const count = columns.counts[row]!;
  let observed = columns.zeroCounts[row]!;
  for (let i = columns.bucketStarts[row]!; i < columns.bucketStarts[row + 1]!; i++)
    observed += columns.buckets[i]!;
  if (count > INTEGER_COUNT_MAX || observed > INTEGER_COUNT_MAX)
    return `the Count field is ${Math.max(count, observed)}: more than 2^51 observations in an integer histogram cannot be stored`;
  const found = `${observed} observations found in buckets, but the Count field is ${count}`;
  if (Number.isNaN(columns.sums[row]!))
    return observed > count
      ? `${found}: histogram's observation count should be at least the number of observations found in the buckets`
      : '';
  return observed === count
    ? ''
    : `${found}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)`;
}

// fmt's %f.
function fixed(value: number): string {
  return Number.isFinite(value) ? value.toFixed(6) : value > 0 ? '+Inf' : '-Inf';
}
