// Random PromQL over the data of two running servers, a Prometheus and a Skein, compared point by point (relative 1e-9):
//
//   node test/promql/fuzz.ts --ref http://127.0.0.1:9090 --test http://127.0.0.1:9095 [--count 1000] [--seed 1] [--at SECONDS]
//
// The same seed gives the same queries. What differs is printed with the smallest part of it that differs too.

import { parseArgs } from 'node:util';
import { makeRandom, type QueryNode, queryMaker, type Workload } from './fuzz-query.ts';

interface Answer {
  readonly error?: string;
  /** Value by series and time. */
  readonly points: ReadonlyMap<string, number>;
}

const options = parseArgs({
  options: {
    ref: { type: 'string' },
    test: { type: 'string' },
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    at: { type: 'string' },
  },
}).values;
if (options.ref === undefined || options.test === undefined) {
  console.error('node test/promql/fuzz.ts --ref URL --test URL [--count N] [--seed N] [--at SECONDS]');
  process.exit(2);
}
const { ref, test } = options;

async function get(base: string, path: string, params: Record<string, string>): Promise<Response> {
  return fetch(`${base}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(params) });
}

async function ask(base: string, query: string, grid: Grid): Promise<Answer> {
  const response =
    grid.step === 0
      ? await get(base, 'query', { query, time: String(grid.end) })
      : await get(base, 'query_range', {
          query,
          start: String(grid.start),
          end: String(grid.end),
          step: String(grid.step),
        });
  const body = (await response.json()) as {
    status: string;
    error?: string;
    data?: { resultType: string; result: unknown };
  };
  if (body.status !== 'success') return { error: body.error ?? 'no reason given', points: new Map() };
  return { points: pointsOf(body.data!.resultType, body.data!.result) };
}

function pointsOf(type: string, result: unknown): Map<string, number> {
  const points = new Map<string, number>();
  const put = (key: string, [time, value]: [number, string]): void => {
    points.set(`${key} @ ${time}`, Number(value.replace('Inf', 'Infinity')));
  };
  if (type === 'scalar') put('scalar', result as [number, string]);
  else if (type !== 'string')
    for (const series of result as {
      metric: object;
      value?: [number, string];
      values?: [number, string][];
    }[]) {
      const key = JSON.stringify(Object.entries(series.metric).sort());
      for (const point of series.values ?? [series.value!]) put(key, point);
    }
  return points;
}

interface Grid {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

// What differs between the answers; undefined when nothing does.
async function difference(query: string, grid: Grid): Promise<string | undefined> {
  const [a, b] = await Promise.all([ask(ref, query, grid), ask(test, query, grid)]);
  if (a.error !== undefined || b.error !== undefined)
    return reason(a.error) === reason(b.error)
      ? undefined
      : `error ${a.error ?? 'none'} | ${b.error ?? 'none'}`;
  for (const [key, x] of a.points) {
    const y = b.points.get(key);
    if (y === undefined) return `only the reference has ${key} = ${x}`;
    if (!near(x, y)) return `${key}: ${x} | ${y}`;
  }
  for (const [key, y] of b.points) if (!a.points.has(key)) return `only the other has ${key} = ${y}`;
  return undefined;
}

// Which two of several duplicates an error shows depends on the order in which series come.
function reason(error: string | undefined): string | undefined {
  return error?.replace(/(found duplicate series for the match group ).*?( on the .*?: ).*/, '$1$2');
}

function near(x: number, y: number): boolean {
  if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) return true;
  return Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y)) || Math.abs(x - y) < 1e-300;
}

// The smallest part of a query that differs too.
async function shrink(node: QueryNode, grid: Grid): Promise<{ text: string; grid: Grid; found: string }> {
  const instant = { start: grid.end, end: grid.end, step: 0 };
  for (const child of node.children) {
    const found = await difference(child.text, grid).catch(() => undefined);
    if (found !== undefined) return shrink(child, grid);
  }
  const atEnd = grid.step === 0 ? undefined : await difference(node.text, instant).catch(() => undefined);
  if (atEnd !== undefined) return { text: node.text, grid: instant, found: atEnd };
  return { text: node.text, grid, found: (await difference(node.text, grid)) ?? 'nothing any more' };
}

async function workload(): Promise<Workload> {
  const list = async (path: string): Promise<string[]> =>
    ((await (await fetch(`${ref}/api/v1/${path}`)).json()) as { data: string[] }).data;
  const at = Number(options.at ?? Date.now() / 1000);
  return {
    metrics: await list('label/__name__/values'),
    jobs: await list('label/job/values'),
    instances: (await list('label/instance/values')).slice(0, 400),
    at,
  };
}

async function main(): Promise<number> {
  const random = makeRandom(Number(options.seed));
  const data = await workload();
  const make = queryMaker(random, data);
  const count = Number(options.count);
  let differing = 0;
  let failing = 0;
  let empty = 0;
  for (let i = 0; i < count; i++) {
    const node = make();
    const end = data.at - random.below(3600);
    const step = random.below(3) === 0 ? 0 : random.pick([15, 30, 47, 60, 300]);
    const grid =
      step === 0 ? { start: end, end, step } : { start: end - step * (1 + random.below(60)), end, step };
    const found = await difference(node.text, grid);
    const { error, points } = await ask(test, node.text, grid);
    if (error !== undefined) failing++;
    else if (points.size === 0) empty++;
    if (found === undefined) continue;
    differing++;
    const small = await shrink(node, grid);
    console.log(`#${i} ${node.text}\n   ${JSON.stringify(grid)} ${found}`);
    if (small.text !== node.text)
      console.log(`   part: ${small.text} ${JSON.stringify(small.grid)} ${small.found}`);
  }
  console.log(`${count} queries: ${differing} differ, ${failing} fail alike, ${empty} are empty`);
  return differing === 0 ? 0 : 1;
}

process.exitCode = await main();
