// A load of which every sample is known. Lanes of series are written scrape by scrape, as Prometheus's senders do: a lane never in
// parallel, each scrape again and again until it is acknowledged. In step s series i of a lane of N has the value s*N + i + 1: no two
// samples of a lane are alike, and the right answer to any question about acknowledged steps is known.

import { rawRequest } from '../helpers/raw-http.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';
import { sleep } from './rig.ts';
import { V1, V2, writeHeaders } from './write-cases.ts';
import { type ScrapeBody, scrapeBody } from './write-template.ts';

const RETRY_MS = 200;
/** Data time that a lane may run ahead of the slowest: with an hour more, samples of the slowest would be too old. */
const AHEAD_MS_MAX = 600_000;

/** What a load is made of. */
export interface LoadOptions {
  /** Who takes writes; after a failure a lane goes on to the next one. */
  readonly receivers: () => readonly SkeinServer[];
  /** Senders at once; even ones speak remote write 1.0, odd ones 2.0. */
  readonly lanes?: number;
  readonly seriesPerLane?: number;
  /** Data time between two steps, ms. */
  readonly stepMs?: number;
  /** Steps of each lane, after which it rests; without end when left out. */
  readonly steps?: number;
  /** Data time from the first step to now, ms. */
  readonly backMs?: number;
  /** Least wall time from one step of a lane to the next, ms. */
  readonly paceMs?: number;
  /** Longest wait for the answer to a write, ms. */
  readonly writeMsMax?: number;
}

/** What became of the writes that were not acknowledged. */
export interface WriteTrouble {
  /** 503 with Retry-After: address of the receiver and what it said. */
  readonly turnedAway: { readonly url: string; readonly text: string }[];
  /** Broken connections, and answers that did not come in time, by the address of the receiver. */
  readonly broken: Map<string, number>;
  /** Everything else: nobody should see these. */
  readonly wrong: string[];
}

/** The load. */
export class Load {
  /** Data time of step 0, ms, and between two steps. */
  readonly start: number;
  readonly stepMs: number;
  readonly lanes: number;
  readonly seriesPerLane: number;
  /** Steps acknowledged, by lane. */
  readonly acked: number[];
  /** Steps ever sent, by lane: at most one more than acknowledged. */
  readonly sent: number[];
  /** Of the writes since the last call of `forget`. */
  trouble: WriteTrouble = noTrouble();
  /** Milliseconds that each acknowledged write took, since the last call of `forget`. */
  latencies: number[] = [];
  readonly #options: LoadOptions;
  readonly #bodies: readonly ScrapeBody[];
  /** When each step was acknowledged, by lane, in monotonic ms. */
  readonly #ackedAt: number[][];
  #running = false;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: LoadOptions) {
    const { lanes = 8, seriesPerLane = 2000, stepMs = 1000, backMs = 3_600_000 } = options;
    this.#options = options;
    this.start = Math.floor((Date.now() - backMs) / stepMs) * stepMs;
    this.stepMs = stepMs;
    this.lanes = lanes;
    this.seriesPerLane = seriesPerLane;
    this.acked = new Array(lanes).fill(0);
    this.sent = new Array(lanes).fill(0);
    this.#ackedAt = this.acked.map(() => []);
    this.#bodies = this.acked.map((_, lane) => scrapeBody(versionOf(lane), seriesOf(lane, seriesPerLane)));
  }

  /** Samples acknowledged. */
  get samples(): number {
    return this.acked.reduce((sum, steps) => sum + steps, 0) * this.seriesPerLane;
  }

  /** Steps of a lane that were acknowledged `ageMs` ago or longer. */
  settled(lane: number, ageMs: number): number {
    const times = this.#ackedAt[lane]!;
    const until = performance.now() - ageMs;
    let steps = times.length;
    while (steps > 0 && times[steps - 1]! > until) steps--;
    return steps;
  }

  /** Data time of a step, in seconds. */
  time(step: number): number {
    return (this.start + step * this.stepMs) / 1000;
  }

  run(): void {
    this.#running = true;
    this.#ended = Promise.all(this.acked.map((_, lane) => this.#lane(lane)));
  }

  /** Ends after the writes under way; what they did not get acknowledged is sent again by the next run. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  /** Begins to count trouble and latencies anew; returns what there was. */
  forget(): { trouble: WriteTrouble; latencies: number[] } {
    const { trouble, latencies } = this;
    this.trouble = noTrouble();
    this.latencies = [];
    return { trouble, latencies };
  }

  async #lane(lane: number): Promise<void> {
    const { paceMs = 250, steps = Number.POSITIVE_INFINITY } = this.#options;
    const aheadMax = AHEAD_MS_MAX / this.stepMs;
    for (let attempt = 0; this.#running && this.acked[lane]! < steps; ) {
      const began = performance.now();
      const step = this.acked[lane]!;
      if (step > Math.min(...this.acked) + aheadMax) {
        await sleep(RETRY_MS);
        continue;
      }
      this.sent[lane] = step + 1;
      if (await this.#write(lane, attempt)) {
        this.acked[lane] = step + 1;
        this.#ackedAt[lane]!.push(performance.now());
        await sleep(Math.max(0, paceMs - (performance.now() - began)));
      } else {
        attempt++;
        await sleep(RETRY_MS);
      }
    }
  }

  async #write(lane: number, attempt: number): Promise<boolean> {
    const { writeMsMax = 60_000 } = this.#options;
    const receivers = this.#options.receivers();
    const { url } = receivers[(lane + attempt) % receivers.length]!;
    const step = this.acked[lane]!;
    const body = this.#bodies[lane]!(this.start + step * this.stepMs, step * this.seriesPerLane + 1);
    const began = performance.now();
    const { trouble } = this;
    try {
      const {
        status,
        headers,
        body: text,
      } = await rawRequest(url, {
        method: 'POST',
        path: '/api/v1/write',
        headers: writeHeaders(versionOf(lane) === 'v1' ? V1 : V2),
        body,
        signal: AbortSignal.timeout(writeMsMax),
      });
      if (status >= 200 && status < 300) {
        this.latencies.push(performance.now() - began);
        return true;
      }
      const said = text.toString().slice(0, 200);
      if (status === 503 && headers['retry-after'] !== undefined)
        trouble.turnedAway.push({ url, text: said });
      else trouble.wrong.push(`${status} ${said}`);
    } catch (error) {
      if (isBroken(error)) trouble.broken.set(url, (trouble.broken.get(url) ?? 0) + 1);
      else trouble.wrong.push(String(error));
    }
    return false;
  }
}

/** Whether nobody answered: the connection broke, or no answer came in time. */
export function isBroken(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ABORT_ERR'].includes(code);
}

function noTrouble(): WriteTrouble {
  return { turnedAway: [], broken: new Map(), wrong: [] };
}

const versionOf = (lane: number): 'v1' | 'v2' => (lane % 2 === 0 ? 'v1' : 'v2');

function seriesOf(lane: number, count: number): [string, string][][] {
  return Array.from({ length: count }, (_, i) => [
    ['__name__', 'load'],
    ['i', String(i)],
    ['instance', `10.0.${i % 250}.${lane}:9100`],
    ['job', 'a-job-with-a-name'],
    ['lane', String(lane)],
  ]);
}
