// Byte sources, the page cache and the merging of ranges.

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ByteCache } from '../../../src/storage/block/byte-cache.ts';
import {
  type ByteSource,
  cachedSource,
  diskSource,
  memorySource,
  objectSource,
  PAGE_BYTES,
  readRanges,
} from '../../../src/storage/block/byte-source.ts';
import { memoryObjects, temporaryDisk } from './fixtures.ts';

const temporary = temporaryDisk();
afterAll(() => temporary.close());

const content = Uint8Array.from({ length: PAGE_BYTES * 3 + 777 }, (_, i) => (i * 31 + (i >> 8)) & 255);

function counting(source: ByteSource): ByteSource & { reads: [number, number][] } {
  const reads: [number, number][] = [];
  return {
    ...source,
    reads,
    read: (offset, length, signal) => {
      reads.push([offset, length]);
      return source.read(offset, length, signal);
    },
  };
}

describe('byte-source', () => {
  it('reads the same from disk, from objects and from memory, and never past the end', async () => {
    await temporary.disk.writeFile('file', content);
    const objects = memoryObjects();
    await objects.put('key', content);
    const sources = [
      await diskSource(temporary.disk, 'file'),
      objectSource(objects, 'key', content.length),
      memorySource(content, 'memory'),
    ];
    for (const source of sources) {
      expect(source.size).toBe(content.length);
      expect(await source.read(100, 50)).toEqual(content.slice(100, 150));
      await expect(source.read(content.length - 10, 11)).rejects.toMatchObject({ code: 'corrupt' });
      await source.close();
    }
  });

  it('answers any range through the page cache as without it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(content.length), fc.nat(PAGE_BYTES * 2))),
        fc.constantFrom(100, 1 << 20),
        async (ranges, limit) => {
          const cached = cachedSource(memorySource(content, 'memory'), new ByteCache(limit), 'X/f');
          for (const [offset, wanted] of ranges) {
            const length = Math.min(wanted, content.length - offset);
            expect(await cached.read(offset, length)).toEqual(content.slice(offset, offset + length));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('reads only missing pages, neighbours together, and once for two callers', async () => {
    const source = counting(memorySource(content, 'memory'));
    const cached = cachedSource(source, new ByteCache(1 << 20), 'X/f');
    await cached.read(PAGE_BYTES + 5, 10);
    expect(source.reads).toEqual([[PAGE_BYTES, PAGE_BYTES]]);
    await Promise.all([cached.read(0, content.length), cached.read(10, content.length - 10)]);
    expect(source.reads.slice(1)).toEqual([
      [0, PAGE_BYTES],
      [2 * PAGE_BYTES, PAGE_BYTES + 777],
    ]);
    await cached.read(3, content.length - 3);
    expect(source.reads).toHaveLength(3);
  });

  it('forgets a failed read, so that the next caller tries again', async () => {
    let fail = true;
    const flaky: ByteSource = {
      ...memorySource(content, 'memory'),
      read: (offset, length) =>
        fail ? Promise.reject(new Error('away')) : Promise.resolve(content.subarray(offset, offset + length)),
    };
    const cached = cachedSource(flaky, new ByteCache(1 << 20), 'X/f');
    await expect(cached.read(0, PAGE_BYTES * 2)).rejects.toThrow('away');
    fail = false;
    expect(await cached.read(1, 2)).toEqual(content.slice(1, 3));
  });

  it('merges near ranges and finds every range in its read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(content.length - 1), fc.integer({ min: 1, max: 5000 })), { maxLength: 30 }),
        fc.constantFrom(0, 1000, 100_000),
        async (rows, gapBytes) => {
          const sorted = rows.sort((a, b) => a[0] - b[0]);
          const source = counting(memorySource(content, 'memory'));
          const ranges = {
            offsets: Float64Array.from(sorted, (r) => r[0]),
            lengths: Float64Array.from(sorted, (r) => r[1]),
          };
          const merged = await readRanges(source, ranges, { gapBytes });
          sorted.forEach(([offset, length], i) => {
            const read = merged.readOf[i]!;
            const at = offset - merged.starts[read]!;
            const end = Math.min(offset + length, content.length);
            expect(merged.bytes[read]!.slice(at, at + end - offset)).toEqual(content.slice(offset, end));
          });
          for (let i = 1; i < source.reads.length; i++)
            expect(source.reads[i]![0] - (source.reads[i - 1]![0] + source.reads[i - 1]![1])).toBeGreaterThan(
              gapBytes,
            );
        },
      ),
    );
  });

  it('stops between reads when the signal aborts', async () => {
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    const ranges = { offsets: Float64Array.of(0), lengths: Float64Array.of(10) };
    await expect(
      readRanges(memorySource(content, 'm'), ranges, { signal: controller.signal }),
    ).rejects.toThrow('enough');
  });
});

describe('byte-cache', () => {
  it('drops the least recently used entries to stay below its limit', () => {
    const cache = new ByteCache<string>(100);
    cache.set('A/1', 'one', 40);
    cache.set('A/2', 'two', 40);
    expect(cache.get('A/1')).toBe('one');
    cache.set('B/3', 'three', 40);
    expect([cache.get('A/1'), cache.get('A/2'), cache.get('B/3'), cache.bytes]).toEqual([
      'one',
      undefined,
      'three',
      80,
    ]);
    cache.set('B/4', 'huge', 101);
    expect(cache.get('B/4')).toBeUndefined();
    cache.forget('B/');
    expect([cache.get('B/3'), cache.bytes]).toEqual([undefined, 40]);
  });
});
