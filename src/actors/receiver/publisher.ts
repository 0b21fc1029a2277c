// Moves the frames of one partition writer into its log: waits a moment so that concurrent requests share a frame, keeps a bounded
// number of publishes in flight, tries again through a leader change, and tells whoever waits for a frame how it ended.

import type { DurableLog } from '../../bus/durable-log.ts';
import { asDomainError, DomainError } from '../../model/errors.ts';
import { type Cancel, type Clock, sleep } from '../../platform/clock.ts';
import type { PartitionWriter, SealedFrame } from './ingest/partition-writer.ts';

const RETRY_MS = 250;

/** How frames travel. */
export interface PublisherOptions {
  readonly clock: Clock;
  /** Milliseconds a frame waits for company. */
  readonly lingerMs: number;
  /** Pending bytes at which it does not wait. */
  readonly frameBytes: number;
  /** Publishes under way at once. */
  readonly inFlightMax: number;
  /** Milliseconds until an append that finds the log away is given up. */
  readonly timeoutMs: number;
  /** Told of bytes taken into memory (positive) and let go (negative). */
  readonly account: (bytes: number) => void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: DomainError) => void;
}

/** Publishes for one (tenant, partition). */
export class Publisher {
  readonly #writer: PartitionWriter;
  readonly #openLog: () => Promise<DurableLog>;
  readonly #options: PublisherOptions;
  readonly #waiters = new Map<number, Waiter[]>();
  #linger: Cancel | undefined;
  #inFlight = 0;
  #inFlightBytes = 0;
  #accounted = 0;

  /** `openLog` gives the partition's log; one that could not be opened is asked for again. */
  constructor(writer: PartitionWriter, openLog: () => Promise<DurableLog>, options: PublisherOptions) {
    this.#writer = writer;
    this.#openLog = openLog;
    this.#options = options;
  }

  /** Whether nothing waits and nothing is on its way. */
  get idle(): boolean {
    return this.#inFlight === 0 && this.#waiters.size === 0 && this.#writer.idle;
  }

  /**
   * Resolves when all frames from serial `first` to `last` are durable; rejects with the first failure. Must be called in the
   * same step in which they were filled.
   */
  async settled(first: number, last: number): Promise<void> {
    const frames: Promise<void>[] = [];
    for (let serial = first; serial <= last; serial++) frames.push(this.#frame(serial));
    this.#schedule();
    this.#reaccount();
    await Promise.all(frames);
  }

  /** Publishes what waits without lingering. */
  flush(): void {
    this.#linger?.();
    this.#linger = undefined;
    while (this.#inFlight < this.#options.inFlightMax) {
      const frame = this.#writer.take();
      if (frame === undefined) return;
      void this.#publish(frame);
    }
  }

  // What waits in the writer counts like what is on its way: with the log gone, that is where memory goes.
  #reaccount(): void {
    const held = this.#writer.pendingBytes + this.#inFlightBytes;
    this.#options.account(held - this.#accounted);
    this.#accounted = held;
  }

  #frame(serial: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(serial);
      if (waiters) waiters.push({ resolve, reject });
      else this.#waiters.set(serial, [{ resolve, reject }]);
    });
  }

  #schedule(): void {
    if (this.#writer.pendingBytes >= this.#options.frameBytes || this.#options.lingerMs === 0) this.flush();
    else
      this.#linger ??= this.#options.clock.after(this.#options.lingerMs, () => {
        this.#linger = undefined;
        this.flush();
      });
  }

  async #publish(frame: SealedFrame): Promise<void> {
    this.#inFlight++;
    this.#inFlightBytes += frame.bytes.length;
    try {
      await this.#append(frame.bytes);
      this.#writer.acknowledge(frame.serial);
      for (const waiter of this.#waitersOf(frame.serial)) waiter.resolve();
    } catch (error) {
      const failure = asDomainError(error);
      this.#fail(frame.serial, failure);
      if (failure.code === 'unavailable') this.#failWaiting(failure);
    } finally {
      this.#inFlight--;
      this.#inFlightBytes -= frame.bytes.length;
      this.flush();
      this.#reaccount();
    }
  }

  #waitersOf(serial: number): readonly Waiter[] {
    const found = this.#waiters.get(serial);
    this.#waiters.delete(serial);
    return found ?? [];
  }

  #fail(serial: number, failure: DomainError): void {
    this.#writer.fail(serial);
    for (const waiter of this.#waitersOf(serial)) waiter.reject(failure);
  }

  // The log has been away for as long as anybody is to wait for it: nobody in the line behind waits for a turn that ends the same.
  #failWaiting(failure: DomainError): void {
    for (let frame = this.#writer.take(); frame !== undefined; frame = this.#writer.take())
      this.#fail(frame.serial, failure);
  }

  // A leader change takes seconds: the same frame is offered again until the log is back or time is up. Should the log have
  // taken it twice, readers skip the second by its counter.
  async #append(bytes: Uint8Array): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const giveUp = clock.monotonic() + timeoutMs;
    for (;;) {
      try {
        const log = await this.#openLog();
        await log.append(bytes, Math.max(RETRY_MS, Math.ceil(giveUp - clock.monotonic())));
        return;
      } catch (error) {
        const failure = asDomainError(error);
        if (failure.code !== 'unavailable' && failure.code !== 'timeout') throw failure;
        if (clock.monotonic() >= giveUp)
          throw new DomainError(
            'unavailable',
            `the log did not take the frame within ${timeoutMs} ms: ${failure.message}`,
            { cause: failure },
          );
        await sleep(clock, RETRY_MS);
      }
    }
  }
}
