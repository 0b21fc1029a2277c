import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ByteSource, memorySource } from '../../../src/storage/block/byte-source.ts';
import { ReadAhead } from '../../../src/storage/block/read-ahead.ts';

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 251);

/** A source that notes what is read. */
function notingSource(reads: [number, number][]): ByteSource {
  const source = memorySource(bytes, 'bytes');
  return {
    ...source,
    read: (offset, length) => {
      reads.push([offset, length]);
      return source.read(offset, length);
    },
  };
}

describe('read-ahead', () => {
  it('gives any bytes of its part of the file, read in order or not', async () => {
    const wanted = fc.array(fc.tuple(fc.nat(799), fc.integer({ min: 1, max: 90 })), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        wanted,
        fc.integer({ min: 1, max: 300 }),
        fc.boolean(),
        async (places, pieceBytes, inOrder) => {
          const stream = new ReadAhead(memorySource(bytes, 'bytes'), { from: 100, to: 900, pieceBytes });
          if (inOrder) places.sort((a, b) => a[0] - b[0]);
          for (const [at, length] of places) {
            const offset = 100 + at;
            if (!stream.contains(offset, length)) {
              expect(offset + length).toBeGreaterThan(900);
              continue;
            }
            if (!stream.has(offset, length)) await stream.load(offset, length);
            const from = offset - stream.start;
            expect(stream.bytes.subarray(from, from + length)).toEqual(
              bytes.subarray(offset, offset + length),
            );
          }
          await stream.close();
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads every byte once when it goes from front to back, the next piece while the last one is in use', async () => {
    const reads: [number, number][] = [];
    let told = 0;
    const stream = new ReadAhead(notingSource(reads), {
      from: 0,
      to: 1000,
      pieceBytes: 64,
      onRead: (count) => {
        told += count;
      },
    });
    for (let at = 0; at < 1000; at += 10) if (!stream.has(at, 10)) await stream.load(at, 10);
    expect(reads).toEqual(Array.from({ length: 16 }, (_, i) => [64 * i, Math.min(64, 1000 - 64 * i)]));
    expect(told).toBe(1000);
    await stream.load(0, 10);
    expect(reads.length).toBe(18);
  });

  it('tells of a failed read when its bytes are asked for, and stops when it is aborted', async () => {
    const abort = new AbortController();
    const source = memorySource(bytes.subarray(0, 150), 'bytes');
    const stream = new ReadAhead(source, { from: 0, to: 1000, pieceBytes: 100, signal: abort.signal });
    await stream.load(0, 100);
    await new Promise((resolve) => setImmediate(resolve));
    await expect(stream.load(100, 10)).rejects.toMatchObject({ code: 'corrupt' });
    abort.abort(new Error('enough'));
    await expect(stream.load(0, 10)).rejects.toThrow('enough');
  });
});
