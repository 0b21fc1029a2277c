// Blocks of a shard: finding those in the bucket, cutting new ones off a head, putting them into the bucket.

import { asDomainError, type DomainError } from '../../model/errors.ts';
import type { Config } from '../../platform/config.ts';
import type { Disk } from '../../platform/disk.ts';
import {
  type BlockMeta,
  blockUlid,
  META_FILE,
  PARTITION_LABEL,
  TENANT_LABEL,
} from '../../storage/block/block-meta.ts';
import type { BlockCaches, BlockReader } from '../../storage/block/block-reader.ts';
import { removeUnfinished, writeBlock } from '../../storage/block/block-writer.ts';
import { cachedBlocks, findBlock, scanBucket } from '../../storage/block/bucket-scan.ts';
import { holderOf, withoutReplaced } from '../../storage/block/lineage.ts';
import { openBucketBlock } from '../../storage/block/open-block.ts';
import { uploadBlock } from '../../storage/block/upload.ts';
import { timeSlices } from '../../storage/index/pause.ts';
import type { World } from '../actor.ts';
import type { CutPass, TenantStore } from './tenant-store.ts';

/** What the blocks of one shard need. */
export interface BlockPlace {
  readonly config: Config;
  readonly partition: number;
  readonly world: World;
  readonly caches: BlockCaches;
  /** Lets others of the process run. */
  readonly yieldNow: () => Promise<void>;
}

/** External labels of this partition's blocks; the tenant's own come on top. */
export function partitionLabels(place: BlockPlace): Record<string, string> {
  return { ...place.config.cluster.external_labels, [PARTITION_LABEL]: String(place.partition) };
}

/** What a listing of the bucket tells of a partition's blocks. */
export interface ListedBlocks {
  /** Complete ones, by tenant. */
  readonly found: Map<string, BlockMeta[]>;
  /** ULIDs of those, of whatever partition, whose meta.json cannot be read: they are there, and nothing more is known of them. */
  readonly unreadable: ReadonlySet<string>;
}

/**
 * Complete blocks of this partition in the bucket. Those marked for deletion are among them: the compaction that takes the place
 * of a marked block may not have been seen by this listing, and until it is deleted it can be read.
 */
export async function findBlocks(place: BlockPlace): Promise<ListedBlocks> {
  const { world } = place;
  const result = await scanBucket(world.objects, metaDisk(place), {
    labels: partitionLabels(place),
    ignoreMarkedAfterMs: Number.POSITIVE_INFINITY,
    now: world.clock.now(),
  });
  for (const broken of result.broken)
    world.log.warn('a block cannot be read and is left out', { ulid: broken.ulid, reason: broken.reason });
  return {
    found: byTenant(result.blocks),
    unreadable: new Set(result.broken.map(({ ulid }) => ulid)),
  };
}

/** Whether a block is not in the bucket any more, asked by its name: a listing may be older than what it lists. */
export async function isGone(place: BlockPlace, ulid: string): Promise<boolean> {
  return (await place.world.objects.stat(`${ulid}/${META_FILE}`)) === undefined;
}

/** Blocks of this partition that the local disk tells of, by tenant: what is known while the bucket is away. */
export async function knownBlocks(place: BlockPlace): Promise<Map<string, BlockMeta[]>> {
  return byTenant(await cachedBlocks(metaDisk(place), partitionLabels(place)));
}

function byTenant(metas: readonly BlockMeta[]): Map<string, BlockMeta[]> {
  const out = new Map<string, BlockMeta[]>();
  for (const meta of metas) {
    const tenant = meta.thanos?.labels[TENANT_LABEL];
    if (tenant === undefined) continue;
    out.set(tenant, [...(out.get(tenant) ?? []), meta]);
  }
  return out;
}

/**
 * Opens blocks that the store does not have yet, and lets those go that they are compactions of: all in one step, when all are open. One that
 * cannot be opened is passed by while others have what it was made from. Errors: those of opening a block that nothing stands in for, after
 * the others have been adopted.
 */
export async function adoptBlocks(
  place: BlockPlace,
  store: TenantStore,
  metas: readonly BlockMeta[],
): Promise<void> {
  const wanted = distinct([...store.blocks.metas(), ...metas]);
  const opened = new Map<string, BlockReader>();
  const failed = new Map<string, DomainError>();
  let chosen: readonly BlockMeta[];
  try {
    // Without a block that fails, its parents are wanted again.
    do {
      chosen = withoutReplaced(wanted.filter(({ ulid }) => !failed.has(ulid)));
    } while (!(await openAll(place, store, chosen, { opened, failed })));
  } catch (error) {
    for (const reader of opened.values()) await reader.close();
    throw error;
  }
  const isChosen = new Set(chosen.map(({ ulid }) => ulid));
  for (const [ulid, reader] of opened) {
    if (isChosen.has(ulid)) continue;
    opened.delete(ulid);
    await reader.close();
  }
  if (opened.size > 0) await store.blocks.swapIn([...opened.values()]);
  for (const [ulid, error] of failed) {
    const { sources } = wanted.find((meta) => meta.ulid === ulid)!.compaction;
    if (!sources.every((source) => holderOf(chosen, source) !== undefined)) throw error;
    place.world.log.warn('a block cannot be opened; those it was made from are read', {
      ulid,
      error: error.message,
    });
  }
}

// Opens those that are not open yet; false after the first that is no whole block, which is noted in `failed`. Errors: the bucket's.
async function openAll(
  place: BlockPlace,
  store: TenantStore,
  metas: readonly BlockMeta[],
  { opened, failed }: { opened: Map<string, BlockReader>; failed: Map<string, DomainError> },
): Promise<boolean> {
  for (const meta of metas) {
    const { ulid } = meta;
    if (store.blocks.has(ulid) || opened.has(ulid)) continue;
    try {
      opened.set(ulid, await openOwn(place, meta));
    } catch (error) {
      const failure = asDomainError(error);
      if (failure.code !== 'corrupt' && failure.code !== 'not_found') throw failure;
      failed.set(ulid, failure);
      return false;
    }
  }
  return true;
}

function distinct(metas: readonly BlockMeta[]): BlockMeta[] {
  return [...new Map(metas.map((meta) => [meta.ulid, meta])).values()];
}

/** The names of the blocks of a pass, one a range, oldest first: the same whoever makes them. */
export function blocksOfPass(place: BlockPlace, store: TenantStore, pass: CutPass): string[] {
  return pass.ranges.map(({ start, end }) =>
    blockUlid({
      tenant: store.tenant,
      partition: place.partition,
      minTime: start,
      maxTime: end,
      level: 1,
      salt: String(pass.applied),
    }),
  );
}

/**
 * The blocks of a pass that are in the bucket, or compactions of them that the store has; nothing as long as its last one, which comes after
 * the others, is not there.
 */
export async function findPass(place: BlockPlace, store: TenantStore, pass: CutPass): Promise<BlockMeta[]> {
  const found: BlockMeta[] = [];
  for (const ulid of blocksOfPass(place, store, pass).reverse()) {
    const meta =
      holderOf(store.blocks.metas(), ulid) ?? (await findBlock(place.world.objects, metaDisk(place), ulid));
    if (meta !== undefined) found.push(meta);
    else if (found.length === 0) break;
  }
  return found;
}

/** What a pass is made with. */
export interface PassOptions {
  /** Throws (`conflict`) when the partition is not ours any more. */
  readonly assertOwner: () => void;
  readonly signal: AbortSignal;
}

/**
 * Writes, uploads and opens the blocks of a pass that are not in the bucket yet. The block of the newest range comes last and tells
 * what the pass covers: where it is in the bucket, the others are too. Returns how many were made. Errors: `conflict` from assertOwner,
 * the bucket's, the disk's; calling again goes on, here or in another process.
 */
export async function runPass(
  place: BlockPlace,
  store: TenantStore,
  pass: CutPass,
  options: PassOptions,
): Promise<number> {
  const { disk, objects } = place.world;
  const folder = `shards/${place.partition}/cutting`;
  await removeUnfinished(disk, folder);
  let blocks = 0;
  for (const [index, ulid] of blocksOfPass(place, store, pass).entries()) {
    // A block that was merged since may be gone from the bucket: made again, its samples would be there twice.
    if (holderOf(store.blocks.metas(), ulid) !== undefined) continue;
    // An earlier owner may have got this far; and a bucket that is away is found out before a block is written for it.
    let meta = await findBlock(objects, metaDisk(place), ulid);
    if (meta === undefined) {
      meta = await writePassBlock(place, store, pass, { folder: `${folder}/${ulid}`, ulid, index });
      if (meta === undefined) continue;
      await uploadBlock(disk, `${folder}/${ulid}`, objects, options);
      const metaBytes = await disk.readFile(`${folder}/${ulid}/${META_FILE}`);
      await metaDisk(place).writeFile(`${ulid}/${META_FILE}`, metaBytes);
      await disk.remove(`${folder}/${ulid}`);
      blocks++;
    }
    await adoptBlocks(place, store, [meta]);
  }
  return blocks;
}

function writePassBlock(
  place: BlockPlace,
  store: TenantStore,
  pass: CutPass,
  { folder, ulid, index }: { folder: string; ulid: string; index: number },
): Promise<BlockMeta | undefined> {
  const { disk, clock } = place.world;
  const range = pass.ranges[index]!;
  const last = index === pass.ranges.length - 1;
  return writeBlock(disk, folder, store.head.cut(range.start, range.end, pass.applied), {
    ulid,
    minTime: range.start,
    maxTime: range.end,
    labels: { ...partitionLabels(place), [TENANT_LABEL]: store.tenant },
    extensions: {
      skein: {
        partition: place.partition,
        applied: pass.applied,
        ...(last ? { coveredEnd: pass.end } : {}),
      },
    },
    pause: timeSlices(() => clock.monotonic(), place.yieldNow),
  });
}

function metaDisk(place: BlockPlace): Disk {
  return place.world.disk.within(`shards/${place.partition}/blocks`);
}

function openOwn(place: BlockPlace, meta: BlockMeta): ReturnType<typeof openBucketBlock> {
  const { clock, objects } = place.world;
  const pause = timeSlices(() => clock.monotonic(), place.yieldNow);
  return openBucketBlock({ objects, cacheDisk: metaDisk(place) }, meta, { caches: place.caches, pause });
}
