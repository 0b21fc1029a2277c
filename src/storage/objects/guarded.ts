// A bucket that is not waited for: what a reader cannot have soon fails with `unavailable`, and for a few seconds after that everything
// does at once. The store below goes on trying by its own rules.

import { asDomainError, DomainError } from '../../model/errors.ts';
import type { Cancel, Clock } from '../../platform/clock.ts';
import type { ObjectStore } from './object-store.ts';

/** How long a guarded store waits. */
export interface GuardOptions {
  /**
   * For one answer to a read while nobody gets any, ms: a bucket that answers others is slow, not away. Writes are waited for as long as
   * the store below does.
   */
  readonly waitMs: number;
  /** How long nothing is tried after a failure, ms. */
  readonly retryMs: number;
}

/** The store behind a guard of its own. */
export function guardedStore(objects: ObjectStore, clock: Clock, options: GuardOptions): ObjectStore {
  const guard = new Guard(clock, options);
  return {
    put: (key, bytes, signal) => guard.write(`put ${key}`, () => objects.put(key, bytes, signal)),
    putOnce: (key, bytes) => guard.write(`put ${key}`, () => objects.putOnce(key, bytes)),
    putStream: (key, chunks, bytes) => guard.write(`put ${key}`, () => objects.putStream(key, chunks, bytes)),
    get: (key, signal) => guard.read(`get ${key}`, () => objects.get(key, signal)),
    getRange: (key, offset, length, signal) =>
      guard.read(`get ${key}`, () => objects.getRange(key, offset, length, signal)),
    stat: (key) => guard.read(`stat ${key}`, () => objects.stat(key)),
    list: (prefix) => guard.each(`list ${prefix}`, objects.list(prefix)),
    folders: (prefix) => guard.each(`list ${prefix}`, objects.folders(prefix)),
    remove: (key) => guard.write(`remove ${key}`, () => objects.remove(key)),
  };
}

class Guard {
  readonly #clock: Clock;
  readonly #options: GuardOptions;
  /** Why the bucket is away, and until when that is believed; undefined while it answers. */
  #away: { readonly reason: string; readonly until: number } | undefined;
  /** When it answered last. */
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, options: GuardOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  async write<T>(action: string, run: () => Promise<T>): Promise<T> {
    this.#admit(action);
    return this.#judged(run());
  }

  async read<T>(action: string, run: () => Promise<T>): Promise<T> {
    this.#admit(action);
    const { waitMs } = this.#options;
    const work = this.#judged(run());
    return new Promise<T>((resolve, reject) => {
      const watch = (): Cancel => {
        const from = this.#clock.monotonic();
        return this.#clock.after(waitMs, () => {
          if (this.#answeredAt > from) {
            cancel = watch();
            return;
          }
          const failure = new DomainError('unavailable', `cannot ${action}: no answer within ${waitMs} ms`);
          this.#fail(failure, from);
          reject(failure);
        });
      };
      let cancel = watch();
      work.then(resolve, reject).finally(() => cancel());
    });
  }

  async *each<T>(action: string, items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    const iterator = items[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.read(action, () => iterator.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // A listing that does not answer is not waited for at its end either.
      iterator.return?.()?.catch(() => {});
    }
  }

  #admit(action: string): void {
    const away = this.#away;
    if (away === undefined || this.#clock.monotonic() >= away.until) return;
    throw new DomainError('unavailable', `cannot ${action}: the bucket is away (${away.reason})`);
  }

  async #judged<T>(work: Promise<T>): Promise<T> {
    const began = this.#clock.monotonic();
    try {
      const result = await work;
      this.#away = undefined;
      this.#answeredAt = this.#clock.monotonic();
      return result;
    } catch (error) {
      const failure = asDomainError(error);
      if (failure.code === 'unavailable') this.#fail(failure, began);
      else this.#answeredAt = this.#clock.monotonic();
      throw error;
    }
  }

  // What was asked before the bucket answered somebody else tells of a time that is over: it may fail half a minute after that.
  #fail(failure: DomainError, began: number): void {
    if (began < this.#answeredAt) return;
    this.#away = { reason: failure.message, until: this.#clock.monotonic() + this.#options.retryMs };
  }
}
