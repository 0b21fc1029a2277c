import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sortPairs } from '../../../src/storage/index/sort-pairs.ts';

const keyRanges = fc.constantFrom(3, 100, 3000, 5_000_000, 0xffff_ffff);

describe('sort-pairs', () => {
  it('sorts rows by key, equal keys in the order they had, and leaves other rows alone', () => {
    fc.assert(
      fc.property(
        keyRanges.chain((max) => fc.array(fc.integer({ min: 0, max }), { maxLength: 300 })),
        fc.nat(20),
        fc.nat(20),
        (keys, before, after) => {
          const all = [...new Array(before).fill(9), ...keys, ...new Array(after).fill(1)];
          const pairs = {
            keys: Uint32Array.from(all),
            values: Uint32Array.from(all, (_, i) => i),
          };
          const scratch = { keys: new Uint32Array(keys.length), values: new Uint32Array(keys.length) };
          const rows = all.map((key, i) => ({ key, i }));
          const naive = [
            ...rows.slice(0, before),
            ...rows.slice(before, before + keys.length).sort((a, b) => a.key - b.key || a.i - b.i),
            ...rows.slice(before + keys.length),
          ];
          sortPairs(pairs, before, before + keys.length, scratch);
          expect([...pairs.keys]).toEqual(naive.map((row) => row.key));
          expect([...pairs.values]).toEqual(naive.map((row) => row.i));
        },
      ),
    );
  });
});
