// A cluster whose bucket goes away. Shards start without it, answer from their heads, say what they lack, and are whole when it is back.
// Writes go on while blocks are due, as long as the logs have room; then they are turned away, until blocks have caught up.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { rawRequest } from '../helpers/raw-http.ts';
import { describeWithServers } from '../helpers/servers.ts';
import { Load } from './load.ts';
import { balance, Questions } from './questions.ts';
import { type Cluster, gauges, report, sleep, startCluster, timed, until, writeSeries } from './rig.ts';
import { recovered } from './storm.ts';

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

const PARTITIONS = 2;
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const LOAD_STEP_MS = 30_000;
const BLOCK_STEPS = (2 * HOUR_MS) / LOAD_STEP_MS;
/** Blocks of each partition that are due while the bucket is away, at least. */
const BLOCKS_DUE = 3;
const SILENT_MS = 10_000;
const FULL_MS = 5000;
const BACK_MS_MAX = 60_000;
/** Peak of resident memory may grow by this: the heads take less than the logs may, the rest is garbage not yet collected. */
const MEMORY_GROWTH_MAX = 100 * 1024 * 1024;

await describeWithServers(['nats-server', 'minio'], 'a cluster that is written to without its bucket', () => {
  let cluster: Cluster;
  let load: Load;

  beforeAll(async () => {
    cluster = await startCluster({ nats: 1, receivers: 1, shards: 2, queriers: 1 }, [
      ...['--cluster.partitions', String(PARTITIONS), '--nats.log_bytes_max', String(LOG_BYTES_MAX)],
      // So short that what is in blocks can leave the log at once.
      ...['--receiver.epoch', '1s', '--cluster.clock_slack', '1s'],
    ]);
    load = new Load({
      receivers: () => cluster.receivers,
      lanes: 4,
      seriesPerLane: 500,
      stepMs: LOAD_STEP_MS,
      backMs: 48 * HOUR_MS,
      paceMs: 20,
    });
    load.run();
  });

  afterAll(async () => {
    await load?.stop();
    await cluster?.dispose();
  });

  // Over both replicas of every partition.
  const sumOf = async (name: string): Promise<number> => {
    const found = await Promise.all(cluster.shards.map((shard) => gauges(shard, name)));
    return found.flatMap((partitions) => [...partitions.values()]).reduce((sum, value) => sum + value, 0);
  };
  const logBytes = async (): Promise<number> => (await sumOf('skein_shard_log_bytes')) / 2;
  const headBytes = async (): Promise<number> => (await sumOf('skein_shard_head_bytes')) / 2;
  const blocksCut = (): Promise<number> => sumOf('skein_shard_blocks_cut_total');
  const steps = (): number => Math.min(...load.acked);
  const growthSince = (before: readonly number[]): number[] =>
    [...cluster.shards, ...cluster.receivers].map((server, i) => server.memory().peak - before[i]!);

  it('writes on until the logs are full, keeps its memory, and catches up by itself', async () => {
    await until(60_000, async () => (await blocksCut()) >= 2 * PARTITIONS);
    const before = { log: await logBytes(), blocks: await blocksCut(), steps: steps() };
    const peaks = [...cluster.shards, ...cluster.receivers].map((server) => server.memory().peak);
    load.forget();
    const questions = new Questions(load, cluster.queriers);

    // It says nothing, then it is gone.
    await cluster.minio.pause();
    await sleep(SILENT_MS);
    await cluster.minio.kill();
    const untilDueMs = await until(60_000, async () => steps() > before.steps + BLOCKS_DUE * BLOCK_STEPS);
    expect(load.trouble).toEqual({ turnedAway: [], broken: new Map(), wrong: [] });
    const away = { log: await logBytes(), head: await headBytes(), steps: steps() };
    expect(await blocksCut()).toBe(before.blocks);
    expect(away.log).toBeGreaterThan(before.log);

    // More than the logs take: whoever writes is told to come again.
    const untilFullMs = await until(90_000, async () => load.trouble.turnedAway.length > 0);
    const full = { log: await logBytes(), head: await headBytes(), steps: steps() };
    await sleep(FULL_MS);
    const growth = growthSince(peaks);
    const { trouble } = load.forget();
    const told = [...new Set(trouble.turnedAway.map(({ text }) => text))];

    await cluster.minio.start();
    const acked = [...load.acked];
    const writingAfterMs = await until(BACK_MS_MAX, async () =>
      load.acked.every((count, lane) => count > acked[lane]!),
    );
    const due = Math.floor((full.steps - before.steps) / BLOCK_STEPS) * PARTITIONS;
    const cutAfterMs = await until(BACK_MS_MAX, async () => (await blocksCut()) >= before.blocks + due);
    const trimmedAfterMs = await until(BACK_MS_MAX, async () => (await logBytes()) < full.log / 2);
    await load.stop();
    const { right, partial, wrong, turnedAway, broken } = await questions.stop();
    report('S3 away', { before, away, full, untilDueMs, untilFullMs, told, growth });
    report('S3 back', { writingAfterMs, cutAfterMs, due, trimmedAfterMs, samples: load.samples });
    report('asked meanwhile', { right, partial: partial.length });
    expect(trouble.wrong).toEqual([]);
    expect(told.join('\n')).toMatch(
      /maximum bytes exceeded \(10077\): the log is full, see nats.log_bytes_max/,
    );
    expect(full.log).toBeLessThan(1.05 * PARTITIONS * LOG_BYTES_MAX);
    expect(full.head).toBeLessThan(full.log);
    expect(Math.max(...growth)).toBeLessThan(MEMORY_GROWTH_MAX);
    expect({ wrong, turnedAway, broken }).toEqual({ wrong: [], turnedAway: [], broken: new Map() });
    expect(right).toBeGreaterThan(10);
  });

  it('has every acknowledged sample, once and with its value, also after a restart', async () => {
    // A bucket that was away is asked again some seconds later.
    await recovered(load, cluster.queriers[0]!, BACK_MS_MAX);
    await Promise.all(cluster.shards.map((shard) => shard.kill()));
    await Promise.all(cluster.shards.map((shard) => shard.start()));
    await recovered(load, cluster.queriers[0]!, BACK_MS_MAX);
    expect(await balance(load, cluster.queriers[0]!, BLOCK_STEPS)).toEqual({
      lost: 0,
      doubled: 0,
      wrong: [],
    });
  });
});
