// Blocks in both directions with the real promtool and Prometheus.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ChunkSeries } from '../../../src/codec/chunk.ts';
import { histogramJson } from '../../../src/codec/histogram-text.ts';
import { HistogramColumns } from '../../../src/model/histogram.ts';
import { labelsOf, labelsToRecord } from '../../../src/model/labels.ts';
import { isStaleAt, sampleColumns } from '../../../src/model/samples.ts';
import { blockUlid } from '../../../src/storage/block/block-meta.ts';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import { openDiskBlock } from '../../../src/storage/block/open-block.ts';
import { appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import { openHead } from '../../../src/storage/head/head.ts';
import { histogramSequence } from '../../helpers/histogram-sequences.ts';
import { describeWithServers, findBinary } from '../../helpers/servers.ts';
import {
  chunkSeries,
  factsOf,
  matchers,
  type PlainSeries,
  someSeries,
  temporaryDisk,
  testCaches,
} from './fixtures.ts';
import { prometheusOn } from './prometheus-on.ts';

const HOUR_MS = 3_600_000;
/** A fixed two-hour window, long past: 2023-11-14 22:00 UTC. */
const START_MS = 1_699_999_200_000;

function promtool(...args: string[]): string {
  return execFileSync(findBinary('promtool')!, args, { encoding: 'utf8', maxBuffer: 64 << 20 });
}

/** Every sample as `promtool tsdb dump` prints it: labels, value, time. */
function dumpLines(series: readonly PlainSeries[]): string[] {
  return series.flatMap(({ labels, samples }) => {
    const record = labelsToRecord(labels);
    const text = Object.keys(record)
      .sort()
      .map(
        (name) => `${/^[a-z_]+$/.test(name) ? name : JSON.stringify(name)}=${JSON.stringify(record[name])}`,
      )
      .join(', ');
    return samples.map(([time, value]) => `{${text}} ${goNumber(value)} ${time}`);
  });
}

// Go's %v of a float64: exponents with a sign and two digits, from 1e21 on.
function goNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e21))
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return String(value);
}

await describeWithServers(['promtool', 'prometheus'], 'blocks with promtool and Prometheus', () => {
  const temporary = temporaryDisk();
  const { disk, root } = temporary;
  const shared = { caches: testCaches(), pause: () => undefined };
  const ulid = blockUlid({
    tenant: 'default-tenant',
    partition: 3,
    minTime: START_MS,
    maxTime: START_MS + 2 * HOUR_MS,
    level: 1,
    salt: '',
  });
  const ours: PlainSeries[] = [
    ...someSeries(60, 400, START_MS),
    {
      labels: labelsOf({ __name__: 'odd_values', 'utf8.name': 'ü "quoted" \\ back', empty_like: ' ' }),
      samples: [
        [START_MS + 1, 1.5],
        [START_MS + 2, -0.1],
        [START_MS + 1000, Number.POSITIVE_INFINITY],
        [START_MS + 500_000, 1e300],
        [START_MS + 7_199_999, 5e-324],
      ],
    },
  ];

  beforeAll(async () => {
    mkdirSync(path.join(root, 'ours', 'wal'), { recursive: true });
    const facts = factsOf(ulid, START_MS, START_MS + 2 * HOUR_MS);
    await writeBlock(disk, `ours/${ulid}`, chunkSeries(ours), facts);
  });
  afterAll(() => temporary.close());

  it('promtool lists and analyzes a block we wrote', () => {
    const list = promtool('tsdb', 'list', path.join(root, 'ours'));
    expect(list).toMatch(
      new RegExp(`${ulid}\\s+${START_MS}\\s+${START_MS + 2 * HOUR_MS}\\s+2h0m0s\\s+24005\\s`),
    );
    const analysis = promtool('tsdb', 'analyze', path.join(root, 'ours'), ulid);
    expect(analysis).toContain('Total Series: 61');
    expect(analysis).toContain('Label names: 6');
  });

  it('promtool dumps exactly what we wrote', () => {
    const dump = promtool('tsdb', 'dump', path.join(root, 'ours')).trimEnd().split('\n');
    expect(dump.sort()).toEqual(dumpLines(ours).sort());
  });

  it('Prometheus reads exactly the native histograms that a head cut into a block', async () => {
    const head = openHead({ outOfOrderWindowMs: HOUR_MS, seriesMax: 100 });
    const expected: Record<string, [number, unknown][]> = {};
    for (let seed = 0; seed < 60; seed++) {
      const { histograms } = histogramSequence(seed);
      const ref = head.seriesFor(labelsOf({ __name__: 'h', seed: String(seed) }));
      const times = Array.from({ length: histograms.count }, (_, row) => START_MS + 40_000 * (row + 1));
      // Every fifth comes late.
      const order = [...times.keys()].sort((a, b) => Number(a % 5 === 0) - Number(b % 5 === 0));
      for (const row of order) {
        const columns = new HistogramColumns();
        columns.copyRow(histograms, row);
        const batch = { columns, refs: Uint32Array.of(ref), timestamps: Float64Array.of(times[row]!) };
        head.appendHistograms({ ...batch, floor: -Infinity, newest: head.maxTime }, appendOutcome());
      }
      // Staleness markers are not shown.
      expected[seed] = times.flatMap((time, row) =>
        isStaleAt(histograms.sumBits, row)
          ? []
          : [[time / 1000, JSON.parse(histogramJson({ columns: histograms, row }))]],
      );
    }
    const end = START_MS + 2 * HOUR_MS;
    mkdirSync(path.join(root, 'histograms', 'wal'), { recursive: true });
    const facts = factsOf(ulid, START_MS, end);
    const meta = await writeBlock(disk, `histograms/${ulid}`, head.cut(START_MS, end), facts);
    expect(meta?.stats).toMatchObject({ numSeries: 60, numFloatSamples: 0 });
    const server = await prometheusOn(path.join(root, 'histograms'));
    try {
      const query = `http://127.0.0.1:${server.port}/api/v1/query?query=h[2h]&time=${end / 1000}`;
      const answer = (await (await fetch(query)).json()) as {
        data: { result: { metric: { seed: string }; histograms: [number, unknown][] }[] };
      };
      expect(
        Object.fromEntries(answer.data.result.map(({ metric, histograms }) => [metric.seed, histograms])),
      ).toEqual(expected);
    } finally {
      await server.dispose();
    }
  });

  it('Prometheus started on the block answers with the same numbers', async () => {
    const server = await prometheusOn(path.join(root, 'ours'));
    try {
      const ask = async (query: string): Promise<unknown> => {
        const time = (START_MS + HOUR_MS) / 1000;
        const answer = await fetch(
          `http://127.0.0.1:${server.port}/api/v1/query?query=${encodeURIComponent(query)}&time=${time}`,
        );
        return ((await answer.json()) as { data: { result: unknown } }).data.result;
      };
      const last = ours
        .slice(0, 60)
        .map(({ samples }) => samples.findLast(([time]) => time <= START_MS + HOUR_MS)![1]);
      const sum = last.reduce((total, value) => total + value, 0);
      expect(await ask('sum({__name__=~"metric_.+"})')).toEqual([
        { metric: {}, value: [(START_MS + HOUR_MS) / 1000, String(sum)] },
      ]);
      expect(await ask('count(metric_0{job=~"job-[12]",zone=""})')).toEqual([
        {
          metric: {},
          value: [
            (START_MS + HOUR_MS) / 1000,
            String(
              [...Array(60).keys()].filter((s) => s % 3 === 0 && [1, 2].includes(s % 7) && s % 5 !== 0)
                .length,
            ),
          ],
        },
      ]);
    } finally {
      await server.dispose();
    }
  });

  it('reads a block promtool made, and writes it again byte for byte', async () => {
    const theirs = someSeries(40, 300, START_MS);
    const lines = theirs.flatMap(({ labels, samples }) => {
      const { __name__, ...rest } = labelsToRecord(labels);
      const text = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      return samples.map(([time, value]) => `${__name__}{${text.join(',')}} ${value} ${time / 1000}`);
    });
    // OpenMetrics wants the samples of one metric together.
    lines.sort();
    writeFileSync(path.join(root, 'openmetrics.txt'), `${lines.join('\n')}\n# EOF\n`);
    const folder = path.join(root, 'theirs');
    promtool('tsdb', 'create-blocks-from', 'openmetrics', path.join(root, 'openmetrics.txt'), folder);
    const [name] = readdirSync(folder);
    const block = await openDiskBlock(disk, `theirs/${name}`, shared);
    const selection = await block.select(matchers(['__name__', '=~', '.+']), -Infinity, Infinity);
    const loaded = await selection.load(0, selection.table.labels.length);
    const columns = sampleColumns(16);
    const read: PlainSeries[] = [];
    for (let i = 0; i < loaded.count; i++) {
      columns.count = 0;
      loaded.append(i, -Infinity, Infinity, columns);
      read.push({
        labels: loaded.labels(i),
        samples: Array.from({ length: columns.count }, (_, s) => [
          columns.timestamps[s]!,
          columns.values[s]!,
        ]),
      });
    }
    expect(dumpLines(read).sort()).toEqual(dumpLines(theirs).sort());

    const again: ChunkSeries[] = read.map((series, i) => ({
      labels: series.labels,
      chunks: loaded.chunks(i),
    }));
    const facts = { ...factsOf(name!, block.meta.minTime, block.meta.maxTime) };
    await writeBlock(disk, `again/${name}`, again, facts);
    for (const file of ['index', 'chunks/000001', 'tombstones'])
      expect(
        readFileSync(path.join(root, 'again', name!, file)).equals(
          readFileSync(path.join(folder, name!, file)),
        ),
        file,
      ).toBe(true);
    await block.close();
  });
});
