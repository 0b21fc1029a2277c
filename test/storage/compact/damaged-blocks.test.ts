// Sources that do not check: the error says which block, which file, where.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHasher, type Hasher } from '../../../src/codec/hash.ts';
import { memorySource } from '../../../src/storage/block/byte-source.ts';
import { CorruptBlockError } from '../../../src/storage/block/corrupt-block.ts';
import { readIndexToc } from '../../../src/storage/block/index-header.ts';
import { type BlockSources, openDiskSources } from '../../../src/storage/block/open-block.ts';
import { compactBlocks } from '../../../src/storage/compact/compact-blocks.ts';
import { temporaryDisk } from '../block/fixtures.ts';
import { randomBlocks } from './random-blocks.ts';

const temporary = temporaryDisk();
const { disk } = temporary;
let hasher: Hasher;
let names: string[];
let whole: Uint8Array;
beforeAll(async () => {
  hasher = await createHasher();
  names = await randomBlocks(disk, 3, { blocks: 2, overlap: true, deletions: false });
  whole = (await merged((bytes) => bytes)).index;
});
afterAll(() => temporary.close());

type Damage = (bytes: Uint8Array, file: string) => Uint8Array;

/** Merges the blocks, the second one damaged. */
async function merged(damage: Damage): Promise<{ index: Uint8Array; chunks: Uint8Array }> {
  const opened = await Promise.all(names.map((name) => openDiskSources(disk, name)));
  const [sound, other] = opened;
  const damaged: BlockSources = {
    ...other!,
    index: memorySource(damage(await disk.readFile(`${names[1]}/index`), 'index'), 'index'),
    segments: [
      memorySource(damage(await disk.readFile(`${names[1]}/chunks/000001`), 'chunks/000001'), 'segment'),
    ],
  };
  try {
    const ulid = '01K73ZQV00MD4DGMY00A7F2C9X';
    await compactBlocks([sound!, damaged], {
      disk,
      folder: 'merged',
      targets: [{ ulid, labels: {} }],
      deduplication: 'one-to-one',
      hasher,
      pause: () => undefined,
    });
    return {
      index: await disk.readFile(`merged/${ulid}/index`),
      chunks: await disk.readFile(`merged/${ulid}/chunks/000001`),
    };
  } finally {
    for (const source of opened) await source.close();
    await disk.remove('merged');
  }
}

async function errorOf(damage: Damage): Promise<unknown> {
  try {
    await merged(damage);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('compact-blocks of damaged sources', () => {
  it('finds every damaged byte of symbols, series and chunks, and names its block, file and place', async () => {
    const toc = await readIndexToc(memorySource(await disk.readFile(`${names[1]}/index`), 'index'));
    const segmentBytes = (await disk.readFile(`${names[1]}/chunks/000001`)).length;
    const place = fc.oneof(
      fc.record({ file: fc.constant('index'), at: fc.integer({ min: 0, max: toc.labelIndices - 1 }) }),
      fc.record({ file: fc.constant('chunks/000001'), at: fc.integer({ min: 0, max: segmentBytes - 1 }) }),
    );
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async ({ file, at }, mask) => {
        let isPadding = false;
        const damage: Damage = (bytes, name) => {
          if (name !== file) return bytes;
          const copy = bytes.slice();
          isPadding = (file === 'index' && copy[at] === 0) || (file !== 'index' && at >= 5 && at < 8);
          copy[at]! ^= mask;
          return copy;
        };
        const error = await errorOf(damage);
        // Between series there are zeros that nobody checks.
        if (error === undefined && isPadding) return;
        expect(error).toBeInstanceOf(CorruptBlockError);
        const { ulid, file: found, offset, code } = error as CorruptBlockError;
        expect({ ulid, found, code }).toEqual({ ulid: names[1], found: file, code: 'corrupt' });
        // Of symbols only all together are known not to check.
        if (file === 'index' && at < toc.series) expect(offset).toBeLessThan(toc.series);
        else {
          expect(offset).toBeLessThanOrEqual(at + 8);
          expect(at - offset).toBeLessThan(1200);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('finds files that end early', async () => {
    for (const file of ['index', 'chunks/000001']) {
      const error = await errorOf((bytes, name) =>
        name === file ? bytes.subarray(0, bytes.length / 2) : bytes,
      );
      expect(error).toMatchObject({ code: 'corrupt', ulid: names[1], file });
    }
  });

  it('merges the same blocks when they are sound', async () => {
    expect((await merged((bytes) => bytes.slice())).index).toEqual(whole);
  });

  it('says so when a deletion list does not check', async () => {
    const path = `${names[0]}/tombstones`;
    const before = await disk.readFile(path);
    await disk.writeFile(
      path,
      before.map((byte, i) => (i === 8 ? byte ^ 1 : byte)),
    );
    await expect(openDiskSources(disk, names[0]!)).rejects.toMatchObject({
      code: 'corrupt',
      ulid: names[0],
      file: 'tombstones',
    });
    await disk.writeFile(path, before);
  });
});
