import { describe, expect, it } from 'vitest';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import type { DomainError } from '../../../src/model/errors.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { runBusContract } from '../../contract/bus.contract.ts';
import { createVirtualClock, settle } from '../../helpers/virtual-clock.ts';

runBusContract({
  name: 'local, one handle',
  async make() {
    const bus = createLocalBus({ clock: realClock() });
    return { server: bus, client: bus, dispose: () => bus.close() };
  },
});

runBusContract({
  name: 'local, two handles',
  async make() {
    const server = createLocalBus({ clock: realClock() });
    const client = server.share();
    return {
      server,
      client,
      async dispose() {
        await client.close();
        await server.close();
      },
    };
  },
});

const info = { name: 'test', version: '1.0.0', description: '', metadata: {} };

describe('local bus', () => {
  it('hands payloads over by reference', async () => {
    const bus = createLocalBus({ clock: createVirtualClock() });
    const seen: Uint8Array[] = [];
    bus.subscribe('a', (payload) => seen.push(payload));
    const service = await bus.service(info);
    await service.serve('echo', async (payload) => payload);
    const payload = new Uint8Array(8);
    bus.publish('a', payload);
    await settle();
    expect(seen[0]).toBe(payload);
    expect(await bus.request('echo', payload, { deadlineMs: 1_000 })).toBe(payload);
  });

  it('keeps deadlines by the clock it was given, and leaves no timer behind', async () => {
    const clock = createVirtualClock();
    const bus = createLocalBus({ clock });
    const service = await bus.service(info);
    await service.serve('never', () => new Promise(() => {}));
    await service.serve('echo', async (payload) => payload);
    await bus.request('echo', new Uint8Array(1), { deadlineMs: 60_000 });
    expect(clock.pending()).toBe(0);
    let code = '';
    const request = bus
      .request('never', new Uint8Array(1), { deadlineMs: 60_000 })
      .catch((error: DomainError) => {
        code = error.code;
      });
    await clock.advance(59_999);
    expect(code).toBe('');
    await clock.advance(1);
    expect(code).toBe('timeout');
    await request;
    expect(clock.pending()).toBe(0);
  });

  it('ends requests under way on both sides when it is closed', async () => {
    const bus = createLocalBus({ clock: createVirtualClock() });
    const service = await bus.service(info);
    let aborted = false;
    await service.serve('never', (_, context) => {
      return new Promise((resolve) => {
        context.signal.addEventListener('abort', () => {
          aborted = true;
          resolve(new Uint8Array(0));
        });
      });
    });
    const request = bus
      .request('never', new Uint8Array(1), { deadlineMs: 60_000 })
      .catch((error: DomainError) => error.code);
    await settle();
    await bus.close();
    expect(await request).toBe('unavailable');
    expect(aborted).toBe(true);
    await expect(bus.request('never', new Uint8Array(1), { deadlineMs: 1 })).rejects.toThrow('closed');
  });

  it('lets timers run during a stream that never waits', async () => {
    const bus = createLocalBus({ clock: realClock() });
    const service = await bus.service(info);
    await service.serveMany('flood', async (_, send) => {
      const frame = new Uint8Array(64 * 1024);
      for (let i = 0; i < 200; i++) await send(frame);
    });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    let frames = 0;
    for await (const _ of bus.requestMany('flood', new Uint8Array(0), { deadlineMs: 10_000 })) frames++;
    clearInterval(timer);
    expect(frames).toBe(200);
    expect(ticks).toBeGreaterThan(2);
  });

  it('serves subjects with wildcards and refuses malformed ones', async () => {
    const bus = createLocalBus({ clock: createVirtualClock() });
    const service = await bus.service(info);
    await service.serve('shard.*.query', async () => Uint8Array.of(7));
    expect(await bus.request('shard.3.query', new Uint8Array(0), { deadlineMs: 10 })).toEqual(
      Uint8Array.of(7),
    );
    for (const pattern of ['', 'a..b', 'a b', '>.a'])
      expect(() => bus.subscribe(pattern, () => {}), pattern).toThrow(`subject "${pattern}"`);
  });
});
