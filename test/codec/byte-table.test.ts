import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteTable } from '../../src/codec/byte-table.ts';

describe('ByteTable', () => {
  it('numbers distinct keys in order of arrival, as a Map of their text does', () => {
    const key = fc.uint8Array({ maxLength: 11, max: 2 });
    fc.assert(
      fc.property(fc.array(key, { maxLength: 400 }), fc.nat(3), fc.integer(), (keys, pad, seed) => {
        const table = new ByteTable(seed, 2);
        const twin = new Map<string, number>();
        for (const bytes of keys) {
          const text = bytes.join();
          const padded = new DataView(Uint8Array.from([...Array(pad).fill(9), ...bytes, 9]).buffer);
          expect(table.find(padded, pad, pad + bytes.length)).toBe(twin.get(text) ?? -1);
          if (!twin.has(text)) twin.set(text, twin.size);
          const id = table.add(padded, pad, pad + bytes.length);
          expect(id).toBe(twin.get(text));
          const start = table.offsets[id]!;
          expect(table.arena.slice(start, start + table.lengths[id]!)).toEqual(bytes);
        }
        expect(table.count).toBe(twin.size);
        table.clear();
        expect(table.find(new DataView(new ArrayBuffer(1)), 0, 1)).toBe(-1);
      }),
    );
  });
});
