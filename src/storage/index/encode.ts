// The byte grammar of Prometheus's block files (tsdb/docs/format): big-endian fixed integers, uvarint, zigzag varint and
// length-prefixed text. Integers are doubles: everything up to 2^53 is exact, larger values are refused as corrupt.

import { DomainError, invariant } from '../../model/errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const TWO_28 = 0x10000000;
const TWO_32 = 0x100000000;
/** Text shorter than this is decoded by hand when it is ASCII: cheaper than a call into TextDecoder. */
const SHORT_TEXT_BYTES = 32;

/** A growing run of bytes. `take` lends a view that is valid until the next write or reset. */
export class ByteSink {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
  }

  /** The bytes written so far, borrowed until the next call. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Forgets what was written, keeps the memory. */
  reset(): void {
    this.length = 0;
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.view());
    this.bytes = grown;
  }

  /** Writes one byte. */
  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** Writes a big-endian uint32. */
  u32(value: number): void {
    this.reserve(4);
    this.length = putUint32(this.bytes, this.length, value);
  }

  /** Writes a big-endian uint64; `value` is exact up to 2^53. */
  u64(value: number): void {
    this.u32(Math.floor(value / TWO_32));
    this.u32(value % TWO_32);
  }

  /** Writes a non-negative integer in 7-bit groups, low group first. */
  uvarint(value: number): void {
    invariant(value >= 0, `uvarint must not be negative, got ${value}`);
    this.reserve(10);
    let rest = value;
    while (rest >= TWO_28) {
      this.bytes[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** Writes a signed integer, zigzag as Go's binary.PutVarint; |value| <= 2^52. */
  varint(value: number): void {
    this.uvarint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Writes bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Writes text: uvarint byte length, then UTF-8. */
  text(value: string): void {
    const before = this.length;
    this.uvarint(value.length);
    this.reserve(value.length);
    let at = this.length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) {
        this.wideText(value, before);
        return;
      }
      this.bytes[at++] = code;
    }
    this.length = at;
  }

  private wideText(value: string, at: number): void {
    const utf8 = encoder.encode(value);
    this.length = at;
    this.uvarint(utf8.length);
    this.raw(utf8);
  }

  /** Writes zero bytes until the length is a multiple of `size`. */
  pad(size: number): void {
    while (this.length % size !== 0) this.u8(0);
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

/** Walks bytes written by ByteSink. Every read is bounds-checked: past the end is `corrupt`, naming `what`. */
export class ByteCursor {
  readonly bytes: Uint8Array;
  readonly what: string;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, what: string, at = 0) {
    this.bytes = bytes;
    this.what = what;
    this.at = at;
    this.end = bytes.length;
  }

  /** Throws `corrupt` with this cursor's place. */
  fail(reason: string): never {
    throw new DomainError('corrupt', `cannot read ${this.what}: ${reason} at byte ${this.at}`);
  }

  /** Checks that `count` more bytes are there. */
  need(count: number): void {
    if (count > this.end - this.at) this.fail(`${count} bytes wanted, ${this.end - this.at} left`);
  }

  /** Reads one byte. */
  u8(): number {
    this.need(1);
    return this.bytes[this.at++]!;
  }

  /** Reads a big-endian uint32. */
  u32(): number {
    this.need(4);
    this.at += 4;
    return uint32At(this.bytes, this.at - 4);
  }

  /** Reads a big-endian uint64 up to 2^53. */
  u64(): number {
    const value = this.u32() * TWO_32 + this.u32();
    if (value > Number.MAX_SAFE_INTEGER) this.fail('an integer above 2^53');
    return value;
  }

  /** Reads a uvarint up to 2^53. */
  uvarint(): number {
    const bytes = this.bytes;
    let at = this.at;
    if (at >= this.end) this.fail('a cut-off varint');
    let byte = bytes[at++]!;
    let value = byte & 0x7f;
    let scale = 128;
    while (byte >= 0x80) {
      if (at >= this.end || scale > 2 ** 63) this.fail('a cut-off or overlong varint');
      byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    }
    if (value > Number.MAX_SAFE_INTEGER) this.fail('an integer above 2^53');
    this.at = at;
    return value;
  }

  /** Reads a zigzag varint. */
  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Steps over `count` bytes. */
  skip(count: number): void {
    this.need(count);
    this.at += count;
  }

  /** Reads length-prefixed UTF-8 text. */
  text(): string {
    const length = this.uvarint();
    this.need(length);
    this.at += length;
    return textOf(this.bytes, this.at - length, length);
  }
}

/** Decodes UTF-8 text in place; the caller has checked the bounds. */
export function textOf(bytes: Uint8Array, at: number, length: number): string {
  if (length <= SHORT_TEXT_BYTES) {
    let out = '';
    let i = at;
    for (; i < at + length && bytes[i]! < 0x80; i++) out += String.fromCharCode(bytes[i]!);
    if (i === at + length) return out;
  }
  return decoder.decode(bytes.subarray(at, at + length));
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
