// A Skein process of the simulation: the real actors over simulated ports, composed as process.ts composes them.

import type { World } from '../../src/actors/actor.ts';
import { placer } from '../../src/actors/placer/placer.ts';
import type { PlacerMessages } from '../../src/actors/placer/state.ts';
import type { QuerierMessages } from '../../src/actors/querier/messages.ts';
import { querier } from '../../src/actors/querier/querier.ts';
import type { ReceiverMessages } from '../../src/actors/receiver/messages.ts';
import { receiver } from '../../src/actors/receiver/receiver.ts';
import { type ActorRef, launchActor, startActor } from '../../src/actors/runtime.ts';
import type { ShardMessages } from '../../src/actors/shard/messages.ts';
import { shard } from '../../src/actors/shard/shard.ts';
import { joinCluster } from '../../src/cluster-record.ts';
import { errorText } from '../../src/model/errors.ts';
import type { Config } from '../../src/platform/config.ts';
import type { Logger } from '../../src/platform/log.ts';
import type { Metrics } from '../../src/platform/metrics.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { blockCaches } from '../../src/storage/block/block-reader.ts';
import type { SimHost } from './host.ts';
import type { SimLoop } from './loop.ts';
import type { SimNetwork } from './network.ts';
import { type BusServer, openSimBus } from './sim-bus.ts';
import { type DirectoryServer, openSimDirectory } from './sim-directory.ts';
import { type LogServer, openSimLogs } from './sim-log.ts';
import { type BucketServer, openSimObjects } from './sim-objects.ts';

/** What all processes share. */
export interface Services {
  readonly loop: SimLoop;
  readonly network: SimNetwork;
  readonly bus: BusServer;
  readonly logs: LogServer;
  readonly directory: DirectoryServer;
  readonly bucket: BucketServer;
}

/** Changes the ports of a process before its actors get them: how bugs are planted. */
export type PortsFilter = (world: World, host: SimHost) => World;

/** A process that is up. */
export interface SimNode {
  readonly host: SimHost;
  readonly world: World;
  readonly placer: ActorRef<PlacerMessages>;
  readonly receiver: ActorRef<ReceiverMessages>;
  readonly querier: ActorRef<QuerierMessages>;
  readonly shards: Map<number, ActorRef<ShardMessages>>;
  /** Stops as on SIGTERM. */
  stop(): Promise<void>;
}

/** Starts the process of `host`, whose life has begun. */
export async function startNode(
  services: Services,
  host: SimHost,
  config: Config,
  filter: PortsFilter,
): Promise<SimNode> {
  const world = filter(await openWorld(services, host, config), host);
  const shards = new Map<number, ActorRef<ShardMessages>>();
  const cacheBytes = 1 << 20;
  const caches = blockCaches({
    pageBytesMax: cacheBytes,
    postingsBytesMax: cacheBytes,
    tableBytesMax: cacheBytes,
    headerBytesMax: cacheBytes,
  });
  const placerActor = await startActor(
    placer,
    {
      startShard: (partition) => {
        const launched = launchActor(shard, { config, partition, caches }, world, `shard-${partition}`);
        shards.set(partition, launched.actor);
        return launched;
      },
      onStopped: (partition) => shards.delete(partition),
      leaseTtlMs: config.nats.lease_ttl,
      owners: 1 + config.cluster.standbys,
      roles: ['receiver', 'shard', 'querier'],
      startedMs: host.clock.now(),
    },
    world,
  );
  const receiverActor = await startActor(receiver, config, world);
  const querierActor = await startActor(querier, config, world);
  return {
    host,
    world,
    placer: placerActor,
    receiver: receiverActor,
    querier: querierActor,
    shards,
    async stop() {
      await receiverActor.stop();
      await placerActor.ask('drain', { timeoutMs: config.process.drain_timeout });
      await querierActor.stop();
      await placerActor.stop();
      await world.bus.close();
      await world.directory.close();
      await world.logs.close();
    },
  };
}

async function openWorld(services: Services, host: SimHost, config: Config): Promise<World> {
  const { loop, network } = services;
  const random = seededRandom(network.random.integer(0x1_0000_0000));
  const logs = openSimLogs(services.logs, network, host);
  const directory = openSimDirectory(services.directory, network, host);
  const record = await joinCluster(directory, logs, config.cluster.partitions, random);
  return {
    identity: { id: host.name, zone: host.zone, version: '1', address: host.name },
    cluster: { id: record.id, prefix: config.cluster.name, partitions: record.partitions },
    bus: openSimBus(services.bus, network, host),
    logs,
    directory,
    objects: openSimObjects(services.bucket, network, host),
    clock: host.clock,
    random,
    disk: host.disk,
    metrics: NO_METRICS,
    log: tracedLogger(loop, host),
  };
}

// What a process says is part of the trace, and what helps to understand a failure.
function tracedLogger(loop: SimLoop, host: SimHost, fields: Record<string, unknown> = {}): Logger {
  const say =
    (level: string) =>
    (message: string, more: Record<string, unknown> = {}): void =>
      loop.note(`${host.name} ${level}: ${message} ${JSON.stringify({ ...fields, ...more }, plain)}`);
  return {
    debug: () => {},
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    with: (more) => tracedLogger(loop, host, { ...fields, ...more }),
  };
}

function plain(_key: string, value: unknown): unknown {
  return value instanceof Error ? errorText(value) : value;
}

const NO_METRICS: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {}, remove() {} }),
  histogram: () => ({ observe() {} }),
  expose: async () => ({ contentType: '', text: '' }),
  describe: () => [],
};
