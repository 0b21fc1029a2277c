import { describe, expect, it } from 'vitest';
import { fanOut, retryLost, StreamLost } from '../../../src/actors/querier/fanout.ts';
import { Routes } from '../../../src/actors/querier/routes.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { openLocalDirectory } from '../../../src/bus/local/local-directory.ts';
import { leaseKey, replicaKey, replicaSubject, shardSubject } from '../../../src/bus/subjects.ts';
import { encodeEnvelope } from '../../../src/codec/envelope.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

const WAIT_MS = 10_000;
const NEVER = new AbortController().signal;

function setup(partitions = 3) {
  const clock = createVirtualClock();
  const bus = createLocalBus({ clock });
  const serve = async (
    partition: number,
    frames: readonly number[],
    after?: DomainError,
  ): Promise<() => Promise<void>> => {
    const service = await bus.service({ name: 's', version: '1.0.0', description: '', metadata: {} });
    await service.serveMany(shardSubject('skein', partition, 'metadata'), async (_payload, send) => {
      for (const frame of frames) await send(Uint8Array.of(frame));
      if (after) throw after;
    });
    return () => service.stop();
  };
  const ask = async (partialResponse: boolean, signal: AbortSignal = NEVER): Promise<(string | number)[]> => {
    const settings = { bus, clock, prefix: 'skein', partitions, ownerWaitMs: WAIT_MS, partialResponse };
    const heard: (string | number)[] = [];
    const message = { tenant: 't', metric: '', limit: 0 };
    const asked = { kind: 'shard.metadata' as const, verb: 'metadata', message };
    const read = {
      frame: (frame: Uint8Array) => frame[0]!,
      missing: (text: string) => /^partial response: partition (\d+) is missing/.exec(text)![1]!,
    };
    for await (const item of fanOut<'shard.metadata', number | string>(settings, asked, signal, read))
      heard.push(typeof item === 'number' ? item : `missing ${item}`);
    return heard;
  };
  return { clock, serve, ask };
}

const outcome = <T>(work: Promise<T>): Promise<T | string> =>
  work.catch((error) => (error as DomainError).message);

describe('fanOut', () => {
  it('hands frames on in the order of partitions, whatever order they come in', async () => {
    const { clock, serve, ask } = setup();
    await serve(2, [20, 21]);
    await serve(0, [1]);
    const asked = ask(false);
    await clock.advance(100);
    await serve(1, []);
    await clock.advance(100);
    expect(await asked).toEqual([1, 20, 21]);
  });

  it('waits for an owner, then names the partition that has none', async () => {
    const { clock, serve, ask } = setup(2);
    await serve(0, [1]);
    const partial = ask(true);
    const whole = outcome(ask(false));
    await clock.advance(WAIT_MS + 200);
    expect(await partial).toEqual([1, 'missing 1']);
    expect(await whole).toMatch(/^partial response: partition 1 is missing: /);
  });

  it('is not answered by half a stream: what breaks off is lost, with and without partial responses', async () => {
    const { clock, serve, ask } = setup(1);
    await serve(0, [1], new DomainError('unavailable', 'gone'));
    for (const partial of [true, false]) {
      const asked = ask(partial).catch((error: unknown) => error);
      await clock.advance(200);
      expect(await asked).toBeInstanceOf(StreamLost);
    }
  });

  it('begins again when an answer broke off, and only then', async () => {
    const { clock, serve, ask } = setup(1);
    const stop = await serve(0, [1], new DomainError('unavailable', 'gone'));
    let lives = 0;
    const asked = retryLost({ clock, ownerWaitMs: WAIT_MS }, NEVER, () => {
      lives++;
      return ask(false);
    });
    await clock.advance(200);
    expect(lives).toBeGreaterThan(1);
    await stop();
    await serve(0, [7, 8]);
    await clock.advance(200);
    expect(await asked).toEqual([7, 8]);
    const refused = retryLost({ clock, ownerWaitMs: WAIT_MS }, NEVER, async () => {
      lives = -1;
      throw new DomainError('unavailable', 'no');
    });
    expect(await outcome(refused)).toBe('no');
  });

  it('ends when its asker does', async () => {
    const { clock, ask } = setup(1);
    const aborter = new AbortController();
    const asked = outcome(ask(true, aborter.signal));
    await clock.advance(100);
    aborter.abort(new DomainError('canceled', 'left'));
    await clock.advance(100);
    expect(await asked).toMatch(/left|cancel/);
  });
});

describe('fanOut over replicas', () => {
  async function replicas() {
    const clock = createVirtualClock();
    const bus = createLocalBus({ clock });
    const directory = await openLocalDirectory({ disk: createMemoryDisk(), clock });
    const routes = new Routes(clock);
    await routes.follow(directory);
    await directory.acquire(leaseKey(0), encodeEnvelope({ process: 'leader' }), 15_000);
    type Send = (frame: Uint8Array) => Promise<void>;
    const serve = async (process: string, answer: (send: Send) => Promise<void>) => {
      const facts = { partition: 0, process, lifecycle: 'ready', lag: 0 };
      await directory.announce(replicaKey(0, process), encodeEnvelope(facts), 15_000);
      const service = await bus.service({ name: 's', version: '1.0.0', description: '', metadata: {} });
      const subject = replicaSubject('skein', 0, process, 'metadata');
      await service.serveMany(subject, (_payload, send) => answer(send));
      return service;
    };
    const settings = {
      bus,
      clock,
      prefix: 'skein',
      partitions: 1,
      ownerWaitMs: WAIT_MS,
      partialResponse: false,
    };
    const ask = async (): Promise<number[]> => {
      const message = { tenant: 't', metric: '', limit: 0 };
      const asked = { kind: 'shard.metadata' as const, verb: 'metadata', message };
      const read = { frame: (frame: Uint8Array) => frame[0]!, missing: () => -1 };
      const heard: number[] = [];
      const hedged = { ...settings, routes, hedgeAfterMs: 2000 };
      for await (const item of fanOut<'shard.metadata', number>(hedged, asked, NEVER, read)) heard.push(item);
      return heard;
    };
    return { clock, serve, ask, retry: (work: () => Promise<number[]>) => retryLost(settings, NEVER, work) };
  }
  const frames =
    (...values: number[]) =>
    async (send: (frame: Uint8Array) => Promise<void>): Promise<void> => {
      for (const value of values) await send(Uint8Array.of(value));
    };
  const silent = (): Promise<void> => new Promise(() => {});

  it('asks the leader, and a standby at once when nobody is where the leader was', async () => {
    const { clock, serve, ask } = await replicas();
    const leader = await serve('leader', frames(1, 2));
    await serve('standby', frames(3, 4));
    await clock.advance(200);
    const first = ask();
    await clock.advance(100);
    expect(await first).toEqual([1, 2]);
    await leader.stop();
    const second = ask();
    await clock.advance(100);
    expect(await second).toEqual([3, 4]);
  });

  it('asks a standby beside a silent leader, uses the frames of one only, and asks it first from then on', async () => {
    const { clock, serve, ask } = await replicas();
    let wake = (): void => {};
    await serve('leader', async (send) => {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      await frames(1, 2)(send);
    });
    await serve('standby', async (send) => {
      await send(Uint8Array.of(3));
      wake(); // the leader answers after all, while the standby is being listened to
      await new Promise<void>((resolve) => void clock.after(50, resolve));
      await send(Uint8Array.of(4));
    });
    await clock.advance(200);
    const first = ask();
    await clock.advance(2500);
    expect(await first).toEqual([3, 4]);
    const second = ask();
    await clock.advance(100);
    expect(await second).toEqual([3, 4]);
  });

  it('begins again at a standby when the leader dies in the middle of its answer', async () => {
    const { clock, serve, ask, retry } = await replicas();
    const leader = await serve('leader', async (send) => {
      await send(Uint8Array.of(1));
      throw new DomainError('unavailable', 'killed');
    });
    await serve('standby', frames(3, 4));
    await clock.advance(200);
    let lives = 0;
    const asked = retry(() => {
      if (++lives === 2) void leader.stop();
      return ask();
    });
    await clock.advance(200);
    expect(await asked).toEqual([3, 4]);
  });

  it('waits for a replica when every one it knows of is away, and fails when none comes', async () => {
    const { clock, serve, ask } = await replicas();
    await (await serve('leader', silent)).stop();
    await clock.advance(200);
    const asked = outcome(ask());
    await clock.advance(WAIT_MS + 200);
    expect(await asked).toMatch(/^partial response: partition 0 is missing/);
  });
});
