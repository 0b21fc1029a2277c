// Speed and memory of a head: new series, appends in scrape order, selection, reading, cut, truncation, snapshot.
// Run: node bench/head.bench.ts [series]   (below 10 s with 100,000)

import { CHUNK_XOR } from '../src/codec/chunk.ts';
import { compileMatcher } from '../src/codec/regex.ts';
import type { Matcher } from '../src/model/matcher.ts';
import { sampleColumns } from '../src/model/samples.ts';
import { appendOutcome } from '../src/storage/head/append-outcome.ts';
import { type Head, type HeadOptions, openHead } from '../src/storage/head/head.ts';
import { readSnapshot, writeSnapshot } from '../src/storage/head/snapshot.ts';

const seriesCount = Number(process.argv[2] ?? 100_000);
const STEPS = 50;
const BATCH = 1000;
const INTERVAL_MS = 30_000;
const START = Math.floor(1.7e12 / 7.2e6) * 7.2e6;
const options: HeadOptions = { outOfOrderWindowMs: 3_600_000, seriesMax: 10_000_000 };

/** CPU of this thread next to wall time: other processes of a busy machine lengthen the second only. */
function measure(work: () => void): { wallMs: number; cpuMs: number } {
  const cpu = process.threadCpuUsage();
  const wall = performance.now();
  work();
  const spent = process.threadCpuUsage(cpu);
  return { wallMs: performance.now() - wall, cpuMs: (spent.user + spent.system) / 1000 };
}

function say(what: string, figure: number, unit: string, ofCpu?: number): void {
  const cpu = ofCpu === undefined ? '' : `   (by CPU time ${ofCpu.toFixed(2)})`;
  console.log(`${what.padEnd(46)} ${figure.toFixed(2).padStart(10)} ${unit}${cpu}`);
}

function labelsOf(i: number): string[] {
  return [
    '__name__',
    `metric_${i % 1000}_total`,
    'cluster',
    `c${i % 7}`,
    'container',
    'app',
    'env',
    'prod',
    'handler',
    `/api/v1/h${i % 50}`,
    'host',
    `host-${i % 100}`,
    'instance',
    `10.0.0.${i % 100}:9100`,
    'job',
    `node-${i % 10}`,
    'le',
    `${Math.floor(i / 1000) % 100}`,
    'namespace',
    `ns${i % 50}`,
    'pod',
    `pod-${i % 5000}`,
    'region',
    `r${i % 4}`,
  ];
}

/** Step `step` of all series: a third counters, a third gauges of two decimals, a third constant. */
function fill(step: number, timestamps: Float64Array, values: Float64Array): void {
  for (let i = 0; i < seriesCount; i++) {
    timestamps[i] = START + step * INTERVAL_MS + (i % INTERVAL_MS);
    if (i % 3 === 0) values[i] = step * (i % 97);
    else if (i % 3 === 1) values[i] = Math.round(Math.sin(step + i) * 1000) / 100;
    else values[i] = 1;
  }
}

function scrape(head: Head, refs: Uint32Array, steps: number, from = 0): { wallMs: number; cpuMs: number } {
  const timestamps = new Float64Array(seriesCount);
  const values = new Float64Array(seriesCount);
  const bits = new Uint32Array(values.buffer);
  const outcome = appendOutcome();
  const sum = { wallMs: 0, cpuMs: 0 };
  for (let step = from; step < from + steps; step++) {
    fill(step, timestamps, values);
    const spent = measure(() => {
      for (let at = 0; at < seriesCount; at += BATCH) {
        const end = Math.min(seriesCount, at + BATCH);
        const part = [
          refs.subarray(at, end),
          timestamps.subarray(at, end),
          bits.subarray(2 * at, 2 * end),
        ] as const;
        head.append(...part, end - at, outcome);
      }
    });
    sum.wallMs += spent.wallMs;
    sum.cpuMs += spent.cpuMs;
  }
  if (outcome.appended !== steps * seriesCount)
    throw new Error(`only ${outcome.appended} samples were appended`);
  return sum;
}

function selection(head: Head, what: string, matchers: readonly Matcher[]): void {
  const compiled = matchers.map(compileMatcher);
  let found = 0;
  const once = (): void => {
    found = head.select(compiled, START, START + 7.2e6).length;
  };
  for (let i = 0; i < 100; i++) once();
  const { wallMs } = measure(() => {
    for (let i = 0; i < 300; i++) once();
  });
  say(`select ${what}: ${found} series`, (wallMs * 1000) / 300, 'us');
}

function main(): void {
  const head = openHead(options);
  const refs = new Uint32Array(seriesCount);
  const allLabels = Array.from({ length: seriesCount }, (_, i) => labelsOf(i));
  const creation = measure(() => {
    for (let i = 0; i < seriesCount; i++) refs[i] = head.seriesFor(allLabels[i]!);
  });
  const perSeries = 1000 / seriesCount;
  say('new series of 12 labels', creation.wallMs * perSeries, 'us', creation.cpuMs * perSeries);
  const stateBytes = head.memoryBytes() / seriesCount;
  const append = scrape(head, refs, STEPS);
  const samples = seriesCount * STEPS;
  say('append in scrape order', samples / append.wallMs / 1000, 'M samples/s', samples / append.cpuMs / 1000);
  say('memory of a series without samples', stateBytes, 'B');
  say(`memory of a series with ${STEPS} samples`, head.memoryBytes() / seriesCount, 'B');
  selection(head, '{__name__="x", instance="y"}', [
    { name: '__name__', op: '=', value: 'metric_7_total' },
    { name: 'instance', op: '=', value: '10.0.0.7:9100' },
  ]);
  selection(head, '{job="node-7", le!="3"}', [
    { name: 'job', op: '=', value: 'node-7' },
    { name: 'le', op: '!=', value: '3' },
  ]);
  selection(head, '{pod=~"pod-1.*7"}', [{ name: 'pod', op: '=~', value: 'pod-1.*7' }]);
  const names = measure(() => head.labelValues('pod', [], 0, 0, 0));
  say('label values of pod, first time', names.wallMs * 1000, 'us');
  const target = sampleColumns(256);
  const read = measure(() => {
    for (const ref of refs) head.read(ref, START, START + 7.2e6, target);
  });
  say('read all samples', samples / read.wallMs / 1000, 'M samples/s', samples / read.cpuMs / 1000);
  finish(head, refs);
}

function finish(head: Head, refs: Uint32Array): void {
  scrape(head, refs, 250 - STEPS, STEPS);
  say('memory of a series with 250 samples', head.memoryBytes() / seriesCount, 'B');
  let pieces: Uint8Array[] = [];
  const write = measure(() => {
    pieces = [...writeSnapshot(head)];
  });
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  say('snapshot written', write.wallMs, `ms (${(bytes / 1e6).toFixed(0)} MB)`, write.cpuMs);
  const back = measure(() => readSnapshot(options, pieces));
  say('snapshot read', back.wallMs, 'ms', back.cpuMs);
  pieces = [];
  let chunkBytes = 0;
  const cut = measure(() => {
    for (const series of head.cut(START, START + 7.2e6))
      for (const chunk of series.chunks) if (chunk.encoding === CHUNK_XOR) chunkBytes += chunk.bytes.length;
  });
  say('cut of two hours', cut.wallMs, 'ms', cut.cpuMs);
  say('chunk bytes per sample', chunkBytes / (240 * seriesCount), 'B');
  const truncation = measure(() => head.truncate(START + 7.2e6));
  say('truncation', truncation.wallMs, 'ms', truncation.cpuMs);
  say('memory of a series afterwards', head.memoryBytes() / seriesCount, 'B');
}

main();
