// Snappy's block format (https://github.com/google/snappy/blob/main/format_description.txt): a varint of the plain length,
// then elements: literals (tag 00) and copies of what was written before (tags 01, 10, 11 with offsets of 11, 16, 32 bits).
// Bytes move four at a time as integers; the target keeps some spare bytes so that the last word may overshoot.

import { DomainError } from '../model/errors.ts';

/** Bytes a target keeps beyond the plain length. */
const SPARE = 64;
/** An element of three bytes writes at most 64, so no honest input claims more than this many times its size. */
const RATIO_MAX = 22;
/** Matches are looked for within blocks of this size, so that an offset always fits 16 bits. */
const BLOCK = 65_536;
const TABLE_BITS = 14;

/** Memory that decoding writes into and that is used again for the next body. */
export class SnappyTarget {
  bytes: Uint8Array = new Uint8Array(65_536);
  view: DataView = new DataView(this.bytes.buffer);

  /** Makes room for `length` plain bytes; what was decoded before is lost. */
  reserve(length: number): void {
    if (length + SPARE <= this.bytes.length) return;
    this.bytes = new Uint8Array(Math.ceil((length + SPARE) / 65_536) * 65_536);
    this.view = new DataView(this.bytes.buffer);
  }
}

/**
 * Decodes a block into `target` and returns the plain length: the plain bytes are target.bytes[0, length), valid until the
 * target's next use. A claimed length above `bytesMax`, or above what the input could hold, is refused before memory
 * is taken for it. Errors: `too_large`, `bad_data`.
 */
export function decodeSnappy(input: Uint8Array, target: SnappyTarget, bytesMax: number): number {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const header = readHeader(input);
  const length = header.length;
  if (length > bytesMax) {
    throw new DomainError(
      'too_large',
      `cannot decode snappy block: decoded size ${length} bytes exceeds the limit of ${bytesMax} bytes`,
    );
  }
  if (length > input.length * RATIO_MAX) throw damaged(`${length} bytes claimed by ${input.length}`);
  target.reserve(length);
  const written = inflate(view, header.end, target.view, length);
  if (written !== length)
    throw damaged(`${written < 0 ? 'an element' : 'the end'} does not fit ${length} bytes`);
  return length;
}

function readHeader(input: Uint8Array): { length: number; end: number } {
  let length = 0;
  for (let i = 0; i < Math.min(input.length, 5); i++) {
    const byte = input[i]!;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if (length > 0xffffffff) break;
      return { length, end: i + 1 };
    }
  }
  throw damaged('the length is no 32-bit varint');
}

function damaged(reason: string): DomainError {
  return new DomainError('bad_data', `cannot decode snappy block: corrupt input: ${reason}`);
}

// Expands the elements from `at` on; returns the bytes written, or -1 when an element leaves the input or the output.
function inflate(source: DataView, at: number, target: DataView, length: number): number {
  const end = source.byteLength;
  let s = at;
  let d = 0;
  while (s < end) {
    const tag = source.getUint8(s++);
    let count = (tag >>> 2) + 1;
    let offset = 0;
    if ((tag & 3) === 0) {
      if (count > 60) {
        const extra = count - 60;
        if (s + extra > end) return -1;
        count = littleEndian(source, s, extra) + 1;
        s += extra;
      }
      if (count > end - s || count > length - d) return -1;
      d = copyLiteral(source, s, end, target, d, count);
      s += count;
      continue;
    }
    if ((tag & 3) === 1) {
      if (s >= end) return -1;
      count = ((tag >>> 2) & 7) + 4;
      offset = ((tag & 0xe0) << 3) | source.getUint8(s++);
    } else if ((tag & 3) === 2) {
      if (s + 2 > end) return -1;
      offset = source.getUint16(s, true);
      s += 2;
    } else {
      if (s + 4 > end) return -1;
      offset = source.getUint32(s, true);
      s += 4;
    }
    if (offset === 0 || offset > d || count > length - d) return -1;
    if (offset >= 4) {
      // Overshoots by at most 3 bytes, into the spare ones or into what the next element overwrites.
      const stop = d + count;
      let from = d - offset;
      for (let to = d; to < stop; to += 4, from += 4) target.setInt32(to, target.getInt32(from, true), true);
      d = stop;
    } else {
      for (const stop = d + count; d < stop; d++) target.setUint8(d, target.getUint8(d - offset));
    }
  }
  return d;
}

function littleEndian(source: DataView, at: number, bytes: number): number {
  let value = 0;
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + source.getUint8(at + i);
  return value;
}

// The range is checked; reads past the literal stay inside the input, writes past it inside the spare bytes.
function copyLiteral(
  source: DataView,
  s: number,
  end: number,
  target: DataView,
  d: number,
  count: number,
): number {
  let i = 0;
  if (s + count + 3 <= end) {
    for (; i < count; i += 4) target.setInt32(d + i, source.getInt32(s + i, true), true);
  } else {
    for (; i + 4 <= count; i += 4) target.setInt32(d + i, source.getInt32(s + i, true), true);
    for (; i < count; i++) target.setUint8(d + i, source.getUint8(s + i));
  }
  return d + count;
}

/** Encodes bytes as one block: greedy matches of four bytes and more through a hash table, as the reference does. */
export function encodeSnappy(input: Uint8Array): Uint8Array {
  const out = new Uint8Array(32 + input.length + Math.ceil(input.length / 6));
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const table = new Int32Array(1 << TABLE_BITS);
  let d = 0;
  let rest = input.length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out[d++] = (rest % 128) | 0x80;
  out[d++] = rest;
  for (let start = 0; start < input.length; start += BLOCK) {
    table.fill(-1);
    d = deflateBlock(view, start, Math.min(start + BLOCK, input.length), table, out, d);
  }
  return out.slice(0, d);
}

function deflateBlock(
  source: DataView,
  start: number,
  end: number,
  table: Int32Array,
  out: Uint8Array,
  at: number,
): number {
  let d = at;
  let pending = start; // first byte not yet written
  let i = start;
  let misses = 32;
  while (i + 4 <= end) {
    const word = source.getInt32(i, true);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - TABLE_BITS);
    const candidate = table[slot]!;
    table[slot] = i;
    if (candidate < 0 || source.getInt32(candidate, true) !== word) {
      i += misses++ >>> 5; // skip faster through bytes that do not repeat
      continue;
    }
    d = writeLiteral(source, pending, i, out, d);
    let match = 4;
    while (i + match < end && source.getUint8(i + match) === source.getUint8(candidate + match)) match++;
    d = writeCopy(i - candidate, match, out, d);
    i += match;
    pending = i;
    misses = 32;
  }
  return writeLiteral(source, pending, end, out, d);
}

function writeLiteral(source: DataView, start: number, end: number, out: Uint8Array, at: number): number {
  let d = at;
  const count = end - start;
  if (count === 0) return d;
  const n = count - 1;
  if (n < 60) out[d++] = n << 2;
  else if (n < 256) {
    out[d++] = 60 << 2;
    out[d++] = n;
  } else {
    out[d++] = 61 << 2;
    out[d++] = n & 0xff;
    out[d++] = n >>> 8;
  }
  for (let i = start; i < end; i++) out[d++] = source.getUint8(i);
  return d;
}

function writeCopy(offset: number, length: number, out: Uint8Array, at: number): number {
  let d = at;
  let rest = length;
  while (rest > 0) {
    // A remainder of 1..3 bytes after 64 would still be legal here, but splitting at 60 keeps the short form usable.
    const count = rest >= 68 ? 64 : rest > 64 ? 60 : rest;
    if (count >= 4 && count <= 11 && offset < 2048) {
      out[d++] = 1 | ((count - 4) << 2) | ((offset >>> 8) << 5);
      out[d++] = offset & 0xff;
    } else {
      out[d++] = 2 | ((count - 1) << 2);
      out[d++] = offset & 0xff;
      out[d++] = offset >>> 8;
    }
    rest -= count;
  }
  return d;
}
