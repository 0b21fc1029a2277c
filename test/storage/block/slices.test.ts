// Which resolution answers for which time, against a naive look at every millisecond.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockMeta } from '../../../src/storage/block/block-meta.ts';
import { planSlices, type Slice, withRawStretches } from '../../../src/storage/block/slices.ts';
import { testMeta } from '../test-meta.ts';

function block(minTime: number, maxTime: number, resolutionMs: number): BlockMeta {
  return testMeta({ ulid: `${minTime}`, span: [minTime, maxTime], thanos: { resolutionMs } });
}

const ALL = { start: 0, end: 99 };
const text = (slices: readonly Slice[]): string[] =>
  slices.map(({ start, end, resolutionMs }) => `${start}-${end}:${resolutionMs}`);
const sliced = (max: number, ...blocks: [number, number, number][]): string[] =>
  text(
    planSlices(
      blocks.map(([from, to, resolution]) => block(from, to, resolution)),
      ALL,
      max,
    ),
  );

describe('slices', () => {
  it('reads raw where there is raw, else the finest there is', () => {
    expect(sliced(0, [60, 100, 0], [20, 100, 5], [0, 100, 20])).toEqual(['0-19:20', '20-59:5']);
    expect(sliced(0, [0, 100, 0], [0, 100, 5])).toEqual([]);
    expect(sliced(0, [0, 100, 20])).toEqual(['0-99:20']);
  });

  it('reads the coarsest that is wanted, fills its gaps with finer and then with coarser ones', () => {
    expect(sliced(5, [0, 100, 0], [20, 60, 5], [0, 100, 20])).toEqual(['20-59:5']);
    expect(sliced(19, [60, 100, 0], [20, 60, 5], [0, 100, 20])).toEqual(['0-19:20', '20-59:5']);
    expect(sliced(20, [0, 100, 0], [0, 100, 5], [20, 60, 20])).toEqual(['0-19:5', '20-59:20', '60-99:5']);
  });

  it('moves a border within a window to where a window ends, if the coarser block has it whole', () => {
    // Raw from 33 on: the window of 20 to 39 is read from the coarser block.
    expect(sliced(0, [33, 100, 0], [0, 100, 20])).toEqual(['0-39:20']);
    expect(sliced(0, [0, 33, 0], [0, 100, 20])).toEqual(['20-99:20']);
    // The coarser block begins or ends there itself: nothing is told of twice.
    expect(sliced(0, [33, 100, 0], [0, 33, 20])).toEqual(['0-32:20']);
    expect(sliced(0, [0, 33, 0], [33, 100, 20])).toEqual(['33-99:20']);
  });

  it('reads a window whole when finer data begin and end within it', () => {
    expect(sliced(0, [22, 25, 0], [0, 100, 20])).toEqual(['0-99:20']);
    expect(sliced(0, [22, 25, 0], [31, 36, 0], [0, 100, 20])).toEqual(['0-99:20']);
    expect(sliced(0, [38, 45, 0], [0, 100, 20])).toEqual(['0-99:20']);
    expect(sliced(0, [22, 65, 0], [0, 100, 20])).toEqual(['0-39:20', '60-99:20']);
  });

  it('gives every moment that a block has to one resolution, raw before all others', () => {
    const aligned = fc
      .tuple(fc.nat(19), fc.integer({ min: 1, max: 8 }), fc.constantFrom(0, 5, 20))
      .map(([from, length, resolution]) => block(from * 20, (from + length) * 20, resolution));
    const span = fc
      .tuple(fc.nat(20), fc.nat(20))
      .map(([a, b]) => ({ start: a * 20, end: (a + b) * 20 + 19 }));
    fc.assert(
      fc.property(
        fc.array(aligned, { maxLength: 8 }),
        span,
        fc.constantFrom(0, 5, 19, 20),
        (blocks, within, max) => {
          const slices = planSlices(blocks, within, max);
          const order = max === 0 ? [0, 5, 20] : max < 20 ? [5, 0, 20] : [20, 5, 0];
          for (let time = within.start; time <= within.end; time++) {
            const has = (resolution: number): boolean =>
              blocks.some(
                (b) => b.thanos?.resolutionMs === resolution && b.minTime <= time && b.maxTime > time,
              );
            const told = slices.filter(({ start, end }) => start <= time && time <= end);
            const wanted = order.find(has) ?? 0;
            expect(told.map(({ resolutionMs }) => resolutionMs)).toEqual(wanted === 0 ? [] : [wanted]);
          }
        },
      ),
    );
  });

  it('lists what is read raw between them', () => {
    const slices = [
      { start: 10, end: 19, resolutionMs: 5 },
      { start: 40, end: 59, resolutionMs: 20 },
    ];
    expect(text(withRawStretches(slices, { start: 15, end: 70 }))).toEqual([
      '15-19:5',
      '20-39:0',
      '40-59:20',
      '60-70:0',
    ]);
    expect(text(withRawStretches(slices, { start: 41, end: 50 }))).toEqual(['41-50:20']);
    expect(text(withRawStretches([], { start: 1, end: 2 }))).toEqual(['1-2:0']);
  });
});
