// Blocks of a shard: finding those in the bucket, cutting new ones off a head, putting them into the bucket.

import type { FrameLog } from '../../codec/frame-log.ts';
import { DomainError } from '../../model/errors.ts';
import { alignDown } from '../../model/time-range.ts';
import { BLOCK_RANGE_MS } from '../../model/units.ts';
import type { Config } from '../../platform/config.ts';
import type { Disk } from '../../platform/disk.ts';
import { type BlockMeta, blockUlid, PARTITION_LABEL, TENANT_LABEL } from '../../storage/block/block-meta.ts';
import type { BlockCaches } from '../../storage/block/block-reader.ts';
import { removeUnfinished, writeBlock } from '../../storage/block/block-writer.ts';
import { scanBucket } from '../../storage/block/bucket-scan.ts';
import { openBucketBlock } from '../../storage/block/open-block.ts';
import { uploadBlock } from '../../storage/block/upload.ts';
import { timeSlices } from '../../storage/index/pause.ts';
import type { World } from '../actor.ts';
import type { ReadLock } from './read-lock.ts';
import { type CutPass, coverageOf, type TenantStore } from './tenant-store.ts';

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

/** Complete raw blocks of this partition in the bucket, by tenant. */
export async function findBlocks(place: BlockPlace): Promise<Map<string, BlockMeta[]>> {
  const { world } = place;
  const result = await scanBucket(world.objects, metaDisk(place), {
    labels: partitionLabels(place),
    ignoreMarkedAfterMs: 0,
    now: world.clock.now(),
  });
  for (const broken of result.broken)
    world.log.warn('a block cannot be read and is left out', { ulid: broken.ulid, reason: broken.reason });
  const byTenant = new Map<string, BlockMeta[]>();
  for (const meta of result.blocks) {
    const tenant = meta.thanos?.labels[TENANT_LABEL];
    if (tenant === undefined || (meta.thanos?.resolutionMs ?? 0) > 0) continue;
    byTenant.set(tenant, [...(byTenant.get(tenant) ?? []), meta]);
  }
  return byTenant;
}

/** Opens blocks that the store does not have yet and notes what they cover. */
export async function adoptBlocks(
  place: BlockPlace,
  store: TenantStore,
  metas: readonly BlockMeta[],
): Promise<BlockMeta[]> {
  const added: BlockMeta[] = [];
  for (const meta of metas) {
    if (store.blocks.has(meta.ulid)) continue;
    await store.blocks.add(await openOwn(place, meta));
    added.push(meta);
  }
  return added;
}

/**
 * Notes the coverage of blocks found in the bucket when message `applied` was the last one in the head. What a later pass took
 * from the messages up to it leaves the head; an earlier pass had left it before.
 */
export function noteFound(
  store: TenantStore,
  metas: readonly BlockMeta[],
  frameLog: FrameLog,
  applied: number,
): void {
  for (const meta of metas) {
    const coverage = coverageOf(meta);
    if (coverage === undefined) continue;
    const { minTime } = store.head;
    if (coverage.applied > applied && minTime < coverage.end)
      store.head.seal(alignDown(minTime, BLOCK_RANGE_MS), coverage.end);
    if (store.pass !== undefined && coverage.applied >= store.pass.applied) store.pass = undefined;
    store.noteCoverage(coverage, frameLog);
  }
}

/** Whether the oldest range of the head is complete: nothing in order can enter it, and nothing within the window is expected. */
export function wantsCut(store: TenantStore, config: Config): boolean {
  return store.pass !== undefined || completeEnd(store, config) !== undefined;
}

function completeEnd(store: TenantStore, config: Config): number | undefined {
  const margin = Math.max(BLOCK_RANGE_MS / 2, config.shard.out_of_order_window);
  const first = store.head
    .pendingRanges()
    .find((range) => !range.late && range.end + margin <= store.head.maxTime);
  return first?.end;
}

/** Begins a pass, or goes on with one that failed: the same ranges, the same name for the same block. */
export function beginPass(store: TenantStore, applied: number, config: Config): CutPass {
  if (store.pass) return store.pass;
  const end = completeEnd(store, config);
  if (end === undefined) throw new DomainError('internal', 'nothing to cut');
  const ranges = store.head.pendingRanges().filter((range) => range.end <= end);
  store.head.seal(ranges[0]!.start, end);
  store.pass = { applied, end, ranges, done: 0 };
  return store.pass;
}

/**
 * Writes and uploads the blocks of a pass, then lets the head go of what they hold. The block of the newest range comes last and
 * tells what the pass covers: where it is in the bucket, the others are too. Errors: `conflict` from assertOwner, the bucket's, the
 * disk's; calling again goes on.
 */
export async function runPass(
  place: BlockPlace,
  store: TenantStore,
  pass: CutPass,
  options: {
    readonly assertOwner: () => void;
    readonly frameLog: () => FrameLog;
    readonly lock: ReadLock;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const { disk, objects, clock } = place.world;
  const folder = `shards/${place.partition}/cutting`;
  await removeUnfinished(disk, folder);
  const pause = timeSlices(() => clock.monotonic(), place.yieldNow);
  let blocks = 0;
  for (; pass.done < pass.ranges.length; pass.done++) {
    const range = pass.ranges[pass.done]!;
    const last = pass.done === pass.ranges.length - 1;
    const ulid = blockUlid({
      tenant: store.tenant,
      partition: place.partition,
      minTime: range.start,
      maxTime: range.end,
      level: 1,
      salt: String(pass.applied),
    });
    const meta = await writeBlock(disk, `${folder}/${ulid}`, store.head.cut(range.start, range.end), {
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
      pause,
    });
    if (meta === undefined) continue;
    await uploadBlock(disk, `${folder}/${ulid}`, objects, {
      assertOwner: options.assertOwner,
      signal: options.signal,
    });
    await disk.remove(`${folder}/${ulid}`);
    await adoptBlocks(place, store, [meta]);
    blocks++;
  }
  const release = await options.lock.write();
  try {
    store.noteCoverage({ applied: pass.applied, end: pass.end }, options.frameLog());
    store.pass = undefined;
  } finally {
    release();
  }
  return blocks;
}

function metaDisk(place: BlockPlace): Disk {
  return place.world.disk.within(`shards/${place.partition}/blocks`);
}

function openOwn(place: BlockPlace, meta: BlockMeta): ReturnType<typeof openBucketBlock> {
  const { clock, objects } = place.world;
  const pause = timeSlices(() => clock.monotonic(), place.yieldNow);
  return openBucketBlock({ objects, cacheDisk: metaDisk(place) }, meta, { caches: place.caches, pause });
}
