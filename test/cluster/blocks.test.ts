// A day of history: blocks are cut as it comes in and lie in MinIO, the log gives up what they hold, and a shard that begins with
// nothing but the bucket and the rest of the log gives the same answers.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { rawRequest } from '../helpers/raw-http.ts';
import { describeWithServers } from '../helpers/servers.ts';
import { type Cluster, gauges, report, sleep, startCluster, timed, until, writeSeries } from './rig.ts';

const HOUR = 3_600_000;
const STEP = 30_000;
const SERIES = 40;
// The log is trimmed epoch by epoch: writing takes several of them, and is over before the first is thought over.
const EPOCH = '1s';
const CLOCK_SLACK = '20s';

await describeWithServers(['nats-server', 'minio'], 'a day of history in a cluster', () => {
  let cluster: Cluster;
  const end = Math.floor(Date.now() / STEP) * STEP - STEP;
  const start = end - 24 * HOUR;

  beforeAll(async () => {
    cluster = await startCluster({ nats: 1, receivers: 1, shards: 1, queriers: 1 }, [
      ...['--cluster.partitions', '2', '--nats.lease_ttl', '3s', '--receiver.epoch', EPOCH],
      ...['--cluster.clock_slack', CLOCK_SLACK],
    ]);
  });

  afterAll(async () => {
    await cluster?.dispose();
  });

  const total = async (name: string): Promise<number> => {
    const found = await Promise.all(cluster.shards.map((server) => gauges(server, name)));
    return found.flatMap((values) => [...values.values()]).reduce((sum, value) => sum + value, 0);
  };

  const answers = async (): Promise<string[]> => {
    const queries = ['sum(count_over_time(old[1h]))', 'old', 'avg by (i) (rate(old[10m]))'];
    return Promise.all(
      queries.map(async (query) => {
        const range = `start=${start / 1000}&end=${end / 1000}&step=600`;
        const path = `/api/v1/query_range?query=${encodeURIComponent(query)}&${range}`;
        const { status, body } = await rawRequest(cluster.queriers[0]!.url, { path });
        const answer = JSON.parse(body.toString()) as { warnings?: unknown; data: unknown };
        expect([status, answer.warnings]).toEqual([200, undefined]);
        return JSON.stringify(answer.data);
      }),
    );
  };

  it('is in blocks and no longer in the log, and survives the loss of a data folder', async () => {
    let written = 0;
    for (let from = start; from < end; from += HOUR / 6) {
      const times: [number, number][] = [];
      for (let time = from; time < Math.min(end, from + HOUR / 6); time += STEP)
        times.push([time, time - start]);
      written += times.length * SERIES;
      await writeSeries(cluster.receivers[0]!, 'old', SERIES, times);
      await sleep(50);
    }
    const cutMs = await until(60_000, async () => (await total('skein_shard_blocks_cut_total')) >= 20);
    const bytesBefore = await total('skein_shard_log_bytes');
    const before = await answers();
    const counted = await rawRequest(cluster.queriers[0]!.url, {
      path: `/api/v1/query?query=${encodeURIComponent('sum(count_over_time(old[2d]))')}&time=${end / 1000}`,
    });
    expect(counted.body.toString()).toContain(`"${written}"`);
    const trimMs = await until(60_000, async () => (await total('skein_shard_log_bytes')) < bytesBefore / 2);

    const old = cluster.shards.pop()!;
    await old.kill();
    await cluster.add('shard');
    let after: string[] = [];
    const backMs = await timed(async () => {
      await until(60_000, async () => {
        after = await answers();
        return true;
      });
    });
    report('a day of history', { written, cutMs, trimMs, backMs, bytesBefore });
    expect(after).toEqual(before);
    await old.dispose();
  });
});
