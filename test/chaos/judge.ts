// Asks for windows of what was acknowledged, while faults come and go and at the end, and says what is lost, doubled or wrong.

import type { Random } from '../../src/platform/random.ts';
import { rawRequest } from '../helpers/raw-http.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';
import { type KnownLoad, SERIES_PER_LANE, STEP_MS, sleep } from './known-load.ts';

const WINDOW_STEPS = 60;
const ASK_MS_MAX = 60_000;
/** An ordinary answer may lack what was written this long ago (shard.stale_after); a strong one may lack nothing. */
const STALE_MS = 3500;

/** What came of one question. */
export type Verdict =
  | { readonly kind: 'right' }
  /** The answer says that something is missing. */
  | { readonly kind: 'partial'; readonly text: string }
  /** No answer, or an error. */
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string };

interface Answer {
  readonly warnings?: readonly string[];
  readonly data?: { readonly result: readonly { metric: { lane?: string }; value: [number, string] }[] };
}

/** Asks for `steps` steps of all lanes up to and with step `last`, and compares with what is known. */
export async function judgeWindow(
  server: SkeinServer,
  load: KnownLoad,
  lanes: readonly number[],
  last: number,
  steps: number,
  strong = false,
): Promise<Verdict> {
  const seconds = (steps * STEP_MS) / 1000;
  const time = (load.start + last * STEP_MS) / 1000;
  const selector = `load{lane=~"${lanes.join('|')}"}[${seconds}s]`;
  const found = new Map<string, Map<string, number>>();
  for (const func of ['count_over_time', 'sum_over_time']) {
    const query = `sum by (lane) (${func}(${selector}))`;
    const path = `/api/v1/query?query=${encodeURIComponent(query)}&time=${time}`;
    let answer: { status: number; body: Uint8Array };
    try {
      const headers = strong ? { 'x-read-consistency': 'strong' } : {};
      answer = await rawRequest(server.url, { path, headers, signal: AbortSignal.timeout(ASK_MS_MAX) });
    } catch (error) {
      return { kind: 'failed', text: String(error) };
    }
    const body = Buffer.from(answer.body).toString();
    if (answer.status !== 200) return { kind: 'failed', text: `${answer.status}: ${body.slice(0, 200)}` };
    const parsed = JSON.parse(body) as Answer;
    if (parsed.warnings) return { kind: 'partial', text: parsed.warnings.join('; ') };
    const byLane = new Map(
      parsed.data!.result.map(({ metric, value }) => [metric.lane ?? '', Number(value[1])]),
    );
    found.set(func, byLane);
  }
  const first = Math.max(0, last - steps + 1);
  const count = (last - first + 1) * SERIES_PER_LANE;
  const sum = ((first + last) / 2) * count;
  for (const lane of lanes) {
    const got = [
      found.get('count_over_time')!.get(String(lane)),
      found.get('sum_over_time')!.get(String(lane)),
    ];
    if (got[0] !== count || got[1] !== sum)
      return {
        kind: 'wrong',
        text: `lane ${lane}, steps ${first}..${last}: ${count} samples of sum ${sum} expected, got ${got[0]} of sum ${got[1]} from ${server.name}`,
      };
  }
  return { kind: 'right' };
}

/** Asks again and again, half of the time with strong consistency; counts the verdicts. */
export class Questions {
  readonly counts: Record<Verdict['kind'], number> = { right: 0, partial: 0, failed: 0, wrong: 0 };
  /** Latencies of right answers, ms. */
  readonly latencies: number[] = [];
  /** What was wrong, and the last texts of the other kinds. */
  readonly wrong: string[] = [];
  readonly texts: Map<string, number> = new Map();
  #running = false;
  #ended: Promise<unknown> = Promise.resolve();

  run(load: KnownLoad, queriers: () => readonly SkeinServer[], random: Random): void {
    this.#running = true;
    this.#ended = Promise.all([0, 1, 2, 3].map((index) => this.#ask(load, queriers, index, random)));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #ask(
    load: KnownLoad,
    queriers: () => readonly SkeinServer[],
    index: number,
    random: Random,
  ): Promise<void> {
    const lanes = load.acked.map((_, lane) => lane);
    const strong = index % 2 === 1;
    while (this.#running) {
      let known = Math.min(...load.acked);
      await sleep(strong ? 500 : STALE_MS);
      if (strong) known = Math.min(...load.acked);
      if (known === 0) continue;
      const last = random.integer(2) === 0 ? known - 1 : random.integer(known);
      const all = queriers();
      const began = performance.now();
      const verdict = await judgeWindow(
        all[(index >> 1) % all.length]!,
        load,
        lanes,
        last,
        WINDOW_STEPS,
        strong,
      );
      this.counts[verdict.kind]++;
      if (verdict.kind === 'right') this.latencies.push(performance.now() - began);
      else if (verdict.kind === 'wrong') this.wrong.push(verdict.text);
      else {
        const text = `${verdict.kind}: ${verdict.text.replace(/\d+/g, 'N').slice(0, 160)}`;
        this.texts.set(text, (this.texts.get(text) ?? 0) + 1);
      }
    }
  }
}

/** What a whole check found. */
export interface Balance {
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: string[];
}

/** Every acknowledged sample of every lane, window by window. A step whose write was never answered may be there or not. */
export async function judgeAll(server: SkeinServer, load: KnownLoad, windowSteps: number): Promise<Balance> {
  const balance = { lost: 0, doubled: 0, wrong: [] as string[] };
  for (let lane = 0; lane < load.lanes; lane++) {
    const end = load.acked[lane]!;
    for (let first = 0; first < end; first += windowSteps) {
      const last = Math.min(first + windowSteps, end) - 1;
      const verdict = await judgeWindow(server, load, [lane], last, last - first + 1);
      if (verdict.kind === 'right') continue;
      const { text } = verdict;
      balance.wrong.push(text);
      const [, expected, got] = /: (\d+) samples .* got (\d+|undefined) of/.exec(text) ?? [];
      const difference = Number(expected ?? 0) - Number(got === 'undefined' ? 0 : (got ?? 0));
      if (difference > 0) balance.lost += difference;
      else balance.doubled -= difference;
    }
  }
  return balance;
}
