// Walking over all series of a block.

import { afterAll, describe, expect, it } from 'vitest';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import { memorySource } from '../../../src/storage/block/byte-source.ts';
import { buildIndexHeader, IndexHeader } from '../../../src/storage/block/index-header.ts';
import { walkSeries } from '../../../src/storage/block/series-walk.ts';
import { NO_TOMBSTONES } from '../../../src/storage/block/tombstones.ts';
import { chunkSeries, factsOf, someSeries, temporaryDisk } from './fixtures.ts';

const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const place = temporaryDisk();
afterAll(() => place.close());

async function walked(
  indexReadBytes: number,
  damage: (index: Uint8Array) => void = () => undefined,
): Promise<string[]> {
  const bytes = await place.disk.readFile(`${ULID}/index`);
  const header = new IndexHeader(await buildIndexHeader(memorySource(bytes, 'an index')), 'a header');
  damage(bytes);
  const index = memorySource(bytes, 'an index');
  const segment = memorySource(await place.disk.readFile(`${ULID}/chunks/000001`), 'a segment');
  const chunks = {
    blockName: ULID,
    segment: async () => segment,
    chunkBytesMax: 0,
    tombstones: NO_TOMBSTONES,
  };
  const out: string[] = [];
  const source = { index, header, chunks, entryBytesMax: 0, pause: () => undefined, indexReadBytes };
  for await (const group of walkSeries(source))
    for (let i = 0; i < group.count; i++)
      out.push(
        `${group.labels(i).join()} ${JSON.stringify(group.chunks(i).map((c) => [c.minTime, ...c.bytes]))}`,
      );
  return out;
}

describe('series-walk', () => {
  it('finds every series with its chunks in label order, however the index is cut into pieces', async () => {
    const series = chunkSeries(someSeries(300, 260));
    await writeBlock(place.disk, ULID, series, factsOf(ULID));
    const wanted = series.map(
      ({ labels, chunks }) =>
        `${labels.join()} ${JSON.stringify(chunks.map((c) => [c.minTime, ...c.bytes]))}`,
    );
    for (const readBytes of [16, 100, 1000, 4096, 1 << 20]) expect(await walked(readBytes)).toEqual(wanted);
  });

  it('refuses an entry that is damaged, its length too', async () => {
    // Symbols come first; the first series begins at a multiple of 16 behind them, the second 48 or 64 bytes later.
    const place = (index: Uint8Array): number => {
      const view = new DataView(index.buffer, index.byteOffset);
      return Math.ceil(view.getUint32(index.length - 52 + 12) / 16) * 16;
    };
    await expect(walked(1000, (index) => (index[place(index) + 3]! ^= 1))).rejects.toThrow('checksum');
    const endless = walked(1000, (index) => index.set([0xff, 0xff, 0xff, 0x7f], place(index)));
    await expect(endless).rejects.toThrow('no series ends behind offset');
  });
});
