// The answer of one of several replicas: the best is asked first, the next one as soon as it is away, or beside it when it lets wait too
// long. Whoever says something first is listened to, alone; the others are told to stop.

import { asDomainError, type DomainError } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';

/** A stream with its first item taken. */
export interface Begun {
  readonly iterator: AsyncIterator<Uint8Array>;
  readonly first: IteratorResult<Uint8Array>;
}

/** What a race is run with. */
export interface RaceOptions {
  readonly clock: Clock;
  /** Time without a first frame after which the next replica is asked too, ms; infinite: never. */
  readonly hedgeAfterMs: number;
  /** Whether that may be done now; counts it. */
  readonly takeHedge: () => boolean;
  /** Told of a replica, by its place, that was away or was overtaken. */
  readonly onSlow: (place: number) => void;
}

/** A race under way. */
export interface Race {
  /** Errors: `unavailable`, the last replica's, when none begins; any other error of a replica at once: all would say the same. */
  readonly begun: Promise<Begun>;
  /** Ends it: whoever still is asked is told to stop. */
  abandon(): void;
}

/** Asks replicas, each call of an element begins a stream, until one begins to answer. */
export function raceReplicas(
  replicas: readonly (() => AsyncIterable<Uint8Array>)[],
  options: RaceOptions,
): Race {
  const running = new Map<number, AsyncIterator<Uint8Array>>();
  const { promise, resolve, reject } = Promise.withResolvers<Begun>();
  let next = 0;
  let over = false;
  let cancelHedge = (): void => {};

  const finish = (settle: () => void): void => {
    if (over) return;
    over = true;
    cancelHedge();
    for (const iterator of running.values()) void iterator.return?.()?.catch(() => {});
    settle();
  };
  const onItem = (
    place: number,
    iterator: AsyncIterator<Uint8Array>,
    first: IteratorResult<Uint8Array>,
  ): void => {
    if (over) return;
    running.delete(place);
    for (const overtaken of running.keys()) if (overtaken < place) options.onSlow(overtaken);
    finish(() => resolve({ iterator, first }));
  };
  const onError = (place: number, failure: DomainError): void => {
    if (over) return;
    running.delete(place);
    const isAway = failure.code === 'unavailable';
    if (isAway) options.onSlow(place);
    if (isAway && next < replicas.length) start();
    else if (!isAway || running.size === 0) finish(() => reject(failure));
  };
  const start = (): void => {
    const place = next++;
    const iterator = replicas[place]!()[Symbol.asyncIterator]();
    running.set(place, iterator);
    iterator.next().then(
      (first) => onItem(place, iterator, first),
      (error) => onError(place, asDomainError(error)),
    );
    cancelHedge();
    if (next >= replicas.length || !Number.isFinite(options.hedgeAfterMs)) return;
    cancelHedge = options.clock.after(options.hedgeAfterMs, () => {
      if (!over && options.takeHedge()) start();
    });
  };
  start();
  return { begun: promise, abandon: () => finish(() => {}) };
}
