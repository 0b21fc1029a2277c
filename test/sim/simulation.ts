// One run: a cluster under load and faults for as long as the plan says, then peace, in which everything must become healthy, and a last
// look at everything that was acknowledged.

import { querier } from '../../src/actors/querier/querier.ts';
import { receiver } from '../../src/actors/receiver/receiver.ts';
import type { ReplicaFacts } from '../../src/actors/shard/messages.ts';
import { shard } from '../../src/actors/shard/shard.ts';
import { decodeEnvelope } from '../../src/codec/envelope.ts';
import type { Labels } from '../../src/model/labels.ts';
import { alignDown } from '../../src/model/time-range.ts';
import { BLOCK_RANGE_MS } from '../../src/model/units.ts';
import { type Random, seededRandom } from '../../src/platform/random.ts';
import { Cluster, START_MS } from './cluster.ts';
import { scheduleFaults } from './faults.ts';
import { StorageJudge } from './judges.ts';
import { SimLoop } from './loop.ts';
import { Model } from './model.ts';
import type { PortsFilter } from './node.ts';
import type { Plan } from './plan.ts';
import { askRaw, Reader } from './readers.ts';
import { withTraps } from './traps.ts';
import type { SimCounts, SimWorld } from './world.ts';
import { Writer } from './writers.ts';

/** What a judge found wrong, and when. */
export interface Violation {
  readonly judge: string;
  readonly text: string;
  readonly atMs: number;
}

/** How a run ended. */
export interface Outcome {
  readonly violation: Violation | undefined;
  /** Hash of everything that happened. */
  readonly hash: string;
  readonly steps: number;
  readonly recent: readonly string[];
  readonly counts: SimCounts & {
    readonly blocks: number;
    readonly trimmed: number;
    readonly virtualMs: number;
  };
}

/** Data begin an hour into a range of two, so that the first block comes early. */
const DATA_START_MS = START_MS - 40 * 24 * 3_600_000 + 3_600_000;
/** Everything must be healthy again this long after the last fault, virtual ms. */
const HEALTHY_MS_MAX = 180_000;
const LOOK_MS = 1000;

/** Runs a plan. `filter` may plant a bug. */
export async function simulate(plan: Plan, filter: PortsFilter = (world) => world): Promise<Outcome> {
  const run = new Run(plan, filter);
  await withTraps(
    (text) => run.blame('nothing real', text),
    () => run.all(),
  );
  return run.outcome();
}

class Run {
  readonly #plan: Plan;
  readonly #loop = new SimLoop();
  readonly #cluster: Cluster;
  readonly #model = new Model();
  readonly #judge: StorageJudge;
  readonly #counts: SimCounts = {
    acknowledged: 0,
    refused: 0,
    answers: 0,
    partial: 0,
    errors: 0,
    compared: 0,
  };
  #violation: Violation | undefined;

  constructor(plan: Plan, filter: PortsFilter) {
    this.#plan = plan;
    this.#cluster = new Cluster(plan, this.#loop, filter);
    const { services } = this.#cluster;
    const blame = (judge: string, text: string): void => this.blame(judge, text);
    this.#judge = new StorageJudge(services, this.#model, blame, (name) => this.#cluster.pausedMs(name));
  }

  /** The first who complains ends the run. */
  blame(judge: string, text: string): void {
    this.#violation ??= { judge, text, atMs: this.#loop.now };
  }

  outcome(): Outcome {
    const { blocks, trimmed } = this.#judge.counts;
    return {
      violation: this.#violation,
      hash: this.#loop.hash,
      steps: this.#loop.steps,
      recent: this.#loop.recent(),
      counts: { ...this.#counts, blocks, trimmed, virtualMs: this.#loop.now },
    };
  }

  async all(): Promise<void> {
    const { plan, machines } = { plan: this.#plan, machines: this.#cluster.machines };
    const random = seededRandom(plan.seed ^ 0x10ad);
    const world = this.#world();
    for (const machine of machines) this.#cluster.boot(machine);
    const endFaults = scheduleFaults(this.#cluster);
    this.#watchQueues();
    await this.#until(3000);
    const writers = Array.from({ length: plan.writers }, (_, i) => new Writer(world, i, fork(random)));
    const reader = new Reader(world, fork(random));
    await this.#until(plan.durationMs);
    for (const writer of writers) writer.stop();
    endFaults();
    this.#calm();
    const deadline = this.#loop.now + HEALTHY_MS_MAX;
    let missing = '';
    do {
      await this.#until(this.#loop.now + LOOK_MS);
      if (this.#violation !== undefined) return;
      if (writers.some((writer) => !writer.isIdle)) missing = 'a writer is not done';
      else missing = await this.#unhealthy(world);
    } while (missing !== '' && this.#violation === undefined && this.#loop.now < deadline);
    reader.stop();
    if (missing !== '') this.blame('liveness', `${HEALTHY_MS_MAX} ms after the faults ended: ${missing}`);
  }

  #world(): SimWorld {
    const { plan, loop } = { plan: this.#plan, loop: this.#loop };
    return {
      plan,
      loop,
      network: this.#cluster.services.network,
      model: this.#model,
      counts: this.#counts,
      dataNow: () => DATA_START_MS + Math.floor(loop.now * plan.speed),
      anyNode: (random) => {
        const nodes = this.#cluster.nodes();
        return nodes[random.integer(Math.max(1, nodes.length))];
      },
      blame: (judge, text) => this.blame(judge, text),
    };
  }

  // No mailbox holds more than it may.
  #watchQueues(): void {
    this.#loop.after(LOOK_MS, 'queues are looked at', () => {
      this.#watchQueues();
      for (const { host, receiver: writes, querier: reads, shards } of this.#cluster.nodes())
        for (const [actor, { mailbox }] of [
          [writes, receiver],
          [reads, querier],
          ...[...shards.values()].map((one) => [one, shard] as const),
        ] as const)
          if (actor.waiting() > mailbox.capacity)
            this.blame('queues', `${actor.waiting()} messages wait for ${actor.name} of ${host.name}`);
    });
  }

  #until(untilMs: number): Promise<void> {
    return this.#loop.run(untilMs, () => this.#violation !== undefined);
  }

  // No more faults: messages arrive, the bucket answers.
  #calm(): void {
    const { services, machines } = this.#cluster;
    services.network.rates = { ...services.network.rates, lose: 0, duplicate: 0, slow: 0 };
    services.bucket.rates = { refuse: 0, slow: 0, slowMs: 1 };
    for (const machine of machines) this.#cluster.boot(machine);
  }

  // What is not as it should be; '' when all is well.
  async #unhealthy(world: SimWorld): Promise<string> {
    const facts = this.#replicas();
    const { machines } = this.#cluster;
    const down = machines.find(({ node }) => node === undefined);
    if (down !== undefined) return `${down.host.name} is not up`;
    const wanted = Math.min(1 + this.#plan.standbys, machines.length);
    for (let partition = 0; partition < this.#plan.partitions; partition++) {
      const text = this.#partitionTrouble(
        partition,
        wanted,
        facts.filter((one) => one.partition === partition),
      );
      if (text !== '') return `partition ${partition}: ${text}`;
    }
    return this.#lastLook(world);
  }

  #replicas(): ReplicaFacts[] {
    return this.#cluster.services.directory.state
      .list('replica.')
      .map(({ value }) => decodeEnvelope<ReplicaFacts>(value));
  }

  #partitionTrouble(partition: number, wanted: number, facts: readonly ReplicaFacts[]): string {
    const { logs } = this.#cluster.services;
    const running = this.#cluster.nodes().flatMap(({ shards }) => shards.get(partition) ?? []);
    if (running.length !== wanted) return `${running.length} replicas run, ${wanted} are wanted`;
    const failing = running.find((actor) => actor.lifecycle() !== 'ready');
    if (failing !== undefined)
      return `a replica is ${failing.lifecycle()} (${failing.lastError() ?? 'no error'})`;
    if (facts.length !== wanted) return `the directory knows ${facts.length} replicas`;
    if (facts.filter(({ leads }) => leads).length !== 1) return 'nobody leads';
    const { last } = logs.bounds(partition);
    for (const one of facts) {
      if (one.applied !== last) return `${one.process} has applied ${one.applied} of ${last}`;
      if (one.lag > 0 || one.lifecycle !== 'ready' || !one.blocksKnown)
        return `${one.process} is ${one.lifecycle} with lag ${one.lag}, its blocks ${one.blocksKnown ? '' : 'not '}known`;
    }
    return '';
  }

  // Everything that was acknowledged, from every process.
  async #lastLook(world: SimWorld): Promise<string> {
    for (const node of this.#cluster.nodes())
      for (const tenant of this.#model.tenants) {
        const question = { isStrong: true, end: world.dataNow(), spanMs: 10 * 24 * 3_600_000 };
        const asked = askRaw(world, node, tenant, question);
        let isWhole: boolean | undefined;
        void asked.then((whole) => {
          isWhole = whole;
        });
        await this.#loop.run(
          this.#loop.now + 60_000,
          () => isWhole !== undefined || this.#violation !== undefined,
        );
        if (this.#violation !== undefined) return '';
        if (isWhole !== true) return `${node.host.name} gives no whole answer for ${tenant}`;
        const uncut = this.#uncut(tenant);
        if (uncut !== '') return uncut;
      }
    return '';
  }

  // Blocks have to catch up: ranges that are complete and old enough are in the bucket.
  #uncut(tenant: string): string {
    const margin = Math.max(BLOCK_RANGE_MS / 2, this.#plan.windowMs);
    for (const { labels, samples } of this.#model.all(tenant)) {
      const newest = Math.max(
        ...[...samples.values()].map(({ time, acknowledgedAt }) => (acknowledgedAt === undefined ? 0 : time)),
      );
      const complete = alignDown(newest - margin, BLOCK_RANGE_MS);
      const oldest = [...samples.values()].find(
        ({ time, acknowledgedAt, sent }) => acknowledgedAt !== undefined && sent === 1 && time < complete,
      );
      if (oldest !== undefined && !this.#judge.isDurable(tenant, labels as Labels, oldest.time))
        return `${labels.join(' ')} at ${oldest.time} is in no block`;
    }
    return '';
  }
}

function fork(random: Random): Random {
  return seededRandom(random.integer(0x1_0000_0000));
}
