import { describe, expect, it } from 'vitest';
import { caughtUp, freshEnough } from '../../../src/actors/shard/catch-up.ts';
import { Freshness } from '../../../src/actors/shard/freshness.ts';
import type { ShardState, Waiter } from '../../../src/actors/shard/state.ts';
import type { LogBounds } from '../../../src/bus/durable-log.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { readConfig } from '../../../src/platform/config-reader.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

const NEVER = new AbortController().signal;
const OPEN_START = 1_000_000;
const NOW = { tenant: 't', newest: () => OPEN_START };

function setup(bounds: () => Promise<LogBounds>) {
  const clock = createVirtualClock();
  const seen = { looks: 0 };
  const state = {
    config: readConfig({ flags: {} }),
    partition: 3,
    applied: 5,
    freshness: new Freshness(clock.monotonic()),
    looking: undefined,
    waiters: new Set<Waiter>(),
    tenants: new Map([['t', { openStart: () => OPEN_START }]]),
    replaying: false,
    stalled: undefined,
    log: {
      bounds() {
        seen.looks++;
        return bounds();
      },
    },
  } as unknown as ShardState;
  const apply = (sequence: number): void => {
    state.applied = sequence;
    state.freshness.applied(sequence);
    for (const waiter of state.waiters) if (waiter.sequence <= sequence) waiter.settle(true);
  };
  return { clock, state, seen, apply };
}

const endsWith = (last: number) => async (): Promise<LogBounds> => ({ first: 1, last, bytes: 0 });

describe('a replica that is asked', () => {
  it('answers at once while it knows its log, without looking', async () => {
    const { clock, state, seen } = setup(endsWith(9));
    await clock.advance(3000);
    expect(await freshEnough(state, { clock }, NOW, NEVER)).toBeUndefined();
    expect(seen.looks).toBe(0);
  });

  it('looks once for all who ask when it was held still, and answers when it has caught up', async () => {
    const { clock, state, seen, apply } = setup(endsWith(9));
    await clock.advance(20_000);
    const done: string[] = [];
    const asked = ['a', 'b', 'c'].map(async (name) => {
      done.push(`${name} ${String(await freshEnough(state, { clock }, NOW, NEVER))}`);
    });
    await clock.advance(100);
    expect(done).toEqual([]);
    apply(9);
    await Promise.all(asked);
    expect(done).toEqual(['a undefined', 'b undefined', 'c undefined']);
    expect(seen.looks).toBe(1);
    expect(state.waiters.size).toBe(0);
  });

  it.each([
    ['its log cannot be asked', () => new Promise<LogBounds>(() => {})],
    ['it does not catch up', endsWith(9)],
    ['its log has no leader', () => Promise.reject(new DomainError('unavailable', 'no leader'))],
  ])('says since when it knows nothing when %s', async (_, bounds) => {
    const { clock, state } = setup(bounds);
    const since = new Date(clock.now()).toISOString();
    await clock.advance(20_000);
    const asked = freshEnough(state, { clock }, NOW, NEVER);
    await clock.advance(2000);
    expect(await asked).toBe(`what was written since ${since} is not applied yet`);
    expect(state.waiters.size).toBe(0);
  });

  it('answers at once what is too old to change, however far it is behind', async () => {
    const { clock, state, seen } = setup(() => new Promise<LogBounds>(() => {}));
    await clock.advance(20_000);
    const old = { tenant: 't', newest: () => OPEN_START - 1 };
    expect(await freshEnough(state, { clock }, old, NEVER)).toBeUndefined();
    expect(seen.looks).toBe(0);
  });

  it('waits longer for the end of a replay, then says that there is one', async () => {
    const { clock, state } = setup(endsWith(9));
    state.replaying = true;
    await clock.advance(5000);
    let said: string | undefined | boolean = false;
    void freshEnough(state, { clock }, NOW, NEVER).then((behind) => {
      said = behind;
    });
    await clock.advance(19_900);
    expect(said).toBe(false);
    await clock.advance(200);
    expect(said).toBe('the log is being replayed');
  });

  it('stops waiting when the requester leaves', async () => {
    const { clock, state } = setup(endsWith(9));
    await clock.advance(20_000);
    const leaving = new AbortController();
    const asked = freshEnough(state, { clock }, NOW, leaving.signal).catch(String);
    leaving.abort('gone');
    expect(await asked).toBe('gone');
    expect(state.waiters.size).toBe(0);
  });

  it('always looks when a strong read asks, and fails when the log cannot be followed', async () => {
    const { clock, state, seen, apply } = setup(endsWith(6));
    const asked = caughtUp(state, { clock }, NEVER);
    await clock.advance(10_000);
    apply(6);
    expect(await asked).toBeUndefined();
    expect(seen.looks).toBe(1);
    const stalled = setup(endsWith(6));
    stalled.state.stalled = new DomainError('corrupt', 'its segment is damaged');
    await expect(caughtUp(stalled.state, stalled, NEVER)).rejects.toThrow(
      'partition 3 cannot be read consistently: message 5 of 6 is applied, and its segment is damaged',
    );
  });

  it('does not wait in a replica that closed while the log was asked', async () => {
    const { state, clock } = setup(async () => {
      state.closing = true;
      return { first: 1, last: 9, bytes: 0 };
    });
    await expect(caughtUp(state, { clock }, NEVER)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
