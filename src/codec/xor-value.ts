// One float64 as the difference to the one before it, with Gorilla's leading and trailing zeros (xorWrite and xorRead of
// tsdb/chunkenc/xor.go). Values are two unsigned 32-bit halves, so that a NaN keeps its payload.

import { DomainError } from '../model/errors.ts';
import type { BitReader, BitWriter } from './bit-stream.ts';

/** `leading` before the first difference. */
export const NO_LEADING = 0xff;

/** Values of several places, each coded against what stood there before: lane i has its halves at 2i and 2i + 1. */
export class XorLanes {
  values: Float64Array;
  bits: Uint32Array;
  leading: Uint8Array;
  trailing: Uint8Array;

  constructor(lanes: number) {
    this.values = new Float64Array(lanes);
    this.bits = new Uint32Array(this.values.buffer);
    this.leading = new Uint8Array(lanes).fill(NO_LEADING);
    this.trailing = new Uint8Array(lanes);
  }

  /** Writes a first value in full. */
  writeFirst(out: BitWriter, lane: number, low: number, high: number): void {
    this.#set(lane, low, high);
    out.bits64(low, high);
  }

  /** Writes the next value of a lane. */
  write(out: BitWriter, lane: number, low: number, high: number): void {
    const xorLow = (low ^ this.bits[2 * lane]!) >>> 0;
    const xorHigh = (high ^ this.bits[2 * lane + 1]!) >>> 0;
    this.#set(lane, low, high);
    if ((xorLow | xorHigh) === 0) {
      out.bits(0, 1);
      return;
    }
    const leading = xorHigh !== 0 ? Math.clz32(xorHigh) : 31;
    const trailing = xorLow !== 0 ? 31 - Math.clz32(xorLow & -xorLow) : 63 - Math.clz32(xorHigh & -xorHigh);
    const oldLeading = this.leading[lane]!;
    const oldTrailing = this.trailing[lane]!;
    if (oldLeading !== NO_LEADING && leading >= oldLeading && trailing >= oldTrailing) {
      out.bits(0b10, 2);
      writeAbove(out, xorLow, xorHigh, { trailing: oldTrailing, count: 64 - oldLeading - oldTrailing });
      return;
    }
    this.leading[lane] = leading;
    this.trailing[lane] = trailing;
    const count = 64 - leading - trailing;
    out.bits((0b11 << 11) | (leading << 6) | (count & 63), 13);
    writeAbove(out, xorLow, xorHigh, { trailing, count });
  }

  /** Reads a first value. */
  readFirst(from: BitReader, lane: number): void {
    const high = from.bits(32);
    this.#set(lane, from.bits(32), high);
  }

  /** Reads the next value of a lane. Error: `corrupt`. */
  read(from: BitReader, lane: number): void {
    if (from.bits(1) === 0) return;
    if (from.bits(1) === 1) this.readNewWindow(from, lane);
    else this.readSameWindow(from, lane);
  }

  /** Reads the leading and trailing zeros, and the bits between them, of a value that differs. Error: `corrupt`. */
  readNewWindow(from: BitReader, lane: number): void {
    const leading = from.bits(5);
    const trailing = 64 - leading - (from.bits(6) || 64);
    if (trailing < 0)
      throw new DomainError(
        'corrupt',
        `cannot decode a chunk: ${leading} leading and ${64 - leading - trailing} significant bits`,
      );
    this.leading[lane] = leading;
    this.trailing[lane] = trailing;
    this.readSameWindow(from, lane);
  }

  /** Reads the bits of a value that differs within the zeros of the one before. */
  readSameWindow(from: BitReader, lane: number): void {
    const trailing = this.trailing[lane]!;
    const count = 64 - (this.leading[lane]! % NO_LEADING) - trailing;
    const upper = count > 32 ? from.bits(count - 32) : 0;
    const lower = from.bits(Math.min(count, 32));
    const at = 2 * lane;
    if (trailing === 0) {
      this.bits[at]! ^= lower;
      this.bits[at + 1]! ^= upper;
    } else if (trailing < 32) {
      this.bits[at]! ^= lower << trailing;
      this.bits[at + 1]! ^= (upper << trailing) | (lower >>> (32 - trailing));
    } else this.bits[at + 1]! ^= lower << (trailing - 32);
  }

  #set(lane: number, low: number, high: number): void {
    this.bits[2 * lane] = low;
    this.bits[2 * lane + 1] = high;
  }
}

// The `count` bits of a 64-bit number above its `trailing` low ones; the bits above them are 0.
function writeAbove(
  out: BitWriter,
  low: number,
  high: number,
  { trailing, count }: { readonly trailing: number; readonly count: number },
): void {
  if (count > 32) out.bits(high >>> trailing, count - 32);
  let word = low;
  if (trailing >= 32) word = high >>> (trailing - 32);
  else if (trailing > 0) word = (low >>> trailing) | (high << (32 - trailing));
  out.bits(word, Math.min(count, 32));
}
