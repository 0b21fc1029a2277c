import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalBus, type LocalBus } from '../../../src/bus/local/local-bus.ts';
import { bridgeThread, connectThreadBus } from '../../../src/bus/local/thread-bus.ts';
import type { DomainError } from '../../../src/model/errors.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { runBusContract } from '../../contract/bus.contract.ts';
import { eventually, pause } from '../../contract/eventually.ts';

const clock = realClock();

for (const [name, pick] of [
  ['served on the hub, asked from a thread', (hub: LocalBus, thread: ThreadEnd) => [hub, thread.bus]],
  ['served in a thread, asked from the hub', (hub: LocalBus, thread: ThreadEnd) => [thread.bus, hub]],
  [
    'served in a thread, asked from another',
    (_: LocalBus, thread: ThreadEnd, other: ThreadEnd) => [thread.bus, other.bus],
  ],
] as const)
  runBusContract({
    name: `threads, ${name}`,
    // hub and port hold a window each
    windowBytesMax: 16 * 1024 * 1024,
    async make() {
      const hub = createLocalBus({ clock });
      const [thread, other] = [threadEnd(hub), threadEnd(hub)];
      const [server, client] = pick(hub, thread, other);
      return {
        server: server!,
        client: client!,
        settle: () => pause(15),
        async dispose() {
          await thread.end();
          await other.end();
          await hub.close();
        },
      };
    },
  });

type ThreadEnd = ReturnType<typeof threadEnd>;

function threadEnd(hub: LocalBus) {
  const { port1, port2 } = new MessageChannel();
  const cut = bridgeThread(hub.share(), port1, clock);
  const bus = connectThreadBus(port2, { clock });
  return {
    bus,
    async end() {
      await bus.close();
      await cut();
    },
  };
}

describe('thread bus', () => {
  it('transfers a frame that owns its buffer, copies a part of one, shares shared memory', async () => {
    const hub = createLocalBus({ clock });
    const thread = threadEnd(hub);
    const owner = new Uint8Array(100_000).fill(1);
    const part = new Uint8Array(100_000).fill(2).subarray(10, 90_000);
    const shared = new Uint8Array(new SharedArrayBuffer(100_000)).fill(3);
    const service = await thread.bus.service({ name: 'x', version: '1.0.0', description: '', metadata: {} });
    await service.serveMany('frames', async (_, send) => {
      await send(owner);
      await send(part);
      await send(shared);
    });
    const frames: Uint8Array[] = [];
    for await (const frame of hub.requestMany('frames', new Uint8Array(0), { deadlineMs: 5_000 }))
      frames.push(frame);
    expect(frames.map((frame) => [frame[0], frame.length])).toEqual([
      [1, 100_000],
      [2, 89_990],
      [3, 100_000],
    ]);
    expect([owner.length, part.length, shared.length]).toEqual([0, 89_990, 100_000]);
    shared[0] = 9;
    expect(frames[2]![0]).toBe(9);
    await thread.end();
  });

  it('complains when a frame is sent twice, instead of sending nothing', async () => {
    const hub = createLocalBus({ clock });
    const thread = threadEnd(hub);
    const service = await thread.bus.service({ name: 'x', version: '1.0.0', description: '', metadata: {} });
    await service.serveMany('twice', async (_, send) => {
      const frame = new Uint8Array(100_000);
      await send(frame);
      await send(frame);
    });
    const all = async (): Promise<void> => {
      for await (const _ of hub.requestMany('twice', new Uint8Array(0), { deadlineMs: 5_000 }));
    };
    await expect(all()).rejects.toThrow('sent twice');
    await thread.end();
  });

  it('serves as many services as it likes, and frees them when the port closes', async () => {
    const hub = createLocalBus({ clock });
    const thread = threadEnd(hub);
    const service = await thread.bus.service({ name: 'x', version: '1.0.0', description: '', metadata: {} });
    await service.serve('a', async () => Uint8Array.of(1));
    expect((await hub.request('a', new Uint8Array(0), { deadlineMs: 1_000 })).length).toBe(1);
    await thread.bus.close();
    expect(thread.bus.connected()).toBe(false);
    await pause(20);
    await expect(hub.request('a', new Uint8Array(0), { deadlineMs: 1_000 })).rejects.toThrow(
      'nobody serves it',
    );
  });
});

describe('thread bus with a real worker', () => {
  const hub = createLocalBus({ clock });
  let worker: Worker;

  beforeAll(async () => {
    const { port1, port2 } = new MessageChannel();
    bridgeThread(hub.share(), port1, clock);
    worker = new Worker(new URL('./thread-bus.worker.ts', import.meta.url), {
      workerData: { port: port2, prefix: 'w' },
      transferList: [port2],
      execArgv: [],
    });
    const service = await hub.service({ name: 'main', version: '1.0.0', description: '', metadata: {} });
    await service.serveMany('w.main', async (payload, send) => {
      for (let i = 0; i < payload[0]!; i++) await send(new Uint8Array(10_000));
    });
    await once(worker, 'message');
  });
  afterAll(() => worker.terminate());

  it('asks and is asked, streams, and hears events', async () => {
    const reply = await hub.request('w.sum', new Uint8Array(1_000).fill(2), { deadlineMs: 5_000 });
    expect(new TextDecoder().decode(reply)).toBe('2000');
    const relayed = await hub.request('w.relay', Uint8Array.of(30), { deadlineMs: 5_000 });
    expect(new TextDecoder().decode(relayed)).toBe('300000');
    const events: string[] = [];
    hub.subscribe('w.pong.>', (payload, subject) => events.push(`${subject}:${payload.length}`));
    hub.publish('w.ping.1', new Uint8Array(3));
    await eventually('the answer', () => events.length === 1);
    expect(events).toEqual(['w.pong.1:3']);
  });

  it('streams many frames in order', async () => {
    let count = 0;
    let bytes = 0;
    for await (const frame of hub.requestMany('w.frames', Uint8Array.of(200, 128), { deadlineMs: 15_000 })) {
      expect(frame[0]).toBe(count++);
      bytes += frame.length;
    }
    expect(bytes).toBe(200 * 128 * 1024);
  });

  it('fails what is under way with unavailable when it dies, and is served no more', async () => {
    const hanging = hub
      .request('w.hang', new Uint8Array(0), { deadlineMs: 30_000 })
      .catch((error: DomainError) => error.code);
    await pause(30);
    await worker.terminate();
    expect(await hanging).toBe('unavailable');
    await expect(hub.request('w.sum', new Uint8Array(0), { deadlineMs: 1_000 })).rejects.toThrow(
      'nobody serves it',
    );
  });
});
