// Four and a half days of which the oldest are only left at 1 h, then at 5 m, then raw, then in the head, against the same days raw.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headAndBlocks } from '../../../src/actors/shard/source.ts';
import type { ChunkSeries } from '../../../src/codec/chunk.ts';
import { MatcherCache } from '../../../src/codec/regex.ts';
import { encodeSamples } from '../../../src/codec/sample-chunks.ts';
import { labelsOf } from '../../../src/model/labels.ts';
import {
  histogramsOf,
  pushHistogram,
  type SampleColumns,
  sampleColumns,
} from '../../../src/model/samples.ts';
import { createEngine, type Engine } from '../../../src/query/engine.ts';
import { BlockSet } from '../../../src/storage/block/block-set.ts';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import { openDiskBlock } from '../../../src/storage/block/open-block.ts';
import { downsampleBlock, downsampledUlid } from '../../../src/storage/downsample/downsample-block.ts';
import { RESOLUTION_1H, RESOLUTION_5M } from '../../../src/storage/downsample/windows.ts';
import { appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import { type Head, openHead } from '../../../src/storage/head/head.ts';
import { oneBatch } from '../../query/ordered-series.ts';
import { factsOf, type Sample, temporaryDisk, testCaches } from '../../storage/block/fixtures.ts';
import { columnsOf } from '../../storage/downsample/series.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const END = 4.5 * DAY;
const INTERVAL = MINUTE;
/** Scrapes come seven seconds after the minute: none falls onto the border of a window. */
const OFFSET = 7000;

const SERIES = {
  gauge: (i: number) => ((i * 7919) % 1009) - 500,
  // Grows by 3 a minute; every 1700 minutes it begins anew.
  counter_total: (i: number) => 3 * ((i % 1700) + 1),
} as const;

function samplesOf(name: keyof typeof SERIES, from: number, to: number): Sample[] {
  const out: Sample[] = [];
  for (let i = Math.ceil((from - OFFSET) / INTERVAL); i * INTERVAL + OFFSET < to; i++)
    out.push([i * INTERVAL + OFFSET, SERIES[name](i)]);
  return out;
}

// Four observations more each minute; every 1100 minutes it begins anew.
function histogramsBetween(from: number, to: number): SampleColumns {
  const out = sampleColumns(16);
  const columns = histogramsOf(out);
  for (let i = Math.ceil((from - OFFSET) / INTERVAL); i * INTERVAL + OFFSET < to; i++) {
    const grown = (i % 1100) + 1;
    const row = columns.begin();
    columns.schemas[row] = 1;
    columns.zeroThresholds[row] = 0.001;
    columns.zeroCounts[row] = grown;
    columns.counts[row] = 4 * grown;
    columns.sums[row] = 10 * grown;
    columns.addSpan(0, 2, false);
    columns.addBucket(2 * grown, false);
    columns.addBucket(grown, false);
    pushHistogram(out, columns, i * INTERVAL + OFFSET);
  }
  return out;
}

function dayOf(day: number): ChunkSeries[] {
  const from = day * DAY;
  const floats = (['counter_total', 'gauge'] as const).map((name) => {
    const samples = samplesOf(name, from, from + DAY);
    const chunks = encodeSamples(columnsOf(samples), 0, samples.length, 120);
    return { labels: labelsOf({ __name__: name, job: 'a' }), chunks };
  });
  const histograms = histogramsBetween(from, from + DAY);
  const chunks = encodeSamples(histograms, 0, histograms.count, 120);
  return [...floats, { labels: labelsOf({ __name__: 'latency', job: 'a' }), chunks }];
}

function headFrom(from: number): Head {
  const head = openHead({ outOfOrderWindowMs: 0, chunkRangeMs: 10 * DAY, seriesMax: 10 });
  for (const name of ['gauge', 'counter_total'] as const) {
    const ref = head.seriesFor(labelsOf({ __name__: name, job: 'a' }));
    for (const [time, value] of samplesOf(name, from, END)) {
      const bits = new Uint32Array(Float64Array.of(value).buffer);
      head.append(Uint32Array.of(ref), Float64Array.of(time), bits, 1, appendOutcome());
    }
  }
  return head;
}

const place = temporaryDisk();
const raw = new BlockSet();
const mixed = new BlockSet();
const pause = (): void => undefined;
const shared = { caches: testCaches(), pause };

beforeAll(async () => {
  const have = [[RESOLUTION_1H], [RESOLUTION_5M, RESOLUTION_1H], [0, RESOLUTION_5M, RESOLUTION_1H], [0]];
  for (const [day, resolutions] of have.entries()) {
    const ulid = `01ARZ3NDEKTSV4RRFFQ69G5FA${day}`;
    await writeBlock(place.disk, ulid, dayOf(day), factsOf(ulid, day * DAY, (day + 1) * DAY));
    await raw.add(await openDiskBlock(place.disk, ulid, shared));
    let source = await openDiskBlock(place.disk, ulid, shared);
    if (resolutions.includes(0)) await mixed.add(await openDiskBlock(place.disk, ulid, shared));
    for (const resolution of [RESOLUTION_5M, RESOLUTION_1H]) {
      const folder = downsampledUlid(source.meta, resolution);
      await downsampleBlock(source, place.disk, folder, { resolution, pause });
      await source.close();
      source = await openDiskBlock(place.disk, folder, shared);
      if (resolutions.includes(resolution)) await mixed.add(await openDiskBlock(place.disk, folder, shared));
    }
    await source.close();
  }
});

afterAll(async () => {
  await raw.close();
  await mixed.close();
  place.close();
});

const LIMITS = { samplesMax: 50_000_000, seriesMax: 1000, memoryBytesMax: 1 << 30 };
const head = headFrom(4 * DAY);

function engineOver(blocks: BlockSet): Engine {
  const source = headAndBlocks(head, blocks, new MatcherCache());
  return createEngine({ lookbackMs: 5 * MINUTE, defaultStepMs: MINUTE, limits: LIMITS, source });
}

interface Grid {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Values by step, undefined where there is none, and the samples that were read. */
async function ask(
  blocks: BlockSet,
  query: string,
  grid: Grid,
  maxResolutionMs = 0,
): Promise<{ values: (number | undefined)[]; read: number }> {
  const { value, statistics } = await engineOver(blocks).range({
    query,
    startMs: grid.start,
    endMs: grid.end,
    stepMs: grid.step,
    maxResolutionMs,
  });
  if (value.type !== 'matrix') throw new Error(`a ${value.type}`);
  const { labels, values, present, steps } = oneBatch(value.series);
  expect(labels).toHaveLength(1);
  const read = statistics.samplesRead;
  return {
    values: Array.from({ length: steps }, (_, i) => (present[i] === 1 ? values[i] : undefined)),
    read,
  };
}

const HOURLY: Grid = { start: 6 * HOUR, end: END, step: HOUR };
const RESOLUTIONS = [0, RESOLUTION_5M, 12 * MINUTE, RESOLUTION_1H];

function expectClose(
  found: readonly (number | undefined)[],
  wanted: readonly (number | undefined)[],
  ratio: number,
): void {
  expect(found).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries())
    expect(Math.abs(found[i]! - value!), `step ${i}: ${found[i]} for ${value}`).toBeLessThanOrEqual(
      ratio * Math.abs(value!),
    );
}

describe('a shard with raw and downsampled blocks', () => {
  it.each([
    'sum_over_time(gauge[1h])',
    'count_over_time(gauge[1h])',
    'count_over_time(latency[3h])',
    'min_over_time(gauge[2h])',
    'max_over_time(gauge[2h])',
    'sum(sum_over_time(gauge[3h]))',
    'sum_over_time(counter_total[5h]) / count_over_time(counter_total[5h])',
    'histogram_count(sum_over_time(latency[2h]))',
    'histogram_sum(sum_over_time(latency[2h]))',
  ])('answers %s as from raw samples, whatever the resolution', async (query) => {
    const grid = query.includes('latency') ? { ...HOURLY, end: 4 * DAY } : HOURLY;
    const wanted = await ask(raw, query, grid);
    for (const resolution of RESOLUTIONS) {
      const found = await ask(mixed, query, grid, resolution);
      expectClose(found.values, wanted.values, 1e-9);
    }
  });

  it.each([
    ['increase(counter_total[6h])', 3 * 360],
    ['rate(counter_total[6h])', 3 / 60],
    ['sum(irate(counter_total[6h]))', 3 / 60],
    ['histogram_count(increase(latency[6h]))', 4 * 360],
    ['histogram_sum(rate(latency[6h]))', 10 / 60],
  ])('answers %s as from raw samples, over resets and borders of blocks', async (query, constant) => {
    const isHistogram = query.includes('latency');
    const grid = isHistogram ? { ...HOURLY, end: 4 * DAY } : HOURLY;
    const wanted = await ask(raw, query, grid);
    expectClose(
      wanted.values,
      wanted.values.map(() => constant),
      0.01,
    );
    for (const resolution of RESOLUTIONS) {
      const found = await ask(mixed, query, grid, resolution);
      // Windows are stamped with their ends, raw samples with their own times, up to a minute before: seen where a range has both.
      expectClose(found.values, wanted.values, isHistogram ? 0.2 : 0.01);
      const isWithin = (i: number, from: number, to: number): boolean => {
        const time = HOURLY.start + i * HOUR;
        return time - 6 * HOUR >= from && time <= to;
      };
      const pure = wanted.values.map((_, i) => isWithin(i, 0, DAY) || isWithin(i, 3 * DAY, END));
      const only = (values: readonly (number | undefined)[]): (number | undefined)[] =>
        values.filter((_, i) => pure[i]);
      if (!isHistogram) expectClose(only(found.values), only(wanted.values), 1e-9);
    }
  });

  it.each(['gauge', 'min(gauge)', 'gauge offset 1h', 'timestamp(gauge)', 'avg_over_time(gauge[1h])'])(
    'has a value of %s at every step, whatever the step and the resolution',
    async (query) => {
      for (const step of [HOUR, 7 * MINUTE, 45_678]) {
        // Before the first window has ended nothing is known of it.
        const grid = { start: 2 * HOUR, end: END, step };
        for (const resolution of RESOLUTIONS) {
          const { values } = await ask(mixed, query, grid, resolution);
          expect(values.filter((value) => value === undefined)).toHaveLength(0);
        }
      }
    },
  );

  it('reads fewer samples the coarser they may be', async () => {
    const grid = { ...HOURLY, start: 2 * DAY + 6 * HOUR, end: 3 * DAY };
    const read: number[] = [];
    for (const resolution of RESOLUTIONS)
      read.push((await ask(mixed, 'max_over_time(gauge[2h])', grid, resolution)).read);
    expect(read[1]).toBe(read[2]);
    expect(read[0]! / read[1]!).toBeCloseTo(5, 1);
    expect(read[1]! / read[3]!).toBeCloseTo(12, 0);
  });

  it('keeps windows below half of a range that needs two samples, and below all of any other', async () => {
    const grid = { start: 2 * DAY + 6 * HOUR, end: 3 * DAY, step: HOUR };
    for (const query of [
      'rate(counter_total[20m])',
      'rate(counter_total[9m])',
      'sum_over_time(gauge[30m])',
    ]) {
      const { values } = await ask(mixed, query, grid, RESOLUTION_1H);
      expect(values.every((value) => value !== undefined)).toBe(true);
    }
  });

  it('shows the average, or what a function asks for', async () => {
    const grid = { start: 2 * DAY + HOUR, end: 2 * DAY + 2 * HOUR, step: HOUR };
    const hour = samplesOf('gauge', 2 * DAY, 2 * DAY + HOUR).map(([, value]) => value);
    const average = hour.reduce((a, b) => a + b, 0) / hour.length;
    const at = async (query: string): Promise<number | undefined> =>
      (await ask(mixed, query, grid, RESOLUTION_1H)).values[0];
    expect(await at('gauge')).toBeCloseTo(average, 9);
    expect(await at('abs(gauge)')).toBeCloseTo(Math.abs(average), 9);
    expect(await at('min(gauge)')).toBe(Math.min(...hour));
    expect(await at('max(gauge)')).toBe(Math.max(...hour));
    expect(await at('max(gauge + 0)')).toBeCloseTo(average, 9);
    expect(await at('count(gauge)')).toBe(1);
    expect(await at('max_over_time(gauge[1h:1h])')).toBe(Math.max(...hour));
  });
});
