import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeSorted } from '../../src/model/merge-sorted.ts';

describe('mergeSorted', () => {
  it('gives every item once and in order', () => {
    const list = fc.uniqueArray(fc.nat(30)).map((items) => items.sort((a, b) => a - b));
    fc.assert(
      fc.property(fc.array(list, { maxLength: 5 }), (lists) => {
        const expected = [...new Set(lists.flat())].sort((a, b) => a - b);
        expect(mergeSorted(lists, (a, b) => a - b)).toEqual(expected);
      }),
    );
  });

  it('keeps the first of equal items', () => {
    const byKey = (a: { key: number }, b: { key: number }): number => a.key - b.key;
    const [first, second] = [{ key: 1 }, { key: 1 }];
    expect(mergeSorted([[first], [second, { key: 2 }]], byKey)[0]).toBe(first);
  });
});
