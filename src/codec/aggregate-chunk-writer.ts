// The parts of aggregate chunks being written. A part is an ordinary chunk, but as long as its aggregate chunk needs it to be:
// neither samples nor bytes are limited as they are in a head (the count in front has 16 bits).

import { invariant } from '../model/errors.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import { BitWriter } from './bit-stream.ts';
import { CHUNK_FLOAT_HISTOGRAM, CHUNK_XOR, type EncodedBytes } from './chunk.ts';
import { HistogramAppender } from './histogram-appender.ts';
import { XorLanes } from './xor-value.ts';

/** Most samples of a part. */
export const PART_SAMPLES_MAX = 0xffff;

const TWO_32 = 0x1_0000_0000;
/** Delta of delta: bits of the number and the code in front of it (chunkenc/xor.go). */
const DOD_SIZES = [
  { bits: 14, code: 0b10, codeBits: 2 },
  { bits: 17, code: 0b110, codeBits: 3 },
  { bits: 20, code: 0b1110, codeBits: 4 },
] as const;

/** A part of floats: an XOR chunk. */
export class FloatPart {
  /** Samples written. */
  count = 0;
  #out = new BitWriter();
  #lane = new XorLanes(1);
  readonly #value = new Float64Array(1);
  readonly #halves = new Uint32Array(this.#value.buffer);
  #time = 0;
  #delta = 0;

  /** Appends a sample that is not earlier than the one before. */
  append(time: number, value: number): void {
    invariant(this.count < PART_SAMPLES_MAX, `a part of ${this.count} samples takes no more`);
    this.#value[0] = value;
    const low = this.#halves[0]!;
    const high = this.#halves[1]!;
    const out = this.#out;
    if (this.count === 0) {
      out.bits(0, 16);
      this.#varint(time < 0 ? -2 * time - 1 : 2 * time);
      this.#lane.writeFirst(out, 0, low, high);
    } else {
      const delta = time - this.#time;
      if (this.count === 1) this.#varint(delta);
      else this.#deltaOfDelta(delta - this.#delta);
      this.#delta = delta;
      this.#lane.write(out, 0, low, high);
    }
    this.#time = time;
    this.count++;
  }

  /** The part; undefined when nothing was appended. */
  encoded(): EncodedBytes | undefined {
    if (this.count === 0) return undefined;
    this.#out.view.setUint16(0, this.count);
    return { encoding: CHUNK_XOR, bytes: this.#out.copy() };
  }

  // LEB128 at any bit.
  #varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#out.bits((rest % 128) | 0x80, 8);
    this.#out.bits(rest, 8);
  }

  #deltaOfDelta(dod: number): void {
    const out = this.#out;
    if (dod === 0) {
      out.bits(0, 1);
      return;
    }
    for (const { bits, code, codeBits } of DOD_SIZES) {
      const half = 2 ** (bits - 1);
      if (dod <= -half || dod > half) continue;
      out.bits(code, codeBits);
      out.bits(dod, bits);
      return;
    }
    out.bits(0b1111, 4);
    out.bits(Math.floor(dod / TWO_32), 32);
    out.bits(dod | 0, 32);
  }
}

/** A part of float histograms. */
export class HistogramPart {
  #chunk: HistogramAppender | undefined;

  /** Whether a row can follow what is there: same schema, zero threshold and bounds, and of a counter no reset. */
  fits(columns: HistogramColumns, row: number): boolean {
    return this.#chunk === undefined || this.#chunk.fits(columns, row);
  }

  /** Appends a float histogram that fits. */
  append(time: number, columns: HistogramColumns, row: number): void {
    if (this.#chunk === undefined) {
      this.#chunk = new HistogramAppender(CHUNK_FLOAT_HISTOGRAM);
      // Compared with itself, as Thanos does it: a counter's chunk begins with "no reset".
      this.#chunk.begin(time, columns, row, this.#chunk);
      return;
    }
    const kept = this.#chunk.append(time, columns, row);
    invariant(kept === this.#chunk, 'a histogram that does not fit into a part is not appended to it');
  }

  /** The part; undefined when nothing was appended. */
  encoded(): EncodedBytes | undefined {
    if (this.#chunk === undefined) return undefined;
    return { encoding: CHUNK_FLOAT_HISTOGRAM, bytes: this.#chunk.chunkBytes() };
  }
}
