// What one query may use. Every operator accounts where memory or samples arise; passing a limit fails the query with an
// error that names the limit. Cancellation and the deadline travel with it.

import { DomainError } from '../model/errors.ts';
import type { Pause } from '../model/pause.ts';
import type { Clock } from '../platform/clock.ts';
import type { MemoryPool } from '../platform/memory.ts';
import type { Turns, TurnTaker } from '../platform/turns.ts';

/** How long a query computes before it lets other work of the process run where queries do not take turns, ms. */
const SLICE_MS = 10;

/** Limits of one query. */
export interface QueryLimits {
  /** Samples held in memory at once, as Prometheus's --query.max-samples. */
  readonly samplesMax: number;
  /** Series one query may touch. */
  readonly seriesMax: number;
  /** Bytes of working memory of one query. */
  readonly memoryBytesMax: number;
  /** Samples that its steps may see together: bounds what it computes. Without it they may see any number. */
  readonly samplesSeenMax?: number;
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
  /** What queries take turns by; without it each gives way by itself. */
  readonly turns?: Turns;
}

/** Mutable account of one query; close() it when the query is over. */
export class QueryBudget implements QueryAccount, TurnTaker {
  readonly limits: QueryLimits;
  readonly signal: AbortSignal;
  samplesRead = 0;
  samplesQueryable = 0;
  samplesPeak = 0;
  seriesSeen = 0;
  bytesNow = 0;
  bytesPeak = 0;
  turns = 0;
  /** breathe() to hand on to work that does not know of budgets. */
  readonly pause: Pause = () => this.breathe();
  #samplesNow = 0;
  #pool: MemoryPool | undefined;
  readonly #clock: Clock | undefined;
  readonly #turns: Turns | undefined;
  #sliceStart: number;

  constructor(limits: QueryLimits, signal: AbortSignal, { clock, memory, turns }: QueryHost = {}) {
    this.limits = limits;
    this.signal = signal;
    this.#clock = clock;
    this.#pool = memory;
    this.#turns = turns;
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

  /** Whether breathe() would have it wait: looked at where work cannot wait, but can stop in the middle. */
  get isDue(): boolean {
    if (this.#turns !== undefined) return this.#turns.isOver;
    return this.#clock !== undefined && this.#clock.monotonic() - this.#sliceStart >= SLICE_MS;
  }

  /** Like check(), and a promise to wait for when the query has computed for long enough; call it between batches. */
  breathe(): Promise<void> | undefined {
    this.check();
    if (this.#turns !== undefined) return this.#turns.take(this)?.then(() => this.check());
    const clock = this.#clock;
    if (clock === undefined || !this.isDue) return undefined;
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

  /** Counts samples that were read, each once for each selector, and how often steps saw them. */
  countSamples(read: number, queryable: number): void {
    this.samplesRead += read;
    this.samplesQueryable += queryable;
    if (this.samplesQueryable > (this.limits.samplesSeenMax ?? Number.POSITIVE_INFINITY))
      throw new DomainError(
        'execution',
        `query looks at more than ${this.limits.samplesSeenMax} samples (limit query.light_samples_max)`,
      );
  }

  /** Gives samples back. */
  releaseSamples(count: number): void {
    this.#samplesNow -= count;
  }

  /** Counts `count` more series. */
  addSeries(count: number): void {
    this.seriesSeen += count;
    this.checkSeries(0);
  }

  /** Refuses `count` series more before they are read. */
  checkSeries(count: number): void {
    if (this.seriesSeen + count > this.limits.seriesMax)
      throw new DomainError(
        'execution',
        `query touches more than ${this.limits.seriesMax} series (limit query.series_max)`,
      );
  }

  /** Takes working memory; `execution` error past the query's own limit, `full` when the process has no more. */
  holdBytes(bytes: number): void {
    this.#pool?.take(bytes, this.bytesNow);
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
