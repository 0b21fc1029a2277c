// What a replica knows of the bucket, and how it learns what another owner has cut: blocks are opened, then what their passes cover
// leaves the head. Every replica decides the same passes (tenant-store.ts), so what a pass covers can be told exactly.

import { asDomainError, invariant } from '../../model/errors.ts';
import type { BlockMeta } from '../../storage/block/block-meta.ts';
import { adoptBlocks, findBlocks, findPass, isGone, knownBlocks } from './blocks.ts';
import { type ShardState, tenantStore } from './state.ts';
import { coverageOf } from './tenant-store.ts';

/** Time between two looks for the blocks of a pass that another process makes. */
const POLL_MS = 5000;
/**
 * Time between two listings of the bucket while it does not answer, and while it does: far less than the time between a block's mark and its
 * deletion (48 h), within which its compaction must have been seen.
 */
const REVIEW_RETRY_MS = 5000;
const REVIEW_MS = 300_000;

/** What a replica knows of the bucket. */
export interface BucketView {
  /** Every block that the log does not make superfluous is known; else answers about old data say what they lack. */
  blocksKnown: boolean;
  /** The bucket must be listed before anything is cut or trimmed. */
  reviewDue: boolean;
  /** When it is to be listed next, and when the blocks of another process's pass are to be looked for (monotonic ms). */
  nextReviewAt: number;
  nextPollAt: number;
}

/** The view of a replica that is being opened. */
export function bucketView(now: number): BucketView {
  return { blocksKnown: false, reviewDue: true, nextReviewAt: now, nextPollAt: now };
}

/** What a shard that opens knows of its blocks. */
export interface FirstLook {
  /** Metas by tenant: those in the bucket, or, while it is away, those that the local disk tells of. */
  readonly found: ReadonlyMap<string, readonly BlockMeta[]>;
  readonly isWhole: boolean;
}

/** Lists the bucket for a shard that opens, or does without. */
export async function firstLook(state: ShardState): Promise<FirstLook> {
  const { place } = state;
  try {
    const { found } = await findBlocks(place);
    return { found, isWhole: true };
  } catch (error) {
    const failure = asDomainError(error);
    if (failure.code !== 'unavailable') throw error;
    place.world.log.warn('the bucket is away: starting with what is known here', {
      partition: state.partition,
      error: failure.message,
    });
    return { found: await knownBlocks(place), isWhole: false };
  }
}

/**
 * Opens blocks the replica lacks and lets the heads go of what their passes cover. A foreign pass breaks the invariant that owners cut
 * by the same rules: the replica starts over from bucket and log, which have everything.
 */
export async function adopt(
  state: ShardState,
  found: ReadonlyMap<string, readonly BlockMeta[]>,
): Promise<void> {
  for (const [tenant, metas] of found) {
    const store = tenantStore(state, tenant);
    await adoptBlocks(state.place, store, metas);
    const passes = metas.map(coverageOf).filter((pass) => pass !== undefined);
    // The newest first: it covers what the earlier ones did.
    passes.sort((a, b) => b.applied - a.applied);
    if (passes.every((pass) => store.standingOf(pass, state.applied) === 'known')) continue;
    const release = await state.lock.write();
    try {
      for (const pass of passes) {
        const standing = store.standingOf(pass, state.applied);
        invariant(
          standing !== 'foreign',
          `partition ${state.partition} was cut at message ${pass.applied} up to ${pass.end} ms by other rules than here; starting over`,
        );
        if (standing === 'known') continue;
        store.noteCoverage(pass, state.applied, state.frameLog);
        state.ledger.cut(tenant, pass.end, pass.applied);
        state.unsavedBytes = Number.POSITIVE_INFINITY; // what left the head must not be replayed: save soon
      }
    } finally {
      release();
    }
  }
}

/** Keeps the view up to date: lists the bucket when that is due, and follows the cuts of whoever owns the partition. */
export async function learnBlocks(state: ShardState): Promise<void> {
  const { bucket, place } = state;
  const now = place.world.clock.monotonic();
  const waiting =
    state.lease === undefined && [...state.tenants.values()].some(({ passes }) => passes.length > 0);
  if (now >= bucket.nextReviewAt) {
    bucket.nextReviewAt = now + REVIEW_RETRY_MS;
    await review(state);
    noteReview(state);
  } else if (waiting && now >= bucket.nextPollAt) {
    bucket.nextPollAt = now + POLL_MS;
    await followPasses(state);
  }
}

// Takes over what others cut and compacted, and lets go of blocks that are not there any more: compacted, or past their retention.
async function review(state: ShardState): Promise<void> {
  // What is uploaded during the listing may not be in it.
  const before = new Map([...state.tenants].map(([tenant, { blocks }]) => [tenant, blocks.metas()]));
  const { found, unreadable } = await findBlocks(state.place);
  await adopt(state, found);
  for (const [tenant, metas] of before) {
    const there = new Set((found.get(tenant) ?? []).map(({ ulid }) => ulid));
    for (const { ulid } of metas)
      if (!there.has(ulid) && !unreadable.has(ulid) && (await isGone(state.place, ulid)))
        await state.tenants.get(tenant)?.blocks.remove(ulid);
  }
}

/** The bucket must be listed before this replica acts on it. */
export function demandReview({ bucket, place }: ShardState): void {
  bucket.reviewDue = true;
  bucket.nextReviewAt = place.world.clock.monotonic();
}

/** The bucket was listed and what was found is open. */
export function noteReview({ bucket, place }: ShardState): void {
  // Not all partitions at once, and not the replicas of one.
  const jitter = place.world.random.integer(REVIEW_MS / 4);
  bucket.nextReviewAt = place.world.clock.monotonic() + REVIEW_MS - jitter;
  bucket.blocksKnown = true;
  bucket.reviewDue = false;
}

async function followPasses(state: ShardState): Promise<void> {
  for (const store of state.tenants.values()) {
    for (let pass = store.passes[0]; pass !== undefined; pass = store.passes[0]) {
      const metas = await findPass(state.place, store, pass);
      if (metas.length === 0) break;
      await adopt(state, new Map([[store.tenant, metas]]));
      invariant(
        store.passes[0] !== pass,
        `the last block of the pass at message ${pass.applied} does not tell what it covers`,
      );
    }
  }
}
