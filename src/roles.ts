// The actors of one process: which roles it has, how they are started and in which order they end. The same in a real process and in the
// simulator.

import type { World } from './actors/actor.ts';
import { canary } from './actors/canary/canary.ts';
import type { CanaryMessages } from './actors/canary/messages.ts';
import { placer } from './actors/placer/placer.ts';
import type { PlacerMessages } from './actors/placer/state.ts';
import type { QuerierMessages } from './actors/querier/messages.ts';
import { querier } from './actors/querier/querier.ts';
import type { ReceiverMessages } from './actors/receiver/messages.ts';
import { receiver } from './actors/receiver/receiver.ts';
import { type ActorRef, type LaunchedActor, launchActor, startActor } from './actors/runtime.ts';
import type { ShardMessages } from './actors/shard/messages.ts';
import { shard } from './actors/shard/shard.ts';
import { type Config, DEFAULT_ROLES, type Role } from './platform/config.ts';
import type { HttpClient } from './platform/http-client.ts';
import { blockCaches } from './storage/block/block-reader.ts';
import { isEmbedded } from './world.ts';

const CANARY: readonly Role[] = ['canary'];

/** The actors of a process that are up; `shards` changes as partitions come and go. */
export interface Roles {
  readonly placer?: ActorRef<PlacerMessages>;
  readonly receiver?: ActorRef<ReceiverMessages>;
  readonly querier?: ActorRef<QuerierMessages>;
  readonly canary?: ActorRef<CanaryMessages>;
  readonly shards: Map<number, ActorRef<ShardMessages>>;
}

/** The roles of a process. */
export function rolesOf(config: Config): ReadonlySet<Role> {
  const named = config.process.roles as readonly Role[];
  return new Set([...(named.length === 0 ? DEFAULT_ROLES : named), ...(config.canary.enabled ? CANARY : [])]);
}

/** Replicas of a partition besides the one that leads. */
export function standbysOf(config: Config): number {
  return isEmbedded(config) ? 0 : config.cluster.standbys;
}

/** Starts the shard of a partition. `onChange` is called after each change of its lifecycle. */
export type LaunchShard = (partition: number, onChange?: () => void) => LaunchedActor<ShardMessages>;

/** A way to start shards in this thread, one of `threads` that share what the configuration gives to caches. */
export function shardLauncher(config: Config, world: World, threads: number): LaunchShard {
  const cacheBytes = config.shard.cache_bytes_max / threads;
  const caches = blockCaches({
    pageBytesMax: cacheBytes / 2,
    postingsBytesMax: cacheBytes / 8,
    tableBytesMax: cacheBytes / 4,
    headerBytesMax: cacheBytes / 8,
  });
  return (partition, onChange) =>
    launchActor(shard, { config, partition, caches }, world, `shard-${partition}`, onChange);
}

/**
 * Starts the actors of a process in its world; `http` is what its canary writes and reads by. Shards start where `launchShard` says: in
 * this thread when absent.
 */
export async function startRoles(
  config: Config,
  world: World,
  http: HttpClient,
  startedMs: number,
  launchShard: LaunchShard = shardLauncher(config, world, 1),
): Promise<Roles> {
  const wanted = rolesOf(config);
  const shards = new Map<number, ActorRef<ShardMessages>>();
  const placerActor = await startActor(
    placer,
    {
      startShard: (partition) => {
        const launched = launchShard(partition);
        shards.set(partition, launched.actor);
        return launched;
      },
      onStopped: (partition) => shards.delete(partition),
      leaseTtlMs: config.nats.lease_ttl,
      owners: 1 + standbysOf(config),
      roles: [...wanted],
      startedMs,
    },
    world,
  );
  const receiverActor = wanted.has('receiver') ? await startActor(receiver, config, world) : undefined;
  const querierActor = wanted.has('querier') ? await startActor(querier, config, world) : undefined;
  if (wanted.has('shard') && isEmbedded(config)) await placerActor.ask('place', undefined);
  const canaryConfig = { settings: config.canary, http, roles: wanted };
  const canaryActor = wanted.has('canary') ? await startActor(canary, canaryConfig, world) : undefined;
  return {
    placer: placerActor,
    ...(receiverActor ? { receiver: receiverActor } : {}),
    ...(querierActor ? { querier: querierActor } : {}),
    ...(canaryActor ? { canary: canaryActor } : {}),
    shards,
  };
}

/** Writes end first, then partitions are handed over, then reads end: nobody sees a gap. */
export async function stopRoles(roles: Roles, config: Config): Promise<void> {
  await roles.canary?.stop();
  await roles.receiver?.stop();
  await roles.placer?.ask('drain', { timeoutMs: config.process.drain_timeout });
  await roles.querier?.stop();
  await roles.placer?.stop();
}
