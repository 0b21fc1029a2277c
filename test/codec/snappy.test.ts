import fc from 'fast-check';
import { compressSync, uncompressSync } from 'snappy';
import { describe, expect, it } from 'vitest';
import { decodeSnappy, encodeSnappy, SnappyTarget } from '../../src/codec/snappy.ts';
import { DomainError } from '../../src/model/errors.ts';

const LIMIT = 32 * 1024 * 1024;
const target = new SnappyTarget();

function decode(block: Uint8Array, limit = LIMIT): Uint8Array {
  const length = decodeSnappy(block, target, limit);
  return target.bytes.slice(0, length);
}

/** Bytes with repeats at all distances, as label text has. */
const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 40 })), {
    maxLength: 30,
  })
  .map((parts) =>
    Uint8Array.from(
      parts.flatMap(([bytes, times]) =>
        Array(times)
          .fill([...bytes])
          .flat(),
      ),
    ),
  );
const plain = fc.oneof(fc.uint8Array({ maxLength: 3000 }), repetitive);

describe('snappy', () => {
  it('decodes what the native package encoded', () => {
    fc.assert(
      fc.property(plain, (bytes) => {
        expect(decode(compressSync(Buffer.from(bytes)))).toEqual(bytes);
      }),
    );
  });

  it('encodes what the native package decodes', () => {
    fc.assert(
      fc.property(plain, (bytes) => {
        expect(new Uint8Array(uncompressSync(Buffer.from(encodeSnappy(bytes))) as Buffer)).toEqual(bytes);
      }),
    );
  });

  it('encodes blocks longer than 64 KiB and compresses repetitive text about as well as the native package', () => {
    const line = 'node_cpu_seconds_total{cpu="0",mode="idle",instance="10.0.0.';
    const bytes = new TextEncoder().encode(
      Array.from({ length: 8000 }, (_, i) => `${line}${i}"}\n`).join(''),
    );
    const block = encodeSnappy(bytes);
    expect(decode(block)).toEqual(bytes);
    expect(block.length).toBeLessThan(compressSync(Buffer.from(bytes)).length * 1.2);
  });

  it('understands long literals and copies with four-byte offsets', () => {
    const literal = Uint8Array.from({ length: 300 }, (_, i) => i & 255);
    const block = Uint8Array.from([0xc0, 2, 62 << 2, 43, 1, 0, ...literal, (19 << 2) | 3, 44, 1, 0, 0]);
    expect(decode(block)).toEqual(Uint8Array.from([...literal, ...literal.subarray(0, 20)]));
  });

  it('refuses a claimed length over the limit before taking memory for it', () => {
    const fourGigabytes = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0);
    const fresh = new SnappyTarget();
    const room = fresh.bytes.length;
    expect(() => decodeSnappy(fourGigabytes, fresh, LIMIT)).toThrow(
      'decoded size 4294967295 bytes exceeds the limit of 33554432 bytes',
    );
    expect(() => decodeSnappy(Uint8Array.of(0x80, 0x80, 0x80, 0x08, 0), fresh, LIMIT)).toThrow(
      /corrupt input/,
    );
    expect(fresh.bytes.length).toBe(room);
  });

  it('refuses a block cut at any byte, and any trailing one', () => {
    const bytes = new TextEncoder().encode(
      'abcdabcdabcdabcd the quick brown fox the quick brown fox'.repeat(3),
    );
    const block = encodeSnappy(bytes);
    for (let cut = 0; cut < block.length; cut++) {
      expect(() => decode(block.subarray(0, cut))).toThrow(DomainError);
    }
    expect(() => decode(Uint8Array.from([...block, 0, 65]))).toThrow(DomainError);
  });

  it('agrees with the native package on damaged blocks, or refuses', () => {
    const block = encodeSnappy(
      new TextEncoder().encode('abcabcabcabd the quick brown fox, the lazy dog. '.repeat(9)),
    );
    fc.assert(
      fc.property(fc.nat(block.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Uint8Array.from(block);
        damaged[at] = byte;
        let native: Uint8Array | undefined;
        try {
          native = new Uint8Array(uncompressSync(Buffer.from(damaged)) as Buffer);
        } catch {}
        if (native === undefined) expect(() => decode(damaged)).toThrow(DomainError);
        else expect(decode(damaged)).toEqual(native);
      }),
      { numRuns: 2000 },
    );
  });
});
