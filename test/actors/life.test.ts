import { describe, expect, it } from 'vitest';
import { defineActor, type World } from '../../src/actors/actor.ts';
import { launchActor, startActor } from '../../src/actors/runtime.ts';
import { invariant } from '../../src/model/errors.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { createVirtualClock } from '../helpers/virtual-clock.ts';

type Messages = { break: { request: undefined; reply: undefined } };

/** An actor whose opening or whose follower lasts until its life ends. */
function setup(opensAtOnce: boolean) {
  const clock = createVirtualClock();
  const world = {
    clock,
    log: silentLogger(),
    metrics: createMetrics({ withProcess: false }),
  } as unknown as World;
  const seen = { opened: 0, followers: 0, closed: 0 };
  const definition = defineActor<undefined, { following: Promise<void> }, Messages>({
    role: 'follower',
    mailbox: { capacity: 4, concurrency: 1 },
    serves: [],
    publishes: [],
    async open(_config, { stopping }) {
      seen.opened++;
      seen.followers++;
      const following = new Promise<void>((resolve) => {
        stopping.addEventListener('abort', () => {
          seen.followers--;
          resolve();
        });
      });
      if (opensAtOnce) return { following };
      await following;
      throw stopping.reason;
    },
    handlers: { break: () => invariant(false, 'broken on purpose') as undefined },
    timers: [],
    async close({ following }) {
      await following;
      seen.closed++;
    },
  });
  return { clock, world, definition, seen };
}

describe('lives of an actor', () => {
  it('end with everything they began: a failed life leaves no follower behind and does not hang in its close', async () => {
    const { clock, world, definition, seen } = setup(true);
    const actor = await startActor(definition, undefined, world);
    await expect(actor.ask('break', undefined)).rejects.toThrow('broken on purpose');
    await clock.advance(1000);
    expect(seen).toEqual({ opened: 2, followers: 1, closed: 1 });
    await actor.stop();
    expect(seen).toEqual({ opened: 2, followers: 0, closed: 2 });
    expect(clock.pending()).toBe(0);
  });

  it('can be stopped while they open', async () => {
    const { clock, world, definition, seen } = setup(false);
    const { actor, started } = launchActor(definition, undefined, world);
    const outcome = started.catch((error: Error) => error.message);
    expect(actor.lifecycle()).toBe('starting');
    await Promise.all([actor.stop(), actor.stop()]);
    expect(await outcome).toBe('follower is stopping');
    expect(actor.lifecycle()).toBe('stopped');
    expect(seen).toEqual({ opened: 1, followers: 0, closed: 0 });
    expect(clock.pending()).toBe(0);
  });
});
