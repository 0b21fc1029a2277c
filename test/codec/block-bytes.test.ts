// The byte grammar of block files: round trips and bounds.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter, compareBytesAt, utf8Of } from '../../src/codec/bytes.ts';
import { DomainError } from '../../src/model/errors.ts';
import { compareText } from '../../src/model/text.ts';

const MAX = Number.MAX_SAFE_INTEGER;
const natural = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.constantFrom(0, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 32, MAX),
);
const signed = fc
  .oneof(fc.integer(), fc.constantFrom(0, -1, 1, -(2 ** 52), 2 ** 52 - 1), fc.maxSafeInteger())
  .map((value) => Math.trunc(value / 2));

describe('bytes of block files', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(natural, signed, fc.string({ unit: 'grapheme' }), fc.nat(0xffff_ffff))),
        (rows) => {
          const sink = new ByteWriter(1);
          for (const [n, s, text, word] of rows) {
            sink.uvarint(n);
            sink.varint(s);
            sink.text(text);
            sink.u32be(word);
            sink.u64be(n);
          }
          const cursor = new ByteReader(sink.written(), 'test');
          for (const [n, s, text, word] of rows)
            expect([
              cursor.uvarint(),
              cursor.varint() + 0,
              cursor.text(),
              cursor.u32be(),
              cursor.u64be(),
            ]).toEqual([n, s + 0, text, word, n]);
          expect(cursor.position).toBe(sink.length);
        },
      ),
    );
  });

  it('writes varints as Go does', () => {
    const sink = new ByteWriter();
    sink.uvarint(300);
    sink.varint(-1);
    sink.varint(64);
    expect([...sink.written()]).toEqual([0xac, 0x02, 0x01, 0x80, 0x01]);
  });

  it('says corrupt, with the place, when bytes are missing or numbers are too large', () => {
    const over = (bytes: number[], read: (cursor: ByteReader) => unknown): void => {
      expect(() => read(new ByteReader(Uint8Array.from(bytes), 'the thing'))).toThrow(DomainError);
      expect(() => read(new ByteReader(Uint8Array.from(bytes), 'the thing'))).toThrow(
        /cannot read the thing: .* at byte \d/,
      );
    };
    over([0x80], (cursor) => cursor.uvarint());
    over([], (cursor) => cursor.u8());
    over([1, 2, 3], (cursor) => cursor.u32be());
    over([5, 65], (cursor) => cursor.text());
    over(new Array(12).fill(0xff), (cursor) => cursor.uvarint());
    over([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], (cursor) => cursor.uvarint());
    over([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], (cursor) => cursor.u64be());
  });

  it('compares encoded text as UTF-8 does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const bytes = utf8Of(`x${a}`);
        expect(Math.sign(compareBytesAt(bytes, 1, bytes.length - 1, utf8Of(b)))).toBe(
          Math.sign(compareText(a, b)),
        );
      }),
    );
  });
});
