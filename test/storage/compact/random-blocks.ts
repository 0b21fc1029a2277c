// Random blocks for tests of merging, and the plain way to merge them: read everything, put it into maps.

import { CHUNK_XOR, type Chunk, type ChunkSeries } from '../../../src/codec/chunk.ts';
import { encodeSamples } from '../../../src/codec/sample-chunks.ts';
import { RESET_HINT } from '../../../src/model/histogram.ts';
import { type HistogramRow, histogramsEqual } from '../../../src/model/histogram-equality.ts';
import { compareLabels, type Labels, labelsKey, labelsOf } from '../../../src/model/labels.ts';
import {
  histogramAt,
  histogramsOf,
  isStaleAt,
  pushHistogram,
  type SampleColumns,
  sampleColumns,
} from '../../../src/model/samples.ts';
import type { Disk } from '../../../src/platform/disk.ts';
import { type BlockMeta, blockUlid } from '../../../src/storage/block/block-meta.ts';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import type { LoadedSeries } from '../../../src/storage/block/chunk-load.ts';
import { openDiskBlock } from '../../../src/storage/block/open-block.ts';
import {
  type DeletedInterval,
  encodeTombstones,
  TOMBSTONES_FILE,
} from '../../../src/storage/block/tombstones.ts';
import { histogramSequence, SeededNumbers } from '../../helpers/histogram-sequences.ts';
import { factsOf, matchers, testCaches } from '../block/fixtures.ts';

/** Blocks of a test stand in ranges of this width. */
export const RANGE_MS = 10_000;
const STEP_MS = 100;
const SAMPLES_MAX = 30;

/** A sample as tests compare it. */
export interface PlainSample {
  readonly time: number;
  readonly low: number;
  readonly high: number;
  readonly histogram: HistogramRow | undefined;
}

/** What a block has of a series. */
export interface ReadSeries {
  readonly labels: Labels;
  readonly samples: readonly PlainSample[];
  readonly chunks: readonly Chunk[];
}

/** How random blocks are made. */
export interface RandomOptions {
  readonly blocks: number;
  /** Whether blocks may have samples at the same time. */
  readonly overlap: boolean;
  readonly deletions: boolean;
}

/** Writes random blocks to folders of `disk`; returns their names. */
export async function randomBlocks(disk: Disk, seed: number, options: RandomOptions): Promise<string[]> {
  const numbers = new SeededNumbers(seed);
  const names: string[] = [];
  for (let block = 0; block < options.blocks; block++) {
    const range = options.overlap ? numbers.pick(2) : block;
    // A block may be there twice, as of two replicas that saw the same.
    const content = options.overlap && block > 0 && numbers.pick(4) === 0 ? seed : seed * 100 + block;
    names.push(await randomBlock(disk, { seed: content, range, block, deletions: options.deletions }));
  }
  return names;
}

interface BlockOptions {
  readonly seed: number;
  readonly range: number;
  readonly block: number;
  readonly deletions: boolean;
}

async function randomBlock(disk: Disk, { seed, range, block, deletions }: BlockOptions): Promise<string> {
  const numbers = new SeededNumbers(seed);
  const start = range * RANGE_MS;
  const ulid = blockUlid({
    tenant: 't',
    partition: 0,
    minTime: start,
    maxTime: start + RANGE_MS,
    level: 1,
    salt: `${seed}-${block}`,
  });
  const series: ChunkSeries[] = [];
  for (let id = 0; id < 8; id++) {
    if (numbers.pick(3) === 0) continue;
    const labels = labelsOf({
      __name__: `m${id % 3}`,
      id: String(id),
      ...(id % 4 === 1 ? { [`of_block_${seed % 7}`]: `ü${id}` } : {}),
    });
    const samples = randomSamples(numbers, id, start);
    series.push({ labels, chunks: chunksOf(numbers, samples) });
  }
  series.sort((a, b) => compareLabels(a.labels, b.labels));
  if (series.every(({ chunks }) => chunks.length === 0))
    series.push({
      labels: labelsOf({ __name__: 'z' }),
      chunks: chunksOf(numbers, randomSamples(numbers, 0, start)),
    });
  await writeBlock(disk, ulid, series, factsOf(ulid, start, start + RANGE_MS));
  if (deletions) await deleteSome(disk, ulid, numbers, start);
  return ulid;
}

// Floats, histograms of a sequence, or both in turn, as the series' number says.
function randomSamples(numbers: SeededNumbers, id: number, start: number): SampleColumns {
  const samples = sampleColumns(SAMPLES_MAX);
  const { histograms } = histogramSequence(id);
  let time = start + STEP_MS * numbers.pick(20);
  let row = 0;
  for (let left = 1 + numbers.pick(SAMPLES_MAX); left > 0 && time < start + RANGE_MS; left--) {
    if (id % 4 === 2 || (id % 4 === 3 && numbers.pick(3) > 0)) {
      histogramsOf(samples).copyRow(histograms, row);
      row = (row + 1 + numbers.pick(2)) % histograms.count;
      pushHistogram(samples, samples.histograms!, time);
    } else pushFloat(samples, time, numbers.pick(5) === 0 ? Number.NaN : numbers.pick(1000) / 8);
    time += STEP_MS * (1 + numbers.pick(4));
  }
  return samples;
}

function pushFloat(samples: SampleColumns, time: number, value: number): void {
  const at = samples.count;
  samples.timestamps[at] = time;
  samples.values[at] = value;
  if (samples.histograms !== undefined) samples.rows[at] = -1;
  samples.count = at + 1;
}

function chunksOf(numbers: SeededNumbers, samples: SampleColumns): Chunk[] {
  const chunks = encodeSamples(samples, 0, samples.count, 1 + numbers.pick(12));
  // Chunks without a sample are allowed, though nobody should write them.
  if (chunks.length > 1 && numbers.pick(4) === 0) {
    const time = chunks[0]!.maxTime + 1;
    chunks.splice(1, 0, { encoding: CHUNK_XOR, bytes: new Uint8Array(2), minTime: time, maxTime: time });
  }
  return chunks;
}

async function deleteSome(disk: Disk, ulid: string, numbers: SeededNumbers, start: number): Promise<void> {
  const block = await openDiskBlock(disk, ulid, { caches: testCaches(), pause: () => undefined });
  const { table } = await block.select(matchers(['__name__', '=~', '.+']), -Infinity, Infinity);
  await block.close();
  const deleted = new Map<number, DeletedInterval[]>();
  for (const ref of table.refs) {
    if (numbers.pick(2) === 0) continue;
    const intervals: DeletedInterval[] = [];
    for (let at = 0; at < 3; at++) {
      const minTime = start + numbers.pick(RANGE_MS);
      intervals.push({ minTime, maxTime: minTime + numbers.pick(numbers.pick(4) === 0 ? RANGE_MS : 2000) });
    }
    deleted.set(ref, intervals);
  }
  await disk.writeFile(`${ulid}/${TOMBSTONES_FILE}`, encodeTombstones(deleted));
}

/** Reads all series of a block that have a sample that is not deleted. */
export async function readBlock(
  disk: Disk,
  name: string,
): Promise<{ meta: BlockMeta; series: ReadSeries[] }> {
  const block = await openDiskBlock(disk, name, { caches: testCaches(), pause: () => undefined });
  const selection = await block.select(matchers(['__name__', '=~', '.+']), -Infinity, Infinity);
  const loaded = await selection.load(0, selection.table.labels.length);
  const series: ReadSeries[] = [];
  for (let i = 0; i < loaded.count; i++) {
    const samples = plainSamples(loaded, i);
    if (samples.length > 0) series.push({ labels: loaded.labels(i), samples, chunks: loaded.chunks(i) });
  }
  await block.close();
  return { meta: block.meta, series };
}

function plainSamples(loaded: LoadedSeries, index: number): PlainSample[] {
  const columns = sampleColumns(16);
  loaded.append(index, -Infinity, Infinity, columns);
  return Array.from({ length: columns.count }, (_, i) => ({
    time: columns.timestamps[i]!,
    low: columns.bits[2 * i]!,
    high: columns.bits[2 * i + 1]!,
    histogram: histogramAt(columns, i),
  }));
}

/** All series of blocks, one sample a time, that of the first block where several have one. In label order. */
export function mergedNaively(blocks: readonly (readonly ReadSeries[])[]): ReadSeries[] {
  const merged = new Map<string, { labels: Labels; samples: Map<number, PlainSample> }>();
  for (const block of blocks)
    for (const { labels, samples } of block) {
      const key = labelsKey(labels);
      const known = merged.get(key) ?? { labels, samples: new Map<number, PlainSample>() };
      merged.set(key, known);
      for (const sample of samples)
        if (!known.samples.has(sample.time)) known.samples.set(sample.time, sample);
    }
  return [...merged.values()]
    .sort((a, b) => compareLabels(a.labels, b.labels))
    .map(({ labels, samples }) => ({
      labels,
      samples: [...samples.values()].sort((a, b) => a.time - b.time),
      chunks: [],
    }));
}

/** What differs between two lists of series, in words; '' for nothing. */
export function differenceOf(found: readonly ReadSeries[], wanted: readonly ReadSeries[]): string {
  if (found.length !== wanted.length) return `${found.length} series, not ${wanted.length}`;
  for (let s = 0; s < found.length; s++) {
    const [a, b] = [found[s]!, wanted[s]!];
    const name = a.labels.join(' ');
    if (labelsKey(a.labels) !== labelsKey(b.labels)) return `series ${name}, not ${b.labels.join(' ')}`;
    const times = (series: ReadSeries): string => series.samples.map((sample) => sample.time).join();
    if (times(a) !== times(b)) return `${name} has samples at ${times(a)}, not ${times(b)}`;
    for (let i = 0; i < a.samples.length; i++)
      if (!isSame(a.samples[i]!, b.samples[i]!)) return `${name} differs at ${a.samples[i]!.time}`;
  }
  return '';
}

function isSame(a: PlainSample, b: PlainSample): boolean {
  if (a.low !== b.low || a.high !== b.high) return false;
  if (a.histogram === undefined || b.histogram === undefined) return a.histogram === b.histogram;
  if (!histogramsEqual(a.histogram, b.histogram)) return false;
  const isGauge = ({ columns, row }: HistogramRow): boolean => columns.hints[row] === RESET_HINT.gauge;
  return (
    isStaleAt(a.histogram.columns.sumBits, a.histogram.row) || isGauge(a.histogram) === isGauge(b.histogram)
  );
}
