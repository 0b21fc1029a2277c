// data/histogram-chunks.txt: one line per seed of test/helpers/histogram-sequences.ts, made with Prometheus 3.14's own tsdb/chunkenc from
// the same sequences: number of chunks (two hex digits), then the CRC-32C of every chunk's length (uint32, little-endian) and bytes.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_TIMES, CHUNK_FLOAT_HISTOGRAM, CHUNK_HISTOGRAM, RESET_HEADER } from '../../src/codec/chunk.ts';
import { crc32c } from '../../src/codec/hash.ts';
import { HistogramAppender } from '../../src/codec/histogram-appender.ts';
import { readHistograms } from '../../src/codec/histogram-chunk.ts';
import { RESET_HINT } from '../../src/model/histogram.ts';
import { histogramsEqual } from '../../src/model/histogram-equality.ts';
import { sampleColumns } from '../../src/model/samples.ts';
import { type HistogramSequence, histogramSequence } from '../helpers/histogram-sequences.ts';

const GOLDEN = readFileSync(new URL('data/histogram-chunks.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');

function encode({ isFloat, histograms, times, cuts }: HistogramSequence): HistogramAppender[] {
  const out: HistogramAppender[] = [];
  let chunk = new HistogramAppender(isFloat ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM);
  for (const [i, time] of times.entries()) {
    if (i === 0) chunk.begin(time, histograms, i);
    else if (cuts[i]) {
      out.push(chunk);
      const next = new HistogramAppender(chunk.encoding);
      next.begin(time, histograms, i, chunk);
      chunk = next;
    } else {
      const next = chunk.append(time, histograms, i);
      if (next !== chunk) out.push(chunk);
      chunk = next;
    }
  }
  return [...out, chunk];
}

function digest(chunks: readonly HistogramAppender[]): string {
  const parts = chunks.flatMap((chunk) => {
    const bytes = chunk.chunkBytes();
    return [new Uint8Array(Uint32Array.of(bytes.length).buffer), bytes];
  });
  const sum = crc32c(Buffer.concat(parts)).toString(16).padStart(8, '0');
  return chunks.length.toString(16).padStart(2, '0') + sum;
}

describe('HistogramAppender', () => {
  it('writes the chunks that Prometheus writes, byte for byte', () => {
    expect(GOLDEN.length).toBe(2000);
    for (const [seed, golden] of GOLDEN.entries())
      expect(digest(encode(histogramSequence(seed))), `seed ${seed}`).toBe(golden);
  });

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffff_ffff }), (seed) => {
        const sequence = histogramSequence(seed);
        const read = sampleColumns(4);
        for (const chunk of encode(sequence))
          readHistograms({ encoding: chunk.encoding, bytes: chunk.chunkBytes() }, ALL_TIMES, read);
        expect(Array.from(read.timestamps.subarray(0, read.count))).toEqual(sequence.times);
        for (let i = 0; i < read.count; i++) {
          const got = { columns: read.histograms!, row: read.rows[i]! };
          expect(histogramsEqual(got, { columns: sequence.histograms, row: i })).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('goes on after a restart as if there had been none', () => {
    for (let seed = 0; seed < 200; seed++) {
      const sequence = histogramSequence(seed);
      const { histograms, times } = sequence;
      let kept = new HistogramAppender(sequence.isFloat ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM);
      kept.begin(times[0]!, histograms, 0);
      let restored = kept;
      for (let i = 1; i < times.length; i++) {
        restored = HistogramAppender.restore(kept.chunkBytes(), kept.encoding).append(
          times[i]!,
          histograms,
          i,
        );
        kept = kept.append(times[i]!, histograms, i);
        expect(restored.chunkBytes()).toEqual(kept.chunkBytes());
      }
    }
  });

  it('tells in the header why a chunk was begun', () => {
    const { histograms } = histogramSequence(0);
    histograms.clear();
    for (const count of [5, 3]) {
      const row = histograms.begin();
      histograms.counts[row] = histograms.zeroCounts[row] = count;
    }
    const chunk = new HistogramAppender(CHUNK_HISTOGRAM);
    chunk.begin(1, histograms, 0);
    expect(chunk.header).toBe(RESET_HEADER.unknown);
    const next = chunk.append(2, histograms, 1);
    expect(next).not.toBe(chunk);
    expect(next.header).toBe(RESET_HEADER.reset);
    histograms.hints[1] = RESET_HINT.gauge;
    expect(next.append(3, histograms, 1).header).toBe(RESET_HEADER.gauge);
  });
});
