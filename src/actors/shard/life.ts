// The life of a shard: open (snapshot, blocks, replay to the tail), follow the log, close.

import type { DurableLog, LogBounds } from '../../bus/durable-log.ts';
import { leaseKey } from '../../bus/subjects.ts';
import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { FrameLog } from '../../codec/frame-log.ts';
import { asDomainError, DomainError, errorText } from '../../model/errors.ts';
import { sleep } from '../../platform/clock.ts';
import { guardedStore } from '../../storage/objects/guarded.ts';
import { applySome } from './apply.ts';
import { adoptBlocks } from './blocks.ts';
import { adopt, bucketView, type FirstLook, firstLook, noteReview } from './bucket-view.ts';
import { type EarlyShard, openEarly } from './early.ts';
import { Freshness } from './freshness.ts';
import { LogLedger } from './ledger.ts';
import { shardMetrics } from './metrics.ts';
import { ReadLock } from './read-lock.ts';
import { serveShard } from './serve.ts';
import { openShardSnapshot, readShardSnapshot, writeShardSnapshot } from './snapshot.ts';
import {
  announceReplica,
  replicaFacts,
  type ShardConfig,
  type ShardContext,
  type ShardState,
  tenantStore,
} from './state.ts';

/** Queries do not wait longer for a bucket that is silent; they say what they lack. */
const BUCKET_GUARD = { waitMs: 5000, retryMs: 5000 };

/**
 * Loads the snapshot and the list of blocks, and replays the log to its tail. Meanwhile it can be asked, when nobody complete can: for what
 * is old it has the answer already, for what is newer it waits, and says what it lacks.
 */
export async function openShard(shardConfig: ShardConfig, context: ShardContext): Promise<ShardState> {
  const { partition } = shardConfig;
  context.become('replaying');
  const log = await context.logs.open(partition);
  const lookedAt = context.clock.monotonic();
  const bounds = await log.bounds();
  const state = emptyShard(shardConfig, log, bounds, context);
  const { found, isWhole } = await firstLook(state);
  let began = 0;
  let from = 0;
  try {
    await loadSnapshot(state, bounds, { found, isWhole }, context);
    // A log that was never trimmed has everything, when it is replayed from its beginning.
    if (bounds.first === 1 && state.applied === 0) state.bucket.blocksKnown = true;
    // A listing that is not whole may lack older blocks that the pass of a newer one covers: what is whole without them stays in the head.
    if (isWhole || !state.bucket.blocksKnown) await adopt(state, found);
    else
      for (const [tenant, metas] of found) await adoptBlocks(state.place, tenantStore(state, tenant), metas);
    if (isWhole) noteReview(state);
    state.freshness.looked(lookedAt, bounds.last, state.applied);
    began = context.clock.monotonic();
    from = state.applied + 1;
    const service = await serveShard(state, context);
    state.service = service;
    state.unwatch = await watchHolder(state, context);
    state.announcement ??= await announceReplica(state, context);
    await replay(state, bounds.last, context);
    state.replaying = false;
    await service.share();
    await state.announcement.update(encodeEnvelope(replicaFacts(state, 'ready', context)));
  } catch (error) {
    await leaveDirectory(state);
    throw error;
  }
  context.log.info('partition is complete', {
    partition,
    from,
    to: state.applied,
    tenants: state.tenants.size,
    replayMs: Math.round(context.clock.monotonic() - began),
  });
  context.become('ready');
  return state;
}

// What the blocks hold can be asked for meanwhile: a snapshot of a million series takes a while.
async function loadSnapshot(
  state: ShardState,
  bounds: LogBounds,
  { found, isWhole }: FirstLook,
  context: ShardContext,
): Promise<void> {
  const snapshot = await openShardSnapshot(state.partition, context);
  if (snapshot === undefined) return;
  let early: EarlyShard | undefined;
  try {
    if (isWhole) {
      const { config, partition, place, log } = state;
      const own = emptyShard({ config, partition, caches: place.caches }, log, bounds, context);
      early = await openEarly(own, found, context);
      state.announcement = early.announcement;
    }
    await readShardSnapshot(snapshot, state, { bounds, found }, context);
  } finally {
    await snapshot.close();
    await early?.close();
  }
}

// A shard that knows where its log begins and ends, and nothing more.
function emptyShard(
  { config, partition, caches }: ShardConfig,
  log: DurableLog,
  bounds: LogBounds,
  context: ShardContext,
): ShardState {
  const objects = guardedStore(context.objects, context.clock, BUCKET_GUARD);
  const world = { ...context, objects };
  return {
    config,
    partition,
    log,
    place: { config, partition, caches, world, yieldNow: () => sleep(context.clock, 0) },
    tenants: new Map(),
    frameLog: new FrameLog(),
    ledger: new LogLedger(),
    applied: bounds.first - 1,
    suspect: undefined,
    unsavedBytes: 0,
    savedAt: context.clock.monotonic(),
    tail: bounds.last,
    lease: undefined,
    rank: undefined,
    holder: undefined,
    ticksWithoutHolder: 0,
    unwatch: () => {},
    bucket: bucketView(context.clock.monotonic()),
    tailAt: context.clock.now(),
    logBytes: bounds.bytes,
    freshness: new Freshness(Number.NEGATIVE_INFINITY),
    looking: undefined,
    waiters: new Set(),
    closing: false,
    failed: false,
    logFirst: bounds.first,
    told: { announced: '', announcedAt: 0, reported: '', reportedAt: 0 },
    damage: [],
    lock: new ReadLock(),
    metrics: shardMetrics(context.metrics, partition),
    service: undefined,
    announcement: undefined,
    following: Promise.resolve(),
    pause: undefined,
    replaying: true,
    stalled: undefined,
  };
}

// An opening that failed leaves nobody behind who is asked.
async function leaveDirectory(state: ShardState): Promise<void> {
  state.unwatch();
  state.closing = true;
  for (const waiter of state.waiters) waiter.settle(false);
  await state.service?.stop();
  await state.announcement?.withdraw();
}

async function watchHolder(state: ShardState, context: ShardContext): Promise<() => void> {
  const key = leaseKey(state.partition);
  return context.directory.watch(key, (entries) => {
    const entry = entries.find((found) => found.key === key);
    state.holder = entry && decodeEnvelope<{ process: string }>(entry.value).process;
  });
}

// Follows the log for good and resolves once `last` is applied.
async function replay(state: ShardState, last: number, context: ShardContext): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (state.applied >= last) resolve();
    const following = follow(state, context, () => {
      if (state.applied >= last) resolve();
    });
    // An end without an error is a stop; before the tail the opening fails with it. Rejecting after the tail says nothing to anyone.
    state.following = following
      .catch((error) => {
        if (context.stopping.aborted) return;
        const failure = asDomainError(error);
        stall(state, failure, context);
        reject(failure);
      })
      .finally(() => reject(new DomainError('canceled', 'stopped before the log was replayed')));
  });
}

// Before the tail the opening fails and is tried again. After it the shard goes on answering with a warning, or, when the log was
// trimmed under it, starts over (onTick): blocks have what it missed.
function stall(state: ShardState, failure: DomainError, context: ShardContext): void {
  state.stalled = failure;
  for (const waiter of state.waiters) waiter.settle(false);
  state.damage.push(
    `log of partition ${state.partition} cannot be read after message ${state.applied}: ${failure.message}`,
  );
  state.metrics.damage.add(1, { partition: String(state.partition) });
  context.log.error('cannot follow the log', {
    partition: state.partition,
    applied: state.applied,
    error: failure.message,
  });
}

async function follow(state: ShardState, context: ShardContext, onApplied: () => void): Promise<void> {
  while (!context.stopping.aborted) await followToSuspect(state, context, onApplied);
}

// Until the stop, or until a message has to be read again.
async function followToSuspect(
  state: ShardState,
  context: ShardContext,
  onApplied: () => void,
): Promise<void> {
  const { suspect } = state;
  for await (const batch of state.log.read(state.applied + 1, context.stopping)) {
    for (let next = 0; next < batch.length; ) {
      if (next > 0) await sleep(context.clock, 0);
      while (state.pause !== undefined) await state.pause;
      next = applySome(state, batch, next, context);
      onApplied();
      if (state.suspect !== suspect) return;
    }
  }
}

/** Stops answering, saves the head so that the next start need not replay, gives the lease up. */
export async function closeShard(state: ShardState, context: ShardContext): Promise<void> {
  state.unwatch();
  state.closing = true;
  for (const waiter of state.waiters) waiter.settle(false);
  await state.service?.stop();
  await state.following;
  try {
    if (!state.failed && state.stalled === undefined) await writeShardSnapshot(state, context);
  } catch (error) {
    context.log.warn('no snapshot at the stop: the next start replays more of the log', {
      partition: state.partition,
      error: errorText(error),
    });
  }
  const { applied, lag, logBytes, series, headBytes } = state.metrics;
  for (const gauge of [applied, lag, logBytes, series, headBytes])
    gauge.remove({ partition: String(state.partition) });
  await state.announcement?.withdraw();
  await state.lease?.release();
  for (const store of state.tenants.values()) await store.close();
}
