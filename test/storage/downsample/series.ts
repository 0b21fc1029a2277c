// Series for the tests of downsampling, and naive twins of what becomes of them.

import fc from 'fast-check';
import { type Aggregate, aggregatePart } from '../../../src/codec/aggregate-chunk.ts';
import { ALL_TIMES, type Chunk } from '../../../src/codec/chunk.ts';
import { encodeSamples, readChunk } from '../../../src/codec/sample-chunks.ts';
import { growColumns, type SampleColumns, sampleColumns } from '../../../src/model/samples.ts';
import type { Sample } from '../block/fixtures.ts';

/** Samples as columns. */
export function columnsOf(samples: readonly Sample[]): SampleColumns {
  const columns = sampleColumns(samples.length);
  growColumns(columns, samples.length);
  samples.forEach(([time, value], i) => {
    columns.timestamps[i] = time;
    columns.values[i] = value;
  });
  columns.count = samples.length;
  return columns;
}

/** Samples as chunks of 120. */
export function chunksOf(samples: readonly Sample[]): Chunk[] {
  return encodeSamples(columnsOf(samples), 0, samples.length, 120);
}

/** The samples of one part of aggregate chunks, chunk by chunk. */
export function partsOf(chunks: readonly Chunk[], aggregate: Aggregate): Sample[][] {
  return chunks.map(({ bytes }) => {
    const columns = sampleColumns(4);
    const part = aggregatePart(bytes, aggregate);
    if (part !== undefined) readChunk(part, ALL_TIMES, columns);
    return Array.from({ length: columns.count }, (_, i) => [columns.timestamps[i]!, columns.values[i]!]);
  });
}

/** A counter as if it had never been reset. */
export function withoutResets(samples: readonly Sample[]): Sample[] {
  let lost = 0;
  return samples.map(([time, value], i) => {
    const before = samples[i - 1]?.[1] ?? 0;
    if (value < before) lost += before;
    return [time, value + lost];
  });
}

/** Values that add up without rounding: counters with resets, and gauges; gaps of up to some hours. */
export const rawSeries: fc.Arbitrary<Sample[]> = fc
  .record({
    start: fc.integer({ min: 0, max: 2 ** 40 }),
    interval: fc.constantFrom(1000, 15_000, 60_000, 400_000),
    isCounter: fc.boolean(),
    steps: fc.array(fc.tuple(fc.nat(60), fc.nat(1000)), { minLength: 1, maxLength: 2500 }),
  })
  .map(({ start, interval, isCounter, steps }) => {
    let time = start;
    let value = 0;
    return steps.map(([gap, step]): Sample => {
      time += interval + (gap === 0 ? 7_000_000 : gap);
      value = !isCounter ? step - 500 : step < 5 ? step : value + step;
      return [time, value];
    });
  });
