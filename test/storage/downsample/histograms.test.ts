// Native histograms to 5 m and on to 1 h: Thanos's bytes, and against the raw histograms of every window.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregatePart, decodeAggregates, encodeAggregates } from '../../../src/codec/aggregate-chunk.ts';
import { HistogramPart } from '../../../src/codec/aggregate-chunk-writer.ts';
import { ALL_TIMES, type Chunk } from '../../../src/codec/chunk.ts';
import { readHistogramHead } from '../../../src/codec/histogram-chunk.ts';
import { encodeSamples, readChunk } from '../../../src/codec/sample-chunks.ts';
import { FloatHistogram } from '../../../src/model/float-histogram.ts';
import { CUSTOM_BUCKETS_SCHEMA } from '../../../src/model/histogram.ts';
import {
  histogramsOf,
  isStaleAt,
  pushHistogram,
  type SampleColumns,
  sampleColumns,
} from '../../../src/model/samples.ts';
import { readWindows } from '../../../src/storage/block/aggregate-read.ts';
import { downsampleAggregates } from '../../../src/storage/downsample/downsample-aggregates.ts';
import { downsampleRaw, downsampleScratch } from '../../../src/storage/downsample/downsample-raw.ts';
import { RESOLUTION_1H, RESOLUTION_5M, windowEnd } from '../../../src/storage/downsample/windows.ts';
import { histogramSequence } from '../../helpers/histogram-sequences.ts';

const START = 1_700_000_100_000;

// What Thanos (e103a81bd) makes of simpleHistograms(): at 5 m, and of that at 1 h.
const OF_THANOS_5M =
  '15010002fe89dcfef9624014000000000000e1d403d61d4b030002c0ff3f50624dd2f1a9fc8c647f0000c5e7f5c13fa02200000000000020' +
  '12000000000000201c8000000000002012000000000000201a0000000000007c7530ee07b81ee0eee07b818000004b03000240ff3f50624d' +
  'd2f1a9fc8c647f0000c5e7f5c13fa01800000000000020080000000000002012000000000000200800000000000020100000000000007c75' +
  '30ec07b01ec0eec07b0180';
const OF_THANOS_1H =
  '10010001c0b3e3fef962401c0000000000003f030001c0ff3f50624dd2f1a9fc8c647f0000c5e7f63670202a800000000000201a80000000' +
  '00002025200000000000201a80000000000020228000000000000000003f03000140ff3f50624dd2f1a9fc8c647f0000c5e7f63670201c00' +
  '0000000000200c0000000000002017000000000000200c000000000000201400000000000000';

interface Facts {
  readonly minute: number;
  readonly observed: number;
  readonly schema?: number;
  readonly bounds?: readonly number[];
  readonly zeroThreshold?: number;
}

/** Histograms whose two buckets and zero bucket share `observed` as 1 : 2 : 1. */
function histograms(rows: readonly Facts[]): SampleColumns {
  const out = sampleColumns(16);
  const columns = histogramsOf(out);
  for (const { minute, observed, schema = 1, bounds = [], zeroThreshold = 0.001 } of rows) {
    const row = columns.begin();
    columns.schemas[row] = schema;
    columns.zeroThresholds[row] = schema === CUSTOM_BUCKETS_SCHEMA ? 0 : zeroThreshold;
    columns.zeroCounts[row] = schema === CUSTOM_BUCKETS_SCHEMA ? 0 : observed / 4;
    columns.counts[row] = schema === CUSTOM_BUCKETS_SCHEMA ? (observed / 4) * 3 : observed;
    columns.sums[row] = (2.5 * observed) / 4;
    columns.addSpan(0, 2, false);
    columns.addBucket(observed / 4, false);
    columns.addBucket(observed / 2, false);
    for (const bound of bounds) columns.addBound(bound);
    pushHistogram(out, columns, START + minute * 60_000);
  }
  return out;
}

const scratch = downsampleScratch();
const to5m = (samples: SampleColumns): Chunk[] =>
  downsampleRaw(encodeSamples(samples, 0, samples.count, 120), RESOLUTION_5M, scratch);
const to1h = (chunks: readonly Chunk[]): Chunk[] =>
  downsampleAggregates(chunks, { from: RESOLUTION_5M, to: RESOLUTION_1H }, scratch);
const hex = ({ bytes }: Chunk): string => Buffer.from(bytes).toString('hex');

function part(chunks: readonly Chunk[], name: 'count' | 'sum' | 'counter'): SampleColumns {
  const out = sampleColumns(16);
  for (const { bytes } of chunks) readChunk(aggregatePart(bytes, name)!, ALL_TIMES, out);
  return out;
}

function observations(samples: SampleColumns): number[] {
  return Array.from(samples.histograms!.counts.subarray(0, samples.count));
}

describe('downsample-raw of histograms', () => {
  it('makes the chunks Thanos makes of them', () => {
    const rows = Array.from({ length: 7 }, (_, minute) => ({ minute, observed: 4 * minute }));
    const fives = to5m(histograms(rows));
    expect(fives.map(hex)).toEqual([OF_THANOS_5M]);
    expect(to1h(fives).map(hex)).toEqual([OF_THANOS_1H]);
    expect(Object.keys(decodeAggregates(fives[0]!.bytes))).toEqual(['count', 'sum', 'counter']);
  });

  it('counts and adds up the histograms of every window, whatever they are', () => {
    fc.assert(
      fc.property(fc.nat(5000), (seed) => {
        const { histograms: columns, times } = histogramSequence(seed);
        const samples = sampleColumns(16);
        const naive = new Map<number, { count: number; observed: number }>();
        for (const [i, time] of times.entries()) {
          histogramsOf(samples).copyRow(columns, i);
          pushHistogram(samples, histogramsOf(samples), time);
          if (isStaleAt(columns.sumBits, i) || Number.isNaN(columns.sums[i]!)) continue;
          const window = windowEnd(time, RESOLUTION_1H);
          const known = naive.get(window) ?? { count: 0, observed: 0 };
          const observed = known.observed + columns.counts[i]!;
          naive.set(window, { count: known.count + 1, observed });
        }
        const fives = to5m(samples);
        for (const chunks of [fives, to1h(fives)]) {
          const counts = part(chunks, 'count');
          const sums = part(chunks, 'sum');
          const told = new Map<number, { count: number; observed: number }>();
          for (let i = 0; i < counts.count; i++) {
            const window = windowEnd(counts.timestamps[i]!, RESOLUTION_1H);
            const known = told.get(window) ?? { count: 0, observed: 0 };
            const observed = known.observed + sums.histograms!.counts[i]!;
            told.set(window, { count: known.count + counts.values[i]!, observed });
          }
          expect([...told].map(([window, { count }]) => [window, count])).toEqual(
            [...naive].map(([window, { count }]) => [window, count]),
          );
          for (const [window, { observed }] of naive)
            expect(told.get(window)!.observed).toBeCloseTo(observed, 3);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('loses nothing of a counter that is reset, and counts nothing twice, across chunks too', () => {
    const raw = Array.from({ length: 5000 }, (_, minute) => ({ minute, observed: 4 * (1 + (minute % 700)) }));
    const fives = to5m(histograms(raw));
    for (const chunks of [fives, to1h(fives)]) {
      const heads = chunks.map(({ bytes }) => readHistogramHead(aggregatePart(bytes, 'counter')!.bytes));
      // Seven resets.
      expect(heads.filter(({ isReset }) => isReset)).toHaveLength(7);
      let total = 0;
      let behind = 0;
      let last = 0;
      for (const [c, chunk] of chunks.entries()) {
        const counters = part([chunk], 'counter');
        for (const [i, observed] of observations(counters).entries()) {
          const isReset = i === 0 && (c === 0 || heads[c]!.isReset);
          const earlier = i > 0 ? observations(counters)[i - 1] : last;
          total += isReset ? observed : observed - earlier!;
          last = observed;
          // Every minute has added 4 observations; those since a reset are told of with the next window.
          const minute = Math.floor((counters.timestamps[i]! - START) / 60_000);
          if (total === 4 * (minute + 1)) continue;
          expect(total).toBe(4 * (minute + 1) - 4 * (1 + (minute % 700)));
          behind++;
        }
      }
      expect(behind).toBeLessThanOrEqual(7);
    }
  });

  it('reduces a batch to its lowest resolution', () => {
    const fives = to5m(
      histograms([
        { minute: 0, observed: 4, schema: 2 },
        { minute: 1, observed: 8, schema: 1 },
      ]),
    );
    const { histograms: sums } = part(fives, 'sum');
    expect(sums!.schemas[0]).toBe(1);
    expect(sums!.counts[0]).toBe(12);
  });

  it('begins another chunk where the zero threshold grows, and loses no window', () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({
      zeroThreshold: i < 10 ? 0.001 : 0.01,
      minute: i,
      observed: 4 * i,
    }));
    const fives = to5m(histograms(rows));
    expect(fives.length).toBe(2);
    expect(Array.from(part(fives, 'count').values.subarray(0, 4))).toEqual([5, 5, 5, 5]);
  });

  it('downsamples custom buckets, in chunks of their own for other bounds', () => {
    const custom = { schema: CUSTOM_BUCKETS_SCHEMA, bounds: [0.5, 1] };
    const rows = Array.from({ length: 10 }, (_, i) => ({
      ...custom,
      bounds: i < 8 ? [0.5, 1] : [0.5, 2],
      minute: i,
      observed: 4 * i,
    }));
    const fives = to5m(histograms(rows));
    expect(fives.length).toBe(2);
    const sums = part(fives, 'sum');
    expect(observations(sums)).toEqual([30, 54, 51]);
    const last = new FloatHistogram().load({ columns: sums.histograms!, row: 2 });
    expect([...last.bounds]).toEqual([0.5, 2]);
  });

  it('joins and averages what all parts have of a chunk in which Thanos lost windows', () => {
    const rows = Array.from({ length: 20 }, (_, minute) => ({ minute, observed: 4 * (minute + 1) }));
    const [first] = to5m(histograms(rows));
    const parts = decodeAggregates(first!.bytes);
    // Its sums begin with the third window.
    const sum = new HistogramPart();
    const sums = part([first!], 'sum');
    for (let i = 2; i < 4; i++) sum.append(sums.timestamps[i]!, sums.histograms!, i);
    const lossy = { ...first!, bytes: encodeAggregates({ ...parts, sum: sum.encoded() }) };
    const hours = to1h([lossy]);
    expect(Array.from(part(hours, 'count').values.subarray(0, 1))).toEqual([10]);
    const wanted = sums.histograms!.counts[2]! + sums.histograms!.counts[3]!;
    expect(observations(part(hours, 'sum'))).toEqual([wanted]);
    const averages = sampleColumns(4);
    readWindows(lossy, 'average', ALL_TIMES, averages);
    expect(averages.count).toBe(2);
    const rowOf = averages.rows[0]!;
    expect(averages.histograms!.counts[rowOf]).toBe(sums.histograms!.counts[2]! / 5);
  });

  it('keeps floats and histograms of one series apart', () => {
    const floats = sampleColumns(4);
    for (let i = 0; i < 3; i++) {
      floats.timestamps[i] = START - 1_200_000 + i * 60_000;
      floats.values[i] = i;
    }
    floats.count = 3;
    const chunks = [
      ...encodeSamples(floats, 0, 3, 120),
      ...encodeSamples(histograms([{ minute: 0, observed: 4 }]), 0, 1, 120),
    ];
    const fives = downsampleRaw(chunks, RESOLUTION_5M, scratch);
    expect(fives.map(({ bytes }) => decodeAggregates(bytes).counter?.encoding)).toEqual([1, 3]);
    expect(to1h(fives).map(({ bytes }) => decodeAggregates(bytes).counter?.encoding)).toEqual([1, 3]);
  });
});
