// Set algebra over postings against naive Set twins.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intersect, meets, seek, union, without } from '../../../src/storage/index/postings-set.ts';

const list = fc
  .uniqueArray(fc.integer({ min: 0, max: 300 }), { maxLength: 120 })
  .map((refs) => Uint32Array.from(refs).sort());
const tiny = fc
  .uniqueArray(fc.integer({ min: 0, max: 300 }), { maxLength: 4 })
  .map((refs) => Uint32Array.from(refs).sort());
const lists = fc.array(fc.oneof(list, tiny), { maxLength: 7 });

describe('postings-set', () => {
  it('intersects as sets do', () => {
    fc.assert(
      fc.property(lists, (all) => {
        const naive = all.length === 0 ? [] : [...all[0]!].filter((ref) => all.every((l) => l.includes(ref)));
        expect([...intersect(all)]).toEqual(naive);
      }),
    );
  });

  it('unites as sets do, sorted and without duplicates', () => {
    fc.assert(
      fc.property(lists, (all) => {
        const naive = [...new Set(all.flatMap((l) => [...l]))].sort((a, b) => a - b);
        expect([...union(all)]).toEqual(naive);
      }),
    );
  });

  it('subtracts as sets do', () => {
    fc.assert(
      fc.property(fc.oneof(list, tiny), fc.oneof(list, tiny), (base, removed) => {
        expect([...without(base, removed)]).toEqual([...base].filter((ref) => !removed.includes(ref)));
      }),
    );
  });

  it('knows whether two lists share a reference', () => {
    fc.assert(
      fc.property(tiny, list, (a, b) => {
        expect(meets(a, b)).toBe([...a].some((ref) => b.includes(ref)));
      }),
    );
  });

  it('seeks the first reference at or after the wanted one', () => {
    fc.assert(
      fc.property(list, fc.integer({ min: 0, max: 301 }), fc.nat(120), (refs, ref, from) => {
        const start = Math.min(from, refs.length);
        const naive = [...refs].findIndex((r, i) => i >= start && r >= ref);
        expect(seek(refs, ref, start)).toBe(naive === -1 ? refs.length : naive);
      }),
    );
  });

  it('leaves its inputs as they were', () => {
    const a = Uint32Array.of(1, 2, 3);
    const b = Uint32Array.of(2, 9);
    intersect([b, a]);
    union([a, b]);
    without(a, b);
    expect([[...a], [...b]]).toEqual([
      [1, 2, 3],
      [2, 9],
    ]);
  });
});
