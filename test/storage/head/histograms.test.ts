import { describe, expect, it } from 'vitest';
import { ALL_TIMES, CHUNK_FLOAT_HISTOGRAM, CHUNK_HISTOGRAM, CHUNK_XOR } from '../../../src/codec/chunk.ts';
import { readChunk } from '../../../src/codec/sample-chunks.ts';
import { HistogramColumns, RESET_HINT } from '../../../src/model/histogram.ts';
import { histogramsEqual } from '../../../src/model/histogram-equality.ts';
import {
  histogramAt,
  isStaleAt,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  sampleColumns,
} from '../../../src/model/samples.ts';
import { type AppendOutcome, appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import { type Head, openHead } from '../../../src/storage/head/head.ts';
import { readSnapshot, writeSnapshot } from '../../../src/storage/head/snapshot.ts';
import { histogramSequence, SeededNumbers } from '../../helpers/histogram-sequences.ts';

const RANGE = 100_000;
const LABELS = ['__name__', 'h'];
const options = { outOfOrderWindowMs: 1_000_000, chunkRangeMs: RANGE, seriesMax: 10 };

/** A sample: a row of `source`, or a float (NaN for the staleness marker). */
type Sample = { readonly row: number } | { readonly float: number };

interface Batch {
  readonly source: HistogramColumns;
  readonly samples: readonly (readonly [time: number, sample: Sample])[];
}

function append(head: Head, { source, samples }: Batch): AppendOutcome {
  const ref = head.seriesFor(LABELS);
  const outcome = appendOutcome();
  for (const [time, sample] of samples) {
    const times = Float64Array.of(time);
    if ('float' in sample) {
      const bits = new Uint32Array(Float64Array.of(sample.float).buffer);
      if (Number.isNaN(sample.float)) bits.set([STALE_NAN_LOW, STALE_NAN_HIGH]);
      head.append(Uint32Array.of(ref), times, bits, 1, outcome);
      continue;
    }
    const columns = new HistogramColumns(1);
    columns.copyRow(source, sample.row);
    const batch = { columns, refs: Uint32Array.of(ref), timestamps: times };
    head.appendHistograms({ ...batch, floor: -Infinity, newest: head.maxTime }, outcome);
  }
  return outcome;
}

function expectSamples(
  columns: ReturnType<typeof sampleColumns>,
  source: HistogramColumns,
  twin: Map<number, Sample>,
): void {
  const expected = [...twin].sort(([a], [b]) => a - b);
  expect(Array.from(columns.timestamps.subarray(0, columns.count))).toEqual(expected.map(([time]) => time));
  for (const [i, [time, sample]] of expected.entries()) {
    const got = histogramAt(columns, i);
    if ('float' in sample) {
      if (Number.isNaN(sample.float)) expect(isStaleAt(columns.bits, i), `at ${time}`).toBe(true);
      else expect([got, columns.values[i]], `at ${time}`).toEqual([undefined, sample.float]);
    } else {
      expect(got, `at ${time}`).toBeDefined();
      expect(histogramsEqual(got!, { columns: source, row: sample.row }), `at ${time}`).toBe(true);
    }
  }
}

function readAll(head: Head): ReturnType<typeof sampleColumns> {
  const columns = sampleColumns(1);
  head.read(head.seriesFor(LABELS), -Infinity, Infinity, columns);
  return columns;
}

/** A sequence's histograms some 1,000 ms apart, mixed with floats and staleness markers, some of them late. */
function mixedBatch(seed: number): Batch & { twin: Map<number, Sample> } {
  const { histograms } = histogramSequence(seed);
  const numbers = new SeededNumbers(seed + 1);
  const twin = new Map<number, Sample>();
  const samples: [number, Sample][] = [];
  let newest = 1_000_000;
  for (let row = 0; row < histograms.count; row++) {
    const isLate = numbers.pick(4) === 0;
    const time = isLate ? newest - 1 - numbers.pick(20_000) : (newest += 1 + numbers.pick(3000));
    const kind = numbers.pick(8);
    const sample = kind === 0 ? { float: row } : kind === 1 ? { float: Number.NaN } : { row };
    if (twin.has(time)) continue;
    twin.set(time, sample);
    samples.push([time, sample]);
  }
  return { source: histograms, samples, twin };
}

describe('Head with native histograms', () => {
  it('gives back floats, histograms and staleness markers, in order or not, whatever was closed meanwhile', () => {
    for (let seed = 0; seed < 150; seed++) {
      const head = openHead(options);
      const batch = mixedBatch(seed);
      const outcome = append(head, batch);
      expect(outcome.appended + outcome.outOfOrder, `seed ${seed}`).toBe(batch.samples.length);
      expectSamples(readAll(head), batch.source, batch.twin);
      const again = append(head, batch);
      expect(again, `seed ${seed}`).toMatchObject({ duplicates: batch.samples.length, conflicts: 0 });
    }
  });

  it('comes back from a snapshot as it was, and goes on alike', () => {
    for (let seed = 0; seed < 60; seed++) {
      const head = openHead(options);
      const { source, samples, twin } = mixedBatch(seed);
      const half = samples.length >>> 1;
      append(head, { source, samples: samples.slice(0, half) });
      const copy = readSnapshot(options, writeSnapshot(head));
      for (const one of [head, copy]) append(one, { source, samples: samples.slice(half) });
      expectSamples(readAll(copy), source, twin);
      expect(Buffer.concat([...writeSnapshot(copy)])).toEqual(Buffer.concat([...writeSnapshot(head)]));
    }
  });

  it('hands out what a block is made of', () => {
    for (let seed = 0; seed < 60; seed++) {
      const head = openHead(options);
      const { source, samples, twin } = mixedBatch(seed);
      append(head, { source, samples });
      const columns = sampleColumns(1);
      const ranges = head.pendingRanges();
      for (const { start, end } of ranges)
        for (const { chunks } of head.cut(start, end))
          for (const chunk of chunks) {
            expect([CHUNK_XOR, CHUNK_HISTOGRAM, CHUNK_FLOAT_HISTOGRAM]).toContain(chunk.encoding);
            const before = columns.count;
            readChunk(chunk, ALL_TIMES, columns);
            expect([chunk.minTime, chunk.maxTime]).toEqual([
              columns.timestamps[before],
              columns.timestamps[columns.count - 1],
            ]);
          }
      expectSamples(columns, source, twin);
      head.truncate(ranges.at(-1)!.end);
      expect(head.seriesCount).toBe(0);
    }
  });

  it('refuses another histogram or a float for a time that is taken', () => {
    const head = openHead(options);
    const source = new HistogramColumns();
    for (const count of [1, 2]) {
      const row = source.begin();
      source.counts[row] = source.zeroCounts[row] = count;
    }
    append(head, { source, samples: [[1000, { row: 0 }]] });
    for (const sample of [{ row: 1 }, { float: 0 }])
      expect(append(head, { source, samples: [[1000, sample]] })).toMatchObject({
        conflicts: 1,
        appended: 0,
      });
    expect(append(head, { source, samples: [[1000, { row: 0 }]] })).toMatchObject({ duplicates: 1 });
  });

  it('begins a new chunk where a counter was reset and says so in its header', () => {
    const head = openHead(options);
    const source = new HistogramColumns();
    for (const count of [5, 7, 3]) {
      const row = source.begin();
      source.counts[row] = source.zeroCounts[row] = count;
    }
    append(head, { source, samples: [0, 1, 2].map((row) => [1000 + row, { row }]) });
    const chunks = head.chunks(head.seriesFor(LABELS), 0, 2000);
    expect(chunks.map(({ minTime, maxTime, bytes }) => [minTime, maxTime, bytes[2]! >>> 6])).toEqual([
      [1000, 1001, 0],
      [1002, 1002, 2],
    ]);
    const columns = readAll(head);
    const hints = Array.from(columns.rows.subarray(0, 3), (row) => columns.histograms!.hints[row]);
    expect(hints).toEqual([RESET_HINT.unknown, RESET_HINT.noReset, RESET_HINT.unknown]);
  });
});
