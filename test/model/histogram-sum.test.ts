import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BucketList } from '../../src/model/bucket-list.ts';
import { COUNT, FloatHistogram, SUM } from '../../src/model/float-histogram.ts';
import {
  addCompensated,
  addHistogram,
  BOUNDS_RECONCILED,
  INCOMPATIBLE,
  RESET_COLLISION,
  subtractHistogram,
} from '../../src/model/histogram-sum.ts';
import { describeHistogram, parseHistogram } from '../promql/histogram-notation.ts';
import { parseNumber } from '../promql/series.ts';

function histogram(text: string): FloatHistogram {
  return parseHistogram(text, parseNumber).histogram;
}

function text(of: FloatHistogram): string {
  return describeHistogram(of.compact());
}

/** a, b, what a + b is, and a - b. */
const SUMS: readonly (readonly [string, string, string, string])[] = [
  // The same buckets, and buckets between.
  [
    'count:6 sum:10 buckets:[1 2 3]',
    'count:3 sum:1 buckets:[1 1 1]',
    'count:9 sum:11 buckets:[2 3 4]',
    'count:3 sum:9 buckets:[0 1 2]',
  ],
  [
    'count:3 sum:1 offset:-2 buckets:[1 0 0 0 2]',
    'count:4 sum:1 offset:-1 buckets:[1 0 3] n_offset:4 n_buckets:[0]',
    'count:7 sum:2 offset:-2 buckets:[1 1 0 3 2]',
    'count:-1 sum:0 offset:-2 buckets:[1 -1 0 -3 2]',
  ],
  // The finer one is read more coarsely, whichever side it is on.
  [
    'schema:1 count:10 sum:5 offset:-1 buckets:[1 2 3 4]',
    'schema:0 count:2 sum:1 offset:0 buckets:[1 1]',
    'schema:0 count:12 sum:6 offset:0 buckets:[4 8]',
    'schema:0 count:8 sum:4 offset:0 buckets:[2 6]',
  ],
  [
    'schema:0 count:2 sum:1 offset:0 buckets:[1 1] n_buckets:[1]',
    'schema:2 count:10 sum:5 offset:-3 buckets:[1 2 3 4 5] n_offset:1 n_buckets:[7]',
    'schema:0 count:12 sum:6 offset:0 buckets:[11 6] n_buckets:[1 7]',
    'schema:0 count:-8 sum:-4 offset:0 buckets:[-9 -4] n_buckets:[1 -7]',
  ],
  // Zero buckets of one width; a wider one takes in what lies within.
  [
    'z_bucket:2 z_bucket_w:0.5 count:5 sum:1 buckets:[0 3]',
    'z_bucket:1 z_bucket_w:0.5 count:1 sum:1',
    'z_bucket:3 z_bucket_w:0.5 count:6 sum:2 buckets:[0 3]',
    'z_bucket:1 z_bucket_w:0.5 count:4 sum:0 buckets:[0 3]',
  ],
  [
    'z_bucket:2 z_bucket_w:0.5 count:9 sum:1 offset:0 buckets:[3 4] n_offset:0 n_buckets:[5]',
    'z_bucket:1 z_bucket_w:1 count:1 sum:1',
    'z_bucket:11 z_bucket_w:1 count:10 sum:2 offset:1 buckets:[4]',
    'z_bucket:9 z_bucket_w:1 count:8 sum:0 offset:1 buckets:[4]',
  ],
  // A width inside a bucket with observations grows to its end, and then takes in the other side too.
  [
    'z_bucket:1 z_bucket_w:0.1 count:4 sum:1 offset:1 buckets:[3] n_offset:1 n_buckets:[6]',
    'z_bucket:1 z_bucket_w:1.5 count:9 sum:1 offset:2 buckets:[8]',
    'z_bucket:11 z_bucket_w:2 count:13 sum:2 offset:2 buckets:[8]',
    'z_bucket:9 z_bucket_w:2 count:-5 sum:0 offset:2 buckets:[-8]',
  ],
  // Custom bounds: the same, and only the common ones.
  [
    'schema:-53 count:6 sum:1 custom_values:[1 2] buckets:[1 2 3]',
    'schema:-53 count:3 sum:1 custom_values:[1 2] buckets:[1 1 1]',
    'schema:-53 count:9 sum:2 custom_values:[1 2] buckets:[2 3 4]',
    'schema:-53 count:3 sum:0 custom_values:[1 2] buckets:[0 1 2]',
  ],
  [
    'schema:-53 count:10 sum:1 custom_values:[1 2 4] buckets:[1 2 3 4]',
    'schema:-53 count:60 sum:1 custom_values:[2 3] buckets:[10 20 30]',
    'schema:-53 count:70 sum:2 custom_values:[2] buckets:[13 57]',
    'schema:-53 count:-50 sum:0 custom_values:[2] buckets:[-7 -43]',
  ],
];

describe('sums of native histograms', () => {
  it.each(SUMS)('{{%s}} and {{%s}}', (a, b, sum, difference) => {
    const other = histogram(b);
    const target = histogram(a);
    addHistogram(target, other);
    expect(text(target)).toBe(text(histogram(sum)));
    const less = histogram(a);
    subtractHistogram(less, other);
    expect(text(less)).toBe(text(histogram(difference)));
    const compensated = histogram(a);
    addCompensated(compensated, other);
    expect(text(compensated.settle())).toBe(text(histogram(sum)));
    expect(describeHistogram(other)).toBe(describeHistogram(histogram(b)));
  });

  it('say what Prometheus says of them', () => {
    const of = (a: string, b: string): number => addHistogram(histogram(a), histogram(b));
    expect(of('schema:-53 custom_values:[1]', 'schema:0')).toBe(INCOMPATIBLE);
    expect(of('schema:-53 custom_values:[1]', 'schema:-53 custom_values:[2]')).toBe(BOUNDS_RECONCILED);
    expect(of('counter_reset_hint:reset', 'counter_reset_hint:not_reset')).toBe(RESET_COLLISION);
  });

  it('are gauges when one is, and know of resets only what both know', () => {
    const hints = ['unknown', 'reset', 'not_reset', 'gauge'];
    const sums = hints.map((a) =>
      hints.map((b) => {
        const sum = histogram(`counter_reset_hint:${a}`);
        addHistogram(sum, histogram(`counter_reset_hint:${b}`));
        return hints[sum.hint];
      }),
    );
    expect(sums).toEqual([
      ['unknown', 'unknown', 'unknown', 'gauge'],
      ['unknown', 'reset', 'unknown', 'gauge'],
      ['unknown', 'unknown', 'not_reset', 'gauge'],
      ['gauge', 'gauge', 'gauge', 'gauge'],
    ]);
  });

  it('lose nothing to rounding when they are compensated', () => {
    const sum = histogram('count:1e100 sum:1e100 buckets:[1e100]');
    for (const more of ['count:1 sum:1 buckets:[1]', 'count:-1e100 sum:-1e100 buckets:[-1e100]'])
      addCompensated(sum, histogram(more));
    expect(text(sum.settle())).toBe('{count:1, sum:1, (0.5,1]:1} (schema 0, zero 0, hint 0)');
  });

  it('divide and multiply everything, by 0 and negative numbers as Prometheus has it', () => {
    const one = (): FloatHistogram => histogram('count:6 sum:10 z_bucket:3 z_bucket_w:1 buckets:[1 2]');
    expect(text(one().scale(2))).toBe(
      text(histogram('count:12 sum:20 z_bucket:6 z_bucket_w:1 buckets:[2 4]')),
    );
    expect(one().scale(-1).hint).toBe(3);
    const none = one().divide(0);
    expect([none.count, none.sum, none.positive.count, none.hint]).toEqual([Infinity, Infinity, 0, 0]);
  });
});

/** Buckets as a map, halved in resolution: the definition that BucketList is held against. */
function coarserMap(buckets: ReadonlyMap<number, number>, shift: number): Map<number, number> {
  const out = new Map<number, number>();
  for (const [number, value] of buckets) {
    const target = Math.ceil(number / 2 ** shift);
    out.set(target, (out.get(target) ?? 0) + value);
  }
  return out;
}

function listOf(buckets: ReadonlyMap<number, number>): BucketList {
  const list = new BucketList();
  for (const [number, value] of [...buckets].sort(([a], [b]) => a - b)) list.push(number, value);
  return list;
}

function mapOf({ numbers, values, count }: BucketList): Map<number, number> {
  return new Map(Array.from({ length: count }, (_, i) => [numbers[i]!, values[i]!]));
}

const BUCKETS = fc
  .array(fc.tuple(fc.integer({ min: -40, max: 40 }), fc.integer({ min: 0, max: 9 })), { maxLength: 30 })
  .map((pairs) => new Map(pairs));

describe('BucketList', () => {
  it('merges and reduces as its definition over maps does', () => {
    fc.assert(
      fc.property(
        BUCKETS,
        BUCKETS,
        fc.integer({ min: 0, max: 5 }),
        fc.constantFrom(1, -1),
        fc.boolean(),
        (mine, others, shift, sign, compensated) => {
          const wanted = new Map(mine);
          for (const [number, value] of coarserMap(others, shift))
            wanted.set(number, (wanted.get(number) ?? 0) + sign * value);
          const list = listOf(mine);
          list.merge(listOf(others), { from: 0, shift, sign, compensated });
          expect(mapOf(list)).toEqual(new Map([...wanted].sort(([a], [b]) => a - b)));
          const reduced = listOf(mine);
          reduced.reduce(shift, compensated);
          expect(mapOf(reduced)).toEqual(new Map([...coarserMap(mine, shift)].sort(([a], [b]) => a - b)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps what rounding loses of any order of numbers', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -(2 ** 52), max: 2 ** 52 }), { minLength: 1, maxLength: 50 }),
        (parts) => {
          const total = new FloatHistogram();
          for (const part of parts) {
            const one = new FloatHistogram();
            one.totals[COUNT] = part / 8;
            one.totals[SUM] = part * 2 ** 20;
            one.positive.push(1, part);
            addCompensated(total, one);
          }
          total.settle();
          const exact = Number(parts.reduce((sum, part) => sum + BigInt(part), 0n));
          expect([total.count, total.sum, total.positive.values[0]]).toEqual([
            exact / 8,
            exact * 2 ** 20,
            exact,
          ]);
        },
      ),
      { numRuns: 200 },
    );
  });
});
