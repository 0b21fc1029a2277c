// Questions about a load whose answers are known: one after another while things happen, or all of them at the end.

import { rawRequest } from '../helpers/raw-http.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';
import { isBroken, type Load } from './load.ts';
import { sleep } from './rig.ts';

const ASK_MS_MAX = 60_000;
const WINDOW_STEPS = 30;
const PAUSE_MS = 100;
const SERIES_PER_READ = 500;
/** Its multiples spread evenly. */
const GOLDEN_RATIO = 0.618;

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

/** Values by time (s), in order. */
type Points = ReadonlyMap<number, number>;

/** A question, and the points that must come back. */
interface Question {
  readonly text: string;
  readonly path: string;
  readonly expected: Points;
}

/** Sum of the values 1 to n. */
const sumTo = (n: number): number => (n * (n + 1)) / 2;

/** Samples of a lane in steps `first` to `end` - 1, and the sum of their values. */
function known({ seriesPerLane }: Load, first: number, end: number): { count: number; sum: number } {
  return {
    count: (end - first) * seriesPerLane,
    sum: sumTo(end * seriesPerLane) - sumTo(first * seriesPerLane),
  };
}

/** As much of a lane as `steps` steps up to the instant of the query. */
const windowOf = (load: Load, lane: number, steps: number): string =>
  `load{lane="${lane}"}[${steps * load.stepMs}ms]`;

/** The `kind`-th question about the first `steps` steps of a lane. */
function questionOf(load: Load, kind: number, lane: number, steps: number): Question {
  const { seriesPerLane } = load;
  const selector = `load{lane="${lane}"}`;
  const at = (query: string, expected: number): Question => ({
    text: `${query} at step ${steps - 1}`,
    path: instantPath(query, load.time(steps - 1)),
    expected: new Map([[load.time(steps - 1), expected]]),
  });
  const from = Math.max(0, steps - WINDOW_STEPS);
  const range = windowOf(load, lane, WINDOW_STEPS);
  switch (kind % 4) {
    case 0:
      return at(`sum(count_over_time(${range}))`, known(load, from, steps).count);
    case 1:
      return at(`sum(sum_over_time(${range}))`, known(load, from, steps).sum);
    case 2: {
      const i = (steps * 7919) % seriesPerLane;
      return at(`load{lane="${lane}",i="${i}"}`, (steps - 1) * seriesPerLane + i + 1);
    }
    default: {
      const sums = new Map<number, number>();
      for (let step = from; step < steps; step++) sums.set(load.time(step), known(load, step, step + 1).sum);
      const query = `sum(${selector})`;
      return {
        text: `${query} from step ${from} to ${steps - 1}`,
        path: `query_range?query=${encodeURIComponent(query)}&start=${load.time(from)}&end=${load.time(steps - 1)}&step=${load.stepMs / 1000}`,
        expected: sums,
      };
    }
  }
}

function pointsOf(reply: Reply): Points {
  const [row] = reply.data?.result ?? [];
  const pairs = row?.value ? [row.value] : (row?.values ?? []);
  return new Map(pairs.map(([time, text]) => [time, Number(text)]));
}

const sayPoints = (points: Points): string => [...points].join(' ');

/** What there was to hear. */
export interface Heard {
  right: number;
  /** Answers that said themselves what is missing. */
  readonly partial: string[];
  /** 503 with Retry-After: address of the querier and what it said. */
  readonly turnedAway: { readonly url: string; readonly text: string }[];
  /** Broken connections, and answers that did not come in time, by the address of the querier. */
  readonly broken: Map<string, number>;
  /** Answers that are not right and do not say so, and errors nobody should see. */
  readonly wrong: string[];
  /** Times to an answer, ms: of ordinary questions, and of strong reads. */
  readonly answerMs: { readonly ordinary: number[]; readonly strong: number[] };
}

const nothingHeard = (): Heard => ({
  right: 0,
  partial: [],
  turnedAway: [],
  broken: new Map(),
  wrong: [],
  answerMs: { ordinary: [], strong: [] },
});

/** An ordinary answer may lack what was written this long ago (shard.stale_after and a little), a strong one nothing. */
const FRESH_MS = 3500;

/**
 * Asks every querier again and again until stopped, and judges the answers: ordinary questions, and strong reads of all that was
 * acknowledged until then. Two of three are about the newest steps, the others about any.
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
    for (let turn = 0; this.#running; turn++) {
      const lane = turn % lanes;
      const settled = this.#load.settled(lane, consistency === 'strong' ? 0 : FRESH_MS);
      const steps = turn % 3 < 2 ? settled : Math.ceil(settled * ((turn * GOLDEN_RATIO) % 1));
      if (steps > 0) {
        const began = performance.now();
        const question = questionOf(this.#load, turn + Math.floor(turn / lanes), lane, steps);
        await this.#judge(server, question, consistency === 'strong');
        this.heard.answerMs[consistency].push(performance.now() - began);
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
      if (isBroken(error)) heard.broken.set(server.url, (heard.broken.get(server.url) ?? 0) + 1);
      else heard.wrong.push(`${asked}: ${String(error)}`);
      return;
    }
    const points = pointsOf(reply);
    const whole = !reply.partial && reply.warnings === undefined;
    const text = `${asked}: ${reply.status} ${reply.error ?? reply.warnings?.join('; ') ?? ''}`;
    if (reply.status === 503 && reply.retryAfter) heard.turnedAway.push({ url: server.url, text });
    else if (reply.status === 200 && whole && sayPoints(points) === sayPoints(expected)) heard.right++;
    else if (reply.status === 200 && !whole && reply.partial && isPart(points, expected))
      heard.partial.push(text);
    else heard.wrong.push(`${text}: expected ${sayPoints(expected)}, got ${sayPoints(points)}`);
  }
}

// What lacks something has fewer points or smaller sums, never more.
function isPart(points: Points, expected: Points): boolean {
  for (const [time, value] of points) if (!(value <= expected.get(time)!)) return false;
  return true;
}

/** What counting and summing found. */
export interface Balance {
  /** Samples that are not there. */
  readonly lost: number;
  /** Samples there are too many. */
  readonly doubled: number;
  /** What is not right, window by window. */
  readonly wrong: readonly string[];
}

/** Counts and sums every acknowledged sample of every lane, in windows of `windowSteps`. */
export async function balance(
  load: Load,
  server: SkeinServer,
  windowSteps: number = Number.POSITIVE_INFINITY,
): Promise<Balance> {
  const found = { lost: 0, doubled: 0, wrong: [] as string[] };
  const lanes = load.acked.map(async (steps, lane) => {
    for (let first = 0; first < steps; first += windowSteps) {
      const end = Math.min(steps, first + windowSteps);
      const { count, notes } = await weigh(load, server, { lane, first, end });
      found.wrong.push(...notes);
      const missing = count === undefined ? 0 : known(load, first, end).count - count;
      if (missing > 0) found.lost += missing;
      else found.doubled -= missing;
    }
  });
  await Promise.all(lanes);
  return found;
}

/** Counts and sums the newest steps that all lanes have; undefined when they are right, else what is not. */
export async function wrongLately(load: Load, server: SkeinServer): Promise<string | undefined> {
  const end = Math.min(...load.acked);
  const first = Math.max(0, end - WINDOW_STEPS);
  if (end === 0) return 'no lane was written';
  const found = await Promise.all(load.acked.map((_, lane) => weigh(load, server, { lane, first, end })));
  return textOf(found.flatMap(({ notes }) => notes));
}

/**
 * Counts and sums every acknowledged sample of every lane, and makes sure that nothing is there that was never sent. Undefined when
 * all of it is exactly right, else what is not.
 */
export async function wrongTotals(load: Load, server: SkeinServer): Promise<string | undefined> {
  const { wrong } = await balance(load, server);
  const ever = load.acked.map(async (steps, lane) => {
    const count = await total(load, server, { lane, func: 'count_over_time', first: 0, end: steps + 100 });
    const least = known(load, 0, steps).count;
    const most = known(load, 0, load.sent[lane]!).count;
    if (typeof count === 'number' && count >= least && count <= most) return [];
    return [`lane ${lane}: ${count} samples of ${least} to ${most} ever sent`];
  });
  return textOf([...wrong, ...(await Promise.all(ever)).flat()]);
}

const textOf = (notes: readonly string[]): string | undefined =>
  notes.length === 0 ? undefined : notes.join('; ');

/** Steps `first` to `end` - 1 of a lane. */
interface Stretch {
  readonly lane: number;
  readonly first: number;
  readonly end: number;
}

// How many samples of a stretch there are, if that can be said, and what is not right with them.
async function weigh(
  load: Load,
  server: SkeinServer,
  stretch: Stretch,
): Promise<{ count: number | undefined; notes: string[] }> {
  const { lane, first, end } = stretch;
  const expected = known(load, first, end);
  const [count, sum] = await Promise.all([
    total(load, server, { ...stretch, func: 'count_over_time' }),
    total(load, server, { ...stretch, func: 'sum_over_time' }),
  ]);
  const notes: string[] = [];
  if (count !== expected.count) notes.push(`${count} samples of ${expected.count}`);
  if (sum !== expected.sum) notes.push(`the sum is ${sum} and not ${expected.sum}`);
  return {
    count: typeof count === 'number' ? count : undefined,
    notes: notes.map((note) => `lane ${lane}, steps ${first} to ${end - 1}, from ${server.name}: ${note}`),
  };
}

// Of the samples of a stretch, or why it is not known.
async function total(
  load: Load,
  server: SkeinServer,
  { lane, first, end, func }: Stretch & { readonly func: string },
): Promise<number | string> {
  const query = `sum(${func}(${windowOf(load, lane, end - first)}))`;
  try {
    const reply = await ask(server, instantPath(query, load.time(end - 1)));
    return reply.status === 200 && reply.warnings === undefined
      ? ([...pointsOf(reply).values()][0] ?? 0)
      : `${reply.status} ${reply.error ?? reply.warnings}`;
  } catch (error) {
    return String(error);
  }
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
      const query = `load{lane="${lane}",i=~"${numbers.join('|')}"}[${steps * load.stepMs}ms]`;
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
