// A Skein process of the simulation: the real actors over simulated ports, started as in a real process (roles.ts).

import type { World } from '../../src/actors/actor.ts';
import type { QuerierMessages } from '../../src/actors/querier/messages.ts';
import type { ReceiverMessages } from '../../src/actors/receiver/messages.ts';
import type { ActorRef } from '../../src/actors/runtime.ts';
import type { ShardMessages } from '../../src/actors/shard/messages.ts';
import { joinCluster } from '../../src/cluster-record.ts';
import { DomainError, errorText, invariant } from '../../src/model/errors.ts';
import type { Config } from '../../src/platform/config.ts';
import type { HttpClient } from '../../src/platform/http-client.ts';
import type { Logger } from '../../src/platform/log.ts';
import type { Metrics } from '../../src/platform/metrics.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { startRoles, stopRoles } from '../../src/roles.ts';
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
  const roles = await startRoles(config, world, NO_HTTP, host.clock.now());
  invariant(roles.placer && roles.receiver && roles.querier, 'a simulated process has every role');
  return {
    host,
    world,
    receiver: roles.receiver,
    querier: roles.querier,
    shards: roles.shards,
    async stop() {
      await stopRoles(roles, config);
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
  snapshot: async () => [],
  include: () => {},
  describe: () => [],
};

const NO_HTTP: HttpClient = {
  send: async () => {
    throw new DomainError('unavailable', 'the simulation has no HTTP');
  },
};
