import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { peekBits, WRITE_SLACK_BYTES, writeBits } from '../../src/codec/bits.ts';

const field = fc.record({ value: fc.nat(0xffffffff), count: fc.integer({ min: 1, max: 32 }) });

describe('bits', () => {
  it('writes fields of any width one behind the other, most significant bit first', () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 40 }), fc.nat(3), (fields, at) => {
        // Memory is recycled: what was there before must not shine through.
        const bytes = new Uint8Array(at + 4 * fields.length + WRITE_SLACK_BYTES + 1).fill(0xa7);
        const view = new DataView(bytes.buffer);
        let text = '';
        let position = at * 8;
        for (const { value, count } of fields) {
          position = writeBits(view, position, value, count);
          text += value
            .toString(2)
            .padStart(32, '0')
            .slice(32 - count);
        }
        expect(position).toBe(at * 8 + text.length);
        const written = [...bytes.subarray(at)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
        expect(written.slice(0, text.length)).toBe(text);
        expect([...bytes.subarray(0, at)]).toEqual(Array(at).fill(0xa7));
      }),
    );
  });

  it('peeks 32 bits anywhere and sees zeros behind the end', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 12 }),
        fc.nat(96),
        fc.nat(6),
        (source, position, tail) => {
          const bytes = new Uint8Array([...source, ...Array(tail).fill(0xff)]);
          const text = [...source]
            .map((byte) => byte.toString(2).padStart(8, '0'))
            .join('')
            .padEnd(200, '0');
          const at = Math.min(position, source.length * 8);
          const expected = Number.parseInt(text.slice(at, at + 32), 2);
          expect(peekBits(new DataView(bytes.buffer), at, source.length) >>> 0).toBe(expected);
        },
      ),
    );
  });
});
