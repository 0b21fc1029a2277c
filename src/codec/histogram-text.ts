// A native histogram as text and as JSON, as Prometheus shows it.

import { CUSTOM_BUCKETS_SCHEMA } from '../model/histogram.ts';
import { bucketsOf } from '../model/histogram-buckets.ts';
import type { HistogramRow } from '../model/histogram-equality.ts';
import { formatGeneral, formatSampleValue } from './float-text.ts';

/** The histogram as Go's String of Prometheus's histograms has it: {count:3, sum:4.5, (1,2]:3}. */
export function histogramText(histogram: HistogramRow): string {
  return textOf(histogram, histogram.columns.floats[histogram.row] === 1 ? formatGeneral : String);
}

/** As histogramText, of any histogram as a float one, which is what PromQL takes it for. */
export function floatHistogramText(histogram: HistogramRow): string {
  return textOf(histogram, formatGeneral);
}

function textOf(histogram: HistogramRow, number: (value: number) => string): string {
  const { columns, row } = histogram;
  const buckets = bucketsOf(histogram).map(
    ({ lower, upper, isLowerIncluded, isUpperIncluded, observations }) =>
      `, ${isLowerIncluded ? '[' : '('}${formatGeneral(lower)},${formatGeneral(upper)}${isUpperIncluded ? ']' : ')'}:${number(observations)}`,
  );
  return `{count:${number(columns.counts[row]!)}, sum:${formatGeneral(columns.sums[row]!)}${buckets.join('')}}`;
}

/** The histogram as in the JSON of the HTTP API (util/jsonutil, MarshalHistogram): buckets end where the zero bucket begins. */
export function histogramJson(histogram: HistogramRow): string {
  const { columns, row } = histogram;
  const zero = columns.zeroThresholds[row]!;
  // A zero bucket with fewer than no observations, as differences have them, is not shown.
  const isCustom = columns.schemas[row] === CUSTOM_BUCKETS_SCHEMA;
  const shown = bucketsOf(histogram).filter(
    ({ lower, upper, observations }) => observations > 0 || isCustom || lower !== -upper,
  );
  const buckets = shown.map(({ lower, upper, isLowerIncluded, isUpperIncluded, observations }) => {
    const from = lower > 0 && lower < zero ? zero : lower;
    const to = upper < 0 && upper > -zero ? -zero : upper;
    const bounds = isLowerIncluded ? (isUpperIncluded ? 3 : 1) : isUpperIncluded ? 0 : 2;
    return `[${bounds},"${formatSampleValue(from)}","${formatSampleValue(to)}","${formatSampleValue(observations)}"]`;
  });
  const head = `"count":"${formatSampleValue(columns.counts[row]!)}","sum":"${formatSampleValue(columns.sums[row]!)}"`;
  return buckets.length === 0 ? `{${head}}` : `{${head},"buckets":[${buckets.join(',')}]}`;
}
