// Twice as many shard processes and back again while samples pour in and questions are asked: nobody is turned away, no answer lacks or
// falsifies anything, writes take at most twice as long as before, and partitions settle soon.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithServers } from '../helpers/servers.ts';
import { Load } from './load.ts';
import { balance, Questions } from './questions.ts';
import { type Cluster, report, settled, sleep, spread, startCluster, timed } from './rig.ts';
import { recovered } from './storm.ts';

const SHARDS = 3;
const MORE = 3;
/** Those that join would have processors of their own: here they take what the others leave of two. */
const JOINING_NICENESS = 10;
/** 64,000 samples/s: what these processes and their load can share two cores for. */
const LOAD = { lanes: 8, seriesPerLane: 2000, paceMs: 250 };
const WARM_UP_MS = 10_000;
/** Time with three processes before and after, which is what writes are compared with. */
const CALM_MS = 10_000;
/** Time with six. */
const STEADY_MS = 10_000;
const SETTLE_MS_MAX = 30_000;
const SLOWER_MAX = 2;
/** What else runs on the machine may slow writes down in one round; what Skein does to them shows in each. */
const ROUNDS_MAX = 3;
const RECOVERY_MS_MAX = 30_000;

await describeWithServers(['nats-server', 'minio'], 'a cluster of three shard processes', () => {
  let cluster: Cluster;
  let load: Load;

  beforeAll(async () => {
    cluster = await startCluster({ nats: 1, receivers: 1, shards: SHARDS, queriers: 1 });
    load = new Load({ ...LOAD, receivers: () => cluster.receivers });
    load.run();
    await settled(cluster, SETTLE_MS_MAX);
    await sleep(WARM_UP_MS);
  });

  afterAll(async () => {
    await load?.stop();
    await cluster?.dispose();
  });

  // How long it took until all partitions were settled, from the first start and from the first SIGTERM.
  async function growAndShrink(): Promise<{ growMs: number; shrinkMs: number }> {
    const growMs = await timed(async () => {
      await Promise.all(Array.from({ length: MORE }, () => cluster.add('shard', JOINING_NICENESS)));
      await settled(cluster, SETTLE_MS_MAX);
    });
    await sleep(STEADY_MS);
    const leaving = cluster.shards.splice(SHARDS);
    const shrinkMs = await timed(async () => {
      await Promise.all(leaving.map((server) => server.stop()));
      await settled(cluster, SETTLE_MS_MAX);
    });
    await Promise.all(leaving.map((server) => server.dispose()));
    return { growMs, shrinkMs };
  }

  // Once to six and back: how many times longer 99 of 100 writes took than in calm.
  async function round(): Promise<number> {
    load.forget();
    await sleep(CALM_MS);
    const before = load.forget();
    const { growMs, shrinkMs } = await growAndShrink();
    const during = load.forget();
    await sleep(CALM_MS);
    const after = load.forget();
    for (const { trouble } of [before, during, after])
      expect(trouble).toEqual({ turnedAway: [], broken: new Map(), wrong: [] });
    expect(Math.max(growMs, shrinkMs)).toBeLessThan(SETTLE_MS_MAX);
    const calm = spread([...before.latencies, ...after.latencies]);
    const moving = spread(during.latencies);
    const writes = {
      calm: before.latencies.length + after.latencies.length,
      moving: during.latencies.length,
    };
    report('3 to 6 to 3 shard processes', { writes, writeMs: { calm, moving }, growMs, shrinkMs });
    return moving.p99 / calm.p99;
  }

  it('becomes one of six and of three again under load, and neither writers nor readers notice', async () => {
    const questions = new Questions(load, cluster.queriers);
    let slower = Number.POSITIVE_INFINITY;
    for (let rounds = 0; rounds < ROUNDS_MAX && slower > SLOWER_MAX; rounds++) slower = await round();
    const { right, partial, wrong, turnedAway, broken, answerMs } = await questions.stop();
    await load.stop();
    const asked = { ordinary: spread(answerMs.ordinary), strong: spread(answerMs.strong) };
    report('asked meanwhile', { right, asked });
    expect({ partial, wrong, turnedAway, broken }).toEqual({
      partial: [],
      wrong: [],
      turnedAway: [],
      broken: new Map(),
    });
    expect(right).toBeGreaterThan(100);
    expect(slower).toBeLessThanOrEqual(SLOWER_MAX);
  }, 300_000);

  it('has every acknowledged sample', async () => {
    await recovered(load, cluster.queriers[0]!, RECOVERY_MS_MAX);
    expect(await balance(load, cluster.queriers[0]!)).toEqual({ lost: 0, doubled: 0, wrong: [] });
  });
});
