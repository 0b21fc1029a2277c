// Whole blocks downsampled on a real disk.

import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ALL_TIMES, type Chunk } from '../../../src/codec/chunk.ts';
import type { BlockMeta } from '../../../src/storage/block/block-meta.ts';
import type { BlockReader } from '../../../src/storage/block/block-reader.ts';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import { openDiskBlock } from '../../../src/storage/block/open-block.ts';
import { encodeTombstones, TOMBSTONES_FILE } from '../../../src/storage/block/tombstones.ts';
import { downsampleAggregates } from '../../../src/storage/downsample/downsample-aggregates.ts';
import {
  type DownsampleOptions,
  downsampleBlock,
  downsampledUlid,
} from '../../../src/storage/downsample/downsample-block.ts';
import { downsampleRaw, downsampleScratch } from '../../../src/storage/downsample/downsample-raw.ts';
import { RESOLUTION_1H, RESOLUTION_5M } from '../../../src/storage/downsample/windows.ts';
import { chunkSeries, factsOf, someSeries, temporaryDisk, testCaches } from '../block/fixtures.ts';
import { partsOf } from './series.ts';

const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const DAY_MS = 86_400_000;
const pause = (): void => undefined;

const place = temporaryDisk();
const opened: BlockReader[] = [];

afterEach(async () => {
  for (const reader of opened.splice(0)) await reader.close();
  await place.disk.remove('blocks');
});

afterAll(() => place.close());

async function open(folder: string): Promise<BlockReader> {
  const reader = await openDiskBlock(place.disk, folder, { caches: testCaches(), pause });
  opened.push(reader);
  return reader;
}

async function rawBlock(seriesCount: number, samples: number): Promise<BlockReader> {
  await writeBlock(place.disk, `blocks/${ULID}`, chunkSeries(someSeries(seriesCount, samples)), {
    ...factsOf(ULID, 0, DAY_MS),
    compaction: { level: 3, sources: ['01ARZ3NDEKTSV4RRFFQ69G5FA0', '01ARZ3NDEKTSV4RRFFQ69G5FA1'] },
  });
  return open(`blocks/${ULID}`);
}

async function downsampled(
  source: BlockReader,
  options: Partial<DownsampleOptions> & { readonly resolution: number },
): Promise<{ meta: BlockMeta; reader: BlockReader }> {
  const folder = `blocks/${downsampledUlid(source.meta, options.resolution)}`;
  const meta = await downsampleBlock(source, place.disk, folder, { pause, ...options });
  return { meta: meta!, reader: await open(folder) };
}

async function chunksByLabels(reader: BlockReader): Promise<Map<string, Chunk[]>> {
  const out = new Map<string, Chunk[]>();
  for await (const group of reader.walk())
    for (let i = 0; i < group.count; i++) out.set(group.labels(i).join(), group.chunks(i));
  return out;
}

describe('downsample-block', () => {
  it('makes of every series what it makes of each alone, twice over', async () => {
    const raw = await rawBlock(50, 2000);
    const five = await downsampled(raw, { resolution: RESOLUTION_5M });
    const hour = await downsampled(five.reader, { resolution: RESOLUTION_1H });
    const scratch = downsampleScratch();
    const inputs = await chunksByLabels(raw);
    const fives = await chunksByLabels(five.reader);
    const hours = await chunksByLabels(hour.reader);
    expect([...fives.keys()]).toEqual([...inputs.keys()]);
    expect([...hours.keys()]).toEqual([...inputs.keys()]);
    for (const [labels, chunks] of inputs) {
      const naive = downsampleRaw(chunks, RESOLUTION_5M, scratch);
      expect(fives.get(labels)).toEqual(naive);
      const resolutions = { from: RESOLUTION_5M, to: RESOLUTION_1H };
      expect(hours.get(labels)).toEqual(downsampleAggregates(naive, resolutions, scratch));
    }
  });

  it('tells in meta.json what the block is and where it comes from', async () => {
    const raw = await rawBlock(7, 400);
    const { meta } = await downsampled(raw, { resolution: RESOLUTION_5M });
    // 400 samples at 15 s: 20 windows of 5 m.
    expect(meta).toMatchObject({
      minTime: 0,
      maxTime: DAY_MS,
      compaction: raw.meta.compaction,
      stats: { numSeries: 7, numChunks: 7, numSamples: 140, numFloatSamples: 140 },
      thanos: {
        resolutionMs: RESOLUTION_5M,
        source: 'compactor',
        labels: raw.meta.thanos!.labels,
        extensions: raw.meta.thanos!.extensions,
      },
    });
    expect(meta.ulid).toBe(downsampledUlid(raw.meta, RESOLUTION_5M));
    expect(meta.ulid).not.toBe(downsampledUlid(raw.meta, RESOLUTION_1H));
  });

  it('leaves out what is deleted, of raw samples and of windows', async () => {
    await rawBlock(1, 400);
    const stones = async (
      folder: string,
      reader: BlockReader,
      minTime: number,
      maxTime: number,
    ): Promise<void> => {
      const refs = (await reader.select([], ALL_TIMES.start, ALL_TIMES.end)).table.refs;
      const bytes = encodeTombstones(new Map([[refs[0]!, [{ minTime, maxTime }]]]));
      await place.disk.writeFile(`${folder}/${TOMBSTONES_FILE}`, bytes);
    };
    await stones(`blocks/${ULID}`, opened[0]!, 0, 599_999);
    const five = await downsampled(await open(`blocks/${ULID}`), { resolution: RESOLUTION_5M });
    const [fives] = (await chunksByLabels(five.reader)).values();
    expect(partsOf(fives!, 'count').flat()[0]).toEqual([899_999, 20]);
    const folder = `blocks/${five.meta.ulid}`;
    await stones(folder, five.reader, 3_600_000, 10_000_000);
    const hour = await downsampled(await open(folder), { resolution: RESOLUTION_1H });
    const [hours] = (await chunksByLabels(hour.reader)).values();
    expect(partsOf(hours!, 'count').flat()).toEqual([[3_599_999, 200]]);
    expect(partsOf(hours!, 'counter').flat()).toHaveLength(3);
  });

  it('tells how far it is and stops when it is told to, leaving nothing', async () => {
    const raw = await rawBlock(30, 400);
    const seen: number[] = [];
    await downsampled(raw, {
      resolution: RESOLUTION_5M,
      onProgress: (p) => seen.push(p.seriesDone / p.seriesTotal),
    });
    expect(seen.at(-1)).toBe(1);
    const life = new AbortController();
    const folder = 'blocks/01ARZ3NDEKTSV4RRFFQ69G5FAW';
    const work = downsampleBlock(raw, place.disk, folder, {
      resolution: RESOLUTION_1H,
      pause: () => life.abort(new Error('enough')),
      signal: life.signal,
    });
    await expect(work).rejects.toThrow('enough');
    const left = (await place.disk.list('blocks')).map((entry) => entry.name);
    expect(left.filter((name) => name.startsWith('01ARZ3NDEKTSV4RRFFQ69G5FAW'))).toEqual([]);
  });

  it('refuses a resolution that is not coarser', async () => {
    const raw = await rawBlock(1, 10);
    const { reader } = await downsampled(raw, { resolution: RESOLUTION_1H });
    for (const resolution of [RESOLUTION_5M, RESOLUTION_1H])
      await expect(downsampleBlock(reader, place.disk, 'blocks/x', { resolution, pause })).rejects.toThrow(
        `cannot downsample block ${reader.meta.ulid} to ${resolution} ms: it has a resolution of 3600000 ms`,
      );
  });
});
