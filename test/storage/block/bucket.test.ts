// Uploading, deleting and finding blocks in a bucket.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/model/errors.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { blockUlid } from '../../../src/storage/block/block-meta.ts';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import { scanBucket } from '../../../src/storage/block/bucket-scan.ts';
import { openBucketBlock } from '../../../src/storage/block/open-block.ts';
import { deleteBlock, uploadBlock } from '../../../src/storage/block/upload.ts';
import { folderStore } from '../../../src/storage/objects/folder.ts';
import { memoryStore } from '../../../src/storage/objects/memory.ts';
import {
  chunkSeries,
  factsOf,
  matchers,
  memoryObjects,
  someSeries,
  temporaryDisk,
  testCaches,
} from './fixtures.ts';

const temporary = temporaryDisk();
const { disk } = temporary;
afterAll(() => temporary.close());
const names = ['a', 'b', 'c']
  .map((salt) => blockUlid({ tenant: 't', partition: 0, minTime: 0, maxTime: 7_200_000, level: 1, salt }))
  .sort();
const owner = { assertOwner: () => undefined };

beforeAll(async () => {
  for (const [i, ulid] of names.entries())
    await writeBlock(disk, ulid, chunkSeries(someSeries(5, 10)), {
      ...factsOf(ulid),
      labels: { tenant_id: i === 2 ? 'other' : 'me', skein_partition: '0' },
    });
});

describe('upload', () => {
  it('puts chunks, index and last meta.json; a second time it finds its work done', async () => {
    const objects = memoryObjects();
    const [ulid] = names;
    const first = await uploadBlock(disk, ulid!, objects, owner);
    expect(objects.log.filter((line) => line.startsWith('put'))).toEqual(
      ['chunks/000001', 'index', 'meta.json'].map((file) => `put ${ulid}/${file}`),
    );
    expect(first.sentBytes).toBe([...objects.content.values()].reduce((sum, bytes) => sum + bytes.length, 0));
    expect(await uploadBlock(disk, ulid!, objects, owner)).toMatchObject({ sentBytes: 0, skippedFiles: 3 });
  });

  it('goes on where an earlier upload stopped, and sends a file of another size again', async () => {
    const objects = memoryObjects();
    const [ulid] = names;
    await uploadBlock(disk, ulid!, objects, owner);
    objects.content.delete(`${ulid}/meta.json`);
    objects.content.set(`${ulid}/index`, new Uint8Array(3));
    objects.log.length = 0;
    expect(await uploadBlock(disk, ulid!, objects, owner)).toMatchObject({ skippedFiles: 1 });
    expect(objects.log).toEqual([`put ${ulid}/index`, `put ${ulid}/meta.json`]);
  });

  it('leaves no meta.json when the partition is no longer owned', async () => {
    const objects = memoryObjects();
    const assertOwner = (): void => {
      throw new DomainError('conflict', 'cannot upload: partition 0 has another owner');
    };
    await expect(uploadBlock(disk, names[0]!, objects, { assertOwner })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect([...objects.content.keys()]).toEqual([`${names[0]}/chunks/000001`, `${names[0]}/index`]);
  });

  it('notices an object that was stored short', async () => {
    const objects = memoryObjects();
    const put = objects.put.bind(objects);
    objects.put = (key, bytes) => put(key, key.endsWith('index') ? bytes.subarray(1) : bytes);
    await expect(uploadBlock(disk, names[0]!, objects, owner)).rejects.toMatchObject({
      code: 'corrupt',
      retryable: true,
    });
    expect([...objects.content.keys()].some((key) => key.endsWith('meta.json'))).toBe(false);
  });

  it('stops when the signal aborts', async () => {
    const objects = memoryObjects();
    const controller = new AbortController();
    objects.put = async () => controller.abort(new Error('draining'));
    await expect(
      uploadBlock(disk, names[0]!, objects, { ...owner, signal: controller.signal }),
    ).rejects.toThrow();
    expect(objects.content.size).toBe(0);
  });

  it('deletes meta.json first and marks last', async () => {
    const objects = memoryObjects();
    await uploadBlock(disk, names[0]!, objects, owner);
    await uploadBlock(disk, names[1]!, objects, owner);
    await objects.put(`${names[0]}/deletion-mark.json`, new Uint8Array(1));
    objects.log.length = 0;
    await deleteBlock(objects, names[0]!);
    expect(objects.log).toEqual(
      ['meta.json', 'chunks/000001', 'index', 'deletion-mark.json'].map(
        (file) => `remove ${names[0]}/${file}`,
      ),
    );
    expect([...objects.content.keys()].every((key) => key.startsWith(names[1]!))).toBe(true);
  });
});

describe('bucket-scan', () => {
  const wanted = { labels: { tenant_id: 'me' }, ignoreMarkedAfterMs: 60_000, now: 1_000_000 };

  it('finds complete blocks of the wanted labels and says what it left out', async () => {
    const objects = memoryObjects();
    for (const ulid of names) await uploadBlock(disk, ulid, objects, owner);
    const [incomplete, broken] = ['d', 'e'].map((salt) =>
      blockUlid({ tenant: 't', partition: 0, minTime: 0, maxTime: 1, level: 1, salt }),
    );
    await objects.put(`${incomplete}/chunks/000001`, new Uint8Array(9));
    await objects.put(`${broken}/meta.json`, new TextEncoder().encode('{"version":1'));
    await objects.put('debug/metas/x.json', new Uint8Array(1));
    const cache = disk.within('cache-a');
    const first = await scanBucket(objects, cache, wanted);
    expect(first.blocks.map((meta) => meta.ulid)).toEqual(names.slice(0, 2));
    expect(first.incomplete).toEqual([incomplete]);
    expect(first.broken).toEqual([
      { ulid: broken, reason: `cannot read ${broken}/meta.json: it is not JSON` },
    ]);

    objects.log.length = 0;
    expect((await scanBucket(objects, cache, wanted)).blocks).toEqual(first.blocks);
    expect(objects.log).toEqual([`get ${broken}/meta.json`]);

    await deleteBlock(objects, names[0]!);
    expect((await scanBucket(objects, cache, wanted)).blocks.map((meta) => meta.ulid)).toEqual([names[1]]);
    expect((await cache.list('')).map((entry) => entry.name)).toEqual(names.slice(1));
  });

  it('leaves out blocks once their deletion mark is old enough', async () => {
    const objects = memoryObjects();
    for (const ulid of names) await uploadBlock(disk, ulid, objects, owner);
    const mark = (seconds: unknown): Uint8Array =>
      new TextEncoder().encode(
        JSON.stringify({ id: names[0], version: 1, details: '', deletion_time: seconds }),
      );
    const cache = disk.within('cache-b');
    await objects.put(`${names[0]}/deletion-mark.json`, mark(941));
    expect((await scanBucket(objects, cache, wanted)).blocks).toHaveLength(2);
    await objects.put(`${names[0]}/deletion-mark.json`, mark(940));
    expect(await scanBucket(objects, cache, wanted)).toMatchObject({
      marked: [names[0]],
      blocks: [{ ulid: names[1] }],
    });
    await objects.put(`${names[0]}/deletion-mark.json`, new Uint8Array(3));
    expect((await scanBucket(objects, cache, wanted)).marked).toEqual([names[0]]);
  });

  it('takes a block that vanishes while it looks as incomplete, not as an error', async () => {
    const objects = memoryObjects();
    for (const ulid of names) await uploadBlock(disk, ulid, objects, owner);
    const { list } = objects;
    objects.list = async function* (prefix) {
      yield* list(prefix);
      if (prefix.startsWith(names[0]!)) objects.content.clear();
    };
    const result = await scanBucket(objects, disk.within('cache-c'), wanted);
    expect(result.incomplete).toContain(names[0]);
    expect(result.broken).toEqual([]);
  });

  for (const kind of ['memory', 'folder'] as const) {
    it(`works on the ${kind} object store`, async () => {
      const objects = kind === 'memory' ? memoryStore(realClock()) : folderStore(disk.within('bucket'));
      for (const ulid of names) await uploadBlock(disk, ulid, objects, owner);
      const cacheDisk = disk.within(`cache-${kind}`);
      const found = await scanBucket(objects, cacheDisk, wanted);
      expect(found.blocks.map((meta) => meta.ulid)).toEqual(names.slice(0, 2));
      const shared = { caches: testCaches(), pause: () => undefined };
      const block = await openBucketBlock({ objects, cacheDisk }, found.blocks[0]!, shared);
      const selection = await block.select(matchers(['job', '=~', '.+']), 0, 1e9);
      expect((await selection.load(0, 5)).count).toBe(5);
      await deleteBlock(objects, names[0]!);
      expect((await scanBucket(objects, cacheDisk, wanted)).blocks.map((meta) => meta.ulid)).toEqual([
        names[1],
      ]);
    });
  }
});
