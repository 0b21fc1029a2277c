// Protobuf's wire grammar over one body: tags, varints, lengths, skipping. Every step checks the end; what does not parse is
// a DomainError `bad_data`. No BigInt: 64-bit integers become doubles, exact within 2^53.

import { DomainError } from '../../model/errors.ts';

/** Wire types as they stand in the low three bits of a tag. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

const TWO_28 = 2 ** 28;
const TWO_56 = 2 ** 56;
const TWO_64 = 2 ** 64;
const GROUP_DEPTH_MAX = 64;

/** A position in the body that moves forward; `end` is moved by those who step into a nested message. */
export class Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  position = 0;
  end = 0;

  /** Points the cursor at a body of `length` bytes; `view` covers the same bytes. */
  open(bytes: Uint8Array, view: DataView): void {
    this.bytes = bytes;
    this.view = view;
    this.position = 0;
    this.end = bytes.length;
  }

  /** The error for this body: "cannot decode remote write request: <reason> at byte <position>". */
  error(reason: string): DomainError {
    return new DomainError(
      'bad_data',
      `cannot decode remote write request: ${reason} at byte ${this.position}`,
    );
  }

  /** An unsigned varint below 2^32 as tags and enums are; larger ones lose their upper bits as in any protobuf decoder. */
  uint32(): number {
    const position = this.position;
    if (position < this.end) {
      const byte = this.bytes[position]!;
      if (byte < 0x80) {
        this.position = position + 1;
        return byte;
      }
    }
    return this.#long() >>> 0;
  }

  /** A signed 64-bit varint as a double. */
  int64(): number {
    return this.#long();
  }

  /** An unsigned 64-bit varint as a double. */
  uint64(): number {
    const value = this.#long();
    return value < 0 ? value + TWO_64 : value;
  }

  /** A zigzag 64-bit varint as a double; exact within 2^52. */
  sint64(): number {
    const value = this.uint64();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A length that fits what is left before `end`; returns it without stepping over the bytes. */
  length(): number {
    const length = this.#length();
    if (length > this.end - this.position)
      throw this.error(`a length of ${length} bytes with ${this.end - this.position} left: unexpected EOF`);
    return length;
  }

  /** Steps over eight bytes and returns where they start. */
  fixed64(): number {
    const start = this.position;
    if (this.end - start < 8) throw this.error('unexpected EOF in a fixed64');
    this.position = start + 8;
    return start;
  }

  /** Steps over the field whose tag was just read. */
  skip(tag: number): void {
    if (tag >>> 3 === 0) throw this.error(`illegal tag ${tag}`);
    switch (tag & 7) {
      case WIRE.varint:
        this.#long();
        return;
      case WIRE.fixed64:
        this.#step(8);
        return;
      case WIRE.bytes:
        this.#step(this.length());
        return;
      case WIRE.groupStart:
        this.#skipGroup();
        return;
      case WIRE.fixed32:
        this.#step(4);
        return;
      default:
        throw this.error(`illegal wire type ${tag & 7}`);
    }
  }

  /** Checks the wire type of a known field. */
  expect(tag: number, wire: number, field: string): void {
    if ((tag & 7) !== wire) throw this.error(`wrong wireType = ${tag & 7} for field ${field}`);
  }

  #step(count: number): void {
    if (count > this.end - this.position) throw this.error('unexpected EOF');
    this.position += count;
  }

  #length(): number {
    const position = this.position;
    if (position + 1 < this.end) {
      const first = this.bytes[position]!;
      if (first < 0x80) {
        this.position = position + 1;
        return first;
      }
      const second = this.bytes[position + 1]!;
      if (second < 0x80) {
        this.position = position + 2;
        return (first & 0x7f) | (second << 7);
      }
    }
    const length = this.#long();
    if (length < 0) throw this.error(`negative length ${length}`);
    return length;
  }

  // Up to ten bytes, in two parts of 28 bits and one of 8.
  #long(): number {
    const bytes = this.bytes;
    const limit = Math.min(this.end, this.position + 10);
    let low = 0;
    let middle = 0;
    let high = 0;
    let shift = 0;
    for (let i = this.position; i < limit; i++) {
      const byte = bytes[i]!;
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift < 56) middle |= (byte & 0x7f) << (shift - 28);
      else high |= (byte & 0x7f) << (shift - 56);
      if (byte < 0x80) {
        this.position = i + 1;
        if (shift < 56) return low + middle * TWO_28;
        return signed(low, middle, high & 0xff);
      }
      shift += 7;
    }
    throw this.error(limit === this.end ? 'unexpected EOF in a varint' : 'a varint of more than 10 bytes');
  }

  #skipGroup(): void {
    for (let depth = 1; depth > 0; ) {
      const tag = this.uint32();
      if ((tag & 7) === WIRE.groupEnd) depth--;
      else if ((tag & 7) === WIRE.groupStart) {
        if (++depth > GROUP_DEPTH_MAX) throw this.error(`groups nested deeper than ${GROUP_DEPTH_MAX}`);
      } else this.skip(tag);
    }
  }
}

// Two's complement of 64 bits; of a negative number the complement is summed, because that one is exact.
function signed(low: number, middle: number, high: number): number {
  if (high < 0x80) return low + middle * TWO_28 + high * TWO_56;
  return -(TWO_28 - 1 - low + (TWO_28 - 1 - middle) * TWO_28 + (0xff - high) * TWO_56 + 1);
}
