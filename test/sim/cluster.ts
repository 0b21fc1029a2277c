// The simulated cluster: machines whose processes are started again when they end, and the services they share.

import type { Config } from '../../src/platform/config.ts';
import { readConfig } from '../../src/platform/config-reader.ts';
import type { Random } from '../../src/platform/random.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { SimHost } from './host.ts';
import { loopClock, type SimLoop } from './loop.ts';
import { SimNetwork } from './network.ts';
import { type PortsFilter, type Services, type SimNode, startNode } from './node.ts';
import type { Plan } from './plan.ts';
import { createBusServer } from './sim-bus.ts';
import { createDirectoryServer } from './sim-directory.ts';
import { LogServer } from './sim-log.ts';
import { createBucketServer } from './sim-objects.ts';

/** Wall time at the start of every simulation. */
export const START_MS: number = Date.UTC(2026, 0, 1);
/** Bytes of a log: more than any run writes. */
export const LOG_BYTES_MAX: number = 1 << 30;
const RESTART_MS = 1500;

/** One machine of the cluster. */
export interface Machine {
  readonly host: SimHost;
  /** Its process, once it is up. */
  node: SimNode | undefined;
  /** Stays down until somebody starts it again. */
  isHeldDown: boolean;
  /** How long its process has stood still so far, and since when it does, ms. */
  pausedMs: number;
  pausedSince: number | undefined;
}

/** All machines and services. */
export class Cluster {
  readonly plan: Plan;
  readonly services: Services;
  readonly machines: readonly Machine[];
  readonly config: Config;
  readonly random: Random;
  readonly #filter: PortsFilter;

  constructor(plan: Plan, loop: SimLoop, filter: PortsFilter) {
    this.plan = plan;
    this.#filter = filter;
    this.random = seededRandom(plan.seed ^ 0x5eed);
    const { lose, duplicate, slow, slowMs, bucketRefuse, bucketSlow, bucketSlowMs, skewMs } = plan;
    const rates = { lose, duplicate, slow, slowMs, fastMs: 3 };
    const network = new SimNetwork(loop, seededRandom(plan.seed ^ 0xca11), rates);
    const clock = loopClock(loop, START_MS);
    this.services = {
      loop,
      network,
      bus: createBusServer(),
      logs: new LogServer(network, LOG_BYTES_MAX),
      directory: createDirectoryServer(clock),
      bucket: createBucketServer(clock, { refuse: bucketRefuse, slow: bucketSlow, slowMs: bucketSlowMs }),
    };
    this.machines = Array.from({ length: plan.processes }, (_, i) => {
      const offsetMs = skewMs === 0 ? 0 : this.random.integer(2 * skewMs) - skewMs;
      const driftPpm = skewMs === 0 ? 0 : this.random.integer(400) - 200;
      const host = new SimHost(loop, {
        name: `p${i}`,
        zone: `z${i % 2}`,
        startMs: START_MS,
        skew: { offsetMs, driftPpm },
      });
      return { host, node: undefined, isHeldDown: false, pausedMs: 0, pausedSince: undefined };
    });
    this.config = configOf(plan);
  }

  /** Starts the process of a machine, and again whenever it cannot start. */
  boot(machine: Machine): void {
    const { host } = machine;
    if (host.isUp || machine.isHeldDown) return;
    host.boot();
    const { life } = host;
    startNode(this.services, host, this.config, this.#filter).then(
      (node) => {
        if (host.life === life) machine.node = node;
      },
      (error) => {
        this.services.loop.note(`${host.name} cannot start: ${String(error)}`);
        if (host.life !== life) return;
        host.leave();
        this.bootLater(machine, RESTART_MS);
      },
    );
  }

  /** Starts the process of a machine after a while. */
  bootLater(machine: Machine, delayMs: number): void {
    this.services.loop.after(delayMs, `${machine.host.name} starts`, () => this.boot(machine));
  }

  /** kill -9. */
  kill(machine: Machine): void {
    this.resume(machine);
    machine.node = undefined;
    if (machine.host.isUp) machine.host.kill(this.random);
  }

  /** SIGTERM: the process drains, ends, and starts again after a while. */
  drain(machine: Machine, downMs: number): void {
    const { host, node } = machine;
    if (node === undefined || !host.isUp) return;
    const { life } = host;
    const { loop } = this.services;
    const over = (): void => {
      if (host.life !== life) return;
      host.leave();
      this.bootLater(machine, downMs);
    };
    machine.node = undefined;
    loop.note(`${host.name} drains`);
    // Begun by an event of the process itself: one that stands still drains when it goes on.
    loop.after(
      0,
      'SIGTERM',
      () =>
        void node.stop().then(over, (error) => {
          loop.note(`${host.name} did not stop well: ${String(error)}`);
          over();
        }),
      host,
    );
  }

  pause(machine: Machine): void {
    if (!machine.host.isUp || machine.pausedSince !== undefined) return;
    machine.pausedSince = this.services.loop.now;
    machine.host.pause();
  }

  resume(machine: Machine): void {
    if (machine.pausedSince === undefined) return;
    machine.pausedMs += this.services.loop.now - machine.pausedSince;
    machine.pausedSince = undefined;
    machine.host.resume();
  }

  /** Time for which the process named `name` has stood still, ms. */
  pausedMs(name: string): number {
    const machine = this.machines.find(({ host }) => host.name === name);
    if (machine === undefined) return 0;
    const { pausedMs, pausedSince } = machine;
    return pausedMs + (pausedSince === undefined ? 0 : this.services.loop.now - pausedSince);
  }

  /** Processes that are up and run. */
  nodes(): SimNode[] {
    return this.machines.flatMap(({ node, host }) => (node !== undefined && host.isUp ? [node] : []));
  }
}

function configOf(plan: Plan): Config {
  return readConfig({
    environment: {},
    flags: {
      'nats.servers': 'sim:4222',
      'nats.lease_ttl': `${plan.leaseTtlMs}ms`,
      'cluster.partitions': String(plan.partitions),
      'cluster.standbys': String(plan.standbys),
      'receiver.epoch': `${plan.epochMs}ms`,
      'shard.snapshot_interval': `${plan.snapshotMs}ms`,
      'shard.out_of_order_window': `${plan.windowMs}ms`,
      'process.drain_timeout': '20s',
      'process.roles': 'receiver,shard,querier',
      'shard.cache_bytes_max': '4MiB',
      'query.timeout': '30s',
    },
  });
}
