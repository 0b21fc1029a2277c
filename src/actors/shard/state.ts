// State of a shard.

import type { Service } from '../../bus/bus.ts';
import type { Announcement, Lease } from '../../bus/directory.ts';
import type { DurableLog } from '../../bus/durable-log.ts';
import { replicaKey } from '../../bus/subjects.ts';
import { encodeEnvelope } from '../../codec/envelope.ts';
import type { FrameLog } from '../../codec/frame-log.ts';
import type { DomainError } from '../../model/errors.ts';
import type { Config } from '../../platform/config.ts';
import type { BlockCaches } from '../../storage/block/block-reader.ts';
import type { ActorContext } from '../actor.ts';
import type { BlockPlace } from './blocks.ts';
import type { BucketView } from './bucket-view.ts';
import type { Freshness } from './freshness.ts';
import type { LogLedger } from './ledger.ts';
import type { ReplicaFacts, ShardMessages } from './messages.ts';
import type { ShardMetrics } from './metrics.ts';
import type { ReadLock } from './read-lock.ts';
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

/** Somebody who waits until message `sequence` is applied. */
export interface Waiter {
  readonly sequence: number;
  /** Told once: that the message is applied, or that it will not be. */
  readonly settle: (isApplied: boolean) => void;
}

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
  /** The message that could not be read last, and is read once more before it counts as damage. */
  suspect: number | undefined;
  /** Bytes of log applied since the last snapshot, and when that was (monotonic ms). */
  unsavedBytes: number;
  savedAt: number;
  /** Last message of the log as last heard. */
  tail: number;
  lease: Lease | undefined;
  /** Place among the partition's owners as last heard: 0 leads, 1 and on stand by; undefined when it belongs elsewhere. */
  rank: number | undefined;
  /** Process that holds the lease as last heard, and for how many ticks nobody did. */
  holder: string | undefined;
  ticksWithoutHolder: number;
  unwatch: () => void;
  readonly bucket: BucketView;
  /** Wall time at which the log ended with `tail`. */
  tailAt: number;
  logBytes: number;
  readonly freshness: Freshness;
  /** A look at the log under way, for all who may share it: the last message. */
  looking: Promise<number> | undefined;
  /** Who waits until a message is applied. */
  readonly waiters: Set<Waiter>;
  /** Nothing more is applied in this life. */
  closing: boolean;
  /** This life ended by a broken invariant: what is in memory must not become a snapshot. */
  failed: boolean;
  /** First message of the log as last heard. */
  logFirst: number;
  /** What was last told of this replica, to whom ever listens, and when (monotonic ms). */
  readonly told: { announced: string; announcedAt: number; reported: string; reportedAt: number };
  /** What was found missing or broken in the log; answers carry it as warnings. */
  readonly damage: string[];
  readonly lock: ReadLock;
  readonly metrics: ShardMetrics;
  service: Service | undefined;
  announcement: Announcement | undefined;
  following: Promise<void>;
  /** While set, nothing is applied: a snapshot is being written. */
  pause: Promise<void> | undefined;
  /** Until what the log held at the start is applied. */
  replaying: boolean;
  /** Why the log is not followed any more; undefined while it is. */
  stalled: DomainError | undefined;
}

/**
 * Milliseconds after an epoch's begin during which frames of it may still come: twice its length, for a stalled receiver, and what its
 * clock may be off.
 */
export function epochLife(config: Config): number {
  return 2 * config.receiver.epoch + config.cluster.clock_slack;
}

/** The folder of a shard on the process's disk. */
export function shardFolder(partition: number): string {
  return `shards/${partition}`;
}

/** The store of a tenant, made on first use. */
export function tenantStore(state: ShardState, tenant: string): TenantStore {
  const found = state.tenants.get(tenant);
  if (found) return found;
  const { partition, config, metrics, place } = state;
  const { clock } = place.world;
  const made = new TenantStore({ tenant, partition, config, clock, countRefused: metrics.countRefused });
  state.tenants.set(tenant, made);
  return made;
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
    leads: state.lease !== undefined && !state.lease.lost.aborted,
    logBytes: state.logBytes,
    blocksKnown: state.bucket.blocksKnown,
  };
}

/** Enters this replica into the directory: whoever finds it there may ask it, though it is not complete yet. */
export function announceReplica(state: ShardState, context: ShardContext): Promise<Announcement> {
  return context.directory.announce(
    replicaKey(state.partition, context.identity.id),
    encodeEnvelope(replicaFacts(state, 'replaying', context)),
    state.config.nats.lease_ttl,
  );
}
