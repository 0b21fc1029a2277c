import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHasher } from '../../src/codec/hash.ts';
import { decodeLabels, encodeLabels, partitionOfHash, placementHash } from '../../src/codec/label-bytes.ts';
import { labelsOf } from '../../src/model/labels.ts';

const hasher = await createHasher();

describe('canonical label bytes', () => {
  it('are the pair count, then each text behind its length', () => {
    const hex = Buffer.from(encodeLabels(labelsOf({ b: '2', __name__: 'up' }))).toString('hex');
    expect(hex).toBe('02085f5f6e616d655f5f02757001620132');
  });

  it('round-trip', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })),
        (record) => {
          const labels = labelsOf(record);
          expect(decodeLabels(encodeLabels(labels))).toEqual(labels);
        },
      ),
    );
  });

  it('refuse bytes after the last label', () => {
    expect(() => decodeLabels(Uint8Array.of(0, 1))).toThrow(/after the last label/);
  });
});

describe('placement', () => {
  const series = labelsOf({ __name__: 'up', instance: 'a:9100', replica: 'r1' });

  it('never changes: it is part of the on-disk contract', () => {
    expect(placementHash(hasher, series, new Set())).toMatchInlineSnapshot(`
      {
        "high": 3227790551,
        "low": 3054368636,
      }
    `);
    expect(placementHash(hasher, series, new Set(['replica']))).toMatchInlineSnapshot(`
      {
        "high": 3199645578,
        "low": 2141528537,
      }
    `);
  });

  it('puts the replicas of one series into one partition', () => {
    const other = labelsOf({ __name__: 'up', instance: 'a:9100', replica: 'r2' });
    const replicas = new Set(['replica']);
    expect(placementHash(hasher, other, replicas)).toEqual(placementHash(hasher, series, replicas));
    expect(placementHash(hasher, other, new Set())).not.toEqual(placementHash(hasher, series, new Set()));
  });

  it('splits every partition in two when their number doubles', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(9), (high, bits) => {
        const before = partitionOfHash({ high, low: 0 }, 2 ** bits);
        const after = partitionOfHash({ high, low: 0 }, 2 ** (bits + 1));
        expect(Math.floor(after / 2)).toBe(before);
        expect(before).toBeLessThan(2 ** bits);
      }),
    );
  });
});
