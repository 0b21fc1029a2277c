// Light queries beside heavy ones: `node bench/heavy-queries.bench.ts [SERIES] [HEAVY] [FLAG...]`, under a minute. Starts an embedded Skein
// with a query budget of 512 MiB, writes an hour of samples, asks light queries one after the other, first alone, then while HEAVY queries
// (50) that were sent at once are under way. Prints what became of the heavy ones, the light ones' latencies and the server's memory.

import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { encodeSnappy } from '../src/codec/snappy.ts';
import { type SkeinServer, startSkein } from '../test/helpers/skein-server.ts';
import { benchBodies } from './remote-write-bodies.ts';

const STEP = 15;
const ROUNDS = 240;
const START = 1_760_000_000;
const END = START + (ROUNDS - 1) * STEP + 15;
const BUDGET_MIB = 512;
const IDLE_MS = 4000;
const BESIDE_MS_MAX = 45_000;
const MIB = 1024 * 1024;

const ALL = '{__name__=~"node_.+|http_.+"}';
const CPU = 'node_cpu_seconds_total';
const ONE_HOST = 'pod="application-main-7d9f8b6c5-xxxx1"';

/** A query and its step, s; 0: at the end of the data. */
type Ask = readonly [query: string, step: number];

const LIGHT: readonly Ask[] = [
  [`${CPU}{${ONE_HOST},handler="/api/v1/resource/251"}`, 0],
  [`sum by (code) (rate(${CPU}{${ONE_HOST}}[5m]))`, 0],
  [`${CPU}{${ONE_HOST},handler="/api/v1/resource/7"}`, 15],
  [`sum by (code) (rate(${CPU}{${ONE_HOST}}[5m]))`, 60],
];

const HEAVY: readonly Ask[] = [
  [`sum by (pod, handler) (rate(${ALL}[5m]))`, 15],
  [`${ALL} * 2`, 5],
  [`quantile by (pod) (0.9, rate(${ALL}[10m]))`, 15],
  [`topk(500, ${CPU} + on (pod, handler, le) group_left ${CPU})`, 15],
  [CPU, 15],
  [`max_over_time(rate(${CPU}[5m])[30m:15s])`, 30],
  [`label_replace(${ALL}, "x", "$1", "pod", ".*-(.*)")`, 10],
  [`${ALL}[1h]`, 0],
  [`histogram_quantile(0.9, sum by (le, handler) (rate(${ALL}[5m])))`, 15],
  [`count by (instance) (${ALL} unless on (pod) ${CPU}{code="200"})`, 5],
];

/** What became of a query: `answered`, or what its error names. */
interface Outcome {
  readonly end: string;
  readonly ms: number;
  readonly bytes: number;
}

function urlOf(base: string, [query, step]: Ask): string {
  const params = new URLSearchParams({ query });
  if (step === 0) params.set('time', String(END));
  else
    for (const [name, value] of [
      ['start', START + 300],
      ['end', END],
      ['step', step],
    ] as const)
      params.set(name, String(value));
  return `${base}/api/v1/query${step === 0 ? '' : '_range'}?${params}`;
}

async function ask(url: string): Promise<Outcome> {
  const began = performance.now();
  const response = await fetch(url);
  let bytes = 0;
  let text = '';
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (!response.ok) text += Buffer.from(part).toString();
  }
  const ms = performance.now() - began;
  if (response.ok) return { end: 'answered', ms, bytes };
  const message = String(JSON.parse(text).error);
  const limit = /limit (query\.\w+)/.exec(message)?.[1];
  const named = limit ?? (message.includes('too many samples') ? 'query.samples_max' : message);
  return { end: `refused (${response.status}): ${named}`, ms, bytes };
}

async function runHeavy({ url, count }: { url: string; count: number }): Promise<void> {
  const outcomes = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      ask(urlOf(url, HEAVY[i % HEAVY.length]!)).catch((error: unknown) => ({
        end: `failed: ${String(error)}`,
        ms: 0,
        bytes: 0,
      })),
    ),
  );
  parentPort?.postMessage(outcomes);
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

function together(all: readonly Latencies[]): Latencies {
  return { passed: all.flatMap(({ passed }) => passed), computed: all.flatMap(({ computed }) => computed) };
}

function compare(alone: Latencies, beside: Latencies): void {
  const kinds = [
    ['passed', ''],
    ['computed', ', without waiting for a processor'],
  ] as const;
  for (const [kind, what] of kinds) {
    const [a, b] = [alone[kind], beside[kind]].map((ms) => ms.toSorted((x, y) => x - y)) as [
      number[],
      number[],
    ];
    const text = (ms: readonly number[]): string =>
      `${[0.5, 0.95, 0.99, 1].map((q) => quantile(ms, q).toFixed(1)).join(' / ')} (${ms.length})`;
    const ratio = quantile(b, 0.95) / quantile(a, 0.95);
    console.log(
      `  ms at p50 / p95 / p99 / most${what}: alone ${text(a)}, beside ${text(b)}; p95 x ${ratio.toFixed(1)}`,
    );
  }
}

async function write(url: string, series: number): Promise<number> {
  const began = performance.now();
  const headers = { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' };
  for (const body of benchBodies(series, 500, 0, ROUNDS)) {
    const request = { method: 'POST', headers, body: encodeSnappy(body) };
    const response = await fetch(`${url}/api/v1/write`, request);
    if (!response.ok) throw new Error(`cannot write: ${response.status} ${await response.text()}`);
  }
  return (performance.now() - began) / 1000;
}

/** Latencies of light queries, ms: as they were, and without the time in which server and client stood in line for a processor. */
interface Latencies {
  readonly passed: number[];
  readonly computed: number[];
}

async function lightWhile(server: SkeinServer, goesOn: () => boolean): Promise<readonly Latencies[]> {
  const times = LIGHT.map((): Latencies => ({ passed: [], computed: [] }));
  const refused = new Map<string, number>();
  for (let i = 0; goesOn(); i++) {
    const kind = i % LIGHT.length;
    const waited = waitedMs(server.pid?.()) + waitedMs(process.pid);
    const { end, ms } = await ask(urlOf(server.url, LIGHT[kind]!));
    const inLine = waitedMs(server.pid?.()) + waitedMs(process.pid) - waited;
    if (end === 'answered') {
      times[kind]!.passed.push(ms);
      times[kind]!.computed.push(Math.max(0, ms - inLine));
    } else refused.set(end, (refused.get(end) ?? 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  for (const [end, count] of refused) console.log(`${count} light queries were ${end}`);
  return times;
}

async function main(): Promise<void> {
  const [series = '20000', heavy = '50', ...flags] = process.argv.slice(2);
  const server = await startSkein(['--query.process_memory_bytes_max', `${BUDGET_MIB}MiB`, ...flags]);
  try {
    const seconds = await write(server.url, Number(series));
    console.log(`${series} series, ${ROUNDS} samples each, written in ${seconds.toFixed(1)} s`);
    let until = performance.now() + IDLE_MS / 2;
    await lightWhile(server, () => performance.now() < until);
    until = performance.now() + IDLE_MS;
    const idle = await lightWhile(server, () => performance.now() < until);
    const before = server.memory().now;
    let peak = 0;
    const watch = setInterval(() => {
      peak = Math.max(peak, server.memory().now);
    }, 20);
    const data = { url: server.url, count: Number(heavy) };
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    let outcomes: readonly Outcome[] | undefined;
    worker.on('message', (message: readonly Outcome[]) => {
      outcomes = message;
    });
    const began = performance.now();
    const waitedBefore = waitedMs(server.pid?.());
    until = began + BESIDE_MS_MAX;
    const beside = await lightWhile(
      server,
      () => outcomes === undefined && performance.now() < until,
    ).finally(() => clearInterval(watch));
    const tookMs = performance.now() - began;
    report({ idle, beside, outcomes, tookMs });
    const waited = waitedMs(server.pid?.()) - waitedBefore;
    console.log(
      `the server stood in line for a processor ${((100 * waited) / tookMs).toFixed(0)} % of the time`,
    );
    const text = await (await fetch(`${server.url}/metrics`)).text();
    for (const line of text.split('\n'))
      if (/^skein_query_(memory|light)/.test(line)) console.log(`  ${line}`);
    console.log(
      `resident memory: ${(before / MIB).toFixed(0)} MiB before, ${(peak / MIB).toFixed(0)} MiB at most (${((peak - before) / MIB).toFixed(0)} MiB more, budget ${BUDGET_MIB} MiB)`,
    );
    await worker.terminate();
  } catch (error) {
    console.log(server.output().slice(-4000));
    throw error;
  } finally {
    await server.dispose();
  }
}

// How long the main thread of a process could have run and did not: what other work on the machine costs it.
function waitedMs(pid: number | undefined): number {
  const text = readFileSync(`/proc/${pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[1]) / 1e6;
}

interface Measured {
  readonly idle: readonly Latencies[];
  readonly beside: readonly Latencies[];
  readonly outcomes: readonly Outcome[] | undefined;
  readonly tookMs: number;
}

function report({ idle, beside, outcomes, tookMs }: Measured): void {
  for (const [kind, ask] of LIGHT.entries()) {
    console.log(`${ask[0]} ${ask[1] === 0 ? '' : `every ${ask[1]} s`}`);
    compare(idle[kind]!, beside[kind]!);
  }
  console.log('all light queries');
  compare(together(idle), together(beside));
  if (outcomes === undefined) {
    console.log(`heavy queries did not end within ${BESIDE_MS_MAX / 1000} s`);
    return;
  }
  const ends = new Map<string, number>();
  for (const { end } of outcomes) ends.set(end, (ends.get(end) ?? 0) + 1);
  console.log(`heavy queries, all within ${(tookMs / 1000).toFixed(1)} s:`);
  for (const [end, count] of ends) console.log(`  ${String(count).padStart(3)} ${end}`);
  const bytes = outcomes.reduce((sum, outcome) => sum + outcome.bytes, 0);
  console.log(`  ${(bytes / MIB).toFixed(0)} MiB of answers`);
}

if (isMainThread) await main();
else await runHeavy(workerData as { url: string; count: number });
