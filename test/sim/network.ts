// The network of the simulation: how long a message takes, whether it arrives, and calls to a service (NATS, the bucket) that may lose
// the question or the answer. Chances are integer ratios.

import { DomainError } from '../../src/model/errors.ts';
import type { Random } from '../../src/platform/random.ts';
import type { SimHost } from './host.ts';
import type { SimLoop } from './loop.ts';

/** Chances in 10,000 of what may happen to each message, and how long one takes at most, ms. */
export interface NetworkRates {
  readonly lose: number;
  readonly duplicate: number;
  /** A message takes up to `slowMs` instead of `fastMs`. */
  readonly slow: number;
  readonly fastMs: number;
  readonly slowMs: number;
}

/** What a call to a service is made with. */
export interface CallOptions {
  readonly label: string;
  /** Ends with `unavailable` after this. */
  readonly timeoutMs: number;
  /** Which way it goes: to NATS or to the bucket. */
  readonly link: 'nats' | 'bucket';
  /** Extra time the service takes, ms. */
  readonly workMs?: number;
  /** Whether the service is silent right now. */
  readonly isSilent?: () => boolean;
}

/** A network. */
export class SimNetwork {
  readonly loop: SimLoop;
  readonly random: Random;
  rates: NetworkRates;

  constructor(loop: SimLoop, random: Random, rates: NetworkRates) {
    this.loop = loop;
    this.random = random;
    this.rates = rates;
  }

  /** Draws true with `chance` in 10,000. */
  draw(chance: number): boolean {
    return chance > 0 && this.random.integer(10_000) < chance;
  }

  /** How long the next message takes, ms. */
  transit(): number {
    const { slow, fastMs, slowMs } = this.rates;
    return 0.1 + this.random.integer(this.draw(slow) ? slowMs : fastMs);
  }

  /** Whether the next message between a process and NATS or the bucket arrives. */
  arrives(host: SimHost, link: 'nats' | 'bucket'): boolean {
    if (link === 'nats' ? !host.isReachable : !host.hasBucket) return false;
    return !this.draw(this.rates.lose);
  }

  /**
   * Calls a service: `effect` runs there, once, and what it gives or throws comes back. Errors: `unavailable` when question or answer
   * did not arrive: the effect may or may not have happened.
   */
  call<T>(host: SimHost, options: CallOptions, effect: () => T | Promise<T>): Promise<T> {
    const { label, timeoutMs, link, workMs = 0, isSilent } = options;
    const caller = host.present;
    return new Promise<T>((resolve, reject) => {
      const away = (reason: string): DomainError =>
        new DomainError('unavailable', `cannot ${label}: ${reason}`);
      if (link === 'nats' && !host.isConnected) return reject(away('no connection to NATS'));
      const finish = (settle: () => void): void => {
        cancelTimeout();
        offLink();
        settle();
      };
      const offLink =
        link === 'nats'
          ? host.onLink((isUp) => {
              if (!isUp) finish(() => reject(away('the connection to NATS broke')));
            })
          : () => {};
      const cancelTimeout = this.loop.after(
        timeoutMs,
        `gives up: ${label}`,
        () => finish(() => reject(away(`no answer within ${timeoutMs} ms`))),
        caller,
      );
      if (!this.arrives(host, link)) return;
      const answer = (settle: () => void): void => {
        if (this.arrives(host, link))
          this.loop.after(this.transit(), `answer: ${label}`, () => finish(settle), caller);
      };
      this.loop.after(this.transit() + workMs, label, () => {
        if (isSilent?.()) return;
        let result: T | Promise<T>;
        try {
          result = effect();
        } catch (error) {
          return answer(() => reject(error));
        }
        if (!(result instanceof Promise)) return answer(() => resolve(result));
        result.then(
          (value) => answer(() => resolve(value)),
          (error) => answer(() => reject(error)),
        );
      });
    });
  }
}
