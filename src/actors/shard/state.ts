// State of a shard and its life: open (snapshot, blocks, replay to the tail), serve, close.

import type { Service } from '../../bus/bus.ts';
import type { Announcement, Lease } from '../../bus/directory.ts';
import type { DurableLog } from '../../bus/durable-log.ts';
import { replicaKey } from '../../bus/subjects.ts';
import { encodeEnvelope } from '../../codec/envelope.ts';
import { FrameLog } from '../../codec/frame-log.ts';
import { asDomainError, DomainError, errorText } from '../../model/errors.ts';
import { sleep } from '../../platform/clock.ts';
import type { Config } from '../../platform/config.ts';
import type { BlockCaches } from '../../storage/block/block-reader.ts';
import type { ActorContext } from '../actor.ts';
import { applyBatch } from './apply.ts';
import { adoptBlocks, type BlockPlace, findBlocks, noteFound } from './blocks.ts';
import { LogLedger } from './ledger.ts';
import type { ReplicaFacts, ShardMessages } from './messages.ts';
import { type ShardMetrics, shardMetrics } from './metrics.ts';
import { ReadLock } from './read-lock.ts';
import { serveShard } from './serve.ts';
import { readShardSnapshot, writeShardSnapshot } from './snapshot.ts';
import { TenantStore } from './tenant-store.ts';

/** What a shard is started with. */
export interface ShardConfig {
  readonly config: Config;
  readonly partition: number;
  /** Caches of block bytes, shared by the shards of a process. */
  readonly caches: BlockCaches;
}

/** The context of a shard. */
export type ShardContext = ActorContext<ShardMessages>;

/** What a shard holds. */
export interface ShardState {
  readonly config: Config;
  readonly partition: number;
  readonly log: DurableLog;
  readonly place: BlockPlace;
  readonly tenants: Map<string, TenantStore>;
  frameLog: FrameLog;
  ledger: LogLedger;
  /** Last log message applied. */
  applied: number;
  /** Bytes of log applied since the last snapshot, and when that was (monotonic ms). */
  unsavedBytes: number;
  savedAt: number;
  /** Last message of the log as last heard. */
  tail: number;
  lease: Lease | undefined;
  replacedBy: string | undefined;
  /** What was found missing or broken in the log; answers carry it as warnings. */
  readonly damage: string[];
  readonly lock: ReadLock;
  readonly metrics: ShardMetrics;
  service: Service | undefined;
  announcement: Announcement | undefined;
  following: Promise<void>;
  /** While set, nothing is applied: a snapshot is being written. */
  pause: Promise<void> | undefined;
  /** Why the log is not followed any more; undefined while it is. */
  stalled: string | undefined;
}

// Clocks of receivers may be off by this much before a frame arrives for an epoch thought over.
const CLOCK_SLACK_MS = 60_000;

/** Milliseconds after an epoch's begin during which frames of it may still come: twice its length, for a stalled receiver. */
export function epochLife(config: Config): number {
  return 2 * config.receiver.epoch + CLOCK_SLACK_MS;
}

/** The folder of a shard on the process's disk. */
export function shardFolder(partition: number): string {
  return `shards/${partition}`;
}

/** Loads the snapshot and the list of blocks, replays the log to its tail, then begins to answer. */
export async function openShard(
  { config, partition, caches }: ShardConfig,
  context: ShardContext,
): Promise<ShardState> {
  context.become('replaying');
  const log = await context.logs.open(partition);
  const bounds = await log.bounds();
  const state: ShardState = {
    config,
    partition,
    log,
    place: { config, partition, caches, world: context, yieldNow: () => sleep(context.clock, 0) },
    tenants: new Map(),
    frameLog: new FrameLog(),
    ledger: new LogLedger(),
    applied: bounds.first - 1,
    unsavedBytes: 0,
    savedAt: context.clock.monotonic(),
    tail: bounds.last,
    lease: undefined,
    replacedBy: undefined,
    damage: [],
    lock: new ReadLock(),
    metrics: shardMetrics(context.metrics),
    service: undefined,
    announcement: undefined,
    following: Promise.resolve(),
    pause: undefined,
    stalled: undefined,
  };
  await readShardSnapshot(state, bounds, context);
  for (const [tenant, metas] of await findBlocks(state.place)) {
    const store = tenantStore(state, tenant);
    noteFound(store, await adoptBlocks(state.place, store, metas), state.frameLog, state.applied);
  }
  const began = context.clock.monotonic();
  const from = state.applied + 1;
  await replay(state, bounds.last, context);
  context.log.info('partition is complete', {
    partition,
    from,
    to: state.applied,
    tenants: state.tenants.size,
    replayMs: Math.round(context.clock.monotonic() - began),
  });
  state.service = await serveShard(state, context);
  state.announcement = await context.directory.announce(
    replicaKey(partition, context.identity.id),
    encodeEnvelope(replicaFacts(state, 'ready', context)),
    config.nats.lease_ttl,
  );
  context.become('ready');
  return state;
}

/** The store of a tenant, made on first use. */
export function tenantStore(state: ShardState, tenant: string): TenantStore {
  const found = state.tenants.get(tenant);
  if (found) return found;
  const { partition, config } = state;
  const made = new TenantStore({ tenant, partition, config, refused: state.metrics.refused });
  state.tenants.set(tenant, made);
  return made;
}

// Follows the log for good and resolves once `last` is applied.
async function replay(state: ShardState, last: number, context: ShardContext): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (state.applied >= last) resolve();
    state.following = follow(state, context, () => {
      if (state.applied >= last) resolve();
    }).catch((error) => {
      if (context.stopping.aborted) return reject(new DomainError('canceled', 'stopping'));
      state.stalled = errorText(error);
      state.damage.push(
        `log of partition ${state.partition} cannot be read after message ${state.applied}: ${state.stalled}`,
      );
      state.metrics.damage.add(1, { partition: String(state.partition) });
      context.log.error('cannot follow the log', {
        partition: state.partition,
        applied: state.applied,
        error: state.stalled,
      });
      const failure = asDomainError(error);
      // Before the tail this opening fails (and is tried again); later the shard goes on answering, with a warning.
      reject(failure);
    });
  });
}

async function follow(state: ShardState, context: ShardContext, onApplied: () => void): Promise<void> {
  for await (const batch of state.log.read(state.applied + 1, context.stopping)) {
    await state.pause;
    applyBatch(state, batch, context);
    onApplied();
  }
}

/** What this replica tells of itself. */
export function replicaFacts(state: ShardState, lifecycle: string, context: ShardContext): ReplicaFacts {
  let series = 0;
  let blocks = 0;
  let lastBlockEnd = 0;
  for (const store of state.tenants.values()) {
    series += store.seriesCount();
    blocks += store.blockCount();
    lastBlockEnd = Math.max(lastBlockEnd, store.lastBlockEnd());
  }
  return {
    partition: state.partition,
    process: context.identity.id,
    lifecycle: state.stalled === undefined ? lifecycle : 'stalled',
    applied: state.applied,
    lag: Math.max(0, state.tail - state.applied),
    series,
    blocks,
    lastBlockEnd,
  };
}

/** Stops answering, saves the head so that the next start need not replay, gives the lease up. */
export async function closeShard(state: ShardState, context: ShardContext): Promise<void> {
  await state.service?.stop();
  await state.following;
  try {
    await writeShardSnapshot(state, context);
  } catch (error) {
    context.log.warn('no snapshot at the stop: the next start replays more of the log', {
      partition: state.partition,
      error: errorText(error),
    });
  }
  await state.announcement?.withdraw();
  await state.lease?.release();
  for (const store of state.tenants.values()) await store.close();
}
