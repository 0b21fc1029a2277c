// Aggregate chunks: what Thanos makes of them and what of damaged ones, parts of any length, counters across chunks.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Aggregate,
  aggregatePart,
  aggregateSampleCount,
  decodeAggregates,
  encodeAggregates,
  isHistogramAggregate,
} from '../../src/codec/aggregate-chunk.ts';
import { CounterWalk } from '../../src/codec/aggregate-chunk-counter.ts';
import { FloatPart } from '../../src/codec/aggregate-chunk-writer.ts';
import { ALL_TIMES, type EncodedBytes } from '../../src/codec/chunk.ts';
import { readChunk } from '../../src/codec/sample-chunks.ts';
import { DomainError } from '../../src/model/errors.ts';
import { sampleColumns } from '../../src/model/samples.ts';
import { type Sample, xorChunk } from '../storage/block/fixtures.ts';

// What Thanos (e103a81bd, DownsampleRaw at 5 m) makes of the twelve values of test/storage/downsample/downsample-raw.test.ts.
const OF_THANOS =
  '19010003fe89dcfef9624014000000000000e0a712762c3aeb0e801a010003fe89dcfef962403b800000000000e0a712d23ffec58758681c0' +
  '10003fe89dcfef9623ff0000000000000e0a712c25fffec5875d426801a010003fe89dcfef9624022000000000000e0a712d80fb161d758b5' +
  '25010005c0bab7fef9623ff0000000000000dfa712c287fc1c000c0033d8b0eb0077e89d5c01d6';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function samplesOf(part: EncodedBytes | undefined): Sample[] {
  const columns = sampleColumns(4);
  if (part !== undefined) readChunk(part, ALL_TIMES, columns);
  return Array.from({ length: columns.count }, (_, i) => [columns.timestamps[i]!, columns.values[i]!]);
}

const NAMES: readonly Aggregate[] = ['count', 'sum', 'min', 'max', 'counter'];
const part = fc.option(
  fc.record({ encoding: fc.constantFrom(1, 3), bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
  { nil: undefined },
);

describe('aggregate-chunk', () => {
  it('reads what Thanos wrote', () => {
    const parts = decodeAggregates(bytesOf(OF_THANOS));
    const ends = [1_700_000_399_999, 1_700_000_699_999, 1_700_000_760_500];
    const windows = (...values: number[]): Sample[] => values.map((value, i) => [ends[i]!, value]);
    expect(samplesOf(parts.count)).toEqual(windows(5, 5, 2));
    expect(samplesOf(parts.sum)).toEqual(windows(27.5, 41, 51));
    expect(samplesOf(parts.min)).toEqual(windows(1, 2, 20));
    expect(samplesOf(parts.max)).toEqual(windows(9, 13, 31));
    // The first raw sample, three windows of a counter that was reset twice, the last raw value.
    const counter = windows(17.5, 29, 53);
    expect(samplesOf(parts.counter)).toEqual([[1_700_000_100_000, 1], ...counter, [ends[2], 31]]);
    expect(aggregateSampleCount(bytesOf(OF_THANOS))).toBe(3);
    expect(isHistogramAggregate(bytesOf(OF_THANOS))).toBe(false);
  });

  it('writes what it read byte for byte', () => {
    const bytes = bytesOf(OF_THANOS);
    expect(encodeAggregates(decodeAggregates(bytes))).toEqual(bytes);
  });

  it('gives back any parts, one by one and together', () => {
    fc.assert(
      fc.property(fc.tuple(part, part, part, part, part), (list) => {
        const parts = Object.fromEntries(NAMES.map((name, i) => [name, list[i]]));
        const bytes = encodeAggregates(parts);
        const read = decodeAggregates(bytes);
        for (const [i, name] of NAMES.entries()) {
          expect(read[name]).toEqual(list[i]);
          expect(aggregatePart(bytes, name)).toEqual(list[i]);
        }
      }),
    );
  });

  it('refuses a chunk that was cut off at any byte or has bytes behind its parts', () => {
    const bytes = bytesOf(OF_THANOS);
    for (let end = 0; end < bytes.length; end++)
      expect(() => decodeAggregates(bytes.subarray(0, end))).toThrow(DomainError);
    expect(() => decodeAggregates(Uint8Array.of(...bytes, 0))).toThrow('1 bytes behind the last part');
  });

  it('ends with an error or a result whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          for (const each of Object.values(decodeAggregates(bytes)))
            if (each !== undefined) readChunk(each, ALL_TIMES, sampleColumns(4));
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
          expect(error).toHaveProperty('code', 'corrupt');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('aggregate-chunk-writer', () => {
  it('writes parts as XOR chunks of any length, times and values', () => {
    const value = fc.oneof(fc.double(), fc.integer({ min: -5, max: 5 }));
    const step = fc.oneof(fc.constantFrom(0, 1, 15_000, 300_000), fc.integer({ min: 0, max: 2 ** 34 }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(step, value), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: -(2 ** 41), max: 2 ** 41 }),
        (rows, start) => {
          let time = start;
          const samples = rows.map(([delta, v]): Sample => [(time += delta), v]);
          const written = new FloatPart();
          for (const [t, v] of samples) written.append(t, v);
          const naive = xorChunk(samples);
          expect(written.encoded()).toEqual({ encoding: naive.encoding, bytes: naive.bytes });
        },
      ),
    );
  });

  it('takes more bytes than a chunk of a head', () => {
    const written = new FloatPart();
    for (let i = 0; i < 3000; i++) written.append(i * 1000 + (i % 7), Math.sin(i));
    expect(samplesOf(written.encoded()).at(-1)).toEqual([2999 * 1000 + 3, Math.sin(2999)]);
    expect(written.encoded()!.bytes.length).toBeGreaterThan(20_000);
  });
});

describe('aggregate-chunk-counter', () => {
  const walked = (samples: readonly Sample[]): Sample[] => {
    const walk = new CounterWalk();
    return samples.flatMap(([t, v]): Sample[] => (walk.next(t, v) ? [[walk.time, walk.total]] : []));
  };

  it('takes resets out of raw values', () => {
    expect(
      walked([
        [1, 5],
        [2, 7],
        [3, 1],
        [4, Number.NaN],
        [5, 4],
      ]),
    ).toEqual([
      [1, 5],
      [2, 7],
      [3, 8],
      [5, 11],
    ]);
  });

  it('compares the first raw value of a part with the last raw value of the one before', () => {
    const grown = [
      [1, 5],
      [10, 25],
      [10, 12],
    ] as const;
    expect(walked([...grown, [11, 15], [20, 18]]).slice(2)).toEqual([
      [11, 28],
      [20, 31],
    ]);
    expect(walked([...grown, [11, 3], [20, 18]]).slice(2)).toEqual([
      [11, 28],
      [20, 43],
    ]);
  });

  it('goes on within a part whose beginning something else has told of', () => {
    // Raw to 10, then a part whose counter had lost a reset of 100 by then.
    expect(
      walked([
        [10, 3],
        [5, 100],
        [9, 103],
        [20, 110],
      ]),
    ).toEqual([
      [10, 3],
      [20, 10],
    ]);
  });

  it('grows from what it passes over', () => {
    const walk = new CounterWalk();
    walk.next(10, 3);
    walk.pass(19, 103);
    walk.next(20, 110);
    expect(walk.total).toBe(10);
  });

  it('does not take the end of a part that was left for a reset', () => {
    const walk = new CounterWalk();
    walk.next(1, 1000);
    walk.leave(900);
    walk.next(2, 105);
    expect(walk.total).toBe(1005);
    walk.next(3, 5);
    expect(walk.total).toBe(1010);
  });
});
