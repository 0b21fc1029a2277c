// A load of which every sample is known: lanes of series written step by step, a lane never in parallel. Step s of every series
// has the value s at start + s steps, so the right answer to any window of acknowledged steps is known.

import { bodyV1, series, V1, writeHeaders } from '../cluster/write-cases.ts';
import { rawRequest } from '../helpers/raw-http.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';

export const SERIES_PER_LANE = 250;
export const STEP_MS = 10_000;
const RETRY_MS = 100;
const WRITE_MS_MAX = 10_000;
/** How far a lane may run ahead of the slowest: with an hour of data time more, samples of the slowest would be too old. */
const DRIFT_STEPS_MAX = 60;

/** What a load is made of. */
export interface KnownLoadOptions {
  readonly receivers: () => readonly SkeinServer[];
  readonly lanes: number;
  /** Data time of step 0, ms; a multiple of STEP_MS. */
  readonly start: number;
  /** Wall time from one step of a lane to the next, ms. */
  readonly paceMs: number;
}

/** The load. */
export class KnownLoad {
  readonly start: number;
  readonly lanes: number;
  /** Steps acknowledged, by lane. */
  readonly acked: number[];
  /** Answers that were neither 2xx nor 503, and anything else nobody should see. */
  readonly surprises: string[] = [];
  /** Writes answered 503 or not at all: tried again. */
  retries = 0;
  readonly #options: KnownLoadOptions;
  #running = false;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: KnownLoadOptions) {
    this.#options = options;
    this.start = options.start;
    this.lanes = options.lanes;
    this.acked = new Array(options.lanes).fill(0);
  }

  /** Samples acknowledged. */
  get samples(): number {
    return this.acked.reduce((sum, steps) => sum + steps, 0) * SERIES_PER_LANE;
  }

  run(): void {
    this.#running = true;
    this.#ended = Promise.all(this.acked.map((_, lane) => this.#lane(lane)));
  }

  /** Ends after the writes under way. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #lane(lane: number): Promise<void> {
    let attempt = 0;
    while (this.#running) {
      const began = performance.now();
      const step = this.acked[lane]!;
      if (step > Math.min(...this.acked) + DRIFT_STEPS_MAX) await sleep(RETRY_MS);
      else if (await this.#write(lane, step, attempt)) {
        this.acked[lane] = step + 1;
        attempt = 0;
        await sleep(Math.max(0, this.#options.paceMs - (performance.now() - began)));
      } else {
        this.retries++;
        attempt++;
        await sleep(RETRY_MS);
      }
    }
  }

  async #write(lane: number, step: number, attempt: number): Promise<boolean> {
    const receivers = this.#options.receivers();
    // A balancer in front of the receivers sends a retry to the next.
    const server = receivers[(lane + attempt) % receivers.length]!;
    const time = this.start + step * STEP_MS;
    const rows = Array.from({ length: SERIES_PER_LANE }, (_, i) =>
      series(
        [
          ['__name__', 'load'],
          ['i', String(i)],
          ['lane', String(lane)],
        ],
        [[time, step]],
      ),
    );
    try {
      const { status, body } = await rawRequest(server.url, {
        method: 'POST',
        path: '/api/v1/write',
        headers: writeHeaders(V1),
        body: bodyV1(...rows),
        signal: AbortSignal.timeout(WRITE_MS_MAX),
      });
      if (status >= 200 && status < 300) return true;
      if (status !== 503)
        this.surprises.push(`write of lane ${lane} step ${step}: ${status} ${body.toString().slice(0, 100)}`);
    } catch {
      // The receiver is dead, held or cut off: whether the samples arrived is unknown.
    }
    return false;
  }
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
