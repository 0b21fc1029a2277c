// Bit strings of histogram chunks: a writer that grows and a reader that notices when it reads too far, with the variable-length
// integers of Prometheus (tsdb/chunkenc/varbit.go). 64-bit numbers are doubles, exact to 2^53, or two unsigned halves.

import { peekBits, WRITE_SLACK_BYTES, writeBits } from './bits.ts';

const TWO_32 = 0x1_0000_0000;
/** Payload bits by the number of ones in front of the first zero; eight ones have no zero behind them. */
const PAYLOAD_BITS = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/** A growing bit string. */
export class BitWriter {
  view: DataView<ArrayBuffer>;
  /** Bits written. */
  position = 0;

  constructor(capacity = 128) {
    this.view = new DataView(new ArrayBuffer(capacity));
  }

  /** Bytes written, the last one maybe in part. */
  get byteLength(): number {
    return (this.position + 7) >>> 3;
  }

  /** The low `count` (1..32) bits of `value`. */
  bits(value: number, count: number): void {
    if ((this.position >>> 3) + 5 + WRITE_SLACK_BYTES > this.view.byteLength) this.#grow();
    this.position = writeBits(this.view, this.position, value, count);
  }

  /** 64 bits from two halves. */
  bits64(low: number, high: number): void {
    this.bits(high, 32);
    this.bits(low, 32);
  }

  /** A signed integer (putVarbitInt). */
  varint(value: number): void {
    if (value === 0) {
      this.bits(0, 1);
      return;
    }
    let ones = 1;
    while (ones < 8 && !fitsSigned(value, PAYLOAD_BITS[ones]!)) ones++;
    this.#payload(value, ones);
  }

  /** An unsigned integer (putVarbitUint). */
  uvarint(value: number): void {
    if (value === 0) {
      this.bits(0, 1);
      return;
    }
    let ones = 1;
    while (ones < 8 && value >= 2 ** PAYLOAD_BITS[ones]!) ones++;
    this.#payload(value, ones);
  }

  #payload(value: number, ones: number): void {
    if (ones === 8) this.bits(0xff, 8);
    else this.bits(2 ** (ones + 1) - 2, ones + 1);
    const count = PAYLOAD_BITS[ones]!;
    if (count > 32) {
      this.bits(Math.floor(value / TWO_32), count - 32);
      this.bits(value, 32);
    } else this.bits(value, count);
  }

  /** A copy of the bytes, owned by the caller. */
  copy(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.view.buffer.slice(0, this.byteLength));
  }

  #grow(): void {
    const grown = new ArrayBuffer(2 * this.view.byteLength);
    new Uint8Array(grown).set(new Uint8Array(this.view.buffer));
    this.view = new DataView(grown);
  }
}

// As bitRange: the largest value of each size stands for itself, everything above it for a negative number.
function fitsSigned(value: number, bits: number): boolean {
  const half = 2 ** (bits - 1);
  return value > -half && value <= half;
}

/** A position in a bit string. Behind its end it reads zeros; `overrun` tells. */
export class BitReader {
  readonly view: DataView;
  /** Next bit, counted from the start of the view. */
  position: number;
  /** First byte that does not belong to the string. */
  readonly end: number;

  constructor(view: DataView, from: number, end: number) {
    this.view = view;
    this.position = 8 * from;
    this.end = end;
  }

  /** Whether more was read than is there. */
  get overrun(): boolean {
    return this.position > 8 * this.end;
  }

  /** Whole bytes that are left, at most. */
  get bytesLeft(): number {
    return this.end - (this.position >>> 3);
  }

  /** The next `count` (1..32) bits as an unsigned number. */
  bits(count: number): number {
    const word = peekBits(this.view, this.position, this.end);
    this.position += count;
    return word >>> (32 - count);
  }

  /** A signed integer (readVarbitInt). */
  varint(): number {
    const count = PAYLOAD_BITS[this.#ones()]!;
    if (count === 0) return 0;
    if (count === 64) return (this.bits(32) | 0) * TWO_32 + this.bits(32);
    if (count > 32) return this.#wideVarint(count);
    const value = this.bits(count);
    const half = 2 ** (count - 1);
    return value > half ? value - 2 * half : value;
  }

  // The sign is found in the upper half: the whole as an unsigned number would be too large for a double.
  #wideVarint(count: number): number {
    const upper = this.bits(count - 32);
    const lower = this.bits(32);
    const half = 2 ** (count - 33);
    const isNegative = upper > half || (upper === half && lower > 0);
    return (isNegative ? upper - 2 * half : upper) * TWO_32 + lower;
  }

  /** An unsigned integer (readVarbitUint). */
  uvarint(): number {
    const count = PAYLOAD_BITS[this.#ones()]!;
    if (count === 0) return 0;
    return count > 32 ? this.bits(count - 32) * TWO_32 + this.bits(32) : this.bits(count);
  }

  #ones(): number {
    const ones = Math.min(8, Math.clz32(~peekBits(this.view, this.position, this.end)));
    this.position += ones === 8 ? 8 : ones + 1;
    return ones;
  }
}
