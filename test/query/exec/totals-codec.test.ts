import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COUNT, FloatHistogram, SUM } from '../../../src/model/float-histogram.ts';
import { CUSTOM_BUCKETS_SCHEMA } from '../../../src/model/histogram.ts';
import {
  decodeTotals,
  encodeTotals,
  isTotals,
  type TotalCells,
} from '../../../src/query/exec/histograms/totals-codec.ts';
import { HistogramTotal } from '../../../src/query/kernels/histogram-over-time.ts';

const NUMBER = fc.oneof(fc.double(), fc.integer({ min: 0, max: 1000 }));

const TOTAL = fc
  .record({
    isCustom: fc.boolean(),
    hint: fc.integer({ min: 0, max: 3 }),
    count: fc.integer({ min: 1, max: 1e6 }),
    isMean: fc.boolean(),
    isIncompatible: fc.boolean(),
    parts: fc.array(fc.tuple(NUMBER, NUMBER), { minLength: 1, maxLength: 5 }),
  })
  .map(({ isCustom, hint, parts, ...flags }) => {
    const total = new HistogramTotal();
    const one = new FloatHistogram();
    one.schema = isCustom ? CUSTOM_BUCKETS_SCHEMA : 2;
    one.bounds = isCustom ? Float64Array.of(1, 2.5) : new Float64Array(0);
    for (const [value, other] of parts) {
      one.hint = hint;
      one.totals[COUNT] = value;
      one.totals[SUM] = other;
      one.positive.count = one.negative.count = 0;
      one.positive.push(0, value);
      one.positive.push(2, other);
      if (!isCustom) one.negative.push(-7, other);
      total.addToSum(one);
    }
    return Object.assign(total, flags);
  });

const CELLS: fc.Arbitrary<TotalCells> = fc
  .tuple(fc.string(), fc.array(fc.option(TOTAL, { nil: undefined }), { minLength: 1, maxLength: 6 }))
  .map(([metric, totals]) => ({ metric, totals }));

function contents(totals: readonly (HistogramTotal | undefined)[]): unknown[] {
  return totals.flatMap((total, step) => {
    if (total === undefined) return [];
    const { value, count, isMean, isIncompatible, hints } = total;
    const sides = [value.positive, value.negative].map((side) => [
      [...side.numbers.subarray(0, side.count)],
      [...side.values.subarray(0, side.count)],
      [...side.rests.subarray(0, side.count)],
    ]);
    const numbers = [...value.totals, ...value.rests, ...value.bounds, value.hint, value.schema];
    return [[step, count, isMean, isIncompatible, hints, numbers, sides]];
  });
}

describe('totals codec', () => {
  it('brings totals back as they were, rests and all', () => {
    fc.assert(
      fc.property(fc.array(CELLS, { minLength: 1, maxLength: 4 }), (groups) => {
        const labels = groups.map((_, i) => ['group', String(i)]);
        const found = groups.map((): unknown[] => []);
        for (const bytes of encodeTotals('avg', 6, labels, groups)) {
          expect(isTotals(bytes)).toBe(true);
          decodeTotals(bytes, 'avg', 6, ([, group = ''], cells) => {
            expect(cells.metric).toBe(groups[Number(group)]?.metric);
            found[Number(group)]?.push(...contents(cells.totals));
          });
        }
        expect(found).toEqual(groups.map(({ totals }) => contents(totals)));
      }),
      { numRuns: 100 },
    );
  });

  it('cuts what is large into pieces', () => {
    const total = new HistogramTotal();
    for (let number = 0; number < 20_000; number++) total.value.positive.push(number, number / 7);
    total.count = 1;
    const pieces = encodeTotals('sum', 3, [[]], [{ metric: '', totals: [total, total, total] }]);
    expect(pieces.length).toBe(3);
  });

  it('refuses bytes of another operator or grid, and any that do not hold together', () => {
    const total = new HistogramTotal();
    total.value.positive.push(1, 2);
    const [bytes = new Uint8Array()] = encodeTotals(
      'sum',
      3,
      [['a', 'b']],
      [{ metric: 'm', totals: [total] }],
    );
    const decode = (part: Uint8Array, op: 'sum' | 'avg' = 'sum', steps = 3): void =>
      decodeTotals(part, op, steps, () => {});
    expect(() => decode(bytes)).not.toThrow();
    expect(() => decode(bytes, 'avg')).toThrow('operator 0');
    expect(() => decode(bytes, 'sum', 4)).toThrow('3 steps, expected 4');
    for (let length = 1; length < bytes.length; length++)
      expect(() => decode(bytes.subarray(0, length)), String(length)).toThrow('aggregation state');
  });
});
