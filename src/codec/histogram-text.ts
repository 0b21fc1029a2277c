// A native histogram as text, as Prometheus shows it.

import { bucketsOf } from '../model/histogram-buckets.ts';
import type { HistogramRow } from '../model/histogram-equality.ts';
import { formatGeneral } from './float-text.ts';

/** The histogram as Go's String of Prometheus's histograms has it: {count:3, sum:4.5, (1,2]:3}. */
export function histogramText(histogram: HistogramRow): string {
  const { columns, row } = histogram;
  const number = columns.floats[row] === 1 ? formatGeneral : String;
  const buckets = bucketsOf(histogram).map(
    ({ lower, upper, isLowerIncluded, isUpperIncluded, observations }) =>
      `, ${isLowerIncluded ? '[' : '('}${formatGeneral(lower)},${formatGeneral(upper)}${isUpperIncluded ? ']' : ')'}:${number(observations)}`,
  );
  return `{count:${number(columns.counts[row]!)}, sum:${formatGeneral(columns.sums[row]!)}${buckets.join('')}}`;
}
