import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeBounds,
  decodeSegmentHeader,
  encodeBatch,
  encodeBounds,
  encodeSegmentHeader,
  parseRecords,
  provesDurable,
} from '../../../src/bus/local/wal-record.ts';

const createdMs = 1_767_225_600_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

// CRC32C bit by bit, as its definition has it.
function crc(data: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of data) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0x82f63b78 : 0);
  }
  return (value ^ 0xffffffff) >>> 0;
}

// A reader of one segment written from docs/formats/wal-record.md alone.
function readSegment(file: Uint8Array): { sequence: number; position: number; payload: Uint8Array }[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const out = [];
  if (view.getUint32(28, true) !== crc(file.subarray(0, 28))) throw new Error('header');
  for (let at = 32; at < file.length; ) {
    const end = at + 20 + view.getUint32(at + 4, true);
    const covered = new Uint8Array([...file.subarray(0, 28), ...file.subarray(at + 4, end)]);
    if (crc(covered) !== view.getUint32(at, true)) throw new Error(`record at ${at}`);
    out.push({
      sequence: Number(view.getBigUint64(at + 8, true)),
      position: view.getUint32(at + 16, true),
      payload: file.slice(at + 20, end),
    });
    at = end;
  }
  return out;
}

describe('segment', () => {
  it('has the bytes the documentation shows', () => {
    const header = encodeSegmentHeader(1, createdMs);
    const { seed } = decodeSegmentHeader(header, 'x');
    const batch = encodeBatch([bytes('a'), bytes('bc')], 1, seed);
    const hex = (part: Uint8Array): string => Buffer.from(part).toString('hex');
    const shown = readFileSync('docs/formats/wal-record.md', 'utf8')
      .split('```')
      .at(-2)!
      .replaceAll(/\s/g, '');
    expect(hex(header) + hex(batch.bytes)).toBe(shown);
  });

  it('can be read by a reader written from the documentation', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 }), {
          maxLength: 5,
        }),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 100 }),
        (groups, first) => {
          const header = encodeSegmentHeader(first, createdMs);
          const { seed } = decodeSegmentHeader(header, 'x');
          let next = first;
          const parts = [header];
          const expected = [];
          for (const group of groups) {
            parts.push(encodeBatch(group, next, seed).bytes);
            for (const [position, payload] of group.entries())
              expected.push({ sequence: next++, position, payload });
          }
          const file = new Uint8Array(Buffer.concat(parts));
          expect(readSegment(file)).toEqual(expected);
          const parsed = parseRecords(file.subarray(header.length), first, seed);
          expect(
            parsed.messages.map(({ sequence, payload }) => ({ sequence, payload: payload.slice() })),
          ).toEqual(expected.map(({ sequence, payload }) => ({ sequence, payload })));
        },
      ),
    );
  });

  it('is refused when any byte of its header differs', () => {
    const header = encodeSegmentHeader(7, createdMs);
    for (let i = 0; i < header.length; i++) {
      const damaged = header.slice();
      damaged[i]! ^= 1;
      expect(() => decodeSegmentHeader(damaged, 'file 7'), `byte ${i}`).toThrow('cannot use file 7');
    }
    expect(() => decodeSegmentHeader(header.subarray(0, 31), 'file 7')).toThrow('31 bytes');
    expect(decodeSegmentHeader(header, '')).toMatchObject({ first: 7, createdMs });
  });
});

describe('records', () => {
  it('of any bytes parse without an invented message and without reading past the end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 5 }), (random, sequence) => {
        const parsed = parseRecords(random, sequence, 123);
        expect(parsed.messages).toEqual([]);
        expect(provesDurable(random, sequence, 123)).toBe(false);
      }),
    );
  });

  it('cut anywhere parse up to the cut and say what is missing', () => {
    const batch = encodeBatch([bytes('one'), bytes(''), bytes('three')], 5, 99);
    for (let length = 0; length <= batch.bytes.length; length++) {
      const parsed = parseRecords(batch.bytes.subarray(0, length), 5, 99);
      const whole = batch.offsets.findLastIndex((offset) => offset <= length);
      expect(parsed).toMatchObject({ end: batch.offsets[whole], damage: undefined });
      expect(parsed.messages.length).toBe(whole);
      const rest = length - batch.offsets[whole]!;
      if (rest > 0) expect(parsed.missing).toBeGreaterThan(rest);
      else expect(parsed.missing).toBe(0);
    }
  });

  it('of another segment, or made up by a sender, do not check', () => {
    const other = encodeBatch([bytes('x')], 5, 1);
    expect(parseRecords(other.bytes, 5, 2)).toMatchObject({ messages: [], damage: { offset: 0 } });
    const payload = encodeBatch([bytes('forged')], 9, 1).bytes;
    const carrier = encodeBatch([payload], 5, 2).bytes;
    expect(provesDurable(carrier.subarray(1), 4, 2)).toBe(false);
  });

  it('prove that an earlier one was durable only from a later group commit', () => {
    const damaged = new Uint8Array(50);
    const sameGroup = encodeBatch([bytes('a'), bytes('b'), bytes('c')], 3, 7);
    const rest = sameGroup.bytes.subarray(sameGroup.offsets[1]);
    expect(provesDurable(Buffer.concat([damaged, rest]), 3, 7)).toBe(false);
    const next = encodeBatch([bytes('d')], 6, 7).bytes;
    expect(provesDurable(Buffer.concat([damaged, rest, next]), 3, 7)).toBe(true);
  });
});

describe('bounds', () => {
  it('come back as they were, and are refused when a byte differs', () => {
    const stored = encodeBounds({ first: 2 ** 40, durable: 2 ** 45 + 3 });
    expect(decodeBounds(stored, 'bounds')).toEqual({ first: 2 ** 40, durable: 2 ** 45 + 3 });
    for (let i = 0; i < stored.length; i++) {
      const damaged = stored.slice();
      damaged[i]! ^= 0x80;
      expect(() => decodeBounds(damaged, 'bounds')).toThrow('cannot use bounds');
    }
    expect(() => decodeSegmentHeader(stored, 'bounds')).toThrow('magic');
  });
});
