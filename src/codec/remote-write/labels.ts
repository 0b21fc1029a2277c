// Raw label bytes of remote write 1.0 (repeated `0a len Label`), read into ranges and written from them.

import type { ByteWriter } from '../bytes.ts';
import type { LabelRanges } from '../frame-writer.ts';
import { type Cursor, WIRE } from './cursor.ts';

const LABEL = 0x0a;

/** Reads one Label message at [cursor.position, end) into four positions from `at` of `ranges`. */
export function readLabel(cursor: Cursor, end: number, ranges: Uint32Array, at: number): void {
  const outer = cursor.end;
  cursor.end = end;
  ranges[at] = ranges[at + 1] = ranges[at + 2] = ranges[at + 3] = cursor.position;
  while (cursor.position < end) {
    const tag = cursor.uint32();
    const field = tag >>> 3;
    if (field !== 1 && field !== 2) {
      cursor.skip(tag);
      continue;
    }
    cursor.expect(tag, WIRE.bytes, field === 1 ? 'Name' : 'Value');
    const length = cursor.length();
    const to = at + 2 * (field - 1);
    ranges[to] = cursor.position;
    ranges[to + 1] = cursor.position += length;
  }
  cursor.end = outer;
}

/** Reads raw label bytes [start, end) under the cursor into `labels`; the cursor's view must cover them. */
export function readRawLabels(cursor: Cursor, start: number, end: number, labels: LabelRanges): void {
  cursor.position = start;
  cursor.end = end;
  labels.pairs = 0;
  while (cursor.position < end) {
    const tag = cursor.uint32();
    cursor.expect(tag, WIRE.bytes, 'Labels');
    const length = cursor.length();
    const at = 4 * labels.pairs;
    if (at + 4 > labels.ranges.length) {
      const grown = new Uint32Array(labels.ranges.length * 2);
      grown.set(labels.ranges);
      labels.ranges = grown;
    }
    readLabel(cursor, cursor.position + length, labels.ranges, at);
    labels.pairs++;
  }
}

/** Appends one label in raw form; both ranges lie in `bytes`. */
export function writeRawLabel(
  target: ByteWriter,
  bytes: Uint8Array,
  ranges: ArrayLike<number>,
  at: number,
): void {
  const nameLength = ranges[at + 1]! - ranges[at]!;
  const valueLength = ranges[at + 3]! - ranges[at + 2]!;
  target.u8(LABEL);
  target.uvarint(2 + varintBytes(nameLength) + nameLength + varintBytes(valueLength) + valueLength);
  target.u8(0x0a);
  target.uvarint(nameLength);
  copyText(target, bytes, ranges[at]!, nameLength);
  target.u8(0x12);
  target.uvarint(valueLength);
  copyText(target, bytes, ranges[at + 2]!, valueLength);
}

/** Appends bytes [start, start + length). Label texts are short: a loop beats subarray and set up to a few dozen bytes. */
export function copyText(target: ByteWriter, bytes: Uint8Array, start: number, length: number): void {
  target.reserve(length);
  const out = target.bytes;
  const at = target.length;
  if (length > 48) out.set(bytes.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) out[at + i] = bytes[start + i]!;
  target.length = at + length;
}

function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}
