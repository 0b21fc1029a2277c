import { describe, expect, it } from 'vitest';
import { raceReplicas } from '../../../src/actors/querier/replica-race.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

interface Replica {
  /** Answers after this time; undefined: never. */
  readonly after?: number;
  readonly error?: DomainError;
}

function setup(replicas: readonly Replica[], hedges = 10) {
  const clock = createVirtualClock();
  const asked: number[] = [];
  const left: number[] = [];
  const slow: number[] = [];
  let allowed = hedges;
  const streams = replicas.map(
    ({ after, error }, place) =>
      (): AsyncIterable<Uint8Array> => ({
        [Symbol.asyncIterator]() {
          asked.push(place);
          return {
            next: () =>
              new Promise((resolve, reject) => {
                if (after === undefined) return;
                clock.after(after, () =>
                  error ? reject(error) : resolve({ done: false, value: Uint8Array.of(place) }),
                );
              }),
            async return() {
              left.push(place);
              return { done: true, value: undefined };
            },
          };
        },
      }),
  );
  const { begun, abandon } = raceReplicas(streams, {
    clock,
    hedgeAfterMs: 1000,
    takeHedge: () => allowed-- > 0,
    onSlow: (place) => slow.push(place),
  });
  const race = begun.then(
    ({ first }) => first.value?.[0],
    (error: DomainError) => error.message,
  );
  return { clock, race, abandon, asked, left, slow };
}

const away = new DomainError('unavailable', 'away');

describe('a race of replicas', () => {
  it('asks nobody but the best as long as it answers in time', async () => {
    const { clock, race, asked, left } = setup([{ after: 900 }, { after: 0 }]);
    await clock.advance(5000);
    expect(await race).toBe(0);
    expect(asked).toEqual([0]);
    expect(left).toEqual([]);
    expect(clock.pending()).toBe(0);
  });

  it('asks the next one at once when one is away', async () => {
    const { clock, race, slow } = setup([{ after: 5, error: away }, { after: 5 }]);
    await clock.advance(20);
    expect(await race).toBe(1);
    expect(slow).toEqual([0]);
  });

  it('asks the next one beside one that is silent, listens to the first that speaks, and leaves the other', async () => {
    const silent = setup([{}, { after: 10 }]);
    await silent.clock.advance(1020);
    expect(await silent.race).toBe(1);
    expect(silent.left).toEqual([0]);
    expect(silent.slow).toEqual([0]);
    const close = setup([{ after: 1005 }, { after: 10 }]);
    await close.clock.advance(1020);
    expect(await close.race).toBe(0);
    expect(close.left).toEqual([1]);
    expect(close.slow).toEqual([]);
  });

  it('does not ask beside when there have been too many of that', async () => {
    const { clock, race, asked } = setup([{ after: 3000 }, { after: 0 }], 0);
    await clock.advance(3000);
    expect(await race).toBe(0);
    expect(asked).toEqual([0]);
  });

  it('fails when all are away, and at once with an error that every replica would give', async () => {
    const gone = setup([
      { after: 5, error: away },
      { after: 5, error: away },
    ]);
    await gone.clock.advance(20);
    expect(await gone.race).toBe('away');
    const wrong = setup([{ after: 5, error: new DomainError('execution', 'wrong') }, { after: 0 }]);
    await wrong.clock.advance(20);
    expect(await wrong.race).toBe('wrong');
    expect(wrong.asked).toEqual([0]);
  });

  it('tells everybody to stop when it is abandoned', async () => {
    const { clock, abandon, left } = setup([{}, {}]);
    await clock.advance(1000);
    abandon();
    expect(left).toEqual([0, 1]);
    expect(clock.pending()).toBe(0);
  });
});
