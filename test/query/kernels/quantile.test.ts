import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Buckets,
  bucketFraction,
  bucketQuantile,
  noStraightening,
  quantileOf,
  selectNth,
} from '../../../src/query/kernels/quantile.ts';

type Bucket = { upper: number; count: number };

function bucketsOf(list: readonly Bucket[]): Buckets {
  return {
    bounds: Float64Array.from(list, (bucket) => bucket.upper),
    counts: Float64Array.from(list, (bucket) => bucket.count),
    count: list.length,
  };
}

function naiveCoalesce(list: readonly Bucket[]): Bucket[] {
  const out: Bucket[] = [];
  for (const bucket of list) {
    const last = out.at(-1);
    if (last?.upper === bucket.upper) last.count += bucket.count;
    else out.push({ ...bucket });
  }
  return out;
}

/** BucketQuantile of Prometheus over objects, with a linear search in the straightened counts. */
function naiveQuantile(q: number, list: readonly Bucket[]): { value: number; forced: boolean } {
  if (Number.isNaN(q)) return { value: Number.NaN, forced: false };
  if (q < 0) return { value: -Infinity, forced: false };
  if (q > 1) return { value: Infinity, forced: false };
  if (list.at(-1)!.upper !== Infinity) return { value: Number.NaN, forced: false };
  const buckets = naiveCoalesce(list);
  let forced = false;
  let before = buckets[0]!.count;
  for (const bucket of buckets.slice(1)) {
    const relative = Math.abs(bucket.count - before) / (Math.abs(bucket.count) + Math.abs(before));
    if (bucket.count === before || relative < 1e-12) bucket.count = before;
    else if (bucket.count < before) {
      bucket.count = before;
      forced = true;
    } else before = bucket.count;
  }
  const last = buckets.at(-1)!;
  if (buckets.length < 2 || last.count === 0) return { value: Number.NaN, forced };
  const rank = q * last.count;
  const found = buckets.findIndex((bucket, i) => i === buckets.length - 1 || bucket.count >= rank);
  const bucket = buckets[found]!;
  const lower = buckets[found - 1];
  if (bucket === last) return { value: lower!.upper, forced };
  if (lower === undefined && bucket.upper <= 0) return { value: bucket.upper, forced };
  const [start, below] = [lower?.upper ?? 0, lower?.count ?? 0];
  return { value: start + (bucket.upper - start) * ((rank - below) / (bucket.count - below)), forced };
}

/** The share of observations below a limit, bucket by bucket. */
function naiveBelow(limit: number, buckets: readonly Bucket[]): number {
  const total = buckets.at(-1)!.count;
  let below = 0;
  let start = buckets[0]!.upper <= 0 ? -Infinity : 0;
  for (const { upper, count } of buckets) {
    if (start >= limit) return Math.min(below, total);
    if (upper > limit) {
      const share =
        start === -Infinity ? count : below + ((count - below) * (limit - start)) / (upper - start);
      return Math.min(share, total);
    }
    below = count;
    start = upper;
  }
  return total;
}

const bound = fc.constantFrom(-2, -0.5, 0, 0.1, 0.5, 1, 2.5, 10, Infinity);
const count = fc.oneof(fc.nat(20), fc.constantFrom(1e13, 1e13 + 1, 0));
const bucketList = fc
  .array(fc.record({ upper: bound, count }), { minLength: 1, maxLength: 8 })
  .map((list) => list.sort((a, b) => (a.upper === b.upper ? 0 : a.upper - b.upper)));
const quantile = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom(0, 0.5, 1, -1, 2, Number.NaN),
);

describe('bucketQuantile', () => {
  it('equals its definition, and notes every histogram whose counts fell', () => {
    fc.assert(
      fc.property(quantile, bucketList, (q, list) => {
        const noted = noStraightening();
        const { value, forced } = naiveQuantile(q, list);
        expect(bucketQuantile(q, bucketsOf(list), noted, 7)).toBe(value);
        expect(noted.count).toBe(forced ? 1 : 0);
        if (forced) expect([noted.stepFirst, noted.stepLast]).toEqual([7, 7]);
      }),
      { numRuns: 2000 },
    );
  });

  it('remembers where and how far counts fell', () => {
    const noted = noStraightening();
    const list = [
      { upper: 1, count: 10 },
      { upper: 2, count: 7 },
      { upper: 3, count: 12 },
      { upper: 4, count: 11.5 },
      { upper: Infinity, count: 12 },
    ];
    bucketQuantile(0.5, bucketsOf(list), noted, 3);
    bucketQuantile(0.5, bucketsOf(list), noted, 1);
    expect(noted).toEqual({ count: 2, stepFirst: 1, stepLast: 3, boundMin: 2, boundMax: 4, fallMax: 3 });
  });
});

describe('bucketFraction', () => {
  it('equals its definition', () => {
    const limit = fc.oneof(
      fc.constantFrom(-Infinity, Infinity, Number.NaN, 0, 1, 10),
      fc.double({ min: -5, max: 15 }),
    );
    fc.assert(
      fc.property(limit, limit, bucketList, (lower, upper, list) => {
        const buckets = naiveCoalesce(list);
        const total = buckets.at(-1)!.count;
        let expected = Number.NaN;
        if (list.at(-1)!.upper === Infinity && total !== 0 && !Number.isNaN(lower) && !Number.isNaN(upper))
          expected = lower >= upper ? 0 : (naiveBelow(upper, buckets) - naiveBelow(lower, buckets)) / total;
        expect(bucketFraction(lower, upper, bucketsOf(list))).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('quantileOf', () => {
  it('finds the same order statistics as sorting', () => {
    const value = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.double({ noNaN: true }));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 80 }), fc.nat(79), (list, n) => {
        const sorted = Float64Array.from(list).sort();
        const nth = n % list.length;
        const values = Float64Array.from(list);
        // Zeros of both signs are equal: which of them stands at n is open.
        expect(selectNth(values, list.length, nth) === sorted[nth]).toBe(true);
        expect([...values].sort((a, b) => a - b || 1 / b - 1 / a)).toEqual(
          [...sorted].sort((a, b) => a - b || 1 / b - 1 / a),
        );
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [0.5, [], Number.NaN],
    [0.5, [3, 1, 2], 2],
    [0.8, [0, 1], 0.8],
    [0, [Number.NaN, 1, 2], Number.NaN],
    [1, [Number.NaN, 1, 2], 2],
    [-0.1, [1], -Infinity],
    [1.1, [1], Infinity],
    [Number.NaN, [1], Number.NaN],
  ])('the %d-quantile of %j is %d', (q, list, expected) => {
    expect(quantileOf(q, Float64Array.from(list), list.length)).toBe(expected);
  });
});
