// Merging samples against a Map twin.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pushSample, type SampleColumns, sampleColumns, startsOf } from '../../../src/model/samples.ts';
import { mergeRead, mergeSamples } from '../../../src/storage/block/merge-samples.ts';

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

  it('reads to where samples belong what comes behind, and merges what does not', () => {
    const scratch = sampleColumns(1);
    const times = fc.tuple(fc.nat(60), fc.uniqueArray(fc.nat(40), { maxLength: 25 }));
    fc.assert(
      fc.property(times, times, ([a, own], [b, other]) => {
        const mine = own.map((t) => a + t).sort((x, y) => x - y);
        const theirs = other.map((t) => b + t).sort((x, y) => x - y);
        const target = columnsOf(mine, 1);
        const expected = columnsOf(mine, 1);
        mergeSamples(expected, columnsOf(theirs, 2));
        mergeRead(target, scratch, (into) => {
          for (const time of theirs) pushSample(into, columnsOf([time], 2), 0);
        });
        const list = ({ timestamps, values, count }: SampleColumns): number[][] => [
          [...timestamps.subarray(0, count)],
          [...values.subarray(0, count)],
        ];
        expect(list(target)).toEqual(list(expected));
      }),
      { numRuns: 500 },
    );
  });

  it('merges start times that come with the second part only', () => {
    const target = columnsOf([1, 2], 1);
    const added = columnsOf([2, 3], 2);
    startsOf(added).fill(1);
    mergeRead(target, sampleColumns(1), (into) => {
      for (let i = 0; i < 2; i++) pushSample(into, added, i);
    });
    expect([...target.timestamps.subarray(0, target.count)]).toEqual([1, 2, 3]);
    expect([...target.starts!.subarray(0, 3)]).toEqual([0, 0, 1]);
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
