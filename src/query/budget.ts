// What one query may use. Every operator accounts where memory or samples arise; passing a limit fails the query with an
// error that names the limit. Cancellation and the deadline travel with it.

import { DomainError } from '../model/errors.ts';
import type { Pause } from '../model/pause.ts';
import type { Clock } from '../platform/clock.ts';
import type { MemoryPool } from '../platform/memory.ts';

/** How long a query computes before it lets other work of the process run, ms. */
const SLICE_MS = 25;

/** Limits of one query. */
export interface QueryLimits {
  /** Samples held in memory at once, as Prometheus's --query.max-samples. */
  readonly samplesMax: number;
  /** Series one query may touch. */
  readonly seriesMax: number;
  /** Bytes of working memory of one query. */
  readonly memoryBytesMax: number;
}

/** What a query has used so far; it changes while the query runs. */
export interface QueryAccount {
  /** Samples that some step saw, each once for each selector; those of a partition count when it has answered. */
  readonly samplesRead: number;
  /** The same counted for each step that saw them. */
  readonly samplesQueryable: number;
  readonly samplesPeak: number;
  readonly seriesSeen: number;
  readonly bytesNow: number;
  readonly bytesPeak: number;
}

/** What a query shares with the others of its process. */
export interface QueryHost {
  /** With a clock the query gives way to timers and I/O (its own cancellation among them) every few ms. */
  readonly clock?: Clock;
  /** Working memory of all queries together. */
  readonly memory?: MemoryPool;
}

/** Mutable account of one query; close() it when the query is over. */
export class QueryBudget implements QueryAccount {
  readonly limits: QueryLimits;
  readonly signal: AbortSignal;
  samplesRead = 0;
  samplesQueryable = 0;
  samplesPeak = 0;
  seriesSeen = 0;
  bytesNow = 0;
  bytesPeak = 0;
  /** breathe() to hand on to work that does not know of budgets. */
  readonly pause: Pause = () => this.breathe();
  #samplesNow = 0;
  #pool: MemoryPool | undefined;
  readonly #clock: Clock | undefined;
  #sliceStart: number;

  constructor(limits: QueryLimits, signal: AbortSignal, { clock, memory }: QueryHost = {}) {
    this.limits = limits;
    this.signal = signal;
    this.#clock = clock;
    this.#pool = memory;
    this.#sliceStart = this.now();
  }

  /** Monotonic time, ms; 0 without a clock. */
  now(): number {
    return this.#clock?.monotonic() ?? 0;
  }

  /** Gives back to the process what the query still holds. Parts of it that have not noticed its end yet hold nothing any more. */
  close(): void {
    this.#pool?.give(this.bytesNow);
    this.#pool = undefined;
  }

  /** Like check(), and a promise to wait for when the query has computed for long enough; call it between batches. */
  breathe(): Promise<void> | undefined {
    this.check();
    const clock = this.#clock;
    if (clock === undefined || clock.monotonic() - this.#sliceStart < SLICE_MS) return undefined;
    return new Promise((resolve, reject) => {
      clock.after(0, () => {
        this.#sliceStart = clock.monotonic();
        try {
          this.check();
          resolve();
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  /** Throws when the query was canceled or ran out of time; call it between batches and in long loops. */
  check(): void {
    if (!this.signal.aborted) return;
    const reason = this.signal.reason;
    if (reason instanceof DomainError) throw reason;
    throw new DomainError('canceled', 'query was canceled');
  }

  /** Takes `count` samples into memory; `execution` error when the query holds too many. */
  holdSamples(count: number): void {
    this.#samplesNow += count;
    if (this.#samplesNow > this.samplesPeak) this.samplesPeak = this.#samplesNow;
    this.checkSamples(this.#samplesNow);
  }

  /** Refuses `count` samples at once when no query may hold so many; call it before room for them is made. */
  checkSamples(count: number): void {
    if (count <= this.limits.samplesMax) return;
    const text = 'query processing would load too many samples into memory in query execution';
    throw new DomainError('execution', text);
  }

  /** Gives samples back. */
  releaseSamples(count: number): void {
    this.#samplesNow -= count;
  }

  /** Counts `count` more series. */
  addSeries(count: number): void {
    this.seriesSeen += count;
    if (this.seriesSeen > this.limits.seriesMax)
      throw new DomainError(
        'execution',
        `query touches more than ${this.limits.seriesMax} series (limit query.series_max)`,
      );
  }

  /** Takes working memory; `execution` error past the query's own limit, `full` when the process has no more. */
  holdBytes(bytes: number): void {
    this.#pool?.take(bytes);
    this.bytesNow += bytes;
    if (this.bytesNow > this.bytesPeak) this.bytesPeak = this.bytesNow;
    if (this.bytesNow > this.limits.memoryBytesMax)
      throw new DomainError(
        'execution',
        `query needs more than ${this.limits.memoryBytesMax} bytes of memory (limit query.memory_bytes_max)`,
      );
  }

  /** Gives working memory back. */
  releaseBytes(bytes: number): void {
    this.bytesNow -= bytes;
    this.#pool?.give(bytes);
  }
}
