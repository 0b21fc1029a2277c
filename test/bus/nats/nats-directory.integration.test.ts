import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DirectoryEntry } from '../../../src/bus/directory.ts';
import type { NatsLink } from '../../../src/bus/nats/connection.ts';
import { openNatsDirectory } from '../../../src/bus/nats/nats-directory.ts';
import { describeWithServers, type NatsServer, startNats } from '../../helpers/servers.ts';
import { clock, freshPrefix, link, log, numbered } from './helpers.ts';

function later(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function until(condition: () => boolean | Promise<boolean>, millisecondsMax: number): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > millisecondsMax) throw new Error(`not so within ${millisecondsMax} ms`);
    await later(20);
  }
  return performance.now() - start;
}

await describeWithServers(['nats-server'], 'NatsDirectory on a real server', () => {
  let server: NatsServer;
  const links: NatsLink[] = [];
  const directory = async (prefix: string) => {
    const connection = await link(server.url);
    links.push(connection);
    return openNatsDirectory({ connection, prefix, replicas: 1, clock, log });
  };
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(async () => {
    await Promise.all(links.map((connection) => connection.close()));
    await server.dispose();
  });

  it('shows an announcement to others, and its end when its process died', async () => {
    const prefix = freshPrefix();
    const [a, b] = [await directory(prefix), await directory(prefix)];
    let seen: readonly DirectoryEntry[] = [];
    const stop = await b.watch('member.', (entries) => {
      seen = entries;
    });
    const announcement = await a.announce('member.a', numbered(1), 2_000);
    await until(() => seen.length === 1, 1_000);
    await announcement.update(numbered(2));
    await until(() => seen[0]?.value[1] === numbered(2)[1], 1_000);
    await later(3_000);
    expect(seen).toHaveLength(1);
    await links.at(-2)!.close();
    await until(() => seen.length === 0, 6_000);
    expect(await b.list('')).toEqual([]);
    stop();
  });

  it('lets one of two have a lease, and the other after the death of the first', async () => {
    const prefix = freshPrefix();
    const [a, b] = [await directory(prefix), await directory(prefix)];
    const first = await a.acquire('lease.0', numbered(1), 2_000);
    expect(first).toBeDefined();
    expect(await b.acquire('lease.0', numbered(2), 2_000)).toBeUndefined();
    await later(4_000);
    expect(first!.lost.aborted).toBe(false);
    expect(await b.acquire('lease.0', numbered(2), 2_000)).toBeUndefined();
    await links.at(-2)!.close();
    let second: Awaited<ReturnType<typeof b.acquire>>;
    await until(async () => {
      second = await b.acquire('lease.0', numbered(2), 2_000);
      if (second) expect(first!.lost.aborted).toBe(true);
      return second !== undefined;
    }, 6_000);
    expect(second!.token).toBeGreaterThan(first!.token);
    await second!.release();
  });

  it('gives a released lease to the next at once', async () => {
    const prefix = freshPrefix();
    const [a, b] = [await directory(prefix), await directory(prefix)];
    const first = await a.acquire('lease.0', numbered(1), 30_000);
    await first!.release();
    const second = await b.acquire('lease.0', numbered(2), 30_000);
    expect(second!.token).toBeGreaterThan(first!.token);
    await b.close();
    expect(await a.acquire('lease.0', numbered(1), 30_000)).toBeDefined();
  });

  it('keeps a lease through a renewal whose acknowledgement was lost', async () => {
    const prefix = freshPrefix();
    const a = await directory(prefix);
    const lease = await a.acquire('lease.0', numbered(1), 6_000);
    await later(1_900);
    await server.pause(); // the renewal at 2 s gets no answer
    await later(1_800);
    await server.resume(); // now it is stored, and the retry at 4 s must count as the same one
    await later(5_000);
    expect(lease!.lost.aborted).toBe(false);
    expect(await a.acquire('lease.0', numbered(1), 6_000)).toBeUndefined();
  });

  it('gives a lease up before the server does when the server cannot be reached', async () => {
    const prefix = freshPrefix();
    const a = await directory(prefix);
    const lease = await a.acquire('lease.0', numbered(1), 3_000);
    const start = performance.now();
    await server.pause();
    await until(() => lease!.lost.aborted, 5_000);
    expect(performance.now() - start).toBeLessThan(3_000);
    await server.resume();
  });

  it('writes records by compare-and-set', async () => {
    const prefix = freshPrefix();
    const [a, b] = [await directory(prefix), await directory(prefix)];
    expect(await a.read('cluster')).toBeUndefined();
    const revision = await a.write('cluster', numbered(8), 0);
    await expect(b.write('cluster', numbered(9), 0)).rejects.toMatchObject({ code: 'conflict' });
    expect(await b.read('cluster')).toEqual({ key: 'cluster', value: numbered(8), revision });
    expect(await b.write('cluster', numbered(9), revision)).toBeGreaterThan(revision);
    await expect(a.write('cluster', numbered(7), revision)).rejects.toMatchObject({ code: 'conflict' });
  });
});
