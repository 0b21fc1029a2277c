// From chunks of any encoding to sample columns, and from sample columns, floats and histograms in any order, to chunks.

import { invariant } from '../model/errors.ts';
import type { SampleColumns } from '../model/samples.ts';
import { WRITE_SLACK_BYTES } from './bits.ts';
import {
  CHUNK_FLOAT_HISTOGRAM,
  CHUNK_FLOAT_HISTOGRAM_ST,
  CHUNK_HISTOGRAM,
  CHUNK_HISTOGRAM_ST,
  CHUNK_XOR,
  CHUNK_XOR2,
  type Chunk,
  type EncodedBytes,
  type TimeSpan,
} from './chunk.ts';
import { HistogramAppender } from './histogram-appender.ts';
import { readHistograms } from './histogram-chunk.ts';
import {
  decodeXor,
  XOR_BUFFER_BYTES,
  XOR_BYTES_BEFORE_APPEND_MAX,
  XOR_SAMPLE_BYTES_MAX,
  XorAppenders,
} from './xor-chunk.ts';
import { readXor2 } from './xor2-chunk.ts';

/** Bytes after which a histogram chunk takes no more, if it has HISTOGRAMS_PER_CHUNK_MIN (TargetBytesPerHistogramChunk). */
export const HISTOGRAM_CHUNK_BYTES = 1024;
/** Histograms a chunk has before its size counts (MinSamplesPerHistogramChunk). */
export const HISTOGRAMS_PER_CHUNK_MIN = 10;

/**
 * Appends the samples of a chunk within `span` to `target`; false, with nothing read, for an encoding that is not known. Error:
 * `corrupt`.
 */
export function readChunk(chunk: EncodedBytes, span: TimeSpan, target: SampleColumns): boolean {
  const before = target.count;
  switch (chunk.encoding) {
    case CHUNK_XOR:
      decodeXor(chunk.bytes, span.start, span.end, target);
      break;
    case CHUNK_XOR2:
      readXor2(chunk.bytes, span, target);
      return true;
    case CHUNK_HISTOGRAM_ST:
    case CHUNK_FLOAT_HISTOGRAM_ST:
      readHistograms(chunk, span, target);
      return true;
    case CHUNK_HISTOGRAM:
    case CHUNK_FLOAT_HISTOGRAM:
      readHistograms(chunk, span, target);
      break;
    default:
      return false;
  }
  if (target.starts !== undefined) target.starts.fill(0, before, target.count);
  return true;
}

/** Encodes samples [from, to) into chunks of one kind each, with at most `perChunk` samples and about 1 KiB. */
export function encodeSamples(samples: SampleColumns, from: number, to: number, perChunk: number): Chunk[] {
  const bytesMax = Math.max(FLOAT_CHUNK_BYTES, (to - from) * XOR_SAMPLE_BYTES_MAX);
  return new SampleEncoder(Math.min(bytesMax, SLAB_BYTES)).encode(samples, from, to, perChunk);
}

/** Memory that float chunks are written to; more is taken when it is used up. */
const SLAB_BYTES = 16 * 1024;
const FLOAT_CHUNK_BYTES: number = XOR_BUFFER_BYTES + WRITE_SLACK_BYTES;

/** Encodes the samples of one series after the other in the same memory. */
export class SampleEncoder {
  readonly #floats = new XorAppenders(1);
  #slab: DataView;
  #used = 0;

  constructor(slabBytes: number = SLAB_BYTES) {
    this.#slab = new DataView(new ArrayBuffer(slabBytes));
  }

  /** As encodeSamples, but the chunks are borrowed until the next call. */
  encode(samples: SampleColumns, from: number, to: number, perChunk: number): Chunk[] {
    const out: Chunk[] = [];
    this.#used = 0;
    for (let start = from; start < to; ) {
      const isFloat = rowAt(samples, start) < 0;
      let end = start + 1;
      while (end < to && rowAt(samples, end) < 0 === isFloat) end++;
      if (isFloat) this.#encodeFloats(samples, { from: start, to: end, perChunk }, out);
      else encodeHistograms(samples, { from: start, to: end, perChunk }, out);
      start = end;
    }
    return out;
  }

  #encodeFloats(samples: SampleColumns, { from, to, perChunk }: Run, out: Chunk[]): void {
    const one = this.#floats;
    const { timestamps, bits } = samples;
    for (let first = from; first < to; ) {
      // Chunks of before stay where they are when there is no room for another.
      if (this.#used + FLOAT_CHUNK_BYTES > this.#slab.byteLength) {
        this.#slab = new DataView(new ArrayBuffer(this.#slab.byteLength));
        this.#used = 0;
      }
      const view = this.#slab;
      const at = this.#used;
      const end = Math.min(to, first + perChunk);
      let i = first;
      one.begin(0);
      while (i < end && one.byteLength(0) <= XOR_BYTES_BEFORE_APPEND_MAX) {
        one.append(0, view, at, timestamps[i]!, bits[2 * i]!, bits[2 * i + 1]!);
        i++;
      }
      one.finish(0, view, at);
      const bytes = new Uint8Array(view.buffer, at, one.byteLength(0));
      out.push({ encoding: CHUNK_XOR, bytes, minTime: timestamps[first]!, maxTime: one.times[0]! });
      this.#used = at + bytes.length;
      first = i;
    }
  }
}

interface Run {
  readonly from: number;
  readonly to: number;
  readonly perChunk: number;
}

function rowAt(samples: SampleColumns, index: number): number {
  return samples.histograms === undefined ? -1 : samples.rows[index]!;
}

function encodeHistograms(samples: SampleColumns, { from, to, perChunk }: Run, out: Chunk[]): void {
  const { timestamps, rows, histograms } = samples;
  invariant(histograms !== undefined, 'samples with rows have histograms');
  let first = from;
  let chunk: HistogramAppender | undefined;
  const finish = (): void => {
    if (chunk !== undefined) out.push(histogramChunk(chunk, timestamps[first]!));
  };
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    const time = timestamps[i]!;
    const encoding = encodingOf(histograms.floats[row]!);
    const isFull =
      chunk !== undefined &&
      (chunk.count === perChunk ||
        (chunk.byteLength >= HISTOGRAM_CHUNK_BYTES && chunk.count >= HISTOGRAMS_PER_CHUNK_MIN));
    let next: HistogramAppender;
    if (chunk === undefined || chunk.encoding !== encoding || isFull) {
      next = new HistogramAppender(encoding);
      next.begin(time, histograms, row, chunk);
    } else next = chunk.append(time, histograms, row);
    if (next === chunk) continue;
    finish();
    chunk = next;
    first = i;
  }
  finish();
}

/** The encoding of histograms whose `floats` column has this value. */
export function encodingOf(isFloat: number): number {
  return isFloat === 1 ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM;
}

/** A chunk being written as it is now, its first sample being at `minTime`. */
export function histogramChunk(chunk: HistogramAppender, minTime: number): Chunk {
  return { encoding: chunk.encoding, bytes: chunk.chunkBytes(), minTime, maxTime: chunk.time };
}
