// A cluster whose bucket goes away: shards start without it, answer from their heads, say what they lack, and are whole when it is back.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { rawRequest } from '../helpers/raw-http.ts';
import { describeWithServers } from '../helpers/servers.ts';
import { type Cluster, gauges, startCluster, timed, until, writeSeries } from './rig.ts';

const SERIES = 50;
const HOURS = 8;
const STEP_MS = 60_000;
const HOUR_MS = 60 * STEP_MS;

interface Reply {
  readonly status: number;
  readonly value: number;
  readonly partial: string | undefined;
  readonly text: string;
}

await describeWithServers(['nats-server', 'minio'], 'a cluster without its bucket', () => {
  let cluster: Cluster;
  const endMs = Math.floor(Date.now() / STEP_MS) * STEP_MS;

  const ask = async (window: string, parameters = ''): Promise<Reply> => {
    const query = encodeURIComponent(`sum(count_over_time(away[${window}]))`);
    const path = `/api/v1/query?query=${query}&time=${endMs / 1000}${parameters}`;
    const { status, headers, body } = await rawRequest(cluster.queriers[0]!.url, { path });
    const text = body.toString();
    const answer = JSON.parse(text) as { data?: { result: { value: [number, string] }[] } };
    const value = Number(answer.data?.result[0]?.value[1] ?? 0);
    return { status, value, partial: headers['x-skein-partial'] as string | undefined, text };
  };

  beforeAll(async () => {
    cluster = await startCluster({ nats: 1, receivers: 1, shards: 2, queriers: 1 });
    // From old to new, half an hour at a time.
    for (let at = endMs - HOURS * HOUR_MS + STEP_MS; at <= endMs; at += HOUR_MS / 2) {
      const samples = Array.from({ length: 30 }, (_, i): [number, number] => [at + i * STEP_MS, i]);
      await writeSeries(cluster.receivers[0]!, 'away', SERIES, samples);
    }
    // Every replica has the blocks of the first hours.
    const blocks = async (): Promise<number> => {
      const { body } = await rawRequest(cluster.queriers[0]!.url, { path: '/-/cluster' });
      const { partitions } = JSON.parse(body.toString()) as { partitions: { blocks?: number }[] };
      return Math.min(...partitions.map((row) => row.blocks ?? 0));
    };
    await until(60_000, async () => (await blocks()) >= 2);
  });

  afterAll(() => cluster?.dispose());

  it('restarts shards, answers what is recent, and names partition and time of what is not there', async () => {
    expect(await ask('9h')).toMatchObject({ value: SERIES * HOURS * 60, partial: undefined });
    await cluster.minio.kill();
    await Promise.all(cluster.shards.map((shard) => shard.kill()));
    const startMs = await timed(() => Promise.all(cluster.shards.map((shard) => shard.start())));
    await until(30_000, async () => {
      const held = await Promise.all(
        cluster.shards.map((shard) => gauges(shard, 'skein_shard_lag_messages')),
      );
      return held.every((partitions) => partitions.size === 8);
    });
    expect(startMs).toBeLessThan(30_000);
    expect(await ask('1h')).toMatchObject({ status: 200, value: SERIES * 60, partial: undefined });
    const old = await ask('9h');
    expect(old).toMatchObject({ status: 200, partial: 'true' });
    expect(old.value).toBeLessThan(SERIES * HOURS * 60);
    expect(old.text).toMatch(/partial response: partition \d lacks \S+Z to \S+Z: the bucket is away/);
    const refused = await ask('9h', '&partial_response=false');
    expect(refused.status).toBe(503);
    expect(refused.text).toMatch(/partial response: partition \d lacks/);
    await cluster.minio.start();
    let last: Reply | undefined;
    await until(
      60_000,
      async () => {
        last = await ask('9h');
        return last.value === SERIES * HOURS * 60 && last.partial === undefined;
      },
      () => JSON.stringify(last),
    );
  });
});
