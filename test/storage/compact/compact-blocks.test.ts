// Merging blocks against the plain way: everything read, put into maps.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHUNK_HISTOGRAM, RESET_HEADER } from '../../../src/codec/chunk.ts';
import { createHasher, type Hasher } from '../../../src/codec/hash.ts';
import { encodeLabels } from '../../../src/codec/label-bytes.ts';
import { RESET_HINT } from '../../../src/model/histogram.ts';
import { compareLabels } from '../../../src/model/labels.ts';
import { isStaleAt } from '../../../src/model/samples.ts';
import { type BlockMeta, blockUlid } from '../../../src/storage/block/block-meta.ts';
import { openBucketSources, openDiskSources } from '../../../src/storage/block/open-block.ts';
import { uploadBlock } from '../../../src/storage/block/upload.ts';
import { compactBlocks } from '../../../src/storage/compact/compact-blocks.ts';
import type { CompactOptions, CompactProgress } from '../../../src/storage/compact/compact-options.ts';
import { memoryObjects, temporaryDisk } from '../block/fixtures.ts';
import {
  differenceOf,
  mergedNaively,
  type PlainSample,
  type ReadSeries,
  randomBlocks,
  readBlock,
} from './random-blocks.ts';

const temporary = temporaryDisk();
const { disk } = temporary;
let hasher: Hasher;
let runs = 0;
beforeAll(async () => {
  hasher = await createHasher();
});
afterAll(() => temporary.close());

/** Options of every merge. */
function plain(): Omit<CompactOptions, 'targets'> {
  return { disk, folder: '.', deduplication: 'one-to-one', hasher, pause: () => undefined };
}

/** Merges blocks into one block a target; options come on top. */
async function compact(
  names: readonly string[],
  options: Partial<CompactOptions> & { targetCount?: number } = {},
): Promise<readonly BlockMeta[]> {
  const sources = await Promise.all(names.map((name) => openDiskSources(disk, name)));
  const salt = String(runs++);
  try {
    return await compactBlocks(sources, {
      ...plain(),
      targets: Array.from({ length: options.targetCount ?? 1 }, (_, i) => ({
        ulid: blockUlid({ tenant: 't', partition: i, minTime: 0, maxTime: 1, level: 2, salt }),
        labels: { split: String(i) },
      })),
      ...options,
    });
  } finally {
    for (const source of sources) await source.close();
  }
}

/** The sources in the order in which a merge prefers them. */
async function readSources(names: readonly string[]): Promise<ReadSeries[][]> {
  const blocks = await Promise.all(names.map((name) => readBlock(disk, name)));
  blocks.sort((a, b) => a.meta.minTime - b.meta.minTime || (a.meta.ulid < b.meta.ulid ? -1 : 1));
  return blocks.map((block) => block.series);
}

function count(series: readonly ReadSeries[], of: (sample: PlainSample) => boolean): number {
  return series.reduce((sum, { samples }) => sum + samples.filter(of).length, 0);
}

describe('compact-blocks', () => {
  it('keeps every sample once, whatever overlaps, and drops what is deleted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(10, 100, 1_000_000),
        async (seed, blocks, overlap, deletions, pieceBytes) => {
          const names = await randomBlocks(disk, seed, { blocks, overlap, deletions });
          const wanted = mergedNaively(await readSources(names));
          const metas = await compact(names, { pieceBytes });
          if (wanted.length === 0) {
            expect(metas).toEqual([]);
            return;
          }
          const { meta, series } = await readBlock(disk, metas[0]!.ulid);
          expect(meta).toEqual(metas[0]);
          expect(differenceOf(series, wanted)).toBe('');
          expect(meta.stats).toEqual({
            numSamples: count(wanted, () => true),
            numFloatSamples: count(wanted, (sample) => sample.histogram === undefined),
            numHistogramSamples: count(wanted, (sample) => sample.histogram !== undefined),
            numSeries: wanted.length,
            numChunks: series.reduce((sum, { chunks }) => sum + chunks.length, 0),
            numTombstones: 0,
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says that there was no counter reset only where there was none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.constantFrom('one-to-one', 'penalty'), async (seed, deduplication) => {
        const names = await randomBlocks(disk, seed, { blocks: 3, overlap: true, deletions: true });
        const [meta] = await compact(names, { deduplication: deduplication as 'penalty' });
        if (meta === undefined) return;
        for (const { samples, chunks } of (await readBlock(disk, meta.ulid)).series) {
          const starts = new Map(chunks.map((chunk) => [chunk.minTime, chunk]));
          let before: PlainSample | undefined;
          for (const sample of samples) {
            const now = sample.histogram;
            if (now === undefined || isStaleAt(now.columns.sumBits, now.row)) {
              before = undefined;
              continue;
            }
            const chunk = starts.get(sample.time);
            // Of float histograms Prometheus's encoder says so even where the schema changed; nobody relies on it.
            const header = chunk?.encoding === CHUNK_HISTOGRAM ? chunk.bytes[2]! & 0xc0 : undefined;
            const saysNoReset =
              now.columns.hints[now.row] === RESET_HINT.noReset || header === RESET_HEADER.noReset;
            const last = before?.histogram;
            // Nor behind a gauge.
            const isKnown = last !== undefined && last.columns.hints[last.row] !== RESET_HINT.gauge;
            if (saysNoReset && isKnown)
              expect(now.columns.counts[now.row]).toBeGreaterThanOrEqual(last.columns.counts[last.row]!);
            before = sample;
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('divides series among several targets by the hash of their labels', async () => {
    const names = await randomBlocks(disk, 7, { blocks: 3, overlap: true, deletions: false });
    const whole = mergedNaively(await readSources(names));
    const metas = await compact(names, { targetCount: 2 });
    expect(metas.length).toBe(2);
    const all: ReadSeries[] = [];
    for (const [i, meta] of metas.entries()) {
      const { series } = await readBlock(disk, meta.ulid);
      expect(meta.thanos?.labels).toEqual({ split: String(i) });
      for (const { labels } of series) expect(hasher.hash64(encodeLabels(labels)).low % 2).toBe(i);
      all.push(...series);
    }
    all.sort((a, b) => compareLabels(a.labels, b.labels));
    expect(differenceOf(all, whole)).toBe('');
  });

  it('gives the same bytes again, with pieces of any size, and copies chunks that do not overlap', async () => {
    const names = await randomBlocks(disk, 11, { blocks: 4, overlap: false, deletions: false });
    const [first] = await compact(names);
    for (const pieceBytes of [1, 13, 64, 300]) {
      const [again] = await compact(names.toReversed(), { pieceBytes });
      for (const file of ['index', 'chunks/000001'])
        expect(await disk.readFile(`${again!.ulid}/${file}`)).toEqual(
          await disk.readFile(`${first!.ulid}/${file}`),
        );
    }
    const chunks = (list: readonly ReadSeries[]): number =>
      list.reduce((sum, series) => sum + series.chunks.filter((chunk) => chunk.bytes.length > 2).length, 0);
    const before = (await readSources(names)).flat();
    expect(first!.stats.numChunks).toBe(chunks(before));
  });

  it('writes as many segments as the limit asks for', async () => {
    const names = await randomBlocks(disk, 12, { blocks: 3, overlap: true, deletions: false });
    const [meta] = await compact(names, { segmentBytesMax: 2000 });
    expect(meta!.thanos!.segmentFiles.length).toBeGreaterThan(1);
    const wanted = mergedNaively(await readSources(names));
    expect(differenceOf((await readBlock(disk, meta!.ulid)).series, wanted)).toBe('');
    // And reads them.
    const [again] = await compact([meta!.ulid]);
    expect(differenceOf((await readBlock(disk, again!.ulid)).series, wanted)).toBe('');
  });

  it('reads blocks of a bucket as it reads local ones', async () => {
    const names = await randomBlocks(disk, 15, { blocks: 3, overlap: true, deletions: false });
    const [local] = await compact(names);
    const objects = memoryObjects();
    for (const name of names) await uploadBlock(disk, name, objects, { assertOwner: () => undefined });
    const sources = await Promise.all(
      names.map(async (name) => openBucketSources(objects, (await readBlock(disk, name)).meta)),
    );
    const ulid = blockUlid({ tenant: 't', partition: 0, minTime: 0, maxTime: 1, level: 2, salt: 'bucket' });
    await compactBlocks(sources, { ...plain(), targets: [{ ulid, labels: {} }] });
    for (const file of ['index', 'chunks/000001'])
      expect(await disk.readFile(`${ulid}/${file}`)).toEqual(await disk.readFile(`${local!.ulid}/${file}`));
    // Contents, first bytes, symbols and series of each index, and its chunks.
    expect(objects.ranges.length).toBeLessThanOrEqual(names.length * 7);
  });

  it('tells how far it is, up to the end', async () => {
    const names = await randomBlocks(disk, 13, { blocks: 2, overlap: false, deletions: false });
    const seen: CompactProgress[] = [];
    await compact(names, { pieceBytes: 64, onProgress: (progress) => seen.push(progress), targetCount: 2 });
    const done = seen.map(({ doneBytes }) => doneBytes);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    const { doneBytes, totalBytes } = seen.at(-1)!;
    expect(doneBytes / totalBytes).toBeGreaterThan(0.97);
    expect(doneBytes).toBeLessThanOrEqual(totalBytes);
    // Reading is not all there is to do.
    const afterReading = seen.findIndex((progress) => progress.doneBytes > 0.9 * totalBytes);
    expect(seen.length - afterReading).toBeGreaterThan(3);
  });

  it('refuses to merge nothing, and a block into itself', async () => {
    const [name] = await randomBlocks(disk, 16, { blocks: 1, overlap: false, deletions: false });
    await expect(compact([])).rejects.toMatchObject({ code: 'bad_data' });
    await expect(compact([name!], { targets: [{ ulid: name!, labels: {} }] })).rejects.toThrow('into itself');
    expect((await readBlock(disk, name!)).series.length).toBeGreaterThan(0);
  });

  it('leaves nothing behind when it is aborted', async () => {
    const names = await randomBlocks(disk, 14, { blocks: 3, overlap: true, deletions: false });
    const before = (await disk.list('.')).map((entry) => entry.name);
    for (const last of [1, 2, 4, 8]) {
      const abort = new AbortController();
      let pauses = 0;
      const pause = (): void => {
        if (++pauses === last) abort.abort(new Error('enough'));
      };
      await expect(compact(names, { targetCount: 2, pause, signal: abort.signal })).rejects.toThrow('enough');
      expect((await disk.list('.')).map((entry) => entry.name)).toEqual(before);
    }
  });
});
