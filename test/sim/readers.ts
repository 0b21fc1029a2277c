// Readers of the simulation: they ask through the real querier and judge every whole answer: everything acknowledged is there, nothing
// twice, no value that was not sent; and what an expression gives is what one engine over all samples gives.

import type { QueryAnswer } from '../../src/actors/querier/messages.ts';
import { DomainError, errorText } from '../../src/model/errors.ts';
import { labelsKey } from '../../src/model/labels.ts';
import type { Random } from '../../src/platform/random.ts';
import { createEngine } from '../../src/query/engine.ts';
import type { QueryValue } from '../../src/query/result.ts';
import { oneBatch } from '../query/ordered-series.ts';
import { callNode } from './clients.ts';
import type { SimNode } from './node.ts';
import type { SimWorld } from './world.ts';

/** An ordinary answer may lack what was acknowledged this long ago (shard.stale_after), ms. */
const STALE_MS = 3000;
const LOOKBACK_MS = 300_000;
const MINUTE = 60_000;
const ASKS_MAX = 4;

const EXPRESSIONS: readonly { readonly text: string; readonly backMs: number }[] = [
  { text: 'requests', backMs: LOOKBACK_MS },
  { text: 'sum by (job) (rate({__name__=~".+"}[30m]))', backMs: 30 * MINUTE },
  { text: 'topk(2, bytes)', backMs: LOOKBACK_MS },
  { text: 'count_over_time({__name__=~"requests|bytes"}[1h])', backMs: 60 * MINUTE },
  { text: 'count by (__name__) ({job=~".+"})', backMs: LOOKBACK_MS },
  { text: 'max_over_time(requests[40m]) - min_over_time(requests[40m])', backMs: 40 * MINUTE },
  { text: 'quantile(0.5, sum_over_time(bytes[20m]))', backMs: 20 * MINUTE },
  { text: 'sum(increase(requests{job="w0"}[2h])) + count(requests)', backMs: 120 * MINUTE },
  { text: 'avg without (instance) (last_over_time(requests[1h]))', backMs: 60 * MINUTE },
];

/** Asks now and then. */
export class Reader {
  readonly #world: SimWorld;
  readonly #random: Random;
  #underWay = 0;
  #isOver = false;

  constructor(world: SimWorld, random: Random) {
    this.#world = world;
    this.#random = random;
    this.#later();
  }

  /** Asks no more. */
  stop(): void {
    this.#isOver = true;
  }

  #later(): void {
    const { loop, plan } = this.#world;
    loop.after(plan.readEveryMs, 'a reader asks', () => {
      if (this.#isOver) return;
      this.#later();
      const node = this.#world.anyNode(this.#random);
      const { tenants } = this.#world.model;
      if (node === undefined || tenants.length === 0 || this.#underWay >= ASKS_MAX) return;
      const tenant = tenants[this.#random.integer(tenants.length)]!;
      this.#underWay++;
      const isStrong = this.#random.integer(3) === 0;
      const end =
        this.#world.dataNow() - (this.#random.integer(3) === 0 ? this.#random.integer(6 * 60) * MINUTE : 0);
      const work =
        this.#random.integer(5) < 2
          ? this.#compare(node, tenant, isStrong, end)
          : askRaw(this.#world, node, tenant, {
              isStrong,
              end,
              spanMs: (10 + this.#random.integer(300)) * MINUTE,
            });
      void work.finally(() => {
        this.#underWay--;
      });
    });
  }

  async #compare(node: SimNode, tenant: string, isStrong: boolean, end: number): Promise<void> {
    const { model, loop, counts } = this.#world;
    const { text, backMs } = EXPRESSIONS[this.#random.integer(EXPRESSIONS.length)]!;
    // As far back as it takes for everything in the window to be settled.
    const time = this.#random.integer(2) === 0 ? end : end - 20 * MINUTE;
    const start = time - backMs - LOOKBACK_MS;
    const settledBy = loop.now - (isStrong ? 0 : STALE_MS);
    if (!model.isSettled(tenant, start, time, settledBy)) return;
    const expected = await reference(this.#world, tenant, text, time);
    const answer = await ask(this.#world, node, { tenant, query: text, time, isStrong });
    if (answer === undefined) return;
    // What was sent meanwhile may be seen in part: the partitions are asked one by one.
    if (!model.isSettled(tenant, start, time, settledBy)) return;
    counts.compared++;
    const got = valueText(answer.result.value);
    if (!isEqual(got, expected))
      this.#world.blame(
        'same answer',
        `${text} at ${time} for ${tenant} from ${node.host.name}${isStrong ? ' (strong)' : ''}: ${got}, one engine says ${expected}`,
      );
  }
}

/** What a question is. */
export interface RawQuestion {
  readonly isStrong: boolean;
  readonly end: number;
  readonly spanMs: number;
}

/** Asks for raw samples and judges them; whether the answer was whole. */
export async function askRaw(
  world: SimWorld,
  node: SimNode,
  tenant: string,
  { isStrong, end, spanMs }: RawQuestion,
): Promise<boolean> {
  const { loop, model, blame } = world;
  const before = loop.now - (isStrong ? 0 : STALE_MS);
  const query = `{__name__=~"requests|bytes"}[${spanMs}ms]`;
  const due = model
    .all(tenant)
    .map((series) => ({
      series,
      samples: [...series.samples.values()].filter(
        ({ time, value, acknowledgedAt }) =>
          value !== undefined &&
          time > end - spanMs &&
          time <= end &&
          acknowledgedAt !== undefined &&
          acknowledgedAt <= before,
      ),
    }))
    .filter(({ samples }) => samples.length > 0);
  const asked = loop.now;
  const answer = await ask(world, node, { tenant, query, time: end, isStrong });
  if (answer === undefined) return false;
  const { value } = answer.result;
  if (value.type !== 'raw-matrix') {
    blame('readable', `${query} gives a ${value.type}`);
    return false;
  }
  const from = `from ${node.host.name}${isStrong ? ' (strong)' : ''}, asked at ${asked}, for ${tenant}`;
  const found = new Map<string, Set<number>>();
  for (const { labels, timestamps, values } of value.series) {
    const key = labelsKey(labels);
    if (found.has(key)) blame('once', `series ${labels.join(' ')} comes twice ${from}`);
    found.set(key, new Set(timestamps));
    const known = model.find(tenant, labels);
    for (const [i, time] of timestamps.entries()) {
      if (i > 0 && time <= timestamps[i - 1]!)
        blame('once', `${labels.join(' ')} at ${time} comes twice or out of order ${from}`);
      const sample = known?.samples.get(time);
      if (sample === undefined || sample.value !== values[i])
        blame(
          'right value',
          `${labels.join(' ')} at ${time} is ${values[i]}, sent was ${sample?.value} ${from}`,
        );
      // Once seen, it is there for good.
      else sample.acknowledgedAt ??= loop.now;
    }
  }
  for (const { series, samples } of due) {
    const there = found.get(labelsKey(series.labels));
    const missing = samples.filter(({ time }) => there?.has(time) !== true);
    if (missing.length === 0) continue;
    const first = missing[0]!;
    blame(
      'readable',
      `${missing.length} samples of ${series.labels.join(' ')} are missing ${from}, the first at ${first.time}, acknowledged at ${first.acknowledgedAt}`,
    );
    return false;
  }
  return true;
}

interface Question {
  readonly tenant: string;
  readonly query: string;
  readonly time: number;
  readonly isStrong: boolean;
}

// A whole answer, or undefined: none came, an error, or one that says that it lacks something.
async function ask(
  { network, counts, blame }: SimWorld,
  node: SimNode,
  { tenant, query, time, isStrong }: Question,
): Promise<QueryAnswer | undefined> {
  const request = { tenant, query, startMs: time, endMs: time, stepMs: 0, strong: isStrong };
  try {
    const answer = await callNode(network, node, `query ${query}`, ({ querier }) =>
      querier.ask('query', { ...request, signal: new AbortController().signal }),
    );
    counts.answers++;
    if (!answer.partial) {
      const damage = answer.result.annotations.find(({ text }) => text.startsWith('log damage'));
      if (damage !== undefined) blame('log damage', damage.text);
      return answer;
    }
    counts.partial++;
  } catch (error) {
    counts.errors++;
    const code = error instanceof DomainError ? error.code : 'internal';
    if (code !== 'unavailable' && code !== 'timeout' && code !== 'full' && code !== 'canceled')
      blame('queries', `${query} failed on ${node.host.name}: ${errorText(error)}`);
  }
  return undefined;
}

async function reference({ model }: SimWorld, tenant: string, query: string, time: number): Promise<string> {
  const engine = createEngine({
    lookbackMs: LOOKBACK_MS,
    defaultStepMs: MINUTE,
    limits: { samplesMax: 1e9, seriesMax: 1e6, memoryBytesMax: 1 << 30 },
    source: model.source(tenant),
  });
  return valueText((await engine.instant({ query, timeMs: time })).value);
}

function valueText(value: QueryValue): string {
  if (value.type !== 'vector') return JSON.stringify(value);
  const { labels, values } = oneBatch(value.series);
  return labels
    .map((set, i) => `{${set.join(' ')}} ${values[i]}`)
    .sort()
    .join('; ');
}

// Sums over partitions are added in another order: the last digits may differ.
function isEqual(a: string, b: string): boolean {
  if (a === b) return true;
  const [left, right] = [a.split('; '), b.split('; ')];
  if (left.length !== right.length) return false;
  return left.every((row, i) => {
    const other = right[i]!;
    const [at, otherAt] = [row.lastIndexOf(' '), other.lastIndexOf(' ')];
    if (row.slice(0, at) !== other.slice(0, otherAt)) return false;
    const [x, y] = [Number(row.slice(at)), Number(other.slice(otherAt))];
    return (
      Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x), Math.abs(y)) || (Number.isNaN(x) && Number.isNaN(y))
    );
  });
}
