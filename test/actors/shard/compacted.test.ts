// Shards whose blocks are merged by somebody else, marked, and deleted: nothing is lost, doubled or made again.

import { describe, expect, it } from 'vitest';
import type { ReplicaFacts } from '../../../src/actors/shard/messages.ts';
import { replicaKey } from '../../../src/bus/subjects.ts';
import { decodeEnvelope } from '../../../src/codec/envelope.ts';
import { createHasher } from '../../../src/codec/hash.ts';
import { type BlockMeta, blockUlid, decodeBlockMeta } from '../../../src/storage/block/block-meta.ts';
import { DELETION_MARK_FILE } from '../../../src/storage/block/bucket-scan.ts';
import { openBucketSources } from '../../../src/storage/block/open-block.ts';
import { deleteBlock, uploadBlock } from '../../../src/storage/block/upload.ts';
import { compactBlocks } from '../../../src/storage/compact/compact-blocks.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { openShardRig, type ShardRig } from './rig.ts';

const hasher = await createHasher();
const HOUR = 3_600_000;
const STEP = 60_000;
const T0 = Date.UTC(2025, 11, 31); // a multiple of two hours
const END = T0 + 6 * HOUR;
const COUNT = 'count_over_time(m[1d])';
/** Longer than the time between two listings of the bucket. */
const REVIEW_MS = 310_000;
const ALL = [360, 360];

async function write(rig: ShardRig, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 10 * STEP) {
    await rig.write(Array.from({ length: 10 }, (_, i) => at + i * STEP));
    await rig.clock.advance(200);
  }
}

async function bucketMetas(rig: ShardRig): Promise<BlockMeta[]> {
  const metas: BlockMeta[] = [];
  for await (const { key } of rig.objects.list(''))
    if (key.endsWith('/meta.json')) metas.push(decodeBlockMeta(await rig.objects.get(key)));
  return metas;
}

/** Puts the merge of all blocks into the bucket. */
async function compactAll(rig: ShardRig): Promise<{ parents: readonly BlockMeta[]; merged: BlockMeta }> {
  const parents = await bucketMetas(rig);
  const identity = { tenant: 't', partition: 0, minTime: T0, maxTime: END, level: 2 };
  const ulid = blockUlid({ ...identity, salt: 'merged' });
  const sources = await Promise.all(parents.map((meta) => openBucketSources(rig.objects, meta)));
  const disk = createMemoryDisk();
  const [merged] = await compactBlocks(sources, {
    ...{ disk, folder: 'work', deduplication: 'one-to-one', hasher, pause: () => undefined },
    targets: [{ ulid, labels: parents[0]!.thanos!.labels }],
  });
  for (const source of sources) await source.close();
  await uploadBlock(disk, `work/${ulid}`, rig.objects, { assertOwner: () => {} });
  return { parents, merged: merged! };
}

async function mark(rig: ShardRig, { ulid }: BlockMeta): Promise<void> {
  const text = JSON.stringify({ id: ulid, version: 1, deletion_time: Math.floor(rig.clock.now() / 1000) });
  await rig.objects.put(`${ulid}/${DELETION_MARK_FILE}`, new TextEncoder().encode(text));
}

async function blocksOf(rig: ShardRig): Promise<string[]> {
  return (await bucketMetas(rig)).map(({ ulid }) => ulid).sort();
}

async function facts(rig: ShardRig, id: string): Promise<ReplicaFacts> {
  const [entry] = await rig.directory.list(replicaKey(0, id));
  return decodeEnvelope<ReplicaFacts>(entry!.value);
}

describe('a shard whose blocks are compacted', () => {
  it('reads the compaction instead of its parents, owner and standby, before and after those are deleted', async () => {
    const rig = await openShardRig();
    const one = await rig.start('one', createMemoryDisk());
    const two = await rig.start('two', createMemoryDisk(), 1);
    await write(rig, T0, END);
    await rig.clock.advance(20_000);
    const { parents, merged } = await compactAll(rig);
    expect(parents).toHaveLength(2);
    expect(await rig.ask(COUNT, END)).toEqual(ALL);
    for (const parent of parents) await mark(rig, parent);
    await rig.clock.advance(REVIEW_MS);
    for (const id of ['one', 'two']) {
      expect(await facts(rig, id)).toMatchObject({ blocks: 1 });
      expect(await rig.askReplica(id, COUNT, END)).toEqual({ values: ALL, warnings: [] });
    }
    for (const { ulid } of parents) await deleteBlock(rig.objects, ulid);
    for (const id of ['one', 'two'])
      expect(await rig.askReplica(id, COUNT, END)).toEqual({ values: ALL, warnings: [] });
    await rig.clock.advance(REVIEW_MS);
    for (const id of ['one', 'two'])
      expect(await rig.askReplica(id, COUNT, END)).toEqual({ values: ALL, warnings: [] });
    expect(await blocksOf(rig)).toEqual([merged.ulid]);
    expect([one.lastError(), two.lastError()]).toEqual([undefined, undefined]);
    await rig.driven(one.stop());
    await rig.driven(two.stop());
  });

  it('that starts with an empty disk, the log whole, takes the compaction for the cuts and makes none of them again', async () => {
    const rig = await openShardRig();
    const one = await rig.start('one', createMemoryDisk());
    await write(rig, T0, END);
    await rig.clock.advance(5000);
    await rig.driven(one.stop());
    const { parents, merged } = await compactAll(rig);
    for (const { ulid } of parents) await deleteBlock(rig.objects, ulid);
    const two = await rig.start('two', createMemoryDisk());
    await rig.clock.advance(30_000);
    expect(await rig.driven(two.ask('status', undefined))).toMatchObject({ owner: true });
    expect(await rig.ask(COUNT, END)).toEqual(ALL);
    expect(await blocksOf(rig)).toEqual([merged.ulid]);
    await rig.driven(two.stop());
  });

  it('that starts from its snapshot with the bucket away knows its blocks by the compaction it has seen', async () => {
    const rig = await openShardRig();
    const disk = createMemoryDisk();
    const one = await rig.launch('one', disk);
    await write(rig, T0, END);
    await rig.clock.advance(130_000);
    const { parents } = await compactAll(rig);
    for (const { ulid } of parents) await deleteBlock(rig.objects, ulid);
    await rig.clock.advance(REVIEW_MS);
    await one.kill();
    rig.bucket.away = true;
    const two = await rig.start('again', disk);
    expect(await facts(rig, 'again')).toMatchObject({ blocksKnown: true });
    rig.bucket.away = false;
    await rig.clock.advance(30_000);
    expect(await rig.ask(COUNT, END)).toEqual(ALL);
    await rig.driven(two.stop());
  });

  it('and that takes over an unfinished pass makes only the blocks that neither are there nor were merged', async () => {
    const rig = await openShardRig();
    let metas = 0;
    rig.bucket.onPut = async (key, id) => {
      if (id === 'one' && key.endsWith('/meta.json') && ++metas === 2) await new Promise(() => {});
    };
    const one = await rig.launch('one', createMemoryDisk());
    await rig.write([T0 + STEP, T0 + 2 * HOUR + STEP, T0 + 6 * HOUR]);
    await rig.clock.advance(5000);
    expect(metas).toBe(2);
    await one.kill();
    const { parents, merged } = await compactAll(rig);
    expect(parents).toHaveLength(1);
    await deleteBlock(rig.objects, parents[0]!.ulid);
    const two = await rig.start('two', createMemoryDisk());
    await rig.clock.advance(40_000);
    expect(await rig.ask(COUNT, END)).toEqual([3, 3]);
    const names = await blocksOf(rig);
    expect(names).toHaveLength(2);
    expect(names).toContain(merged.ulid);
    await rig.driven(two.stop());
  });

  it('reads on a marked block that has no compaction, and lets go of one that is deleted', async () => {
    const rig = await openShardRig();
    const one = await rig.start('one', createMemoryDisk());
    await write(rig, T0, END);
    await rig.clock.advance(5000);
    const oldest = (await bucketMetas(rig)).find(({ minTime }) => minTime === T0)!;
    await mark(rig, oldest);
    await rig.clock.advance(REVIEW_MS);
    expect(await rig.ask(COUNT, END)).toEqual(ALL);
    await deleteBlock(rig.objects, oldest.ulid);
    await rig.clock.advance(REVIEW_MS);
    expect(await rig.ask(COUNT, END)).toEqual([240, 240]);
    expect(one.lastError()).toBeUndefined();
    await rig.driven(one.stop());
  });

  it('keeps the parents of a compaction that is no whole block, and adopts what else is new', async () => {
    const rig = await openShardRig();
    const one = await rig.start('one', createMemoryDisk());
    const two = await rig.start('two', createMemoryDisk(), 1);
    await write(rig, T0, END);
    await rig.clock.advance(5000);
    const { merged } = await compactAll(rig);
    const bytes = await rig.objects.get(`${merged.ulid}/meta.json`);
    const text = new TextDecoder().decode(bytes).replace(/"files": ?\[[^\]]*\],?/, '"files":[],');
    await rig.objects.put(`${merged.ulid}/meta.json`, new TextEncoder().encode(text));
    await rig.objects.remove(`${merged.ulid}/index`);
    await rig.clock.advance(REVIEW_MS);
    for (const id of ['one', 'two']) {
      expect(await rig.askReplica(id, COUNT, END)).toEqual({ values: ALL, warnings: [] });
      expect(await facts(rig, id)).toMatchObject({ blocks: 2 });
    }
    await rig.driven(one.stop());
    await rig.driven(two.stop());
  });

  it('asks for a block by name before it lets go of it: a listing may be stale', async () => {
    const rig = await openShardRig();
    const one = await rig.start('one', createMemoryDisk());
    await write(rig, T0, END);
    await rig.clock.advance(5000);
    for (const { ulid } of await bucketMetas(rig)) rig.bucket.unlisted.add(ulid);
    await rig.clock.advance(REVIEW_MS);
    expect(await rig.ask(COUNT, END)).toEqual(ALL);
    expect(one.lastError()).toBeUndefined();
    await rig.driven(one.stop());
  });
});
