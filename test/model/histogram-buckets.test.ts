import { describe, expect, it } from 'vitest';
import { histogramText } from '../../src/codec/histogram-text.ts';
import { CUSTOM_BUCKETS_SCHEMA, HistogramColumns } from '../../src/model/histogram.ts';
import { exponentialBound } from '../../src/model/histogram-buckets.ts';

describe('exponentialBound', () => {
  it('has the bits of Prometheus: some of schema 8, and what is coarser among them', () => {
    const known = {
      1: 0.5013556375251013,
      2: 0.5027149505564014,
      37: 0.5526857228508706,
      128: 0.7071067811865475,
      129: 0.7090239421602076,
      200: 0.8593096490612387,
      255: 0.9972960560854698,
    };
    for (const [number, bound] of Object.entries(known))
      expect(exponentialBound(Number(number) - 256, 8), number).toBe(bound);
    for (let schema = 0; schema < 8; schema++)
      for (let number = -300; number < 300; number++)
        expect(exponentialBound(number, schema)).toBe(exponentialBound(number * 2 ** (8 - schema), 8));
  });

  it('is a power of two for the coarse schemas, up to the largest number', () => {
    expect([-1, 0, 1, 5].map((number) => exponentialBound(number, -2))).toEqual([2 ** -4, 1, 16, 2 ** 20]);
    expect([exponentialBound(1024, 0), exponentialBound(1025, 0)]).toEqual([Number.MAX_VALUE, Infinity]);
    expect([exponentialBound(64, -4), exponentialBound(65, -4)]).toEqual([Number.MAX_VALUE, Infinity]);
    expect([exponentialBound(-1074, 0), exponentialBound(-1075, 0)]).toEqual([5e-324, 0]);
  });
});

describe('histogramText', () => {
  it('shows buckets with observations from low to high', () => {
    const columns = new HistogramColumns();
    const row = columns.begin();
    Object.assign(columns.counts, [12]);
    columns.sums[row] = 18.4;
    columns.zeroThresholds[row] = 0.001;
    columns.zeroCounts[row] = 2;
    columns.addSpan(0, 2, false);
    columns.addSpan(1, 1, false);
    for (const count of [1, 0, 3]) columns.addBucket(count, false);
    columns.addSpan(-1, 2, true);
    for (const count of [2, 4]) columns.addBucket(count, true);
    columns.counts[row] = 12;
    expect(histogramText({ columns, row })).toBe(
      '{count:12, sum:18.4, [-1,-0.5):4, [-0.5,-0.25):2, [-0.001,0.001]:2, (0.5,1]:1, (4,8]:3}',
    );
  });

  it('shows custom buckets between their bounds', () => {
    const columns = new HistogramColumns();
    const row = columns.begin();
    columns.schemas[row] = CUSTOM_BUCKETS_SCHEMA;
    columns.floats[row] = 1;
    columns.counts[row] = 3.5;
    columns.addSpan(0, 3, false);
    for (const count of [1, 2, 0.5]) columns.addBucket(count, false);
    for (const bound of [0.25, 10]) columns.addBound(bound);
    expect(histogramText({ columns, row })).toBe(
      '{count:3.5, sum:0, [-Inf,0.25]:1, (0.25,10]:2, (10,+Inf]:0.5}',
    );
  });
});
