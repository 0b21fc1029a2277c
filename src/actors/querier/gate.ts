// Admission of queries: so many at once, so many waiting, first come first served.

import { DomainError } from '../../model/errors.ts';

/** A counting gate with a bounded queue. */
export class Gate {
  readonly #concurrency: number;
  readonly #queueMax: number;
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(concurrency: number, queueMax: number) {
    this.#concurrency = concurrency;
    this.#queueMax = queueMax;
  }

  /** Runs `work` when there is room; `unavailable` when the queue is full, the signal's reason when it aborts in the queue. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#concurrency) await this.#wait(signal);
    else this.#running++;
    try {
      return await work();
    } finally {
      // Whoever waits gets this very place: nobody who comes in between can take it.
      const next = this.#queue.shift();
      if (next) next();
      else this.#running--;
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#queue.length >= this.#queueMax)
      return Promise.reject(
        new DomainError(
          'unavailable',
          `too many queries: ${this.#running} run and ${this.#queue.length} wait (query.queue_max)`,
        ),
      );
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        const index = this.#queue.indexOf(start);
        if (index >= 0) this.#queue.splice(index, 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(start);
    });
  }
}
