// Old data in the bucket, the oldest at 1 h only, then at 5 m only, then raw with its downsampled twins: one query over all of it, asked
// of a running process.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSamples } from '../../src/codec/sample-chunks.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { type Disk, realDisk } from '../../src/platform/disk.ts';
import { blockUlid } from '../../src/storage/block/block-meta.ts';
import { writeBlock } from '../../src/storage/block/block-writer.ts';
import { openDiskBlock } from '../../src/storage/block/open-block.ts';
import { downsampleBlock, downsampledUlid } from '../../src/storage/downsample/downsample-block.ts';
import { RESOLUTION_1H, RESOLUTION_5M } from '../../src/storage/downsample/windows.ts';
import { rawRequest } from '../helpers/raw-http.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { type Sample, testCaches } from '../storage/block/fixtures.ts';
import { columnsOf } from '../storage/downsample/series.ts';

const DAY = 86_400_000;
const INTERVAL = 30_000;
const END = Math.floor(Date.now() / DAY) * DAY - DAY;
const START = END - 4 * DAY;
const SERIES = 3;
/** Of each day, what is in the bucket. */
const HAVE = [[RESOLUTION_1H], [RESOLUTION_5M, RESOLUTION_1H], [0, RESOLUTION_5M, RESOLUTION_1H], [0]];

const pause = (): void => undefined;
const shared = { caches: testCaches(), pause };

async function fillBucket(disk: Disk): Promise<void> {
  for (const [day, resolutions] of HAVE.entries()) {
    const minTime = START + day * DAY;
    const maxTime = minTime + DAY;
    const identity = { tenant: 'default-tenant', partition: 0, minTime, maxTime, level: 1, salt: 'test' };
    const ulid = blockUlid(identity);
    const series = Array.from({ length: SERIES }, (_, s) => {
      const samples: Sample[] = [];
      // Three seconds after the border of a window.
      for (let time = minTime + 3000; time < maxTime; time += INTERVAL)
        samples.push([time, ((time - START - 3000) / INTERVAL) * (s + 1)]);
      const chunks = encodeSamples(columnsOf(samples), 0, samples.length, 120);
      return { labels: labelsOf({ __name__: 'old_total', i: String(s) }), chunks };
    });
    const labels = { skein_partition: '0', tenant_id: 'default-tenant' };
    await writeBlock(disk, `blocks/${ulid}`, series, { ulid, minTime, maxTime, labels, pause });
    let name = ulid;
    for (const resolution of [0, RESOLUTION_5M, RESOLUTION_1H]) {
      if (resolution > 0) {
        const source = await openDiskBlock(disk, `blocks/${name}`, shared);
        name = downsampledUlid(source.meta, resolution);
        await downsampleBlock(source, disk, `blocks/${name}`, { resolution, pause });
        await source.close();
      }
      if (resolutions.includes(resolution)) await copyFolder(disk, `blocks/${name}`, `data/bucket/${name}`);
    }
  }
}

async function copyFolder(disk: Disk, from: string, to: string): Promise<void> {
  for (const { name, isFolder } of await disk.list(from))
    if (isFolder) await copyFolder(disk, `${from}/${name}`, `${to}/${name}`);
    else await disk.writeFile(`${to}/${name}`, await disk.readFile(`${from}/${name}`));
}

describe('a process with old data at several resolutions', () => {
  let folder: string;
  let server: SkeinServer;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'skein-downsampled-'));
    await fillBucket(realDisk(folder));
    server = await startSkein(['--data', `${folder}/data`, '--cluster.partitions', '1']);
  });

  afterAll(async () => {
    await server?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const get = async (
    query: string,
    more: Record<string, string>,
  ): Promise<{ status: number; text: string }> => {
    const range = { start: `${(START + DAY / 4) / 1000}`, end: `${END / 1000}`, step: '3600' };
    const params = new URLSearchParams({ query, ...range, ...more });
    const answer = await rawRequest(server.url, { path: `/api/v1/query_range?${params}` });
    return { status: answer.status, text: answer.body.toString() };
  };

  const values = async (query: string, max: string): Promise<number[]> => {
    const { status, text } = await get(query, { max_source_resolution: max });
    const answer = JSON.parse(text) as {
      warnings?: unknown;
      data: { result: { values: [number, string][] }[] };
    };
    expect([status, answer.warnings, answer.data?.result.length]).toEqual([200, undefined, 1]);
    return answer.data.result[0]!.values.map(([, value]) => Number(value));
  };

  const STEPS = 4 * 24 - 6 + 1;
  const PER_HOUR = 3_600_000 / INTERVAL;

  it.each(['', '0s', '5m', '1h', '3600', 'auto'])(
    'answers without a hole at max_source_resolution=%s',
    async (max) => {
      expect(await values('sum(count_over_time(old_total[1h]))', max)).toEqual(
        Array.from({ length: STEPS }, () => SERIES * PER_HOUR),
      );
      const increases = await values('sum(increase(old_total[6h]))', max);
      expect(increases).toHaveLength(STEPS);
      for (const increase of increases) expect(increase / (6 * 6 * PER_HOUR)).toBeCloseTo(1, 2);
      expect(await values('sum(old_total)', max)).toHaveLength(STEPS);
      const tops = await values('max(max_over_time(old_total[1h]))', max);
      const last = (i: number): number => SERIES * ((6 + i) * PER_HOUR - 1);
      expect(tops).toEqual(Array.from({ length: STEPS }, (_, i) => last(i)));
    },
  );

  it('refuses a resolution that is none, as Thanos does', async () => {
    const refused = async (max: string): Promise<unknown> => {
      const { status, text } = await get('old_total', { max_source_resolution: max });
      return [
        status,
        (JSON.parse(text) as { errorType: string }).errorType,
        (JSON.parse(text) as { error: string }).error,
      ];
    };
    expect(await refused('much')).toEqual([
      400,
      'bad_data',
      `'max_source_resolution' parameter: cannot parse "much" to a valid duration`,
    ]);
    expect(await refused('-5')).toEqual([
      400,
      'bad_data',
      "negative 'max_source_resolution' is not accepted. Try a positive integer",
    ]);
  });
});
