import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SampleColumns, sampleColumns } from '../../../src/model/samples.ts';
import { mergeReplicas } from '../../../src/storage/compact/penalty.ts';

function columnsOf(times: readonly number[], value: number): SampleColumns {
  const columns = sampleColumns(times.length);
  columns.timestamps.set(times);
  columns.values.fill(value);
  columns.count = times.length;
  return columns;
}

/** The merged samples: those of the first replica as they are, of the second with a minus. */
function merged(a: readonly number[], b: readonly number[]): number[] {
  const target = sampleColumns(4);
  mergeReplicas(columnsOf(a, 1), columnsOf(b, -1), target);
  return Array.from({ length: target.count }, (_, i) => target.timestamps[i]! * target.values[i]!);
}

const every15s = (from: number, to: number): number[] => {
  const out: number[] = [];
  for (let time = from; time <= to; time += 15_000) out.push(time);
  return out;
};
const times = fc
  .uniqueArray(fc.integer({ min: 1, max: 400_000 }), { maxLength: 40 })
  .map((list) => list.sort((a, b) => a - b));

// What Thanos's iterator does, sample by sample: both are moved to behind the last sample and their penalty, the earlier one is taken.
function naive(a: readonly number[], b: readonly number[]): number[] {
  let [left, right] = [[...a], [...b]];
  let [penaltyA, penaltyB] = [0, 0];
  let last: number | undefined;
  const out: number[] = [];
  for (;;) {
    const from = last;
    if (from !== undefined) {
      left = left.filter((time) => time > from + penaltyA);
      right = right.filter((time) => time > from + penaltyB);
    }
    const [x, y] = [left[0], right[0]];
    if (x === undefined && y === undefined) return out;
    const isA = y === undefined || (x !== undefined && x <= y);
    const time = (isA ? x : y) as number;
    const penalty = last === undefined ? 5000 : 2 * (time - last);
    if (x !== undefined && y !== undefined) [penaltyA, penaltyB] = isA ? [0, penalty] : [penalty, 0];
    else if (isA) penaltyA = 0;
    else penaltyB = 0;
    out.push(isA ? time : -time);
    last = time;
  }
}

describe('penalty', () => {
  it('does as Thanos does', () => {
    fc.assert(
      fc.property(times, times, (a, b) => {
        expect(merged(a, b)).toEqual(naive(a, b));
      }),
      { numRuns: 500 },
    );
  });

  it('stays with one replica of two that go on', () => {
    expect(merged(every15s(1000, 200_000), every15s(5000, 200_000))).toEqual(every15s(1000, 200_000));
    const second = every15s(1000, 200_000).map((time) => -time);
    expect(merged(every15s(5000, 200_000), every15s(1000, 200_000))).toEqual(second);
  });

  it('turns to the other replica in a gap, and does not turn back at once', () => {
    const a = [...every15s(15_000, 60_000), ...every15s(300_000, 330_000)];
    const b = every15s(20_000, 400_000);
    const out = merged(a, b);
    expect(out.slice(0, 5)).toEqual([15_000, 30_000, 45_000, 60_000, -95_000]);
    expect(out.slice(4).every((time) => time < 0)).toBe(true);
    expect(out.at(-1)).toBe(-395_000);
  });

  it('leaves a replica that is alone, or there twice, as it is', () => {
    fc.assert(
      fc.property(times, (a) => {
        expect(merged(a, [])).toEqual(a);
        expect(merged([], a)).toEqual(a.map((time) => -time));
        expect(merged(a, a)).toEqual(a);
      }),
    );
  });
});
