// Sketches of partitions against the set of everything.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textHash } from '../../src/codec/hash.ts';
import { distinctCount, smallestHashes, uniteHashes } from '../../src/model/distinct.ts';

function sketchOf(texts: readonly string[], max: number): Float64Array {
  return smallestHashes(
    Float64Array.from(texts, (text) => textHash(text, 0)),
    max,
  );
}

describe('distinct counts', () => {
  it('are exact for any split of fewer things than a sketch holds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ maxLength: 6 }), { maxLength: 30 }), { maxLength: 5 }),
        (parts) => {
          const union = parts
            .map((part) => sketchOf(part, 200))
            .reduce((a, b) => uniteHashes(a, b, 200), new Float64Array(0));
          expect(distinctCount(union, 200)).toBe(new Set(parts.flat()).size);
        },
      ),
    );
  });

  it('of parts are those of the whole, whatever the size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(300), { maxLength: 300 }),
        fc.nat(300),
        fc.integer({ min: 1, max: 40 }),
        (all, cut, max) => {
          const texts = all.map(String);
          const united = uniteHashes(
            sketchOf(texts.slice(0, cut), max),
            sketchOf(texts.slice(cut), max),
            max,
          );
          expect(united).toEqual(sketchOf(texts, max));
        },
      ),
    );
  });

  it('are within two percent beyond, with 65536 hashes', () => {
    const max = 65_536;
    for (const size of [70_000, 500_000]) {
      const texts = Array.from({ length: size }, (_, i) => `instance-${i}:9100`);
      expect(Math.abs(distinctCount(sketchOf(texts, max), max) / size - 1)).toBeLessThan(0.02);
    }
  });
});
