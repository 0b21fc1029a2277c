// Blocks on the local disk: write, open, select, load and decode. `node bench/block.bench.ts [SERIES] [SAMPLES]`.
// The last lines set bytes per sample and the time of a scan against a floor: the bare samples (16 bytes) and JSON label sets.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ChunkSeries } from '../src/codec/chunk.ts';
import { compileMatcher } from '../src/codec/regex.ts';
import { encodeXor } from '../src/codec/xor-chunk.ts';
import { compareLabels, labelsOf } from '../src/model/labels.ts';
import type { MatchOperator } from '../src/model/matcher.ts';
import { sampleColumns } from '../src/model/samples.ts';
import { realDisk } from '../src/platform/disk.ts';
import { seededRandom } from '../src/platform/random.ts';
import { blockUlid } from '../src/storage/block/block-meta.ts';
import { blockCaches } from '../src/storage/block/block-reader.ts';
import { writeBlock } from '../src/storage/block/block-writer.ts';
import { openDiskBlock } from '../src/storage/block/open-block.ts';
import { timeSlices } from '../src/storage/index/pause.ts';

const SERIES = Number(process.argv[2] ?? 50_000);
const SAMPLES = Number(process.argv[3] ?? 240);
const START = 1_760_000_400_000;
const MB = 1 << 20;

const random = seededRandom(7);
const columns = sampleColumns(SAMPLES);
function* series(): Generator<ChunkSeries> {
  for (const labels of labelSets) {
    let value = random.integer(1_000_000);
    for (let i = 0; i < SAMPLES; i++) {
      columns.timestamps[i] = START + 15_000 * i + random.integer(4);
      columns.values[i] = value += random.integer(50);
    }
    columns.count = SAMPLES;
    const chunks = [];
    for (let from = 0; from < SAMPLES; from += 120)
      chunks.push(encodeXor(columns, from, Math.min(120, SAMPLES - from))!);
    yield { labels, chunks };
  }
}

const labelSets = Array.from({ length: SERIES }, (_, s) =>
  labelsOf({
    __name__: `node_metric_${s % 500}_total`,
    cluster: 'eu-west-1',
    instance: `10.0.${Math.floor(s / 500) % 256}.${s % 7}:9100`,
    job: `node-${s % 13}`,
    namespace: `team-${s % 37}`,
    pod: `pod-${Math.floor(s / 500)}-${(s * 2654435761) >>> 20}`,
    container: 'main',
    id: String(s),
  }),
).sort(compareLabels);

const root = mkdtempSync(path.join(tmpdir(), 'skein-bench-'));
const disk = realDisk(root);
const line = (name: string, value: string): void => console.log(`${name.padEnd(58)} ${value.padStart(16)}`);
const timed = async <T>(run: () => Promise<T>): Promise<[T, number]> => {
  const began = performance.now();
  return [await run(), performance.now() - began];
};
const matcher = (name: string, op: MatchOperator, value: string) => compileMatcher({ name, op, value });

try {
  let all = [...series()];
  const ulid = blockUlid({
    tenant: 't',
    partition: 0,
    minTime: START,
    maxTime: START + 7_200_000,
    level: 1,
    salt: '',
  });
  const yieldNow = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const pause = timeSlices(() => performance.now(), yieldNow);
  const stalls = monitorEventLoopDelay({ resolution: 1 });
  stalls.enable();
  const [meta, writeMs] = await timed(() =>
    writeBlock(disk, ulid, all, { ulid, minTime: START, maxTime: START + 7_200_000, labels: {}, pause }),
  );
  stalls.disable();
  all = [];
  const files = meta!.thanos!.files;
  const bytes = files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0);
  const indexBytes = files.find((file) => file.relPath === 'index')!.sizeBytes!;
  line(
    `write ${SERIES} series x ${SAMPLES}`,
    `${((SERIES * SAMPLES) / writeMs / 1000).toFixed(1)} M samples/s`,
  );
  line(
    '  time, and longest stall of the event loop',
    `${writeMs.toFixed(0)} / ${(stalls.max / 1e6).toFixed(0)} ms`,
  );
  line(
    '  bytes a sample (index in it)',
    `${(bytes / SERIES / SAMPLES).toFixed(2)} (${(indexBytes / SERIES / SAMPLES).toFixed(2)})`,
  );

  const caches = blockCaches({
    pageBytesMax: 256 * MB,
    postingsBytesMax: 64 * MB,
    tableBytesMax: 256 * MB,
    headerBytesMax: 64 * MB,
  });
  const shared = { caches, pause };
  const [block, openMs] = await timed(() => openDiskBlock(disk, ulid, shared));
  const [, headerMs] = await timed(() => block.labelNames());
  line('open, and load the index header', `${openMs.toFixed(1)} / ${headerMs.toFixed(1)} ms`);

  const target = sampleColumns(SAMPLES);
  const instant = async (id: string): Promise<number> => {
    const selection = await block.select(
      [matcher('__name__', '=', `node_metric_${Number(id) % 500}_total`), matcher('id', '=', id)],
      START,
      START + 60_000,
    );
    const loaded = await selection.load(0, selection.table.labels.length);
    target.count = 0;
    loaded.append(0, START, START + 60_000, target);
    return target.count;
  };
  await instant('1');
  const [, coldMs] = await timed(() => instant('4242'));
  for (let i = 0; i < 200; i++) await instant(String(i % 20));
  const [, warmMs] = await timed(async () => {
    for (let i = 0; i < 200; i++) await instant(String(i % 20));
  });
  line('one series, instant: first time / warm', `${coldMs.toFixed(2)} / ${(warmMs / 200).toFixed(3)} ms`);

  const scan = [matcher('job', '=~', 'node-[0-2]'), matcher('cluster', '=', 'eu-west-1')];
  const [selection, selectMs] = await timed(() => block.select(scan, START, START + 7_200_000));
  const [, againMs] = await timed(() => block.select(scan, START, START + 7_200_000));
  const count = selection.table.labels.length;
  line(`select ${count} series: first / cached`, `${selectMs.toFixed(1)} / ${againMs.toFixed(2)} ms`);
  const [, similarMs] = await timed(() =>
    block.select([matcher('job', '=~', 'node-[0-2]')], START, START + 7_200_000),
  );
  line('  another selector over the same entries', `${similarMs.toFixed(1)} ms`);
  const [loaded, loadMs] = await timed(() => selection.load(0, count));
  const [, decodeMs] = await timed(async () => {
    for (let i = 0; i < count; i++) {
      target.count = 0;
      loaded.append(i, START, START + 7_200_000, target);
    }
  });
  line('  load their chunks / decode', `${loadMs.toFixed(1)} / ${decodeMs.toFixed(1)} ms`);
  line('  decoding', `${((count * SAMPLES) / decodeMs / 1000).toFixed(1)} M samples/s`);
  const [, valuesMs] = await timed(() => block.labelValues('pod'));
  const [, filteredMs] = await timed(() => block.labelValues('namespace', [matcher('job', '=', 'node-5')]));
  line(
    'label values: all pods / namespaces of a job',
    `${valuesMs.toFixed(1)} / ${filteredMs.toFixed(1)} ms`,
  );
  const [, allMs] = await timed(() => block.select([matcher('id', '=~', '.+')], START, START + 7_200_000));
  line(`select all ${SERIES} by a label with as many values`, `${allMs.toFixed(0)} ms`);

  const [, twinMs] = await timed(async () => {
    for (const text of labelSets.slice(0, count).map((labels) => JSON.stringify(labels))) JSON.parse(text);
  });
  line('ratio: bytes against 16 a sample', `${(bytes / SERIES / SAMPLES / 16).toFixed(3)}`);
  line('ratio: select against JSON of the same label sets', `${(selectMs / twinMs).toFixed(2)}`);
  await block.close();
} finally {
  rmSync(root, { recursive: true, force: true });
}
