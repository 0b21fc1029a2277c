import { describe, expect, it } from 'vitest';
import { BucketCursor } from '../../../src/model/bucket-cursor.ts';
import { FloatHistogram } from '../../../src/model/float-histogram.ts';
import {
  type NativeResult,
  nativeFraction,
  nativeQuantile,
  nativeVariance,
} from '../../../src/query/kernels/histogram-quantile.ts';
import { parseHistogram } from '../../promql/histogram-notation.ts';
import { parseNumber } from '../../promql/series.ts';

const cursor = new BucketCursor(new FloatHistogram());

function histogram(text: string): FloatHistogram {
  return parseHistogram(text, parseNumber).histogram;
}

function quantile(text: string, wanted: number): (number | string)[] {
  const result: NativeResult = { value: 0, note: 'none' };
  nativeQuantile(wanted, histogram(text), cursor, result);
  return result.note === 'none' ? [result.value] : [result.value, result.note];
}

function fraction(text: string, lower: number, upper: number): (number | string)[] {
  const result: NativeResult = { value: 0, note: 'none' };
  nativeFraction({ lower, upper }, histogram(text), cursor, result);
  return result.note === 'none' ? [result.value] : [result.value, result.note];
}

/** Two observations in (1,2], two in (2,4]; the same and a zero bucket; the mirror image; custom buckets. */
const POSITIVE = 'count:4 sum:8 offset:1 buckets:[2 2]';
const WITH_ZERO = 'count:6 sum:8 z_bucket:2 z_bucket_w:0.5 offset:1 buckets:[2 2]';
const NEGATIVE = 'count:4 sum:-8 n_offset:1 n_buckets:[2 2]';
const CUSTOM = 'schema:-53 count:6 sum:8 custom_values:[1 2] buckets:[2 2 2]';

describe('nativeQuantile', () => {
  it.each([
    [POSITIVE, 0, 1],
    [POSITIVE, 0.25, 2 ** 0.5],
    [POSITIVE, 0.5, 2],
    [POSITIVE, 0.75, 2 ** 1.5],
    [POSITIVE, 1, 4],
    [WITH_ZERO, 1 / 6, 0.25],
    [NEGATIVE, 0.25, -(2 ** 1.5)],
    [NEGATIVE, 0.75, -(2 ** 0.5)],
    [CUSTOM, 1 / 6, 0.5],
    [CUSTOM, 0.5, 1.5],
    [CUSTOM, 0.9, 2],
    ['schema:-53 count:2 sum:-3 custom_values:[-1] buckets:[2]', 0.5, -1],
    [POSITIVE, -0.1, Number.NEGATIVE_INFINITY],
    [POSITIVE, 1.1, Number.POSITIVE_INFINITY],
  ])('of {{%s}} at %d is %d', (text, wanted, value) => {
    const [found] = quantile(text, wanted);
    expect(found).toBeCloseTo(value, 12);
  });

  it('is NaN where there are no observations, and of NaN', () => {
    expect([...quantile(POSITIVE, Number.NaN), ...quantile('count:0 sum:0', 0.5)]).toEqual([NaN, NaN]);
  });

  it('tells what NaN observations, which are in no bucket, do to it', () => {
    expect(quantile('count:5 sum:NaN offset:1 buckets:[4]', 0.4)).toEqual([2 ** 0.5, 'skewed']);
    expect(quantile('count:5 sum:NaN offset:1 buckets:[4]', 0.9)).toEqual([Number.NaN, 'nan-result']);
    expect(quantile('count:4 sum:NaN offset:1 buckets:[4]', 1)).toEqual([2]);
  });
});

describe('nativeFraction', () => {
  it.each([
    [POSITIVE, 1, 4, 1],
    [POSITIVE, 1, 2 ** 0.5, 0.25],
    [POSITIVE, 2, Number.POSITIVE_INFINITY, 0.5],
    [POSITIVE, 3, 3, 0],
    [WITH_ZERO, 0, 0.25, 1 / 6],
    [NEGATIVE, Number.NEGATIVE_INFINITY, -2, 0.5],
    [CUSTOM, 0.5, 1.5, 1 / 3],
    [CUSTOM, 2, 100, 0],
    [CUSTOM, 2, Number.POSITIVE_INFINITY, 1 / 3],
  ])('of {{%s}} from %d to %d is %d', (text, lower, upper, value) => {
    const [found] = fraction(text, lower, upper);
    expect(found).toBeCloseTo(value, 12);
  });

  it('leaves NaN observations out of all fractions', () => {
    expect(fraction('count:5 sum:NaN offset:1 buckets:[4]', 0, 10)).toEqual([0.8, 'excluded']);
  });
});

describe('nativeVariance', () => {
  it('takes observations to be in the middle of their bucket', () => {
    // 2 at the root of 2, 2 at the root of 8, of mean 2.
    const wanted = (2 * (2 ** 0.5 - 2) ** 2 + 2 * (8 ** 0.5 - 2) ** 2) / 4;
    expect(nativeVariance(histogram(POSITIVE), cursor)).toBeCloseTo(wanted, 12);
    expect(nativeVariance(histogram('count:2 sum:0 z_bucket:2 z_bucket_w:1'), cursor)).toBe(0);
  });
});

describe('BucketCursor', () => {
  const TEXT =
    'schema:0 count:9 z_bucket:1 z_bucket_w:0.75 offset:0 buckets:[2 0 3] n_offset:1 n_buckets:[1 2]';
  const walk = (descending: boolean): number[][] => {
    const out: number[][] = [];
    cursor.start(histogram(TEXT), descending);
    while (cursor.next()) out.push([cursor.lower, cursor.upper, cursor.observations]);
    return out;
  };

  it('goes up and down over both sides and the zero bucket, which covers what begins inside it', () => {
    const up = [
      [-4, -2, 2],
      [-2, -1, 1],
      [-0.75, 0.75, 1],
      [0.75, 1, 2],
      [1, 2, 0],
      [2, 4, 3],
    ];
    expect(walk(false)).toEqual(up);
    expect(walk(true)).toEqual(up.toReversed());
  });
});
