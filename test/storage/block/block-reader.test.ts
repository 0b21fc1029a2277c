// Blocks written and read back, from disk and from a bucket: same answers as a naive scan, damage detected, little moved.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompiledMatcher } from '../../../src/codec/regex.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { compareLabels, labelsOf, labelValue } from '../../../src/model/labels.ts';
import type { MatchOperator } from '../../../src/model/matcher.ts';
import { sampleColumns } from '../../../src/model/samples.ts';
import type { Disk } from '../../../src/platform/disk.ts';
import { type BlockMeta, blockUlid } from '../../../src/storage/block/block-meta.ts';
import type { BlockReader } from '../../../src/storage/block/block-reader.ts';
import { removeUnfinished, writeBlock } from '../../../src/storage/block/block-writer.ts';
import { openBucketBlock, openDiskBlock } from '../../../src/storage/block/open-block.ts';
import { encodeTombstones } from '../../../src/storage/block/tombstones.ts';
import { uploadBlock } from '../../../src/storage/block/upload.ts';
import {
  chunkSeries,
  factsOf,
  matchers,
  memoryObjects,
  type PlainSeries,
  someSeries,
  temporaryDisk,
  testCaches,
} from './fixtures.ts';

const temporary = temporaryDisk();
const { disk } = temporary;
afterAll(() => temporary.close());
const shared = () => ({ caches: testCaches(), pause: () => undefined });
const ulidOf = (salt: string): string =>
  blockUlid({ tenant: 't', partition: 0, minTime: 0, maxTime: 7_200_000, level: 1, salt });

async function readAll(
  block: BlockReader,
  wanted: readonly CompiledMatcher[],
  start = -Infinity,
  end = Infinity,
): Promise<PlainSeries[]> {
  const selection = await block.select(wanted, start, end);
  const loaded = await selection.load(0, selection.table.labels.length);
  const columns = sampleColumns(4);
  return Array.from({ length: loaded.count }, (_, i) => {
    columns.count = 0;
    loaded.append(i, start, end, columns);
    return {
      labels: loaded.labels(i),
      samples: Array.from(
        { length: columns.count },
        (_, s) => [columns.timestamps[s]!, columns.values[s]!] as const,
      ),
    };
  });
}

function naive(
  series: readonly PlainSeries[],
  wanted: readonly CompiledMatcher[],
  start: number,
  end: number,
): PlainSeries[] {
  return series
    .toSorted((a, b) => compareLabels(a.labels, b.labels))
    .filter(({ labels }) => wanted.every((m) => m.matches(labelValue(labels, m.matcher.name))))
    .map(({ labels, samples }) => ({
      labels,
      samples: samples.filter(([time]) => time >= start && time <= end),
    }))
    .filter(({ samples }) => samples.length > 0);
}

const plain = someSeries(200, 300);
const block1 = ulidOf('1');

describe('block-reader', () => {
  const objects = memoryObjects();
  const cache = disk.within('cache');
  let onDisk: BlockReader;
  let inBucket: BlockReader;
  beforeAll(async () => {
    const meta = await writeBlock(disk, block1, chunkSeries(plain), {
      ...factsOf(block1),
      segmentBytesMax: 30_000,
    });
    await uploadBlock(disk, block1, objects, { assertOwner: () => undefined });
    onDisk = await openDiskBlock(disk, block1, shared());
    inBucket = await openBucketBlock({ objects, cacheDisk: cache }, meta!, shared());
  });

  it('counts what it wrote and spreads chunks over segments', () => {
    expect(onDisk.meta.stats).toMatchObject({
      numSamples: 60_000,
      numFloatSamples: 60_000,
      numSeries: 200,
      numChunks: 600,
    });
    expect(onDisk.meta.thanos!.segmentFiles).toEqual(['000001', '000002', '000003']);
    expect(
      Math.max(...onDisk.meta.thanos!.files.slice(0, 3).map((file) => file.sizeBytes!)),
    ).toBeLessThanOrEqual(30_000);
  });

  it('answers matchers and time ranges as a naive scan does, from disk and from a bucket', async () => {
    const matcher = fc.tuple(
      fc.constantFrom('__name__', 'job', 'instance', 'zone', 'absent'),
      fc.constantFrom<MatchOperator>('=', '!=', '=~', '!~'),
      fc.constantFrom(
        '',
        'metric_1',
        'metric_1|metric_2',
        'job-[1-3]',
        'job-1',
        'host-0000.*',
        'z0',
        '.*',
        '.+',
        'z1|',
        'host-00011',
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(matcher, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: -1, max: 4_600_000 }),
        fc.integer({ min: 0, max: 3_000_000 }),
        async (rows, start, length) => {
          const wanted = matchers(...rows);
          const expected = naive(plain, wanted, start, start + length);
          for (const block of [onDisk, inBucket]) {
            // A chunk may overlap the range with no sample of it inside.
            const read = (await readAll(block, wanted, start, start + length)).filter(
              (one) => one.samples.length > 0,
            );
            expect(read).toEqual(expected);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('lists label names and values, with and without matchers', async () => {
    for (const block of [onDisk, inBucket]) {
      expect(await block.labelNames()).toEqual(['__name__', 'instance', 'job', 'zone']);
      expect(
        await block.labelNames(matchers(['instance', '=', 'host-00003'], ['__name__', '=', 'metric_0'])),
      ).toEqual(['__name__', 'instance', 'job']);
      expect(await block.labelValues('job')).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => `job-${i}`));
      expect(await block.labelValues('job', matchers(['job', '=~', 'job-[23]']))).toEqual(['job-2', 'job-3']);
      expect(await block.labelValues('zone', matchers(['instance', '=~', 'host-0000[0-1]']))).toEqual([
        'z0',
        'z1',
      ]);
      expect(
        await block.labelValues(
          'instance',
          matchers(['zone', '=', 'z1'], ['job', '=', 'job-0'], ['instance', '!=', 'host-00011']),
        ),
      ).toEqual(
        [
          ...new Set(
            plain
              .filter(
                ({ labels }) => labelValue(labels, 'zone') === 'z1' && labelValue(labels, 'job') === 'job-0',
              )
              .map(({ labels }) => labelValue(labels, 'instance')),
          ),
        ]
          .filter((v) => v !== 'host-00011')
          .sort(),
      );
      expect(await block.labelValues('absent')).toEqual([]);
      expect(await block.labelValues('job', matchers(['absent', '=', 'x']))).toEqual([]);
      expect(await block.seriesCount(matchers(['job', '=', 'job-1']))).toBe(29);
    }
  });

  it('answers values from series entries when the postings would be larger', async () => {
    const series = someSeries(3000, 1).map((one, i) => ({
      ...one,
      labels: labelsOf({ id: String(i), job: i % 2 ? 'a' : 'b' }),
    }));
    const ulid = ulidOf('wide');
    await writeBlock(disk, ulid, chunkSeries(series), factsOf(ulid));
    const block = await openDiskBlock(disk, ulid, shared());
    expect(
      await block.labelValues(
        'id',
        matchers(['id', '=~', '1.*|2.*'], ['job', '=', 'a'], ['id', '=~', '.*99']),
      ),
    ).toEqual(
      series
        .map(({ labels }) => labelValue(labels, 'id'))
        .filter((id) => /^[12].*$/.test(id) && id.endsWith('99') && Number(id) % 2)
        .sort(),
    );
    expect(await block.labelValues('job', matchers(['id', '=', '7']))).toEqual(['a']);
    await block.close();
  });

  it('builds its index header from three ranges and keeps it on disk', async () => {
    const own = memoryObjects();
    for (const [key, bytes] of objects.content) own.content.set(key, bytes);
    const first = await openBucketBlock(
      { objects: own, cacheDisk: cache.within('second') },
      onDisk.meta,
      shared(),
    );
    await first.labelNames();
    expect(own.ranges.map((range) => range.key)).toEqual(new Array(4).fill(`${block1}/index`));
    const indexBytes = own.content.get(`${block1}/index`)!.length;
    expect(own.ranges.reduce((sum, range) => sum + range.length, 0)).toBeLessThan(indexBytes / 2);
    own.ranges.length = 0;
    const second = await openBucketBlock(
      { objects: own, cacheDisk: cache.within('second') },
      onDisk.meta,
      shared(),
    );
    expect(await second.labelNames()).toEqual(await first.labelNames());
    expect(own.ranges).toEqual([]);
    // A damaged copy is built anew.
    await cache.within('second').writeFile(`${block1}/index-header`, new Uint8Array(50));
    const third = await openBucketBlock(
      { objects: own, cacheDisk: cache.within('second') },
      onDisk.meta,
      shared(),
    );
    expect(await third.labelNames()).toEqual(await first.labelNames());
  });

  it('asks the bucket nothing for a query it has answered before', async () => {
    const wanted = matchers(['__name__', '=', 'metric_1'], ['instance', '=', 'host-00020']);
    await readAll(inBucket, wanted);
    objects.ranges.length = 0;
    expect(await readAll(inBucket, wanted)).toHaveLength(1);
    expect(objects.ranges).toEqual([]);
  });

  it('works with caches too small to hold anything', async () => {
    const block = await openBucketBlock({ objects, cacheDisk: cache }, onDisk.meta, {
      caches: testCaches(10),
      pause: () => undefined,
    });
    expect(await readAll(block, matchers(['job', '=', 'job-2']))).toEqual(
      naive(plain, matchers(['job', '=', 'job-2']), -Infinity, Infinity),
    );
  });

  it('refuses more series than allowed', async () => {
    await expect(
      onDisk.select(matchers(['job', '=~', '.+']), 0, 1, { seriesMax: 199 }),
    ).rejects.toMatchObject({ code: 'too_large' });
    await onDisk.select(matchers(['job', '=~', '.+']), 0, 1, { seriesMax: 200 });
    await expect(onDisk.select(matchers(['job', '=~', '.+']), 0, 1, { seriesMax: 199 })).rejects.toThrow(
      '200 series match',
    );
  });

  it('leaves out deleted samples', async () => {
    const refs = (await onDisk.select(matchers(['instance', '=', 'host-00003']), 0, 1e9)).table.refs;
    await disk.writeFile(
      `${block1}/tombstones`,
      encodeTombstones(new Map([[refs[0]!, [{ minTime: 15_000, maxTime: 4_470_000 }]]])),
    );
    const block = await openDiskBlock(disk, block1, shared());
    const read = await readAll(block, matchers(['instance', '=', 'host-00003']));
    expect(read.map((one) => one.samples.length)).toEqual([2, 300, 300]);
    expect(read[0]!.samples.map(([time]) => time)).toEqual([0, 4_485_000]);
    await block.close();
  });
});

describe('damaged and foreign blocks', () => {
  const small = someSeries(12, 20);
  let meta: BlockMeta | undefined;
  const ulid = ulidOf('damage');
  beforeAll(async () => {
    meta = await writeBlock(disk, ulid, chunkSeries(small, 7), factsOf(ulid));
  });

  it('finds every damaged byte of the index and of the chunks that a query needs', async () => {
    const wanted = matchers(['job', '=~', '.*']);
    const good = new Map<string, Uint8Array>();
    for (const name of ['index', 'chunks/000001']) good.set(name, await disk.readFile(`${ulid}/${name}`));
    const expected = await readAll(await openDamaged(good), wanted);
    expect(expected).toHaveLength(12);
    for (const [file, bytes] of good) {
      let silent = 0;
      for (let byte = 0; byte < bytes.length; byte++) {
        const bad = bytes.slice();
        bad[byte]! ^= 1 << (byte & 7);
        const copy = await openDamaged(new Map([...good, [file, bad]]));
        try {
          expect(await readAll(copy, wanted), `${file} byte ${byte}`).toEqual(expected);
          silent++;
        } catch (error) {
          expect(error, `${file} byte ${byte}`).toMatchObject({ code: 'corrupt' });
          expect(String(error)).toContain(ulid);
        }
      }
      // What this query does not need: padding, the other postings lists, the segment header.
      expect(silent / bytes.length, file).toBeLessThan(file === 'index' ? 0.6 : 0.02);
    }
  });

  async function openDamaged(files: ReadonlyMap<string, Uint8Array>): Promise<BlockReader> {
    const objects = memoryObjects();
    for (const [name, bytes] of files) objects.content.set(`${ulid}/${name}`, bytes);
    const forgetful: Disk = {
      ...disk,
      readFile: () => Promise.reject(new DomainError('not_found', 'cannot read: nothing is kept')),
      writeFile: () => Promise.resolve(),
    };
    return openBucketBlock({ objects, cacheDisk: forgetful }, meta!, shared());
  }

  it('names the encoding of chunks it cannot read, for the series concerned alone', async () => {
    const series = chunkSeries(small).map((one, i) =>
      i === 3 ? { ...one, chunks: one.chunks.map((chunk) => ({ ...chunk, encoding: 7 })) } : one,
    );
    const mixed = ulidOf('mixed');
    const written = await writeBlock(disk, mixed, series, factsOf(mixed));
    expect(written!.stats).toMatchObject({ numFloatSamples: 240 });
    const block = await openDiskBlock(disk, mixed, shared());
    const selection = await block.select(matchers(['job', '=~', '.+']), 0, 1e9);
    const loaded = await selection.load(0, 12);
    const columns = sampleColumns(4);
    for (let i = 0; i < 12; i++) {
      columns.count = 0;
      if (i === 3)
        expect(() => loaded.append(i, 0, 1e9, columns)).toThrow(
          /metric_.*of block .* encoded as unknown encoding 7/,
        );
      else loaded.append(i, 0, 1e9, columns);
      expect(columns.count).toBe(i === 3 ? 0 : 20);
    }
    await block.close();
  });
});

describe('block-writer', () => {
  it('writes equal bytes from equal series', async () => {
    const ulid = ulidOf('twice');
    const series = chunkSeries(someSeries(30, 50));
    const files = ['index', 'chunks/000001', 'tombstones', 'meta.json'];
    await writeBlock(disk, `one/${ulid}`, series, factsOf(ulid));
    await writeBlock(
      disk,
      `two/${ulid}`,
      (async function* () {
        yield* series;
      })(),
      factsOf(ulid),
    );
    for (const file of files)
      expect(await disk.readFile(`one/${ulid}/${file}`)).toEqual(await disk.readFile(`two/${ulid}/${file}`));
    expect((await disk.list(`one/${ulid}`)).map((entry) => entry.name)).toEqual([
      'chunks',
      'index',
      'meta.json',
      'tombstones',
    ]);
  });

  it('writes nothing when there is no chunk', async () => {
    expect(
      await writeBlock(disk, 'none/x', [{ labels: ['a', '1'], chunks: [] }], factsOf(ulidOf('none'))),
    ).toBeUndefined();
    expect(await disk.list('none')).toEqual([]);
  });

  it('leaves nothing behind when the series fail, and cleans up after a crash', async () => {
    const series = chunkSeries(someSeries(3, 5));
    await expect(writeBlock(disk, 'failed/x', series.toReversed(), factsOf(ulidOf('x')))).rejects.toThrow(
      'must sort after',
    );
    await expect(writeBlock(disk, 'failed/x', series, factsOf(ulidOf('x'), 0, 60_000))).rejects.toThrow(
      'lies outside',
    );
    expect(await disk.list('failed')).toEqual([]);
    await disk.writeFile('failed/y.tmp-for-creation/index', new Uint8Array(3));
    await removeUnfinished(disk, 'failed');
    expect(await disk.list('failed')).toEqual([]);
  });
});
