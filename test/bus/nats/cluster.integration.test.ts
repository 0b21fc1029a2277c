import { afterAll, beforeAll, expect, it } from 'vitest';
import type { NatsLink } from '../../../src/bus/nats/connection.ts';
import { jetstreamApi, objectField } from '../../../src/bus/nats/jetstream-api.ts';
import { openJetstreamLogs } from '../../../src/bus/nats/jetstream-log.ts';
import { createNatsBus } from '../../../src/bus/nats/nats-bus.ts';
import { openNatsDirectory } from '../../../src/bus/nats/nats-directory.ts';
import { describeWithServers, type NatsCluster, startNatsCluster } from '../../helpers/servers.ts';
import { clock, freshPrefix, link, log, numbered, numberOf } from './helpers.ts';

function later(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function leaderOf(connection: NatsLink, stream: string): Promise<string> {
  const context = { link: connection, clock, log };
  for (let attempt = 0; attempt < 100; attempt++) {
    const reply = await jetstreamApi(context, `STREAM.INFO.${stream}`).catch(() => ({}));
    const leader = objectField(reply, 'cluster')['leader'];
    if (typeof leader === 'string' && leader !== '') return leader;
    await later(100);
  }
  throw new Error(`${stream} has no leader`);
}

await describeWithServers(['nats-server'], 'NATS with three servers and three copies', () => {
  let cluster: NatsCluster;
  const links: NatsLink[] = [];
  const connect = async (): Promise<NatsLink> => {
    const connection = await link(...cluster.urls);
    links.push(connection);
    return connection;
  };
  beforeAll(async () => {
    cluster = await startNatsCluster();
  });
  afterAll(async () => {
    await Promise.all(links.map((connection) => connection.close()));
    await cluster.dispose();
  });

  it('loses nothing acknowledged and goes on in order when the leader of a log is killed under load', async () => {
    const prefix = freshPrefix();
    const [writing, reading] = [await connect(), await connect()];
    const options = { prefix, replicas: 3, bytesMax: 256 * 1024 * 1024, clock, log };
    const writer = await openJetstreamLogs({ ...options, connection: writing });
    await writer.create(0);
    const log0 = await writer.open(0);
    const acked = new Map<number, number>();
    const aborter = new AbortController();
    const seen: number[] = [];
    const reader = (async () => {
      const opened = await (await openJetstreamLogs({ ...options, connection: reading })).open(0);
      for await (const batch of opened.read(1, aborter.signal))
        for (const message of batch) seen[message.sequence] = numberOf(message.payload);
    })();

    let next = 0;
    let running = true;
    let killedAt = 0;
    let resumedAt = 0;
    const write = async (): Promise<void> => {
      while (running) {
        const number = next++;
        const sequence = await log0.append(numbered(number, 4_096)).catch(() => 0);
        if (sequence === 0) continue;
        acked.set(number, sequence);
        if (killedAt > 0 && resumedAt === 0) resumedAt = performance.now();
      }
    };
    const writers = Array.from({ length: 16 }, write);
    await later(1_000);
    const victim = cluster.named(await leaderOf(writing, `${prefix}_wal_0`));
    await victim.kill();
    const before = acked.size;
    killedAt = performance.now();
    while (resumedAt === 0) {
      expect(performance.now() - killedAt).toBeLessThan(30_000);
      await later(50);
    }
    await later(1_000);
    await victim.start();
    await later(1_000);
    running = false;
    await Promise.all(writers);
    expect(acked.size).toBeGreaterThan(before);
    const last = Math.max(...acked.values());
    while (seen.length <= last) await later(50);
    aborter.abort();
    await reader;
    for (const [number, sequence] of acked) expect(seen[sequence]).toBe(number);
    for (let sequence = 1; sequence <= last; sequence++) expect(seen[sequence]).toBeDefined();
    const sequences = [...acked].sort((a, b) => a[0] - b[0]).map(([, sequence]) => sequence);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    console.log(
      `${acked.size} appends acknowledged, ${last - acked.size} stored without; gap ${Math.round(resumedAt - killedAt)} ms`,
    );
  });

  it('answers requests across servers and while one of them restarts', async () => {
    const [a, b] = [await connect(), await connect()];
    const subject = freshPrefix();
    const service = await createNatsBus({ connection: a, clock, log }).service({
      name: 'across',
      version: '1.0.0',
      description: 'answers',
      metadata: {},
    });
    await service.serve(subject, async (payload) => payload);
    await later(200);
    const bus = createNatsBus({ connection: b, clock, log });
    const port = Number(new URL(`nats://${b.connection.getServer()}`).port);
    const victim = cluster.servers.find((server) => server.port === port)!;
    expect(numberOf(await bus.request(subject, numbered(7), { deadlineMs: 2_000 }))).toBe(7);
    await victim.kill();
    let answered = false;
    const end = performance.now() + 10_000;
    while (!answered && performance.now() < end) {
      answered = await bus.request(subject, numbered(7), { deadlineMs: 2_000 }).then(
        () => true,
        () => false,
      );
      await later(50);
    }
    expect(answered).toBe(true);
    await victim.start();
  });

  it('keeps a lease and announcements through the death of the leader of the directory', async () => {
    const prefix = freshPrefix();
    const [a, b] = [await connect(), await connect()];
    const options = { prefix, replicas: 3, clock, log };
    const holder = await openNatsDirectory({ ...options, connection: a });
    const other = await openNatsDirectory({ ...options, connection: b });
    const lease = await holder.acquire('lease.0', numbered(1), 15_000);
    await holder.announce('member.a', numbered(1), 15_000);
    const victim = cluster.named(await leaderOf(a, `KV_${prefix}_live`));
    await victim.kill();
    await later(16_000);
    await victim.start();
    expect(lease!.lost.aborted).toBe(false);
    expect(await other.acquire('lease.0', numbered(2), 15_000)).toBeUndefined();
    expect((await other.list('')).map((entry) => entry.key)).toEqual(['lease.0', 'member.a']);
  });
});
