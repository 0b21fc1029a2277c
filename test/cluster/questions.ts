// Questions about a load whose answers are known: one after another while things happen, or all of them at the end.

import { rawRequest } from '../helpers/raw-http.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';
import { type Load, STEP_MS } from './load.ts';
import { sleep } from './rig.ts';

const ASK_MS_MAX = 60_000;
const WINDOW_STEPS = 30;
const PAUSE_MS = 100;
const SERIES_PER_READ = 500;

interface Reply {
  readonly status: number;
  readonly retryAfter: boolean;
  readonly partial: boolean;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data?: { readonly result: readonly Row[] };
}

interface Row {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: [time: number, text: string];
  readonly values?: [time: number, text: string][];
}

async function ask(server: SkeinServer, path: string, strong = false): Promise<Reply> {
  const { status, headers, body } = await rawRequest(server.url, {
    path: `/api/v1/${path}`,
    headers: strong ? { 'x-read-consistency': 'strong' } : {},
    signal: AbortSignal.timeout(ASK_MS_MAX),
  });
  const text = body.toString();
  const json = headers['content-type'] === 'application/json' ? JSON.parse(text) : { error: text };
  const flags = {
    retryAfter: headers['retry-after'] !== undefined,
    partial: headers['x-skein-partial'] === 'true',
  };
  return { ...(json as object), status, ...flags };
}

const instantPath = (query: string, time: number): string =>
  `query?query=${encodeURIComponent(query)}&time=${time}`;

/** A question: the points that must come back, in order, and those that came. */
interface Question {
  readonly text: string;
  readonly path: string;
  readonly expected: readonly number[];
}

/** Sum of the values 1 to n. */
const sumTo = (n: number): number => (n * (n + 1)) / 2;

/** The `kind`-th question about the first `steps` steps of a lane. */
function questionOf(load: Load, kind: number, lane: number, steps: number): Question {
  const { seriesPerLane } = load;
  const selector = `load{lane="${lane}"}`;
  const at = (query: string, expected: number): Question => ({
    text: `${query} at step ${steps - 1}`,
    path: instantPath(query, load.time(steps - 1)),
    expected: [expected],
  });
  const range = `[${WINDOW_STEPS}s]`;
  const window = Math.min(steps, WINDOW_STEPS);
  switch (kind % 4) {
    case 0:
      return at(`sum(count_over_time(${selector}${range}))`, window * seriesPerLane);
    case 1:
      return at(
        `sum(sum_over_time(${selector}${range}))`,
        sumTo(steps * seriesPerLane) - sumTo((steps - window) * seriesPerLane),
      );
    case 2: {
      const i = (steps * 7919) % seriesPerLane;
      return at(`load{lane="${lane}",i="${i}"}`, (steps - 1) * seriesPerLane + i + 1);
    }
    default: {
      const from = steps - window;
      const sums = Array.from({ length: window }, (_, index) => {
        const step = from + index;
        return sumTo((step + 1) * seriesPerLane) - sumTo(step * seriesPerLane);
      });
      const query = `sum(${selector})`;
      return {
        text: `${query} from step ${from} to ${steps - 1}`,
        path: `query_range?query=${encodeURIComponent(query)}&start=${load.time(from)}&end=${load.time(steps - 1)}&step=${STEP_MS / 1000}`,
        expected: sums,
      };
    }
  }
}

function pointsOf(reply: Reply): number[] {
  const [row] = reply.data?.result ?? [];
  if (row?.value) return [Number(row.value[1])];
  return (row?.values ?? []).map(([, text]) => Number(text));
}

/** What there was to hear. */
export interface Heard {
  right: number;
  /** Answers that said themselves what is missing. */
  readonly partial: string[];
  /** 503 with Retry-After: address of the querier and what it said. */
  readonly turnedAway: { readonly url: string; readonly text: string }[];
  /** Broken connections, by the address of the querier. */
  readonly broken: Map<string, number>;
  /** Answers that are not right and do not say so, and errors nobody should see. */
  readonly wrong: string[];
  /** Longest time to an answer, ms: of ordinary questions, and of strong reads. */
  readonly slowestMs: { ordinary: number; strong: number };
}

const nothingHeard = (): Heard => ({
  right: 0,
  partial: [],
  turnedAway: [],
  broken: new Map(),
  wrong: [],
  slowestMs: { ordinary: 0, strong: 0 },
});

/** An ordinary answer may lack what was written this long ago (shard.stale_after and a little), a strong one nothing. */
const FRESH_MS = 3500;

/**
 * Asks every querier again and again until stopped, and judges the answers: ordinary questions, and strong reads of all that was
 * acknowledged until then.
 */
export class Questions {
  readonly heard: Heard = nothingHeard();
  readonly #load: Load;
  #running = true;
  readonly #ended: Promise<unknown>;

  /** Begins at once. */
  constructor(load: Load, queriers: readonly SkeinServer[]) {
    this.#load = load;
    this.#ended = Promise.all(
      queriers.flatMap((server) => [
        this.#keepAsking(server, 'ordinary'),
        this.#keepAsking(server, 'strong'),
      ]),
    );
  }

  async stop(): Promise<Heard> {
    this.#running = false;
    await this.#ended;
    return this.heard;
  }

  async #keepAsking(server: SkeinServer, consistency: 'ordinary' | 'strong'): Promise<void> {
    const { lanes } = this.#load;
    const { slowestMs } = this.heard;
    for (let turn = 0; this.#running; turn++) {
      const lane = turn % lanes;
      const steps = this.#load.settled(lane, consistency === 'strong' ? 0 : FRESH_MS);
      if (steps > 0) {
        const began = performance.now();
        const question = questionOf(this.#load, turn + Math.floor(turn / lanes), lane, steps);
        await this.#judge(server, question, consistency === 'strong');
        slowestMs[consistency] = Math.max(slowestMs[consistency], Math.round(performance.now() - began));
      }
      await sleep(PAUSE_MS);
    }
  }

  async #judge(server: SkeinServer, question: Question, strong: boolean): Promise<void> {
    const { heard } = this;
    const { path, expected } = question;
    const asked = `${strong ? 'strong: ' : ''}${question.text}`;
    let reply: Reply;
    try {
      reply = await ask(server, path, strong);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code?.startsWith('ECONN'))
        heard.broken.set(server.url, (heard.broken.get(server.url) ?? 0) + 1);
      else heard.wrong.push(`${asked}: ${String(error)}`);
      return;
    }
    const points = pointsOf(reply);
    const whole = !reply.partial && reply.warnings === undefined;
    const text = `${asked}: ${reply.status} ${reply.error ?? reply.warnings?.join('; ') ?? ''}`;
    if (reply.status === 503 && reply.retryAfter) heard.turnedAway.push({ url: server.url, text });
    else if (reply.status === 200 && whole && String(points) === String(expected)) heard.right++;
    else if (reply.status === 200 && !whole && reply.partial && isPart(points, expected))
      heard.partial.push(text);
    else heard.wrong.push(`${text}: expected ${expected}, got ${points}`);
  }
}

// What lacks something has fewer points or smaller sums, never more.
function isPart(points: readonly number[], expected: readonly number[]): boolean {
  return points.length <= expected.length && points.every((point, i) => point <= expected[i]!);
}

/**
 * Counts and sums every acknowledged sample of every lane, and makes sure that nothing is there that was never sent. Undefined when
 * all of it is exactly right, else what is not.
 */
export async function wrongTotals(load: Load, server: SkeinServer): Promise<string | undefined> {
  const lanes = load.acked.map(async (steps, lane) => {
    if (steps === 0) return [];
    const { seriesPerLane } = load;
    const selector = `load{lane="${lane}"}[2h]`;
    const samples = steps * seriesPerLane;
    const total = async (func: string, at: number): Promise<number | string> => {
      const reply = await ask(server, instantPath(`sum(${func}(${selector}))`, load.time(at)));
      return reply.status === 200 && reply.warnings === undefined
        ? (pointsOf(reply)[0] ?? 0)
        : `${reply.status} ${reply.error ?? reply.warnings}`;
    };
    const [count, sum, ever] = await Promise.all([
      total('count_over_time', steps - 1),
      total('sum_over_time', steps - 1),
      total('count_over_time', steps + 100),
    ]);
    const notes = [];
    if (count !== samples) notes.push(`${count} samples of ${samples}`);
    if (sum !== sumTo(samples)) notes.push(`the sum is ${sum} and not ${sumTo(samples)}`);
    // The step that was sent and not acknowledged may be there, or parts of it.
    if (typeof ever !== 'number' || ever < samples || ever > load.sent[lane]! * seriesPerLane)
      notes.push(`${ever} samples of ${samples} to ${load.sent[lane]! * seriesPerLane} ever sent`);
    return notes.map((note) => `lane ${lane}: ${note}`);
  });
  const notes = (await Promise.all(lanes)).flat();
  return notes.length === 0 ? undefined : notes.join('; ');
}

/** Reads every acknowledged sample back, one by one. Returns how many were compared, and up to ten that are not right. */
export async function readBack(
  load: Load,
  server: SkeinServer,
): Promise<{ samples: number; wrong: string[] }> {
  const wrong: string[] = [];
  let samples = 0;
  const note = (text: string): void => {
    if (wrong.length < 10) wrong.push(text);
  };
  for (const [lane, steps] of load.acked.entries())
    for (let first = 0; first < load.seriesPerLane; first += SERIES_PER_READ) {
      const numbers = Array.from({ length: SERIES_PER_READ }, (_, n) => first + n);
      const query = `load{lane="${lane}",i=~"${numbers.join('|')}"}[2h]`;
      const reply = await ask(server, instantPath(query, load.time(steps - 1)));
      if (reply.status !== 200 || reply.warnings) {
        note(`lane ${lane}: ${reply.status} ${reply.error ?? reply.warnings}`);
        continue;
      }
      const rows = reply.data?.result ?? [];
      const there = new Set(rows.map(({ metric }) => Number(metric['i'])));
      for (const i of numbers)
        if (i < load.seriesPerLane && !there.has(i)) note(`lane ${lane}: series ${i} is missing`);
      for (const { metric, values = [] } of rows) {
        const i = Number(metric['i']);
        if (values.length !== steps) note(`lane ${lane}, series ${i}: ${values.length} samples of ${steps}`);
        for (const [step, [time, text]] of values.entries())
          if (time !== load.time(step) || Number(text) !== step * load.seriesPerLane + i + 1)
            note(`lane ${lane}, series ${i}, step ${step}: ${text} at ${time}`);
        samples += values.length;
      }
    }
  return { samples, wrong };
}
