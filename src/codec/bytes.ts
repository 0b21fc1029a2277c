// Writing and reading of little binary records: LEB128 varints, zigzag, fixed little-endian numbers, text, growth and bounds.
// For headers, definitions and control data. Loops that run once per sample work on the arrays themselves.

import { DomainError, type ErrorCode, invariant } from '../model/errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** ASCII texts up to this length are written by a loop: TextEncoder takes a microsecond for each. */
const SHORT_TEXT = 100;
const TWO_32 = 0x1_0000_0000;

/** An append-only byte buffer that grows by doubling. */
export class ByteWriter {
  /** The memory; only the first `length` bytes are written. Replaced when the buffer grows. */
  bytes: Uint8Array;
  /** View over the same memory as `bytes`. */
  view: DataView;
  /** Bytes written. */
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(Math.max(capacity, 16));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `extra` more bytes. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  /** Forgets what was written; keeps the memory. */
  clear(): void {
    this.length = 0;
  }

  /** One byte. */
  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** Four bytes, little-endian. */
  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** A float64, little-endian. Use `bits` where a NaN's payload matters. */
  f64(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** Eight bytes, little-endian, from two unsigned halves. */
  bits(low: number, high: number): void {
    this.reserve(8);
    this.view.setUint32(this.length, low, true);
    this.view.setUint32(this.length + 4, high, true);
    this.length += 8;
  }

  /** An unsigned LEB128 varint; an integer 0 <= value <= 2^53 - 1. */
  uvarint(value: number): void {
    this.reserve(8);
    if (value >= 0 && value < 0x80) {
      this.bytes[this.length++] = value;
      return;
    }
    // The sentence is only built when it is needed: this runs once per label.
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER))
      invariant(false, `uvarint must be 0..2^53-1, got ${value}`);
    let rest = value;
    while (rest >= TWO_32) {
      this.bytes[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest = rest >>> 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** A signed integer, zigzag over LEB128: 0, -1, 1, -2 … become 0, 1, 2, 3 …; |value| <= 2^52 - 1. */
  varint(value: number): void {
    this.uvarint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** The bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** The text as UTF-8 behind its byte length (uvarint). */
  text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#shortText(value)) return;
    const bytes = encoder.encode(value);
    this.uvarint(bytes.length);
    this.raw(bytes);
  }

  // Writes a short ASCII text; false, with nothing written, when it is not ASCII.
  #shortText(value: string): boolean {
    const { length } = value;
    this.reserve(length + 1);
    const { bytes } = this;
    const start = this.length + 1;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[start + i] = code;
    }
    bytes[this.length] = length;
    this.length = start + length;
    return true;
  }

  /** The written bytes, borrowed until the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** A copy of the written bytes, owned by the caller. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** A cursor over bytes; every read checks the end and throws a DomainError of `code` that names `what`. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Next byte to read. */
  position: number;
  /** First byte that may not be read. */
  end: number;
  readonly #what: string;
  readonly #code: ErrorCode;

  constructor(bytes: Uint8Array, what: string, code: ErrorCode = 'corrupt') {
    // A Buffer (NATS and S3 hand those out) is read as plain bytes: slice() of a Buffer does not copy.
    const { buffer, byteOffset, byteLength } = bytes;
    this.bytes = bytes.constructor === Uint8Array ? bytes : new Uint8Array(buffer, byteOffset, byteLength);
    this.view = new DataView(buffer, byteOffset, byteLength);
    this.position = 0;
    this.end = bytes.length;
    this.#what = what;
    this.#code = code;
  }

  /** Bytes left before `end`. */
  get left(): number {
    return this.end - this.position;
  }

  /** The error for these bytes: "cannot read <what>: <reason> at byte <position>". */
  error(reason: string): DomainError {
    return new DomainError(this.#code, `cannot read ${this.#what}: ${reason} at byte ${this.position}`);
  }

  /** Checks that `count` more bytes are there and steps over them; returns where they start. */
  skip(count: number): number {
    if (!(count >= 0 && count <= this.end - this.position))
      throw this.error(`${count} bytes wanted, ${this.left} left`);
    const start = this.position;
    this.position += count;
    return start;
  }

  /** One byte. */
  u8(): number {
    return this.bytes[this.skip(1)]!;
  }

  /** Four bytes, little-endian, unsigned. */
  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  /** A float64, little-endian. */
  f64(): number {
    return this.view.getFloat64(this.skip(8), true);
  }

  /** An unsigned LEB128 varint up to 2^53 - 1; longer or larger ones are refused. */
  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw this.error('a varint above 2^53');
        return value;
      }
      scale *= 128;
    }
    throw this.error('a varint of more than 8 bytes');
  }

  /** A zigzag varint. */
  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** An uvarint that counts things of at least `bytesEach` bytes, so that no count can ask for more memory than was sent. */
  count(bytesEach: number): number {
    const count = this.uvarint();
    if (count * bytesEach > this.left) throw this.error(`a count of ${count} with ${this.left} bytes left`);
    return count;
  }

  /** The next `count` bytes, borrowed; never a Buffer, so that slice() copies them. */
  raw(count: number): Uint8Array {
    const start = this.skip(count);
    return this.bytes.subarray(start, start + count);
  }

  /** UTF-8 text behind its length; malformed UTF-8 is refused. */
  text(): string {
    const bytes = this.raw(this.uvarint());
    try {
      return decoder.decode(bytes);
    } catch {
      throw this.error('text that is not UTF-8');
    }
  }
}
