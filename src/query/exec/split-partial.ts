// Cuts an encoded aggregation state (aggregate-partial.ts) into several that are each of bounded size: the same header, fewer
// groups. A state of many groups on a long grid would otherwise be larger than the bus takes in one message.

import { ByteReader, ByteWriter } from '../../codec/bytes.ts';
import { VERSION } from './aggregate-partial.ts';

/** States that together equal `bytes`, each at most about `bytesMax` long; a single group, or one with histograms, is never cut. */
export function splitPartial(bytes: Uint8Array, bytesMax: number): readonly Uint8Array[] {
  if (bytes.length <= bytesMax || bytes[0] !== VERSION) return [bytes];
  const reader = new ByteReader(bytes, 'aggregation state');
  const version = reader.u8();
  const operator = reader.uvarint();
  const steps = reader.uvarint();
  const columns = reader.uvarint();
  const groups = reader.count(2);
  const parts: Uint8Array[] = [];
  let start = reader.position;
  let count = 0;
  const close = (end: number): void => {
    const writer = new ByteWriter(end - start + 64);
    writer.u8(version);
    for (const number of [operator, steps, columns, count]) writer.uvarint(number);
    writer.raw(bytes.subarray(start, end));
    parts.push(writer.written());
    start = end;
    count = 0;
  };
  for (let group = 0; group < groups; group++) {
    const before = reader.position;
    skipGroup(reader, steps, columns);
    if (count > 0 && reader.position - start > bytesMax) close(before);
    count++;
  }
  close(reader.position);
  return parts;
}

function skipGroup(reader: ByteReader, steps: number, columns: number): void {
  const texts = reader.count(1);
  for (let i = 0; i < texts; i++) reader.skip(reader.uvarint());
  const form = reader.u8();
  let cells = form === 0 ? 0 : steps;
  if (form === 2) {
    cells = 0;
    for (const bits of reader.raw((steps + 7) >> 3)) cells += bitCount(bits);
  }
  if (cells === 0) return;
  for (let column = 0; column < columns; column++) reader.skip(reader.u8() === 1 ? 8 : 8 * cells);
}

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
}
