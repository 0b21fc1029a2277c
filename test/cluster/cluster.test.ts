// The cluster at work under a heavy load: partitions move, a process of every kind is killed, servers restart. Every acknowledged sample
// is there afterwards, once and with its value; meanwhile answers are right or say what they lack, and writes are acknowledged or
// turned away with 503.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { link } from '../bus/nats/helpers.ts';
import { rawRequest } from '../helpers/raw-http.ts';
import { describeWithServers } from '../helpers/servers.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';
import { Load } from './load.ts';
import { readBack } from './questions.ts';
import {
  type Cluster,
  PARTITIONS,
  REPLICAS,
  report,
  settled,
  sleep,
  spread,
  startCluster,
  timed,
  until,
} from './rig.ts';
import { type Aftermath, recovered, weather } from './storm.ts';

const RECOVERY_MS_MAX = 30_000;
/** A stopping process that has not ended by then is killed. */
const STOP_MS_MAX = 10_000;
/** A standby answers at once; this is for slow machines, and still less than queries would wait for an owner. */
const ANSWER_MS_MAX = 10_000;

await describeWithServers(['nats-server', 'minio'], 'a cluster', () => {
  let cluster: Cluster;
  let load: Load;

  beforeAll(async () => {
    cluster = await startCluster({ nats: 1, receivers: 2, shards: 3, queriers: 2 }, [
      '--nats.lease_ttl',
      '6s',
    ]);
    load = new Load({ receivers: () => cluster.receivers });
    // The first samples define all series, and find all code cold.
    load.run();
    await until(30_000, async () => Math.min(...load.acked) > 5);
    await load.stop();
    await recovered(load, cluster.queriers[0]!, RECOVERY_MS_MAX);
    await settled(cluster, RECOVERY_MS_MAX);
  });

  afterAll(async () => {
    await load?.stop();
    await cluster?.dispose();
  });

  const restart = async (victim: { kill(): Promise<void>; start(): Promise<void> }): Promise<void> => {
    await victim.kill();
    await sleep(1000);
    // Started again on its data folder, as an orchestrator would.
    await victim.start();
  };
  // Nobody but the victim may break connections or turn anybody away.
  const expectCalm = ({ heard, trouble }: Aftermath, victim = ''): void => {
    expect(heard.wrong).toEqual([]);
    expect(trouble.wrong).toEqual([]);
    expect(heard.partial).toEqual([]);
    for (const urls of [heard.broken.keys(), trouble.broken.keys()])
      expect([...urls].filter((url) => url !== victim)).toEqual([]);
    for (const away of [heard.turnedAway, trouble.turnedAway])
      expect(away.filter(({ url }) => url !== victim)).toEqual([]);
    expect(heard.right).toBeGreaterThan(10);
    for (const answerMs of [heard.answerMs.ordinary, heard.answerMs.strong])
      expect(spread(answerMs).max).toBeLessThan(ANSWER_MS_MAX);
  };

  it('shows every actor of every process to the tools of NATS', async () => {
    const { connection, close } = await link(cluster.nats[0]!.url);
    const shown = new Map<string, number>();
    for await (const { name, metadata } of await connection.services.client().stats())
      if (metadata?.['process'] !== undefined) shown.set(name, (shown.get(name) ?? 0) + 1);
    await close();
    expect(Object.fromEntries(shown)).toEqual({
      'skein-placer': 7,
      'skein-querier': 2,
      'skein-receiver': 2,
      'skein-shard': PARTITIONS * REPLICAS,
    });
  });

  it('lists the queries of all queriers at each of them, and kills one through another within a second', async () => {
    const [first, second] = cluster.queriers as [SkeinServer, SkeinServer];
    const query = encodeURIComponent('sum_over_time((sin(vector(time())))[40d:1s])');
    const path = `/api/v1/query_range?query=${query}&start=1700000000&end=1700010000&step=1`;
    const victim = rawRequest(first.url, { path });
    const activePath = '/api/v1/status/active_queries';
    const list = async ({ url }: SkeinServer) =>
      JSON.parse((await rawRequest(url, { path: activePath })).body.toString()).data;
    await until(10_000, async () => (await list(second)).queries.length > 0);
    const [here, there] = [await list(first), await list(second)];
    expect(here.process).not.toBe(there.process);
    expect(there.queries).toMatchObject([{ process: here.process, kind: 'query_range', state: 'running' }]);
    const killed = performance.now();
    const kill = { path: `${activePath}/${there.queries[0].id}`, method: 'DELETE' };
    expect((await rawRequest(second.url, kill)).status).toBe(200);
    const { status, body } = await victim;
    expect(performance.now() - killed).toBeLessThan(1000);
    expect([status, JSON.parse(body.toString())]).toMatchObject([
      499,
      { errorType: 'canceled', error: `query was canceled: killed by 127.0.0.1 with DELETE ${kill.path}` },
    ]);
    expect((await list(first)).queries).toEqual([]);
  });

  it('moves partitions to a fourth shard and back: no write and no query notices', async () => {
    let times = { settleMs: 0, stopMs: 0 };
    const aftermath = await weather(cluster, load, {
      name: 'a fourth shard comes and goes',
      recoveryMsMax: RECOVERY_MS_MAX,
      async happens() {
        const fourth = await cluster.add('shard');
        const settleMs = await settled(cluster, RECOVERY_MS_MAX);
        cluster.shards.pop();
        const stopMs = await timed(() => fourth.stop());
        await fourth.dispose();
        times = { settleMs, stopMs };
      },
    });
    report('times', times);
    expectCalm(aftermath);
    expect(times.stopMs).toBeLessThan(STOP_MS_MAX);
  });

  it.each(['shards', 'receivers', 'queriers'] as const)(
    'loses nothing when one of the %s is killed',
    async (role) => {
      const victim = cluster[role][0]!;
      const aftermath = await weather(cluster, load, {
        name: `one of the ${role} killed`,
        happens: () => restart(victim),
        recoveryMsMax: RECOVERY_MS_MAX,
      });
      expectCalm(aftermath, role === 'shards' ? '' : victim.url);
    },
  );

  it('does not notice that MinIO is killed', async () => {
    const aftermath = await weather(cluster, load, {
      name: 'MinIO killed',
      happens: () => restart(cluster.minio),
      recoveryMsMax: RECOVERY_MS_MAX,
    });
    expectCalm(aftermath);
  });

  it('waits for its only NATS server when that is killed', async () => {
    const aftermath = await weather(cluster, load, {
      name: 'the NATS server killed',
      happens: () => restart(cluster.nats[0]!),
      recoveryMsMax: RECOVERY_MS_MAX,
    });
    expectCalm(aftermath);
  });

  it('goes on with two shards when the third is killed for good', async () => {
    const victim = cluster.shards.pop()!;
    const aftermath = await weather(cluster, load, {
      name: 'a shard killed for good',
      recoveryMsMax: RECOVERY_MS_MAX,
      async happens() {
        await victim.kill();
        await settled(cluster, RECOVERY_MS_MAX);
      },
    });
    await victim.dispose();
    expectCalm(aftermath);
  });

  it('has every acknowledged sample, once and with its value', async () => {
    const began = performance.now();
    const { samples, wrong } = await readBack(load, cluster.queriers[1]!);
    report('read back', { samples, ms: Math.round(performance.now() - began) });
    expect(wrong).toEqual([]);
    expect(samples).toBe(load.samples);
  });
});
