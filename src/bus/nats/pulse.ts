// What the two sides of a bus share: a credit pool, and one timer for everything that must happen a few times a second as long as it lasts: beats of answers under way, probes for
// silent responders. Runs only while somebody is in it.

import type { Cancel, Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { NatsLink } from './connection.ts';

/** What requester and responder of one bus share. */
export interface BusContext {
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pulse: Pulse;
  readonly pool: CreditPool;
  readonly payloadBytesMax: number;
}

/**
 * Shares out credit among the streams of one process: nats-server drops a client that lets 64 MB pile up, so that the sum of
 * their windows stays at about half of it.
 */
export interface CreditPool {
  /** Bytes not given to a stream. */
  freeBytes: number;
}

/** Calls everybody in it once per period. */
export interface Pulse {
  /** Adds `onPulse`; returns what removes it. */
  join(onPulse: () => void): () => void;
}

/** A pulse of `periodMs`. `onPulse` callbacks must not throw. */
export function createPulse(clock: Clock, periodMs: number): Pulse {
  const members = new Set<() => void>();
  let cancel: Cancel | undefined;
  const beat = (): void => {
    for (const member of [...members]) member();
  };
  return {
    join(onPulse) {
      members.add(onPulse);
      cancel ??= clock.every(periodMs, beat);
      return () => {
        members.delete(onPulse);
        if (members.size > 0) return;
        cancel?.();
        cancel = undefined;
      };
    },
  };
}
