// Chunks with start timestamps as Prometheus 3.14 writes them when it is told to. data/histogram-start-time-chunks.txt holds, per seed of
// histogram-sequences.ts, the chunks that its tsdb/chunkenc made of the sequence, in base64; data/xor2-chunks.txt one chunk of floats per
// seed, made as `floatSamples` below makes them.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  ALL_TIMES,
  CHUNK_FLOAT_HISTOGRAM_ST,
  CHUNK_HISTOGRAM_ST,
  CHUNK_XOR2,
} from '../../src/codec/chunk.ts';
import { readChunk } from '../../src/codec/sample-chunks.ts';
import { histogramsEqual } from '../../src/model/histogram-equality.ts';
import { isStaleAt, sampleColumns } from '../../src/model/samples.ts';
import { histogramSequence, SeededNumbers } from '../helpers/histogram-sequences.ts';

function lines(name: string): Uint8Array[][] {
  const text = readFileSync(new URL(`data/${name}`, import.meta.url), 'utf8').trim();
  const bytes = (part: string): Uint8Array => Uint8Array.from(Buffer.from(part, 'base64'));
  return text.split('\n').map((line) => line.split(' ').map(bytes));
}

interface FloatSample {
  readonly time: number;
  readonly start: number;
  /** NaN for a staleness marker. */
  readonly value: number;
}

function floatSamples(seed: number): FloatSample[] {
  const numbers = new SeededNumbers(seed);
  let time = 1_700_000_000_000 + numbers.pick(1_000_000);
  if (numbers.pick(10) === 0) time = -5000;
  const divisor = [1, 8, 1000][numbers.pick(3)]!;
  const hasStarts = numbers.pick(4) !== 0;
  const out: FloatSample[] = [];
  let start = 0;
  let value = 0;
  for (let left = 1 + numbers.pick(150); left > 0; left--) {
    time += 15_000;
    const jitter = numbers.pick(4);
    if (jitter === 0) time += numbers.pick(2001) - 1000;
    else if (jitter === 1 && numbers.pick(20) === 0) time += numbers.pick(2 ** 30);
    const change = numbers.pick(12);
    if (change === 0) start = time - numbers.pick(20_000);
    else if (change === 1) start = 0;
    else if (change === 2) start = time - 15_000;
    value += numbers.pick(100) * numbers.pick(2);
    const event = numbers.pick(30);
    const shown = event === 0 ? Number.NaN : event === 1 ? numbers.next() * -1.5 : value / divisor;
    out.push({ time, start: hasStarts ? start : 0, value: shown });
  }
  return out;
}

describe('chunks with start timestamps', () => {
  it('are read as Prometheus wrote them: XOR2', () => {
    for (const [seed, [bytes]] of lines('xor2-chunks.txt').entries()) {
      const read = sampleColumns(4);
      readChunk({ encoding: CHUNK_XOR2, bytes: bytes! }, ALL_TIMES, read);
      const samples = Array.from({ length: read.count }, (_, i) => ({
        time: read.timestamps[i],
        start: read.starts?.[i] ?? 0,
        value: read.values[i],
      }));
      const expected = floatSamples(seed);
      expect(samples, `seed ${seed}`).toEqual(expected);
      for (const [i, { value }] of expected.entries())
        expect(isStaleAt(read.bits, i)).toBe(Number.isNaN(value));
    }
  });

  it('are read as Prometheus wrote them: histograms', () => {
    for (const [seed, chunks] of lines('histogram-start-time-chunks.txt').entries()) {
      const { isFloat, histograms, times, starts } = histogramSequence(seed);
      const read = sampleColumns(4);
      const encoding = isFloat ? CHUNK_FLOAT_HISTOGRAM_ST : CHUNK_HISTOGRAM_ST;
      for (const bytes of chunks) readChunk({ encoding, bytes }, ALL_TIMES, read);
      expect(Array.from(read.timestamps.subarray(0, read.count)), `seed ${seed}`).toEqual(times);
      for (const [i, start] of starts.entries()) {
        expect(read.starts?.[i] ?? 0, `seed ${seed}, histogram ${i}`).toBe(start);
        const got = { columns: read.histograms!, row: read.rows[i]! };
        expect(histogramsEqual(got, { columns: histograms, row: i })).toBe(true);
      }
    }
  });

  it('that are cut off are an error, whatever is missing', () => {
    const [bytes] = lines('xor2-chunks.txt')[1]!;
    const cut = bytes!.subarray(0, 40);
    expect(() => readChunk({ encoding: CHUNK_XOR2, bytes: cut }, ALL_TIMES, sampleColumns(4))).toThrow(
      'cannot decode an XOR2 chunk',
    );
  });
});
