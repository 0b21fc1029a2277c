// Admission of queries: so many at once, and those that wait take turns by tenant, each tenant's first come first served. A tenant
// that asks for much waits for itself, not the others for it.

import { DomainError } from '../../model/errors.ts';

/** Bounds of a queue. */
export interface FairQueueOptions {
  /** Queries under way at once. */
  readonly concurrencyMax: number;
  /** Of one tenant. */
  readonly tenantConcurrencyMax: number;
  /** Queries of one tenant that wait. */
  readonly tenantQueueMax: number;
  /** Told how many queries of a tenant wait, whenever that changes. */
  readonly onWaiting: (tenant: string, count: number) => void;
}

/** A counting gate with a bounded queue for each tenant. */
export class FairQueue {
  readonly #options: FairQueueOptions;
  /** What waits, by tenant; the tenant whose turn it is comes first, and goes to the end when it had it. None is empty. */
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #runningOf = new Map<string, number>();
  #running = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` when its turn comes. Errors: `limited` when as many of the tenant wait as may; the signal's reason when it aborts in the
   * queue.
   */
  async run<T>(tenant: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (signal.aborted) throw signal.reason;
    // Whoever could run would not wait, so nobody is overtaken.
    if (this.hasPlace(tenant)) this.#enter(tenant);
    else await this.#wait(tenant, signal);
    try {
      return await work();
    } finally {
      this.#leave(tenant);
    }
  }

  /** Whether a query of the tenant would not have to wait. */
  hasPlace(tenant: string): boolean {
    return this.#running < this.#options.concurrencyMax && this.#hasRoom(tenant);
  }

  #wait(tenant: string, signal: AbortSignal): Promise<void> {
    const { tenantQueueMax } = this.#options;
    const queue = this.#waiting.get(tenant) ?? [];
    if (queue.length >= tenantQueueMax)
      return Promise.reject(
        new DomainError(
          'limited',
          `too many outstanding requests: ${queue.length} queries of tenant ${tenant} wait (limit query.tenant_queue_max)`,
        ),
      );
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        queue.splice(queue.indexOf(start), 1);
        this.#note(tenant, queue);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(start);
      this.#note(tenant, queue);
    });
  }

  // Keeps a tenant's place among the others while anything of it waits.
  #note(tenant: string, queue: (() => void)[]): void {
    if (queue.length === 0) this.#waiting.delete(tenant);
    else this.#waiting.set(tenant, queue);
    this.#options.onWaiting(tenant, queue.length);
  }

  #leave(tenant: string): void {
    this.#running--;
    const left = this.#runningOf.get(tenant)! - 1;
    if (left === 0) this.#runningOf.delete(tenant);
    else this.#runningOf.set(tenant, left);
    // The place is taken at once: nobody who comes in between can have it.
    for (const [next, queue] of this.#waiting) {
      if (!this.#hasRoom(next)) continue;
      const start = queue.shift()!;
      this.#waiting.delete(next);
      this.#note(next, queue);
      this.#enter(next);
      start();
      return;
    }
  }

  #enter(tenant: string): void {
    this.#running++;
    this.#runningOf.set(tenant, (this.#runningOf.get(tenant) ?? 0) + 1);
  }

  #hasRoom(tenant: string): boolean {
    return (this.#runningOf.get(tenant) ?? 0) < this.#options.tenantConcurrencyMax;
  }
}
