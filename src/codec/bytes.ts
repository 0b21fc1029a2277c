// Writing and reading of little binary records: LEB128 varints, zigzag, fixed numbers (little-endian in our own formats, big-endian
// in Prometheus's block files, tsdb/docs/format), text, growth and bounds. For headers, definitions, indexes and control data. Loops
// that run once per sample work on the arrays themselves.

import { DomainError, invariant } from '../model/errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder();
/** ASCII texts up to this length are written by a loop: TextEncoder takes a microsecond for each. */
const SHORT_TEXT = 100;
const TWO_32 = 0x1_0000_0000;
/** What the eighth group of a varint counts. */
const VARINT_SCALE_MAX = 128 ** 7;
/** Text shorter than this is decoded by hand when it is ASCII: cheaper than a call into TextDecoder. */
const SHORT_TEXT_BYTES = 32;

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

  /** Four bytes, big-endian. */
  u32be(value: number): void {
    this.reserve(4);
    this.length = putUint32(this.bytes, this.length, value);
  }

  /** Eight bytes, big-endian; `value` is exact up to 2^53. */
  u64be(value: number): void {
    this.u32be(Math.floor(value / TWO_32));
    this.u32be(value % TWO_32);
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

  /** Zero bytes until the length is a multiple of `size`. */
  pad(size: number): void {
    while (this.length % size !== 0) this.u8(0);
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

/** A cursor over bytes; every read checks the end and throws a `corrupt` error that names `what`. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly what: string;
  /** Next byte to read. */
  position: number;
  /** First byte that may not be read. */
  end: number;
  #view: DataView | undefined;

  constructor(bytes: Uint8Array, what: string, position = 0) {
    // A Buffer (NATS and S3 hand those out) is read as plain bytes: slice() of a Buffer does not copy.
    this.bytes =
      bytes.constructor === Uint8Array
        ? bytes
        : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.what = what;
    this.position = position;
    this.end = bytes.length;
  }

  /** View over the same memory as `bytes`. */
  get view(): DataView {
    const { buffer, byteOffset, byteLength } = this.bytes;
    return (this.#view ??= new DataView(buffer, byteOffset, byteLength));
  }

  /** Bytes left before `end`. */
  get left(): number {
    return this.end - this.position;
  }

  /** The error for these bytes: "cannot read <what>: <reason> at byte <position>". */
  error(reason: string): DomainError {
    return new DomainError('corrupt', `cannot read ${this.what}: ${reason} at byte ${this.position}`);
  }

  /** Throws the error for these bytes. */
  fail(reason: string): never {
    throw this.error(reason);
  }

  /** Checks that `count` more bytes are there. */
  need(count: number): void {
    if (!(count >= 0 && count <= this.end - this.position))
      throw this.error(`${count} bytes wanted, ${this.left} left`);
  }

  /** Checks that `count` more bytes are there and steps over them; returns where they start. */
  skip(count: number): number {
    this.need(count);
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

  /** Four bytes, big-endian, unsigned. */
  u32be(): number {
    return uint32At(this.bytes, this.skip(4));
  }

  /** Eight bytes, big-endian, up to 2^53 - 1. */
  u64be(): number {
    const value = this.u32be() * TWO_32 + this.u32be();
    if (value > Number.MAX_SAFE_INTEGER) throw this.error('an integer above 2^53');
    return value;
  }

  /** A float64, little-endian. */
  f64(): number {
    return this.view.getFloat64(this.skip(8), true);
  }

  /** An unsigned LEB128 varint up to 2^53 - 1; longer or larger ones are refused. */
  uvarint(): number {
    const bytes = this.bytes;
    let at = this.position;
    if (at >= this.end) throw this.#cutOff();
    let byte = bytes[at++]!;
    let value = byte & 0x7f;
    let scale = 128;
    while (byte >= 0x80) {
      if (at >= this.end) throw this.#cutOff();
      if (scale > VARINT_SCALE_MAX) throw this.error('a varint of more than 8 bytes');
      byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    }
    if (value > Number.MAX_SAFE_INTEGER) throw this.error('a varint above 2^53');
    this.position = at;
    return value;
  }

  #cutOff(): DomainError {
    this.position = this.end;
    return this.error('1 bytes wanted, 0 left');
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

/** Writes a big-endian uint32 at `at` and returns the position after it. */
export function putUint32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

/** Reads the big-endian uint32 at `at`; the caller has checked that it is there. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Decodes UTF-8 text in place, malformed parts to U+FFFD; the caller has checked the bounds. */
export function textOf(bytes: Uint8Array, at: number, length: number): string {
  if (length <= SHORT_TEXT_BYTES) {
    let out = '';
    let i = at;
    for (; i < at + length && bytes[i]! < 0x80; i++) out += String.fromCharCode(bytes[i]!);
    if (i === at + length) return out;
  }
  return lenientDecoder.decode(bytes.subarray(at, at + length));
}

/** The UTF-8 bytes of a text. */
export function utf8Of(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Compares bytes[at, at+length) with `target`, as Go compares strings. */
export function compareBytesAt(bytes: Uint8Array, at: number, length: number, target: Uint8Array): number {
  const common = Math.min(length, target.length);
  for (let i = 0; i < common; i++) {
    const order = bytes[at + i]! - target[i]!;
    if (order !== 0) return order;
  }
  return length - target.length;
}
