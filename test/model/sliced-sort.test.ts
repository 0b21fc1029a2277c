// Sorting in slices against sorting at once.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sortTexts } from '../../src/model/sliced-sort.ts';
import { compareText } from '../../src/model/text.ts';

describe('sliced-sort', () => {
  it('sorts as one sort by UTF-8 bytes does, and leaves its input alone', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 3, maxLength: 40 }),
        fc.integer({ min: 1, max: 200 }),
        async (some, times) => {
          const texts = Array.from(
            { length: some.length * times },
            (_, i) => some[i % some.length]! + (i % 7),
          );
          const before = [...texts];
          expect(await sortTexts(texts, () => undefined)).toEqual(texts.toSorted(compareText));
          expect(texts).toEqual(before);
        },
      ),
      { numRuns: 30 },
    );
    expect(await sortTexts([], () => undefined)).toEqual([]);
  });

  it('pauses about once per 2048 texts and merge step', async () => {
    let pauses = 0;
    await sortTexts(
      Array.from({ length: 8192 }, (_, i) => String(i * 7919)),
      () => void pauses++,
    );
    expect(pauses).toBe(4 + 4 + 4);
  });
});
