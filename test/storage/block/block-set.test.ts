// Reading across blocks: overlapping ones become one answer, removed ones wait for their readers.

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { labelsKey, labelsOf } from '../../../src/model/labels.ts';
import { sampleColumns } from '../../../src/model/samples.ts';
import { blockUlid } from '../../../src/storage/block/block-meta.ts';
import { BlockSet } from '../../../src/storage/block/block-set.ts';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import { openDiskBlock } from '../../../src/storage/block/open-block.ts';
import {
  chunkSeries,
  factsOf,
  matchers,
  type PlainSeries,
  type Sample,
  temporaryDisk,
  testCaches,
} from './fixtures.ts';

const temporary = temporaryDisk();
const { disk } = temporary;
afterAll(() => temporary.close());
const shared = { caches: testCaches(), pause: () => undefined };
let salt = 0;

async function blockOf(series: readonly PlainSeries[], minTime: number, maxTime: number) {
  const ulid = blockUlid({ tenant: 't', partition: 0, minTime, maxTime, level: 1, salt: String(salt++) });
  await writeBlock(disk, ulid, chunkSeries(series, 3), factsOf(ulid, minTime, maxTime));
  return openDiskBlock(disk, ulid, shared);
}

async function readSet(set: BlockSet, start: number, end: number, batch = 2): Promise<PlainSeries[]> {
  const selection = await set.select(matchers(['id', '=~', '.+']), start, end);
  const columns = sampleColumns(2);
  const out: PlainSeries[] = [];
  for (let first = 0; first < selection.labels.length; first += batch) {
    const loaded = await selection.load(first, Math.min(first + batch, selection.labels.length));
    loaded.labels.forEach((labels, i) => {
      loaded.read(i, start, end, columns);
      out.push({
        labels,
        samples: Array.from(
          { length: columns.count },
          (_, s): Sample => [columns.timestamps[s]!, columns.values[s]!],
        ),
      });
    });
  }
  await selection.release();
  return out;
}

describe('block-set', () => {
  it('merges overlapping blocks to one sample per timestamp', async () => {
    const samples = fc
      .uniqueArray(fc.nat(99), { maxLength: 12 })
      .map((times) => times.sort((a, b) => a - b).map((time): Sample => [time, time]));
    const content = fc.uniqueArray(fc.record({ id: fc.nat(6), samples }), {
      selector: (row) => row.id,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(content, { maxLength: 4 }),
        fc.nat(50),
        fc.nat(60),
        async (blocks, start, length) => {
          const set = new BlockSet();
          const naive = new Map<string, Map<number, number>>();
          for (const [b, rows] of blocks.entries()) {
            const filled = rows.filter((row) => row.samples.length > 0);
            if (filled.length === 0) continue;
            const series = filled.map((row) => ({
              labels: labelsOf({ id: String(row.id) }),
              samples: row.samples.map(([t, v]): Sample => [t + b, v + b]),
            }));
            await set.add(await blockOf(series, 0, 110));
            for (const one of series) {
              const mine = naive.get(labelsKey(one.labels)) ?? new Map<number, number>();
              naive.set(labelsKey(one.labels), mine);
              for (const [time, value] of one.samples) mine.set(time, value);
            }
          }
          const end = start + length;
          const read = await readSet(set, start, end);
          const expected = [...naive]
            .map(([key, all]) => ({
              key,
              samples: [...all].filter(([t]) => t >= start && t <= end).sort((x, y) => x[0] - y[0]),
            }))
            .filter((one) => one.samples.length > 0)
            .sort((x, y) => (x.key < y.key ? -1 : 1));
          expect(
            read
              .filter((one) => one.samples.length > 0)
              .map((one) => ({ key: labelsKey(one.labels), samples: one.samples })),
          ).toEqual(expected);
          await set.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('knows which blocks a range needs', async () => {
    const set = new BlockSet();
    const early = await blockOf([{ labels: ['id', '1'], samples: [[5, 1]] }], 0, 10);
    const late = await blockOf([{ labels: ['id', '2'], samples: [[15, 1]] }], 10, 20);
    await set.add(late);
    await set.add(early);
    expect(set.metas()).toEqual([early.meta, late.meta]);
    expect(set.within(10, 30)).toEqual([late.meta]);
    expect(set.within(9, 10)).toEqual([early.meta, late.meta]);
    expect(set.within(20, 30)).toEqual([]);
    expect(set.maxTime()).toBe(20);
    expect(await set.labelValues('id', [], 0, 100)).toEqual(['1', '2']);
    expect(await set.labelNames(matchers(['id', '=', '2']), 0, 100)).toEqual(['id']);
    expect(await set.labelValues('id', [], 0, 5)).toEqual(['1']);
    await set.close();
    expect(set.maxTime()).toBeUndefined();
  });

  it('reads a compaction instead of its parents at once, and lets a read that began on a parent end there', async () => {
    const set = new BlockSet();
    const parents = [
      await blockOf([{ labels: ['id', '1'], samples: [[5, 7]] }], 0, 10),
      await blockOf([{ labels: ['id', '1'], samples: [[15, 8]] }], 10, 20),
    ];
    for (const parent of parents) await set.add(parent);
    const begun = await set.select(matchers(['id', '=', '1']), 0, 20);
    const both: Sample[] = [
      [5, 7],
      [15, 8],
    ];
    const plain = await blockOf([{ labels: ['id', '1'], samples: both }], 0, 20);
    const sources = parents.map(({ meta }) => meta.ulid);
    Object.assign(plain.meta, { compaction: { level: 2, sources } });
    const swapped = set.swapIn([plain]);
    // Before anything was awaited: what begins now sees the compaction alone.
    expect(set.metas().map(({ ulid }) => ulid)).toEqual([plain.meta.ulid]);
    await swapped;
    expect(await readSet(set, 0, 20)).toEqual([{ labels: ['id', '1'], samples: both }]);
    const columns = sampleColumns(2);
    (await begun.load(0, 1)).read(0, 0, 20, columns);
    expect([...columns.values.subarray(0, columns.count)]).toEqual([7, 8]);
    await begun.release();
    await set.close();
  });

  it('closes a removed block only when its last reader is done', async () => {
    const set = new BlockSet();
    const block = await blockOf([{ labels: ['id', '1'], samples: [[5, 7]] }], 0, 10);
    let closed = 0;
    const close = block.close.bind(block);
    block.close = () => {
      closed++;
      return close();
    };
    await set.add(block);
    const selection = await set.select(matchers(['id', '=', '1']), 0, 10);
    await set.remove(block.meta.ulid);
    expect([closed, set.has(block.meta.ulid)]).toEqual([0, false]);
    const columns = sampleColumns(2);
    (await selection.load(0, 1)).read(0, 0, 10, columns);
    expect(columns.values[0]).toBe(7);
    await selection.release();
    await selection.release();
    expect(closed).toBe(1);
  });
});
