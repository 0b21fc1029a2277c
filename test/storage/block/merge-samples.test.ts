// Merging samples against a Map twin.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SampleColumns, sampleColumns } from '../../../src/model/samples.ts';
import { mergeSamples } from '../../../src/storage/block/merge-samples.ts';

function columnsOf(times: readonly number[], value: number): SampleColumns {
  const columns = sampleColumns(times.length);
  columns.timestamps.set(times);
  columns.values.fill(value);
  columns.count = times.length;
  return columns;
}

const times = fc.uniqueArray(fc.nat(40), { maxLength: 25 }).map((list) => list.sort((a, b) => a - b));

describe('merge-samples', () => {
  it('keeps time order and one sample per timestamp, the first list winning', () => {
    fc.assert(
      fc.property(times, times, (a, b) => {
        const target = columnsOf(a, 1);
        const added = columnsOf(b, 2);
        mergeSamples(target, added);
        const naive = new Map([...b.map((t) => [t, 2] as const), ...a.map((t) => [t, 1] as const)]);
        const expected = [...naive].sort((x, y) => x[0] - y[0]);
        expect(
          Array.from({ length: target.count }, (_, i) => [target.timestamps[i], target.values[i]]),
        ).toEqual(expected);
        expect([...added.timestamps]).toEqual(b);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the bits of a staleness marker', () => {
    const target = columnsOf([1, 5], 1);
    const added = columnsOf([3], 0);
    added.bits[0] = 2;
    added.bits[1] = 0x7ff00000;
    mergeSamples(target, added);
    expect([...target.bits.subarray(2, 4)]).toEqual([2, 0x7ff00000]);
  });
});
