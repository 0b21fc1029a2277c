// Merging two blocks on the local disk. `node bench/compact.bench.ts [SERIES] [SAMPLES] [consecutive|replicas|penalty] [FOLDER]`.
// Consecutive blocks are of 2 h each; replicas are of the same 2 h, seven seconds apart, merged one to one or by penalty. The merge runs
// in a process of its own, whose peak memory is told. The last line sets its time against that of copying the same bytes. With
// a FOLDER the blocks are made there, or taken as they are, and stay.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Chunk, ChunkSeries } from '../src/codec/chunk.ts';
import { createHasher } from '../src/codec/hash.ts';
import { encodeXor } from '../src/codec/xor-chunk.ts';
import { compareLabels, type Labels, labelsOf } from '../src/model/labels.ts';
import { sampleColumns } from '../src/model/samples.ts';
import { realDisk } from '../src/platform/disk.ts';
import { seededRandom } from '../src/platform/random.ts';
import { blockUlid } from '../src/storage/block/block-meta.ts';
import { writeBlock } from '../src/storage/block/block-writer.ts';
import { openDiskSources } from '../src/storage/block/open-block.ts';
import { compactBlocks } from '../src/storage/compact/compact-blocks.ts';
import { timeSlices } from '../src/storage/index/pause.ts';

const [seriesText = '100000', samplesText = '480', mode = 'consecutive', givenFolder = '', child = ''] =
  process.argv.slice(2);
const SERIES = Number(seriesText);
const SAMPLES = Number(samplesText);
const RANGE_MS = 7_200_000;
const START = 244_444 * RANGE_MS;
/** Different series of samples; more would take long to make and not change the merge. */
const SHAPES = 997;
const SAMPLES_PER_CHUNK = 120;
const MB = 1 << 20;

const ulidOf = (salt: string): string =>
  blockUlid({ tenant: 'bench', partition: 0, minTime: START, maxTime: START + RANGE_MS, level: 1, salt });
const SOURCES = [ulidOf('first'), ulidOf('second')];
const yieldNow = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = timeSlices(() => performance.now(), yieldNow);
const line = (name: string, value: string): void => console.log(`${name.padEnd(58)} ${value.padStart(16)}`);

/** Label sets of some metrics on many pods, in order. */
function labelSets(): Labels[] {
  return Array.from({ length: SERIES }, (_, s) =>
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
}

/** Chunks of a counter from `start` on. */
function chunksOf(seed: number, start: number): Chunk[] {
  const random = seededRandom(seed);
  const columns = sampleColumns(SAMPLES);
  const stepMs = RANGE_MS / SAMPLES;
  let value = random.integer(1_000_000);
  for (let i = 0; i < SAMPLES; i++) {
    columns.timestamps[i] = start + Math.floor(stepMs * i) + random.integer(4);
    columns.values[i] = value += random.integer(50);
  }
  columns.count = SAMPLES;
  const chunks: Chunk[] = [];
  for (let from = 0; from < SAMPLES; from += SAMPLES_PER_CHUNK)
    chunks.push(encodeXor(columns, from, Math.min(SAMPLES_PER_CHUNK, SAMPLES - from))!);
  return chunks;
}

async function makeBlocks(folder: string): Promise<void> {
  const disk = realDisk(folder);
  const sets = labelSets();
  for (const [i, ulid] of SOURCES.entries()) {
    const start = START + (mode === 'consecutive' ? i * RANGE_MS : 7000 * i);
    const shapes = Array.from({ length: SHAPES }, (_, shape) => chunksOf(shape + 1, start));
    const series = function* (): Generator<ChunkSeries> {
      for (const [s, labels] of sets.entries()) yield { labels, chunks: shapes[s % SHAPES]! };
    };
    const minTime = mode === 'consecutive' ? start : START;
    const maxTime = minTime + RANGE_MS + (mode === 'consecutive' ? 0 : 7000 * i);
    await writeBlock(disk, ulid, series(), { ulid, minTime, maxTime, labels: { cluster: 'bench' }, pause });
  }
}

async function merge(folder: string): Promise<void> {
  const disk = realDisk(folder);
  const sources = await Promise.all(SOURCES.map((ulid) => openDiskSources(disk, ulid)));
  const read = sources.reduce((sum, { meta }) => sum + meta.stats.numSamples, 0);
  const began = performance.now();
  const cpuBefore = process.cpuUsage();
  const [meta] = await compactBlocks(sources, {
    disk,
    folder: 'merged',
    targets: [{ ulid: ulidOf('merged'), labels: { cluster: 'bench' } }],
    deduplication: mode === 'penalty' ? 'penalty' : 'one-to-one',
    hasher: await createHasher(),
    pause,
  });
  const ms = performance.now() - began;
  const cpu = process.cpuUsage(cpuBefore);
  const cpuMs = (cpu.user + cpu.system) / 1000;
  for (const source of sources) await source.close();
  line(`merge 2 blocks of ${SERIES} series x ${SAMPLES}, ${mode}`, `${(ms / 1000).toFixed(1)} s`);
  line(
    '  samples read a second / and core',
    `${(read / ms / 1000).toFixed(1)} / ${(read / cpuMs / 1000).toFixed(1)} M`,
  );
  line('  peak memory', `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
  line('  samples and series of the result', `${meta!.stats.numSamples} ${meta!.stats.numSeries}`);
  const copyMs = await copyFiles(folder);
  line('ratio: against copying the bytes of both blocks', (ms / copyMs).toFixed(2));
}

async function copyFiles(folder: string): Promise<number> {
  const disk = realDisk(folder);
  const began = performance.now();
  const target = await disk.open('merged/copy', 'create');
  let at = 0;
  for (const ulid of SOURCES) {
    const sources = await openDiskSources(disk, ulid);
    for (const source of [sources.index, ...sources.segments])
      for (let from = 0; from < source.size; from += MB) {
        const bytes = await source.read(from, Math.min(MB, source.size - from));
        await target.write(bytes, at);
        at += bytes.length;
      }
    await sources.close();
  }
  await target.sync();
  await target.close();
  await disk.remove('merged/copy');
  return performance.now() - began;
}

if (child === 'merge') await merge(givenFolder);
else {
  const folder = givenFolder === '' ? mkdtempSync(path.join(tmpdir(), 'skein-bench-')) : givenFolder;
  try {
    if ((await realDisk(folder).list(SOURCES[1]!)).length === 0) await makeBlocks(folder);
    const args = [import.meta.filename, seriesText, samplesText, mode, folder, 'merge'];
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    process.exitCode = status ?? 1;
    await realDisk(folder).remove('merged');
  } finally {
    if (givenFolder === '') rmSync(folder, { recursive: true, force: true });
  }
}
