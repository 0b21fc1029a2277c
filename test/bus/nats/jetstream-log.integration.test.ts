import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DurableLog, LogMessage } from '../../../src/bus/durable-log.ts';
import type { NatsLink } from '../../../src/bus/nats/connection.ts';
import { openJetstreamLogs } from '../../../src/bus/nats/jetstream-log.ts';
import { describeWithServers, type NatsServer, startNats } from '../../helpers/servers.ts';
import { clock, freshPrefix, link, log, numbered, numberOf } from './helpers.ts';

await describeWithServers(['nats-server'], 'JetstreamLogs on a real server', () => {
  let server: NatsServer;
  const links: NatsLink[] = [];
  const logs = async (prefix: string, bytesMax = 256 * 1024 * 1024) => {
    const connection = await link(server.url);
    links.push(connection);
    return openJetstreamLogs({ connection, prefix, replicas: 1, bytesMax, clock, log });
  };
  const freshLog = async (): Promise<DurableLog> => {
    const opened = await logs(freshPrefix());
    await opened.create(0);
    return opened.open(0);
  };
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(async () => {
    await Promise.all(links.map((connection) => connection.close()));
    await server.dispose();
  });

  it('reads 100 MB in order while it is being written', async () => {
    const opened = await freshLog();
    const count = 1_600;
    const aborter = new AbortController();
    const reader = (async () => {
      let next = 1;
      for await (const batch of opened.read(1, aborter.signal))
        for (const message of batch) {
          expect(message.sequence).toBe(next);
          expect(numberOf(message.payload)).toBe(next);
          if (next++ === count) return;
        }
    })();
    let appended = 0;
    const writer = async (): Promise<void> => {
      while (appended < count) await opened.append(numbered(++appended, 64 * 1024));
    };
    await Promise.all(Array.from({ length: 16 }, writer));
    await reader;
    aborter.abort();
  });

  it('goes on reading exactly where it was when the server was killed and came back', async () => {
    const opened = await freshLog();
    const seen: number[] = [];
    const aborter = new AbortController();
    const reader = (async () => {
      for await (const batch of opened.read(1, aborter.signal))
        for (const message of batch) {
          seen.push(numberOf(message.payload));
          if (seen.length === 300) return;
        }
    })();
    const append = async (from: number, to: number): Promise<void> => {
      await Promise.all(
        Array.from({ length: to - from }, (_, i) => opened.append(numbered(from + i, 2_000))),
      );
    };
    await append(0, 100);
    await server.kill();
    const held = append(100, 200);
    await server.start();
    await held;
    await append(200, 300);
    await reader;
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i));
  });

  it('says which messages are gone when it is asked for trimmed ones', async () => {
    const opened = await freshLog();
    for (let i = 0; i < 10; i++) await opened.append(numbered(i));
    await opened.trim(6);
    await opened.trim(3);
    expect(await opened.bounds()).toMatchObject({ first: 6, last: 10 });
    const read = async (): Promise<readonly LogMessage[]> => {
      for await (const batch of opened.read(4, new AbortController().signal)) return batch;
      return [];
    };
    await expect(read()).rejects.toMatchObject({
      code: 'not_found',
      message: /messages 4 to 5 are not kept/,
    });
    await opened.trim(1_000);
    expect(await opened.bounds()).toMatchObject({ first: 11, last: 10 });
    expect(await opened.append(numbered(10))).toBe(11);
  });

  it('refuses when it is full, and takes appends again after a trim', async () => {
    const opened = await logs(freshPrefix(), 1024 * 1024);
    await opened.create(0);
    const small = await opened.open(0);
    let last = 0;
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) last = await small.append(numbered(i, 64 * 1024));
    };
    await expect(fill()).rejects.toMatchObject({ code: 'full' });
    expect(last).toBeGreaterThan(10);
    await small.trim(last);
    expect(await small.append(numbered(1))).toBe(last + 1);
  });

  it('does not make a missing log anew', async () => {
    const opened = await logs(freshPrefix());
    await expect(opened.open(3)).rejects.toMatchObject({ code: 'not_found' });
    await opened.create(3);
    const log3 = await opened.open(3);
    await log3.append(numbered(1));
    await opened.create(3);
    expect(await log3.bounds()).toMatchObject({ first: 1, last: 1 });
  });

  it('refuses a message that is too large', async () => {
    const opened = await freshLog();
    await expect(opened.append(new Uint8Array(2_000_000))).rejects.toMatchObject({ code: 'too_large' });
  });
});
