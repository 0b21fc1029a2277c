import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/codec/bytes.ts';
import { DomainError, InvariantError } from '../../src/model/errors.ts';

const uint53 = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 53 - 1),
);

/** The naive twin: LEB128 over BigInt. */
function leb128(value: number): number[] {
  const out: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return out;
}

describe('ByteWriter and ByteReader', () => {
  it('write varints as LEB128 and read them back', () => {
    fc.assert(
      fc.property(fc.array(uint53), (values) => {
        const writer = new ByteWriter(1);
        for (const value of values) writer.uvarint(value);
        expect([...writer.written()]).toEqual(values.flatMap(leb128));
        const reader = new ByteReader(writer.copy(), 'a test');
        for (const value of values) expect(reader.uvarint()).toBe(value);
        expect(reader.left).toBe(0);
      }),
    );
  });

  it('read a Buffer inside a larger one as plain bytes whose slice is a copy', () => {
    const pool = Buffer.from(new Uint8Array([9, 9, 9, ...new Uint8Array(new Float64Array([1.5]).buffer), 9]));
    const reader = new ByteReader(pool.subarray(3, 11), 'a test');
    const copy = reader.raw(8).slice();
    expect(copy.buffer).not.toBe(pool.buffer);
    expect([...new Float64Array(copy.buffer)]).toEqual([1.5]);
  });

  it('round-trip zigzag numbers, floats, halves and text', () => {
    const signed = fc.integer({ min: -(2 ** 52) + 1, max: 2 ** 52 - 1 });
    fc.assert(
      fc.property(signed, fc.double(), fc.string({ unit: 'grapheme' }), (integer, float, text) => {
        const writer = new ByteWriter(1);
        writer.varint(integer);
        writer.f64(float);
        writer.text(text);
        writer.bits(2, 0x7ff00000);
        writer.u32(0xfffffffe);
        const reader = new ByteReader(writer.written(), 'a test');
        expect(reader.varint()).toBe(integer);
        expect(reader.f64()).toBe(float);
        expect(reader.text()).toBe(text);
        expect([reader.u32(), reader.u32(), reader.u32()]).toEqual([2, 0x7ff00000, 0xfffffffe]);
      }),
    );
  });

  it('never read past the end and say where it was', () => {
    const reader = new ByteReader(Uint8Array.of(0x80, 0x80), 'a header');
    expect(() => reader.uvarint()).toThrow(
      new DomainError('corrupt', 'cannot read a header: 1 bytes wanted, 0 left at byte 2'),
    );
    expect(() => new ByteReader(new Uint8Array(20).fill(0xff), 'x').uvarint()).toThrow(/more than 8 bytes/);
    expect(() => new ByteReader(Uint8Array.of(9, 1), 'x').raw(9)).toThrow(/9 bytes wanted, 2 left/);
    expect(() => new ByteReader(Uint8Array.of(100), 'x').count(1)).toThrow(/a count of 100/);
    expect(() => new ByteReader(Uint8Array.of(1, 0xc3), 'x').text()).toThrow(/not UTF-8/);
  });

  it('refuse to write what cannot be read back', () => {
    expect(() => new ByteWriter().uvarint(-1)).toThrow(InvariantError);
    expect(() => new ByteWriter().uvarint(2 ** 53)).toThrow(InvariantError);
  });
});
