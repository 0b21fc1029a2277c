// Byte writer and reader of query replies: varints, texts, bitmaps; every length is checked against the bytes that are there.

import { DomainError } from '../../model/errors.ts';

/** Appends to a growing buffer. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(4096);
  #length = 0;

  /** One byte. */
  byte(value: number): void {
    this.#room(1);
    this.#buffer[this.#length++] = value;
  }

  /** A non-negative integer below 2^53 in LEB128. */
  varint(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** Length and UTF-8 bytes. */
  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.#room(size);
    this.#buffer.write(value, this.#length, size);
    this.#length += size;
  }

  /** Bytes as they are. */
  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** One bit per flag of flags[start .. start + width), lowest bit first. */
  bitmap(flags: Uint8Array, start: number, width: number): void {
    const size = (width + 7) >> 3;
    this.#room(size);
    this.#buffer.fill(0, this.#length, this.#length + size);
    for (let i = 0; i < width; i++) this.#buffer[this.#length + (i >> 3)]! |= flags[start + i]! << (i & 7);
    this.#length += size;
  }

  /** What was written, as a copy that owns its memory. */
  finish(): Uint8Array {
    return new Uint8Array(this.#buffer.subarray(0, this.#length));
  }

  #room(size: number): void {
    if (this.#length + size <= this.#buffer.length) return;
    const next = Buffer.allocUnsafe(Math.max(this.#length + size, this.#buffer.length * 2));
    this.#buffer.copy(next, 0, 0, this.#length);
    this.#buffer = next;
  }
}

/** Reads what ByteWriter wrote; `corrupt` past the end. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** One byte. */
  byte(): number {
    this.#need(1);
    return this.#bytes[this.#at++]!;
  }

  /** A varint. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new DomainError('corrupt', 'cannot decode query reply: varint longer than 8 bytes');
  }

  /** A text. */
  text(): string {
    const size = this.varint();
    this.#need(size);
    const text = this.#bytes.toString('utf8', this.#at, this.#at + size);
    this.#at += size;
    return text;
  }

  /** The next `size` bytes, borrowed. */
  take(size: number): Uint8Array {
    this.#need(size);
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  /** All that is left, borrowed. */
  rest(): Uint8Array {
    return this.take(this.left);
  }

  /** Flags written by ByteWriter.bitmap into flags[start .. start + width). */
  bitmap(flags: Uint8Array, start: number, width: number): void {
    const bits = this.take((width + 7) >> 3);
    for (let i = 0; i < width; i++) flags[start + i] = (bits[i >> 3]! >> (i & 7)) & 1;
  }

  #need(size: number): void {
    if (size > this.#bytes.length - this.#at)
      throw new DomainError('corrupt', `cannot decode query reply: ${size} bytes wanted, ${this.left} left`);
  }
}
