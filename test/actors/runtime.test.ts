import { describe, expect, it } from 'vitest';
import { type ActorDefinition, defineActor, type World } from '../../src/actors/actor.ts';
import { startActor } from '../../src/actors/runtime.ts';
import { DomainError, InvariantError, invariant } from '../../src/model/errors.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { createVirtualClock } from '../helpers/virtual-clock.ts';

type Messages = {
  add: { request: number; reply: number };
  slow: { request: Promise<void>; reply: string };
  break: { request: undefined; reply: undefined };
  tick: { request: undefined; reply: undefined };
};
interface State {
  total: number;
  ticks: number;
  closed: boolean;
}

function setup(change: Partial<ActorDefinition<State, State, Messages>> = {}) {
  const clock = createVirtualClock();
  const world = {
    clock,
    log: silentLogger(),
    metrics: createMetrics({ withProcess: false }),
  } as unknown as World;
  const definition = defineActor<State, State, Messages>({
    role: 'counter',
    mailbox: { capacity: 2, concurrency: 1 },
    serves: [],
    publishes: [],
    open: async (config) => config,
    handlers: {
      add: (state, amount) => (state.total += amount),
      slow: async (_state, until) => {
        await until;
        return 'done';
      },
      break: () => {
        invariant(false, 'planted');
      },
      tick: (state) => {
        state.ticks++;
        return undefined;
      },
    },
    timers: [{ everyMs: 1000, send: 'tick' }],
    close: async (state) => {
      state.closed = true;
    },
    ...change,
  });
  const state: State = { total: 0, ticks: 0, closed: false };
  return { clock, world, definition, state };
}

describe('actor runtime', () => {
  it('answers messages in order', async () => {
    const { definition, state, world } = setup();
    const actor = await startActor(definition, state, world);
    expect(await Promise.all([actor.ask('add', 1), actor.ask('add', 2)])).toEqual([1, 3]);
    expect(actor.lifecycle()).toBe('ready');
  });

  it('handles one message at a time', async () => {
    const { definition, state, world } = setup();
    const actor = await startActor(definition, state, world);
    let release = (): void => {};
    const slow = actor.ask('slow', new Promise<void>((resolve) => (release = resolve)));
    const add = actor.ask('add', 5);
    await new Promise(setImmediate);
    expect(state.total).toBe(0);
    release();
    expect(await slow).toBe('done');
    expect(await add).toBe(5);
  });

  it('refuses a message when the mailbox is full, naming its capacity', async () => {
    const { definition, state, world } = setup();
    const actor = await startActor(definition, state, world);
    let release = (): void => {};
    const slow = actor.ask('slow', new Promise<void>((resolve) => (release = resolve)));
    const waiting = [actor.ask('add', 1), actor.ask('add', 1)];
    await expect(actor.ask('add', 1)).rejects.toMatchObject({
      code: 'full',
      message: expect.stringContaining('2 messages'),
    });
    release();
    await Promise.all([slow, ...waiting]);
  });

  it('turns timers into messages', async () => {
    const { definition, state, world, clock } = setup();
    await startActor(definition, state, world);
    await clock.advance(3500);
    expect(state.ticks).toBe(3);
  });

  it('opens an actor again after a broken invariant, with a growing pause', async () => {
    let lives = 0;
    const { definition, state, world, clock } = setup({
      open: async (config) => {
        lives++;
        return { ...config, total: lives * 100 };
      },
    });
    const actor = await startActor(definition, state, world);
    await expect(actor.ask('break', undefined)).rejects.toThrow('planted');
    expect(actor.lifecycle()).toBe('failed');
    expect(actor.lastError()).toBe('planted');
    await clock.advance(200);
    expect(actor.lifecycle()).toBe('ready');
    expect(await actor.ask('add', 1)).toBe(201);
  });

  it('rejects what waits when a life ends, so that the closing may wait for whoever asked', async () => {
    let answered: Promise<unknown> = Promise.resolve();
    const { definition, state, world, clock } = setup({ close: async () => void (await answered) });
    const actor = await startActor(definition, state, world);
    let breakIt = (_error: Error): void => {};
    const broken = actor.ask('slow', new Promise((_resolve, reject) => (breakIt = reject)));
    answered = actor.ask('add', 1).catch((error: DomainError) => error.code);
    breakIt(new InvariantError('planted'));
    await expect(broken).rejects.toThrow('planted');
    expect(await answered).toBe('unavailable');
    await clock.advance(200);
    expect(actor.lifecycle()).toBe('ready');
  });

  it('keeps trying when opening fails, unless the configuration is to blame', async () => {
    let tries = 0;
    const flaky = setup({
      open: async (config) => {
        if (++tries < 3) throw new DomainError('unavailable', 'not yet');
        return config;
      },
    });
    const actor = await startActor(flaky.definition, flaky.state, flaky.world);
    expect(actor.lifecycle()).toBe('failed');
    await flaky.clock.advance(1000);
    expect(actor.lifecycle()).toBe('ready');
    const wrong = setup({
      open: async () => {
        throw new DomainError('config', 'no such folder');
      },
    });
    await expect(startActor(wrong.definition, wrong.state, wrong.world)).rejects.toThrow('no such folder');
  });

  it('finishes what is under way when stopped, and takes nothing more', async () => {
    const { definition, state, world } = setup();
    const actor = await startActor(definition, state, world);
    let release = (): void => {};
    const slow = actor.ask('slow', new Promise<void>((resolve) => (release = resolve)));
    const stopping = actor.stop();
    await expect(actor.ask('add', 1)).rejects.toMatchObject({ code: 'unavailable' });
    expect(state.closed).toBe(false);
    release();
    expect(await slow).toBe('done');
    await stopping;
    expect(state.closed).toBe(true);
    expect(actor.lifecycle()).toBe('stopped');
  });
});
