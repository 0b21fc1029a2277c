import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c, createHasher, hashRange, textHash } from '../../src/codec/hash.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('crc32c', () => {
  it('gives the check value of the Castagnoli polynomial', () => {
    expect(crc32c(text('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  it('continues from the sum of the bytes before', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, at) => {
        const cut = Math.min(at, bytes.length);
        expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes));
      }),
    );
  });
});

describe('hash64', () => {
  it('is xxHash64 with seed 0', async () => {
    const hasher = await createHasher();
    expect(hasher.hash64(new Uint8Array(0))).toEqual({ high: 0xef46db37, low: 0x51d8e999 });
    expect(hasher.hash64(text('abc'))).toEqual({ high: 0x44bc2cf5, low: 0xad770999 });
  });
});

describe('hashRange', () => {
  it('depends on the bytes of the range and on nothing around it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 9 }), (bytes, before) => {
        const padded = Uint8Array.from([...before, ...bytes, 7]);
        const plain = hashRange(new DataView(bytes.buffer), 0, bytes.length, 5);
        expect(hashRange(new DataView(padded.buffer), before.length, before.length + bytes.length, 5)).toBe(
          plain,
        );
      }),
    );
  });

  it('spreads near-equal keys over the low bits', () => {
    const buckets = new Uint32Array(256);
    for (let i = 0; i < 25_600; i++) {
      const bytes = text(`instance="host-${i}:9100"`);
      buckets[hashRange(new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length, 1) & 255]!++;
    }
    expect(Math.max(...buckets)).toBeLessThan(160);
    expect(Math.min(...buckets)).toBeGreaterThan(50);
  });
});

describe('textHash', () => {
  it('is the same in every process', () => {
    expect(textHash('', 0)).toBe(7211153295487439);
    expect(textHash('héllo', 0)).toBe(7184280435930899);
    expect(textHash('a', textHash('job', 0))).toBe(2620909458083253);
  });

  it('tells hundreds of thousands of near-equal texts apart, evenly over its range', () => {
    const seen = new Set<number>();
    const buckets = new Uint32Array(64);
    for (let i = 0; i < 200_000; i++) {
      const hash = textHash(`instance-${i}:9100`, 0);
      seen.add(hash);
      buckets[Math.floor((hash / 2 ** 53) * 64)]!++;
    }
    expect(seen.size).toBe(200_000);
    expect(Math.min(...buckets)).toBeGreaterThan(2800);
    expect(Math.max(...buckets)).toBeLessThan(3450);
  });
});
