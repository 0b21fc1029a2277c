import { describe, expect, it } from 'vitest';
import { histogramProblem } from '../../src/codec/histogram-check.ts';
import { CUSTOM_BUCKETS_SCHEMA, HistogramColumns } from '../../src/model/histogram.ts';
import { histogramSequence } from '../helpers/histogram-sequences.ts';

interface Parts {
  schema?: number;
  isFloat?: boolean;
  count?: number;
  sum?: number;
  zeroCount?: number;
  zeroThreshold?: number;
  /** Offset and length of each span. */
  positive?: number[];
  negative?: number[];
  positiveBuckets?: number[];
  negativeBuckets?: number[];
  bounds?: number[];
}

function problemOf(parts: Parts): string {
  const columns = new HistogramColumns();
  const row = columns.begin();
  columns.schemas[row] = parts.schema ?? 0;
  columns.floats[row] = parts.isFloat ? 1 : 0;
  columns.counts[row] = parts.count ?? 0;
  columns.sums[row] = parts.sum ?? 0;
  columns.zeroCounts[row] = parts.zeroCount ?? 0;
  columns.zeroThresholds[row] = parts.zeroThreshold ?? 0;
  for (const negative of [false, true]) {
    const spans = (negative ? parts.negative : parts.positive) ?? [];
    for (let i = 0; i < spans.length; i += 2) columns.addSpan(spans[i]!, spans[i + 1]!, negative);
    for (const bucket of (negative ? parts.negativeBuckets : parts.positiveBuckets) ?? [])
      columns.addBucket(bucket, negative);
  }
  for (const bound of parts.bounds ?? []) columns.addBound(bound);
  return histogramProblem(columns, row);
}

const CUSTOM = { schema: CUSTOM_BUCKETS_SCHEMA };
const INVALID =
  'histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema';

describe('histogramProblem', () => {
  it('has nothing against histograms that make sense', () => {
    for (let seed = 0; seed < 300; seed++) {
      const { histograms } = histogramSequence(seed);
      for (let row = 0; row < histograms.count; row++) expect(histogramProblem(histograms, row)).toBe('');
    }
  });

  it.each<[string, Parts]>([
    [`${INVALID} 9`, { schema: 9 }],
    [`${INVALID} -5`, { schema: -5 }],
    [
      'positive side: spans need 2 buckets, have 1 buckets: histogram spans specify different number of buckets than provided',
      { positive: [0, 2], positiveBuckets: [1], count: 1 },
    ],
    [
      'negative side: span number 2 with offset -1: histogram has a span whose offset is negative',
      { negative: [0, 1, -1, 1], negativeBuckets: [1, 1], count: 2 },
    ],
    [
      'positive side: bucket number 2 has observation count of -1: histogram has a bucket whose observation count is negative',
      { positive: [0, 2], positiveBuckets: [1, -1] },
    ],
    [
      'negative side: bucket number 1 has observation count of -0.5: histogram has a bucket whose observation count is negative',
      { negative: [0, 1], negativeBuckets: [-0.5], isFloat: true },
    ],
    [
      'zero bucket has observation count of -2: histogram has a bucket whose observation count is negative',
      { zeroCount: -2, isFloat: true },
    ],
    ["observation count is  -1: histogram's observation count is negative", { count: -1, isFloat: true }],
    ['histogram with exponential schema must not have custom bounds', { bounds: [1] }],
    [
      "3 observations found in buckets, but the Count field is 2: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)",
      { positive: [0, 1], positiveBuckets: [1], zeroCount: 2, count: 2 },
    ],
    [
      "3 observations found in buckets, but the Count field is 2: histogram's observation count should be at least the number of observations found in the buckets",
      { zeroCount: 3, count: 2, sum: Number.NaN },
    ],
    ['', { zeroCount: 1, count: 2, sum: Number.NaN }],
    ['', { zeroCount: 1, count: 20, isFloat: true }],
    [
      'custom buckets: previous bound is 2.000000 and current is 1.500000: histogram custom bounds must be in strictly increasing order',
      { ...CUSTOM, bounds: [2, 1.5] },
    ],
    ['custom buckets: histogram custom bounds must not be NaN', { ...CUSTOM, bounds: [Number.NaN] }],
    [
      'custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite',
      { ...CUSTOM, bounds: [1, Number.POSITIVE_INFINITY] },
    ],
    [
      'custom buckets: only 1 custom bounds defined which is insufficient to cover total span length of 3: histogram custom bounds are too few',
      { ...CUSTOM, bounds: [1], positive: [1, 2], positiveBuckets: [1, 1], count: 2 },
    ],
    [
      'custom buckets: span number 1 with offset -1: histogram has a span whose offset is negative',
      { ...CUSTOM, bounds: [1], positive: [-1, 1], positiveBuckets: [1], count: 1 },
    ],
    ['custom buckets: must have zero count of 0', { ...CUSTOM, zeroCount: 1, count: 1 }],
    ['custom buckets: must have zero threshold of 0', { ...CUSTOM, zeroThreshold: 1 }],
    ['custom buckets: must not have negative spans', { ...CUSTOM, negative: [0, 1] }],
    ['custom buckets: must not have negative buckets', { ...CUSTOM, negativeBuckets: [1] }],
  ])('says "%s"', (text, parts) => {
    expect(problemOf(parts)).toBe(text);
  });
});
