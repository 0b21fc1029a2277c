// Standbys at work: the process that leads most partitions is killed, then one is stopped in its tracks, while queries are asked all the
// time. None fails, none is partial or wrong; what they took is reported.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StatusFacts } from '../../src/actors/status-page.ts';
import { checkCluster } from '../../src/check-cluster.ts';
import { rawRequest } from '../helpers/raw-http.ts';
import { describeWithServers } from '../helpers/servers.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';
import { type Cluster, report, scalarOf, sleep, spread, startCluster, until, writeSeries } from './rig.ts';

const SERIES = 200;
const SAMPLES = 60;
const STEP_MS = 15_000;

/** Asks for the sum of all samples again and again; notes what went wrong and how long answers took. */
class Asker {
  readonly wrong: string[] = [];
  readonly latencies: number[] = [];
  #running = true;
  readonly #ended: Promise<unknown>;

  constructor(queriers: readonly SkeinServer[], endMs: number) {
    this.#ended = Promise.all([0, 1].map((index) => this.#ask(queriers[index % queriers.length]!, endMs)));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #ask(querier: SkeinServer, endMs: number): Promise<void> {
    while (this.#running) {
      const began = performance.now();
      const answer = await scalarOf(querier, 'sum(count_over_time(takeover[1h]))', endMs / 1000).catch(
        String,
      );
      this.latencies.push(performance.now() - began);
      if (answer !== SERIES * SAMPLES) this.wrong.push(String(answer));
      await sleep(20);
    }
  }
}

await describeWithServers(['nats-server', 'minio'], 'a cluster with standbys', () => {
  let cluster: Cluster;
  const endMs = Math.floor(Date.now() / 1000) * 1000;

  beforeAll(async () => {
    cluster = await startCluster({ nats: 1, receivers: 1, shards: 3, queriers: 1 });
    const samples = Array.from({ length: SAMPLES }, (_, i): [number, number] => [endMs - i * STEP_MS, i]);
    samples.reverse();
    await writeSeries(cluster.receivers[0]!, 'takeover', SERIES, samples);
    await until(60_000, healthy);
  });

  afterAll(() => cluster?.dispose());

  const lines: string[] = [];
  async function healthy(): Promise<boolean> {
    lines.length = 0;
    return checkCluster(cluster.queriers[0]!.url, (line) => lines.push(line));
  }

  // The shard process that leads most partitions.
  async function leader(): Promise<SkeinServer> {
    const { body } = await rawRequest(cluster.queriers[0]!.url, { path: '/-/cluster' });
    const facts = JSON.parse(body.toString()) as StatusFacts;
    const leads = (server: SkeinServer): number => {
      const id = facts.processes.find(({ address }) => server.url.endsWith(address))?.id;
      return facts.partitions.filter(({ owner }) => owner === id).length;
    };
    return cluster.shards.toSorted((a, b) => leads(b) - leads(a))[0]!;
  }

  async function asked(happening: () => Promise<void>, ms: number): Promise<void> {
    const before = new Asker(cluster.queriers, endMs);
    await sleep(4000);
    await before.stop();
    const during = new Asker(cluster.queriers, endMs);
    await happening();
    await sleep(ms);
    await during.stop();
    report('takeover', {
      asked: during.latencies.length,
      beforeMs: spread(before.latencies),
      duringMs: spread(during.latencies),
    });
    expect([...before.wrong, ...during.wrong]).toEqual([]);
    expect(during.latencies.length).toBeGreaterThan(20);
  }

  it('answers every query when the process that leads most partitions is killed, and is whole again by itself', async () => {
    const victim = await leader();
    await asked(() => victim.kill(), 20_000);
    // Two are left: each partition has a leader and a standby among them.
    await until(40_000, healthy, () => lines.join('\n'));
    await victim.start();
    await until(60_000, healthy, () => lines.join('\n'));
  });

  it('answers every query when the process that leads most partitions stands still', async () => {
    const victim = await leader();
    await asked(() => victim.pause(), 10_000);
    await victim.resume();
    await until(60_000, healthy, () => lines.join('\n'));
    await asked(async () => {}, 1000);
  });
});
