// One series over blocks of several resolutions, read as one.

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeSamples } from '../../../src/codec/sample-chunks.ts';
import { labelsOf } from '../../../src/model/labels.ts';
import { isStaleAt, STALE_NAN_HIGH, STALE_NAN_LOW, sampleColumns } from '../../../src/model/samples.ts';
import { BlockSet } from '../../../src/storage/block/block-set.ts';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import { openDiskBlock } from '../../../src/storage/block/open-block.ts';
import { SlicedReader, type SlicedView } from '../../../src/storage/block/sliced-read.ts';
import { planSlices } from '../../../src/storage/block/slices.ts';
import { encodeTombstones, TOMBSTONES_FILE } from '../../../src/storage/block/tombstones.ts';
import { downsampleBlock, downsampledUlid } from '../../../src/storage/downsample/downsample-block.ts';
import { RESOLUTION_1H, RESOLUTION_5M } from '../../../src/storage/downsample/windows.ts';
import { columnsOf } from '../downsample/series.ts';
import { factsOf, type Sample, temporaryDisk, testCaches } from './fixtures.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const LABELS = labelsOf({ __name__: 'm' });

const place = temporaryDisk();
afterAll(() => place.close());
const pause = (): void => undefined;
let blocks = 0;

const shared = { caches: testCaches(), pause };

/** Writes a block of these samples at a resolution; its folder. */
async function blockOf(
  samples: readonly Sample[],
  [minTime, maxTime]: readonly [number, number],
  resolution = 0,
  deleted?: readonly [number, number],
): Promise<string> {
  const ulid = `01ARZ3NDEKTSV4RRFF${String(blocks++).padStart(8, '0')}`;
  const own = samples.filter(([time]) => time >= minTime && time < maxTime);
  const columns = columnsOf(own);
  for (const [i, [, value]] of own.entries())
    if (value === STALE) columns.bits.set([STALE_NAN_LOW, STALE_NAN_HIGH], 2 * i);
  const series = [{ labels: LABELS, chunks: encodeSamples(columns, 0, columns.count, 120) }];
  await writeBlock(place.disk, ulid, series, factsOf(ulid, minTime, maxTime));
  let folder = ulid;
  if (resolution > 0) {
    const raw = await openDiskBlock(place.disk, ulid, shared);
    folder = downsampledUlid(raw.meta, resolution);
    await downsampleBlock(raw, place.disk, folder, { resolution, pause });
    await raw.close();
  }
  if (deleted !== undefined) {
    const reader = await openDiskBlock(place.disk, folder, shared);
    const ref = (await reader.select([], minTime, maxTime)).table.refs[0]!;
    await reader.close();
    const stones = new Map([[ref, [{ minTime: deleted[0], maxTime: deleted[1] }]]]);
    await place.disk.writeFile(`${folder}/${TOMBSTONES_FILE}`, encodeTombstones(stones));
  }
  return folder;
}

/** Stands for a staleness marker. */
const STALE = -123_456;

type Asked = Omit<SlicedView, 'slices'> & { readonly max?: number; readonly head?: readonly Sample[] };

/** What is read of the series between two times. */
async function read(
  folders: readonly string[],
  [start, end]: readonly [number, number],
  { max = 0, head, ...view }: Asked,
): Promise<Sample[]> {
  const set = new BlockSet();
  for (const folder of folders) await set.add(await openDiskBlock(place.disk, folder, shared));
  const from = start - (view.lookbackMs === undefined ? 0 : HOUR);
  const slices = planSlices(set.within(from, end), { start: from, end }, max);
  const selection = await set.select([], from, end, { slices });
  const target = sampleColumns(4);
  const loaded = selection.labels.length === 0 ? undefined : await selection.load(0, 1);
  new SlicedReader({ ...view, slices }, { start, end }).read(
    loaded?.places(0) ?? [],
    head &&
      ((first, last, raw) => {
        Object.assign(raw, columnsOf(head.filter(([time]) => time >= first && time <= last)));
      }),
    target,
  );
  await selection.release();
  await set.close();
  return Array.from({ length: target.count }, (_, i) => [
    target.timestamps[i]!,
    isStaleAt(target.bits, i) ? STALE : target.values[i]!,
  ]);
}

const everyMinute = (from: number, to: number, value = (i: number) => i): Sample[] =>
  Array.from({ length: (to - from) / MINUTE }, (_, i): Sample => [from + i * MINUTE + 1, value(i)]);

describe('sliced-read', () => {
  it('misses no sample and counts none twice, wherever raw data begin and end', async () => {
    const samples = everyMinute(0, 12 * HOUR, (i) => (i * 37) % 101);
    const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 12 * 60 - 1 }), { minLength: 2, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(bounds, fc.constantFrom(0, RESOLUTION_5M, RESOLUTION_1H), async (minutes, max) => {
        const [from, to] = minutes.sort((a, b) => a - b).map((minute) => minute * MINUTE + 777);
        const folders = [
          await blockOf(samples, [from!, to!]),
          await blockOf(samples, [0, 6 * HOUR], RESOLUTION_5M),
          await blockOf(samples, [0, 12 * HOUR], RESOLUTION_1H),
        ];
        const told = async (aggregate: 'count' | 'sum'): Promise<number> => {
          const all = await read(folders, [0, 12 * HOUR - 1], { aggregate, max });
          expect(all.every(([time], i) => i === 0 || time > all[i - 1]![0])).toBe(true);
          return all.reduce((sum, [, value]) => sum + value, 0);
        };
        expect(await told('count')).toBe(samples.length);
        expect(await told('sum')).toBe(samples.reduce((sum, [, value]) => sum + value, 0));
      }),
      { numRuns: 25 },
    );
  });

  it('reads a counter on from raw to windows and back, whatever was reset', async () => {
    // Falls to 0 every 100 minutes.
    const samples = everyMinute(0, 12 * HOUR, (i) => i % 100);
    const resets = (time: number): number => Math.floor((time - 1) / (100 * MINUTE)) * 99;
    const layouts = [
      [
        [0, 4 * HOUR, 0],
        [4 * HOUR, 8 * HOUR, RESOLUTION_5M],
        [8 * HOUR, 12 * HOUR, 0],
      ],
      [
        [0, 4 * HOUR, RESOLUTION_1H],
        [4 * HOUR, 8 * HOUR, RESOLUTION_5M],
        [8 * HOUR, 12 * HOUR, 0],
      ],
      // Chunks that are left in their midst: raw data from the middle of a block on.
      [
        [0, 12 * HOUR, RESOLUTION_5M],
        [5 * HOUR, 12 * HOUR, 0],
      ],
      [
        [0, 12 * HOUR, RESOLUTION_5M],
        [0, 5 * HOUR, 0],
      ],
    ] as const;
    for (const layout of layouts) {
      const folders: string[] = [];
      for (const [from, to, resolution] of layout)
        folders.push(await blockOf(samples, [from, to], resolution));
      const found = await read(folders, [0, 12 * HOUR - 1], { aggregate: 'counter' });
      const first = found[0]!;
      const raw = (time: number): number => samples.findLast(([t]) => t <= time)![1] + resets(time);
      for (const [time, value] of found) expect(value - first[1]).toBe(raw(time) - raw(first[0]));
    }
  });

  it('leaves out what is deleted', async () => {
    const samples = everyMinute(0, HOUR);
    const deleted = [RESOLUTION_5M, 2 * RESOLUTION_5M - 1] as const;
    for (const aggregate of ['count', 'counter', 'average'] as const) {
      const folder = await blockOf(samples, [0, HOUR], RESOLUTION_5M, deleted);
      const times = (await read([folder], [0, HOUR - 1], { aggregate })).map(([time]) => time);
      expect(times).toHaveLength(11);
      expect(times).not.toContain(deleted[1]);
    }
  });

  it('stamps windows with their ends, also the last one of a chunk', async () => {
    const folder = await blockOf(everyMinute(0, HOUR), [0, HOUR], RESOLUTION_5M);
    const found = await read([folder], [0, HOUR - 1], { aggregate: 'max' });
    expect(found.slice(-2)).toEqual([
      [HOUR - RESOLUTION_5M - 1, 54],
      [HOUR - 1, 59],
    ]);
  });

  it('counts raw samples as one each, staleness markers as none', async () => {
    const samples: Sample[] = [...everyMinute(HOUR, HOUR + 3 * MINUTE), [HOUR + 3 * MINUTE, STALE]];
    const folders = [
      await blockOf(everyMinute(0, HOUR), [0, HOUR], RESOLUTION_1H),
      await blockOf(samples, [HOUR, 2 * HOUR]),
    ];
    const found = await read(folders, [0, 2 * HOUR], { aggregate: 'count' });
    expect(found.map(([, value]) => value)).toEqual([60, 1, 1, 1, STALE]);
  });

  it('shows a window until the next one ends, and what was before until the first one ends', async () => {
    const lookbackMs = 5 * MINUTE;
    const samples = everyMinute(0, 3 * HOUR);
    const folders = [
      await blockOf(samples, [0, HOUR]),
      await blockOf(samples, [HOUR, 3 * HOUR], RESOLUTION_1H),
    ];
    const found = await read(folders, [58 * MINUTE, 3 * HOUR], { aggregate: 'average', lookbackMs });
    // A sample shows for five minutes: there is always one no older.
    for (let i = 1; i < found.length; i++)
      expect(found[i]![0] - found[i - 1]![0]).toBeLessThanOrEqual(lookbackMs);
    const valueAt = (time: number): number => found.findLast(([t]) => t <= time)![1];
    expect(valueAt(HOUR + 30 * MINUTE)).toBe(59);
    expect(valueAt(2 * HOUR)).toBe(89.5);
    expect(valueAt(3 * HOUR - 2)).toBe(89.5);
    expect(valueAt(3 * HOUR)).toBe(149.5);
  });

  it('does not show on what has ended: stale, or long before the first window', async () => {
    const lookbackMs = 5 * MINUTE;
    const ends = async (samples: readonly Sample[]): Promise<number> => {
      const folders = [
        await blockOf(samples, [0, HOUR]),
        await blockOf([[3 * HOUR - 1, 1]], [HOUR, 3 * HOUR], RESOLUTION_1H),
      ];
      const found = await read(folders, [0, 3 * HOUR - 2], { aggregate: 'average', lookbackMs });
      return found.at(-1)![0];
    };
    expect(
      await ends([
        [HOUR - 2, 1],
        [HOUR - 1, STALE],
      ]),
    ).toBe(HOUR - 1);
    expect(await ends([[HOUR / 2, 1]])).toBe(HOUR / 2);
    expect(await ends([[HOUR - 2, 1]])).toBeGreaterThan(HOUR + 50 * MINUTE);
  });

  it('repeats a window some sixty times at most, however short the look back', async () => {
    const folder = await blockOf(everyMinute(0, 2 * HOUR), [0, 2 * HOUR], RESOLUTION_1H);
    const found = await read([folder], [0, 2 * HOUR], { aggregate: 'average', lookbackMs: 1 });
    expect(found.length).toBeLessThan(70);
  });

  it('reads what only the head has, and of the head nothing where windows tell', async () => {
    const folder = await blockOf(everyMinute(0, HOUR), [0, HOUR], RESOLUTION_5M);
    const head: Sample[] = [
      [MINUTE, 1000],
      [HOUR + 5, 7],
    ];
    const found = await read([folder], [0, 2 * HOUR], { aggregate: 'sum', head });
    expect(found).toHaveLength(13);
    expect(found.at(-1)).toEqual([HOUR + 5, 7]);
  });
});
