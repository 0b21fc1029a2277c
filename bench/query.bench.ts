// The query engine over XOR chunks in memory: `node bench/query.bench.ts`, about 5 s. 10,000 series of one hour at 15 s.
// Prints best, median and least processor time of several runs, local and through the fragments of 1 and 8 partitions.

import type { Chunk } from '../src/codec/chunk.ts';
import { decodeXor, encodeXor } from '../src/codec/xor-chunk.ts';
import { type Labels, labelsOf } from '../src/model/labels.ts';
import { sampleColumns } from '../src/model/samples.ts';
import { QueryBudget } from '../src/query/budget.ts';
import { createEngine, type Engine, runFragment } from '../src/query/engine.ts';
import { decodeReply, encodeReply } from '../src/query/exec/step-batch-codec.ts';
import type { FragmentRunner, SeriesSource } from '../src/query/source.ts';

const SERIES = 10_000;
const SAMPLES = 260;
const STEP = 15_000;
const END = SAMPLES * STEP;
const LIMITS = { samplesMax: 50_000_000, seriesMax: 1_000_000, memoryBytesMax: 2e9 };

interface ChunkSeries {
  readonly labels: Labels;
  readonly chunks: readonly Chunk[];
}

/** Counters with jittered scrape times, a few of them reset. */
function makeSeries(): ChunkSeries[] {
  const columns = sampleColumns(SAMPLES);
  return Array.from({ length: SERIES }, (_, s) => {
    let value = s * 17;
    for (let i = 0; i < SAMPLES; i++) {
      value = s % 100 === 0 && i === 130 ? 0 : value + ((s * 31 + i * 7) % 23);
      columns.timestamps[i] = i * STEP + ((s * 13 + i * 5) % 11);
      columns.values[i] = value;
    }
    columns.count = SAMPLES;
    const chunks: Chunk[] = [];
    for (let from = 0; from < SAMPLES; from += 120) {
      const chunk = encodeXor(columns, from, Math.min(120, SAMPLES - from));
      if (chunk !== undefined) chunks.push(chunk);
    }
    const labels = labelsOf({
      __name__: 'http_requests_total',
      job: `job-${s % 8}`,
      instance: `10.0.${s >> 8}.${s & 255}:9100`,
      code: String(200 + (s % 5)),
      pod: `pod-${s % 500}`,
    });
    return { labels, chunks };
  });
}

function sourceOf(all: readonly ChunkSeries[], batchSize = 512): SeriesSource {
  return {
    async *select({ matchers }) {
      const only = matchers.find(({ name }) => name === 'instance')?.value;
      const found = only === undefined ? all : all.filter(({ labels }) => labels.includes(only));
      for (let at = 0; at < found.length; at += batchSize) {
        const batch = found.slice(at, at + batchSize);
        yield {
          labels: batch.map(({ labels }) => labels),
          read(index, start, end, target) {
            target.count = 0;
            for (const chunk of batch[index]!.chunks)
              if (chunk.maxTime >= start && chunk.minTime <= end) decodeXor(chunk.bytes, start, end, target);
          },
        };
      }
    },
  };
}

function partitioned(all: readonly ChunkSeries[], count: number, moved: { bytes: number }): FragmentRunner {
  const parts = Array.from({ length: count }, (_, p) => sourceOf(all.filter((_, i) => i % count === p)));
  return {
    async *run(fragment, budget) {
      for (const source of parts)
        for await (const reply of runFragment(
          fragment,
          source,
          new QueryBudget(budget.limits, budget.signal),
        )) {
          const bytes = encodeReply(reply);
          moved.bytes += bytes.length;
          yield decodeReply(bytes);
        }
    },
  };
}

const base = { lookbackMs: 300_000, defaultStepMs: 60_000, limits: LIMITS };

async function time(name: string, runs: number, run: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  let cpu = Infinity;
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    const before = process.cpuUsage();
    await run();
    times.push(performance.now() - began);
    const used = process.cpuUsage(before);
    cpu = Math.min(cpu, (used.user + used.system) / 1000);
  }
  times.sort((a, b) => a - b);
  const median = times[runs >> 1] as number;
  process.stdout.write(
    `${name.padEnd(58)} best ${times[0]!.toFixed(3)} ms  median ${median.toFixed(3)} ms  cpu ${cpu.toFixed(1)} ms\n`,
  );
}

function hour(engine: Engine, query: string): () => Promise<unknown> {
  return () => engine.range({ query, startMs: 300_000, endMs: END, stepMs: STEP });
}

const all = makeSeries();
const bytes = all.reduce(
  (sum, { chunks }) => sum + chunks.reduce((n, chunk) => n + chunk.bytes.length, 0),
  0,
);
process.stdout.write(
  `${SERIES} series x ${SAMPLES} samples, ${(bytes / SERIES / SAMPLES).toFixed(2)} bytes a sample\n`,
);
const local = createEngine({ ...base, source: sourceOf(all) });
const single = `http_requests_total{instance="10.0.3.7:9100"}`;
await time('local  instant, one series', 300, () => local.instant({ query: 'vector(1)', timeMs: END }));
const one = createEngine({ ...base, source: sourceOf(all.slice(0, 1)) });
await time('local  instant, one series of one', 300, () =>
  one.instant({ query: single.replace('3.7', '0.0'), timeMs: END }),
);
await time(
  'local  rate, one series of one, 240 steps',
  100,
  hour(one, `rate(${single.replace('3.7', '0.0')}[5m])`),
);
await time(
  'local  sum by (job) (rate(x[5m])), 10 k series, 241 steps',
  7,
  hour(local, 'sum by (job) (rate(http_requests_total[5m]))'),
);
await time('local  sum by (job) (x), 10 k series', 5, hour(local, 'sum by (job) (http_requests_total)'));
await time('local  instant sum by (job) (rate(x[5m])), 10 k series', 5, () =>
  local.instant({ query: 'sum by (job) (rate(http_requests_total[5m]))', timeMs: END }),
);
for (const partitions of [1, 8]) {
  const moved = { bytes: 0 };
  const engine = createEngine({ ...base, fragments: partitioned(all, partitions, moved) });
  await time(
    `${partitions} parts  sum by (job) (rate(x[5m]))`,
    5,
    hour(engine, 'sum by (job) (rate(http_requests_total[5m]))'),
  );
  process.stdout.write(
    `         moved ${(moved.bytes / 5 / 1024).toFixed(0)} KiB a query, ${((moved.bytes / 5 / bytes) * 100).toFixed(2)} % of the chunks' bytes\n`,
  );
  await time(
    `${partitions} parts  topk(5, sum by (pod) (rate(x[5m])))`,
    5,
    hour(engine, 'topk(5, sum by (pod) (rate(http_requests_total[5m])))'),
  );
}
