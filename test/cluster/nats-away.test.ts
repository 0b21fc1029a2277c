// NATS away for a minute, all of it: senders are turned away within bounded time and memory, nobody is told anything wrong, and when it is
// back everything goes on by itself with everything that was acknowledged.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { rawRequest } from '../helpers/raw-http.ts';
import { describeWithServers } from '../helpers/servers.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';
import { Load } from './load.ts';
import { readBack } from './questions.ts';
import { type Cluster, report, sleep, startCluster, until } from './rig.ts';
import { type Aftermath, recovered, weather } from './storm.ts';
import { bodyV1, series, V1, writeHeaders } from './write-cases.ts';

const AWAY_MS = 60_000;
const HELD_MS = 12_000;
const RECOVERY_MS_MAX = 45_000;
const BUFFER_BYTES = 1024 * 1024;
const MEMORY_GROWTH_MAX = 200 * 1024 * 1024;
/** receiver.publish_timeout for those that get as far as the log, and what a busy machine adds. */
const ANSWER_MS_MAX = 25_000;
const SENDERS = 40;

/** What became of senders who do not stop. */
interface Flood {
  /** Answers by status, with Retry-After or without. */
  readonly statuses: Map<string, number>;
  /** Of them turned away because too much waited already. */
  readonly tooMuch: number;
  readonly slowestMs: number;
  readonly sentBytes: number;
  readonly bufferedBytesMax: number;
}

/** Many senders at once, each of which sends a large body again as soon as it is answered, for `ms`. */
async function flood(receiver: SkeinServer, ms: number): Promise<Flood> {
  const end = performance.now() + ms;
  const statuses = new Map<string, number>();
  const heard = { tooMuch: 0, slowestMs: 0, sentBytes: 0, bufferedBytesMax: 0 };
  const time = Date.now();
  const send = async (sender: number): Promise<void> => {
    const body = bodyV1(
      ...Array.from({ length: 2000 }, (_, i) =>
        series(
          [
            ['__name__', 'flood'],
            ['i', String(i)],
            ['sender', `a-sender-with-a-long-name-${sender}`],
          ],
          [[time, i]],
        ),
      ),
    );
    while (performance.now() < end) {
      const began = performance.now();
      const request = { method: 'POST', path: '/api/v1/write', headers: writeHeaders(V1), body };
      const { status, headers, body: text } = await rawRequest(receiver.url, request);
      heard.slowestMs = Math.max(heard.slowestMs, Math.round(performance.now() - began));
      heard.sentBytes += body.length;
      if (text.includes('bytes wait for the log already')) heard.tooMuch++;
      const answer = `${status}${headers['retry-after'] === undefined ? '' : ' Retry-After'}`;
      statuses.set(answer, (statuses.get(answer) ?? 0) + 1);
      await sleep(200);
    }
  };
  const look = async (): Promise<void> => {
    while (performance.now() < end) {
      const { body } = await rawRequest(receiver.url, { path: '/metrics' });
      const bytes = /^skein_receiver_unacknowledged_bytes (\S+)$/m.exec(body.toString())?.[1];
      heard.bufferedBytesMax = Math.max(heard.bufferedBytesMax, Number(bytes));
      await sleep(500);
    }
  };
  await Promise.all([look(), ...Array.from({ length: SENDERS }, (_, sender) => send(sender))]);
  return { statuses, ...heard };
}

await describeWithServers(['nats-server', 'minio'], 'a cluster without NATS', () => {
  let cluster: Cluster;
  let load: Load;

  beforeAll(async () => {
    cluster = await startCluster({ nats: 3, receivers: 1, shards: 2, queriers: 1 }, [
      ...['--receiver.buffer_bytes_max', '1MiB', '--cluster.partitions', '4'],
    ]);
    load = new Load({ receivers: () => cluster.receivers, lanes: 4, seriesPerLane: 500 });
    load.run();
    await until(30_000, async () => Math.min(...load.acked) > 10);
    await load.stop();
    await recovered(load, cluster.queriers[0]!, RECOVERY_MS_MAX);
  });

  afterAll(async () => {
    await load?.stop();
    await cluster?.dispose();
  });

  const everyone = (): SkeinServer[] => [...cluster.receivers, ...cluster.shards, ...cluster.queriers];
  const pids = (): (number | undefined)[] => everyone().map((server) => server.pid?.());

  // No process was started again, none is wedged, nobody was told anything wrong.
  async function expectHonest({ heard, trouble }: Aftermath, before: (number | undefined)[]): Promise<void> {
    expect(heard.wrong).toEqual([]);
    expect(trouble.wrong).toEqual([]);
    expect([...heard.broken, ...trouble.broken]).toEqual([]);
    expect(pids()).toEqual(before);
    for (const server of everyone())
      await until(30_000, async () => (await rawRequest(server.url, { path: '/-/ready' })).status === 200);
  }

  it('turns senders away in bounded time and memory while all servers are gone, then goes on by itself', async () => {
    const before = pids();
    const receiver = cluster.receivers[0]!;
    const memoryBefore = receiver.memory().now;
    let seen: Flood | undefined;
    const aftermath = await weather(cluster, load, {
      name: 'all NATS servers away for a minute',
      recoveryMsMax: RECOVERY_MS_MAX,
      async happens() {
        await Promise.all(cluster.nats.map((server) => server.kill()));
        seen = await flood(receiver, AWAY_MS);
        await Promise.all(cluster.nats.map((server) => server.start()));
        const acked = [...load.acked];
        await until(RECOVERY_MS_MAX, async () => load.acked.every((steps, lane) => steps > acked[lane]!));
      },
    });
    const growth = receiver.memory().peak - memoryBefore;
    report('NATS away', { ...seen, statuses: [...seen!.statuses], memoryBefore, growth });
    expect([...seen!.statuses.keys()]).toEqual(['503 Retry-After']);
    expect(seen!.slowestMs).toBeLessThan(ANSWER_MS_MAX);
    expect(seen!.tooMuch).toBeGreaterThan(0);
    // One request more is let in when the buffer has room for a byte.
    expect(seen!.bufferedBytesMax).toBeLessThan(2 * BUFFER_BYTES);
    expect(growth).toBeLessThan(MEMORY_GROWTH_MAX);
    expect(aftermath.trouble.turnedAway.length).toBeGreaterThan(0);
    await expectHonest(aftermath, before);
  });

  it('waits for servers that stand still and goes on by itself', async () => {
    const before = pids();
    const aftermath = await weather(cluster, load, {
      name: 'all NATS servers held still',
      recoveryMsMax: RECOVERY_MS_MAX,
      async happens() {
        await Promise.all(cluster.nats.map((server) => server.pause()));
        await sleep(HELD_MS);
        await Promise.all(cluster.nats.map((server) => server.resume()));
        const acked = [...load.acked];
        await until(RECOVERY_MS_MAX, async () => load.acked.every((steps, lane) => steps > acked[lane]!));
      },
    });
    await expectHonest(aftermath, before);
  });

  it('has every acknowledged sample, once and with its value', async () => {
    const { samples, wrong } = await readBack(load, cluster.queriers[0]!);
    report('read back', { samples });
    expect(wrong).toEqual([]);
    expect(samples).toBe(load.samples);
  });
});
