import { afterAll, beforeAll, expect, it } from 'vitest';
import { headersOf, type NatsLink } from '../../../src/bus/nats/connection.ts';
import { createNatsBus } from '../../../src/bus/nats/nats-bus.ts';
import { wire } from '../../../src/bus/nats/wire.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { describeWithServers, type NatsServer, startNats } from '../../helpers/servers.ts';
import { clock, freshPrefix, link, log, numbered, numberOf } from './helpers.ts';

const info = { name: 'echo', version: '1.2.3', description: 'answers', metadata: { role: 'test' } };

function later(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

await describeWithServers(['nats-server'], 'NatsBus on a real server', () => {
  let server: NatsServer;
  const links: NatsLink[] = [];
  const bus = async () => {
    const connection = await link(server.url);
    links.push(connection);
    return createNatsBus({ connection, clock, log });
  };
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(async () => {
    await Promise.all(links.map((connection) => connection.close()));
    await server.dispose();
  });

  it('shows its services to the tools of NATS', async () => {
    const [a, b] = [await bus(), await bus()];
    const service = await a.service(info);
    const prefix = freshPrefix();
    await service.serve(`${prefix}.one`, async (payload) => payload);
    const probe = links[1]!.connection;
    const names = [];
    for await (const found of await probe.services.client().info('echo')) {
      names.push(found.name, found.endpoints?.[0]?.subject, found.metadata?.['role']);
    }
    expect(names).toEqual(['echo', `${prefix}.one`, 'test']);
    await service.stop();
    await b.close();
  });

  it('fails a request nobody serves at once', async () => {
    const a = await bus();
    const start = performance.now();
    await expect(a.request(freshPrefix(), numbered(1), { deadlineMs: 30_000 })).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('carries a thrown error with code, text and whether a retry can help', async () => {
    const [a, b] = [await bus(), await bus()];
    const subject = freshPrefix();
    const service = await a.service(info);
    await service.serve(subject, async () => {
      throw new DomainError('limited', 'cannot take "äöü": zu viel\nzweite Zeile', { retryable: false });
    });
    const error = await b.request(subject, numbered(1), { deadlineMs: 2_000 }).catch((caught) => caught);
    expect(error).toMatchObject({
      code: 'limited',
      retryable: false,
      message: 'cannot take "äöü": zu viel\nzweite Zeile',
    });
  });

  it('notices within a few seconds that a responder died, long before the deadline', async () => {
    const [a, b] = [await bus(), await bus()];
    const subject = freshPrefix();
    const service = await a.service(info);
    const never = new Promise<never>(() => undefined);
    let arrived = (): void => undefined;
    const taken = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await service.serve(subject, () => {
      arrived();
      return never;
    });
    const start = performance.now();
    const answer = b.request(subject, numbered(1), { deadlineMs: 60_000 });
    answer.catch(() => undefined);
    await taken;
    await links.at(-2)!.connection.close(); // the server sees what it sees of a killed process: a closed socket
    await expect(answer).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('notices that a responder died although another one listens on the same subject', async () => {
    const subject = freshPrefix();
    let taker: NatsLink | undefined;
    let arrived = (): void => undefined;
    const taken = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    for (let i = 0; i < 2; i++) {
      const service = await (await bus()).service(info);
      const own = links.at(-1)!;
      await service.serve(subject, () => {
        taker = own;
        arrived();
        return new Promise<never>(() => undefined);
      });
    }
    const b = await bus();
    const start = performance.now();
    const answer = b.request(subject, numbered(1), { deadlineMs: 60_000 });
    answer.catch(() => undefined);
    await taken;
    await taker!.connection.close();
    await expect(answer).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('notices that a responder lost its connection, gave up and came back', async () => {
    const b = await bus();
    const responder = await link(server.url);
    links.push(responder);
    const closed = responder.openMailbox({ onMessage: () => undefined, onDisconnect: () => undefined });
    closed.close();
    const subject = freshPrefix();
    responder.connection.subscribe(subject, {
      callback: (_error, request) => {
        const headers = headersOf({ [wire.frame]: '1' });
        if (!request.headers?.has(wire.probe))
          responder.send(request.reply ?? '', numbered(1), { reply: closed.subject, headers });
      },
    });
    await responder.connection.flush();
    const frames: number[] = [];
    const start = performance.now();
    const reading = (async () => {
      for await (const frame of b.requestMany(subject, numbered(1), { deadlineMs: 60_000 }))
        frames.push(numberOf(frame));
    })();
    await expect(reading).rejects.toMatchObject({ code: 'unavailable' });
    expect(frames).toEqual([1]);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('notices within a second that a requester died, while frames are under way', async () => {
    const [a, b] = [await bus(), await bus()];
    const subject = freshPrefix();
    const service = await a.service(info);
    let aborted = 0;
    await service.serveMany(subject, async (_payload, send, context) => {
      context.signal.addEventListener('abort', () => {
        aborted = performance.now();
      });
      for (;;) await send(numbered(1, 100_000));
    });
    const frames = b.requestMany(subject, numbered(1), { deadlineMs: 60_000 })[Symbol.asyncIterator]();
    await frames.next();
    const end = performance.now();
    await links.at(-1)!.connection.close();
    await later(1_500);
    expect(aborted).toBeGreaterThan(0);
    expect(aborted - end).toBeLessThan(1_000);
  });

  it('holds a responder back while the requester does not read', async () => {
    const [a, b] = [await bus(), await bus()];
    const subject = freshPrefix();
    const service = await a.service(info);
    let sent = 0;
    await service.serveMany(subject, async (_payload, send) => {
      for (let i = 0; i < 400; i++) {
        await send(numbered(i, 128 * 1024));
        sent++;
      }
    });
    let expected = 0;
    for await (const frame of b.requestMany(subject, numbered(1), { deadlineMs: 60_000 })) {
      expect(numberOf(frame)).toBe(expected++);
      if (expected === 1) {
        await later(500);
        expect(sent).toBeLessThan(8 * 8 + 2);
      }
    }
    expect(expected).toBe(400);
  });

  it('ends requests at once when the server goes away, and works again when it is back', async () => {
    const [a, b] = [await bus(), await bus()];
    const subject = freshPrefix();
    const service = await a.service(info);
    await service.serve(subject, async (payload) => {
      if (numberOf(payload) === 1) await later(60_000);
      return payload;
    });
    const hanging = b.request(subject, numbered(1), { deadlineMs: 60_000 });
    hanging.catch(() => undefined);
    await later(100);
    await server.kill();
    await expect(hanging).rejects.toMatchObject({ code: 'unavailable' });
    await expect(b.request(subject, numbered(2), { deadlineMs: 60_000 })).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(b.connected()).toBe(false);
    await server.start();
    const end = performance.now() + 10_000;
    for (;;) {
      const answer = await b.request(subject, numbered(2), { deadlineMs: 1_000 }).catch((error) => error);
      if (answer instanceof Uint8Array) break;
      expect(performance.now()).toBeLessThan(end);
      await later(100);
    }
  });
});
