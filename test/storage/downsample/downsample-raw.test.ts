// Raw samples to 5 m and on to 1 h: Thanos's bytes, and against naive sums of the raw samples.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CounterWalk } from '../../../src/codec/aggregate-chunk-counter.ts';
import type { Chunk } from '../../../src/codec/chunk.ts';
import { encodeSamples } from '../../../src/codec/sample-chunks.ts';
import { STALE_NAN_HIGH, STALE_NAN_LOW } from '../../../src/model/samples.ts';
import { downsampleAggregates } from '../../../src/storage/downsample/downsample-aggregates.ts';
import { downsampleRaw, downsampleScratch } from '../../../src/storage/downsample/downsample-raw.ts';
import { RESOLUTION_1H, RESOLUTION_5M, windowEnd } from '../../../src/storage/downsample/windows.ts';
import type { Sample } from '../block/fixtures.ts';
import { chunksOf, columnsOf, partsOf, rawSeries, withoutResets } from './series.ts';

const VALUES = [1, 5, 9, 4, 8.5, 12, 13, 2, 7, 7, 20, 31];
const SAMPLES = VALUES.map((value, i): Sample => [1_700_000_100_000 + i * 60_000 + (i % 3) * 250, value]);

// What Thanos (e103a81bd) makes of SAMPLES: DownsampleRaw at 5 m, then downsampleAggr at 1 h.
const OF_THANOS_5M =
  '19010003fe89dcfef9624014000000000000e0a712762c3aeb0e801a010003fe89dcfef962403b800000000000e0a712d23ffec58758681c0' +
  '10003fe89dcfef9623ff0000000000000e0a712c25fffec5875d426801a010003fe89dcfef9624022000000000000e0a712d80fb161d758b5' +
  '25010005c0bab7fef9623ff0000000000000dfa712c287fc1c000c0033d8b0eb0077e89d5c01d6';
const OF_THANOS_1H =
  '10010001e88a88fff962402800000000000010010001e88a88fff962405de0000000000010010001e88a88fff9623ff000000000000010010' +
  '001e88a88fff962403f00000000000022010003c0bab7fef9623ff000000000000094a828c287fbaffffffffffffaf5f6401d60';

const scratch = downsampleScratch();
const to5m = (chunks: readonly Chunk[]): Chunk[] => downsampleRaw(chunks, RESOLUTION_5M, scratch);
const to1h = (chunks: readonly Chunk[]): Chunk[] =>
  downsampleAggregates(chunks, { from: RESOLUTION_5M, to: RESOLUTION_1H }, scratch);
const hex = ({ bytes }: Chunk): string => Buffer.from(bytes).toString('hex');

/** Samples by the window they lie in. */
function windowsOf(samples: readonly Sample[], resolution: number): Map<number, number[]> {
  const out = new Map<number, number[]>();
  for (const [time, value] of samples) {
    const end = windowEnd(time, resolution);
    out.set(end, [...(out.get(end) ?? []), value]);
  }
  return out;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const TWINS = {
  count: (values: readonly number[]) => values.length,
  sum,
  min: (values: readonly number[]) => Math.min(...values),
  max: (values: readonly number[]) => Math.max(...values),
} as const;
const JOIN = { count: sum, sum, min: TWINS.min, max: TWINS.max } as const;

// Windows may be told of in parts: two at the border of chunks that were joined whole.
function expectWindows(chunks: readonly Chunk[], samples: readonly Sample[], resolution: number): void {
  const naive = windowsOf(samples, resolution);
  for (const name of ['count', 'sum', 'min', 'max'] as const) {
    const told = windowsOf(partsOf(chunks, name).flat(), resolution);
    expect([...told.keys()]).toEqual([...naive.keys()]);
    for (const [end, values] of naive) expect(JOIN[name](told.get(end)!)).toBe(TWINS[name](values));
  }
}

// The counter at each window's time, read across all chunks, is what the raw one had become.
function expectCounter(chunks: readonly Chunk[], samples: readonly Sample[]): void {
  const naive = withoutResets(samples);
  const walk = new CounterWalk();
  for (const part of partsOf(chunks, 'counter'))
    for (const [time, value] of part)
      if (walk.next(time, value)) expect(walk.total).toBe(naive.findLast(([t]) => t <= time)?.[1]);
  expect(walk.last).toBe(samples.at(-1)![1]);
}

describe('downsample-raw', () => {
  it('makes the chunks Thanos makes of floats', () => {
    const fives = to5m(chunksOf(SAMPLES));
    expect(fives.map(hex)).toEqual([OF_THANOS_5M]);
    expect(to1h(fives).map(hex)).toEqual([OF_THANOS_1H]);
    expect(fives[0]).toMatchObject({ encoding: 255, minTime: 1_700_000_399_999, maxTime: 1_700_000_760_500 });
  });

  it('counts, adds up and compares the samples of every window', () => {
    fc.assert(
      fc.property(rawSeries, (samples) => {
        const fives = to5m(chunksOf(samples));
        expectWindows(fives, samples, RESOLUTION_5M);
        expectWindows(to1h(fives), samples, RESOLUTION_1H);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps what a counter has grown by from any window to any other', () => {
    const counters = rawSeries.map((samples) => samples.map(([t, v]): Sample => [t, Math.abs(v)]));
    fc.assert(
      fc.property(counters, (samples) => {
        const fives = to5m(chunksOf(samples));
        expectCounter(fives, samples);
        expectCounter(to1h(fives), samples);
      }),
      { numRuns: 30 },
    );
  });

  it('makes chunks of few windows that follow each other in time and never leave that of the samples', () => {
    const start = 1_700_000_000_000;
    const samples = Array.from({ length: 20_000 }, (_, i): Sample => [start + i * 15_000, i % 50]);
    const fives = to5m(chunksOf(samples));
    // 3.5 days: 1000 windows.
    expect(fives.map((chunk) => partsOf([chunk], 'count').flat().length)).toEqual([
      126, 126, 126, 126, 126, 126, 126, 119,
    ]);
    for (const [i, chunk] of fives.entries()) {
      expect(chunk.maxTime).toBeLessThanOrEqual(samples.at(-1)![0]);
      if (i > 0) expect(chunk.minTime).toBeGreaterThan(fives[i - 1]!.maxTime);
    }
  });

  it('leaves staleness markers and NaN out', () => {
    const columns = columnsOf([...SAMPLES.slice(0, 6), [1_700_000_500_000, 0], ...SAMPLES.slice(7)]);
    columns.bits[12] = STALE_NAN_LOW;
    columns.bits[13] = STALE_NAN_HIGH;
    columns.values[0] = Number.NaN;
    const left = SAMPLES.filter((_, i) => i !== 0 && i !== 6);
    expectWindows(to5m(encodeSamples(columns, 0, columns.count, 120)), left, RESOLUTION_5M);
    expectCounter(to5m(encodeSamples(columns, 0, columns.count, 120)), left);
  });

  it('makes nothing of a series without numbers', () => {
    expect(
      to5m(
        chunksOf([
          [1, Number.NaN],
          [2, Number.NaN],
        ]),
      ),
    ).toEqual([]);
    expect(to1h([])).toEqual([]);
  });

  it('downsamples what an old version of Thanos left raw among aggregates', () => {
    const fives = to5m(chunksOf(SAMPLES));
    const later = SAMPLES.map(([t, v]): Sample => [t + RESOLUTION_1H, v]);
    expectWindows(to1h([...fives, ...chunksOf(later)]), [...SAMPLES, ...later], RESOLUTION_1H);
  });
});
