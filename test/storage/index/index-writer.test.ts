// The index writer through an index header and raw section walks; equality with Prometheus's own bytes is in the
// integration test of blocks.

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { compareLabels, type Labels, labelsFrom, labelsKey } from '../../../src/model/labels.ts';
import { memorySource } from '../../../src/storage/block/byte-source.ts';
import { buildIndexHeader, IndexHeader, readIndexToc } from '../../../src/storage/block/index-header.ts';
import { readSeriesTable } from '../../../src/storage/block/series-table.ts';
import { openIndexWriter } from '../../../src/storage/index/index-writer.ts';
import { temporaryDisk } from '../block/fixtures.ts';

const temporary = temporaryDisk();
afterAll(() => temporary.close());
const { disk } = temporary;
const pause = (): void => undefined;

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 });
const labelSet = fc
  .array(
    fc.tuple(fc.oneof(fc.constantFrom('a', 'b', 'job'), text), fc.oneof(fc.constantFrom('1', '2'), text)),
    { maxLength: 5 },
  )
  .map(labelsFrom);
const chunkRow = fc.tuple(fc.integer({ min: 1, max: 1e6 }), fc.nat(1e7), fc.integer({ min: 1, max: 1e5 }));
const seriesRows = fc.uniqueArray(
  fc.record({
    labels: labelSet,
    start: fc.integer({ min: -1e12, max: 2e12 }),
    chunks: fc.array(chunkRow, { maxLength: 5 }),
  }),
  { selector: (row) => labelsKey(row.labels), maxLength: 40 },
);

interface Row {
  labels: Labels;
  minTimes: number[];
  maxTimes: number[];
  refs: number[];
}

describe('index-writer', () => {
  it('keeps every series, chunk place and label pair', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(seriesRows, async (input) => {
        let ref = 8;
        const rows = input
          .sort((a, b) => compareLabels(a.labels, b.labels))
          .map(({ labels, start, chunks }): Row => {
            const row: Row = { labels, minTimes: [], maxTimes: [], refs: [] };
            let time = start;
            for (const [gap, length, bytes] of chunks) {
              row.minTimes.push((time += gap));
              row.maxTimes.push((time += length));
              row.refs.push(ref);
              ref += bytes;
            }
            return row;
          });
        const path = `index-${run++}`;
        const writer = await openIndexWriter(disk, path, pause);
        for (const row of rows) await writer.add(row.labels, { ...row, count: row.refs.length });
        const facts = await writer.finish();
        const source = memorySource(await disk.readFile(path), path);
        expect(facts.bytes).toBe(source.size);
        const header = new IndexHeader(await buildIndexHeader(source), path);

        const all = await postingsAt(source.read, header, header.entryOf('', ''));
        const table = await readSeriesTable(
          { index: source, header, entryBytesMax: facts.seriesBytesMax, blockName: 'x' },
          all,
          pause,
        );
        expect(table.labels).toEqual(rows.map((row) => row.labels));
        rows.forEach((row, i) => {
          const from = table.chunkStart[i]!;
          const to = table.chunkStart[i + 1]!;
          expect([...table.minTimes.subarray(from, to)]).toEqual(row.minTimes);
          expect([...table.maxTimes.subarray(from, to)]).toEqual(row.maxTimes);
          expect([...table.chunkRefs.subarray(from, to)]).toEqual(row.refs);
        });
        for (const name of header.names) {
          const entries = header.entriesOf(name)!;
          for (let entry = entries.first; entry < entries.first + entries.count; entry++) {
            const value = header.valueOf(entry);
            const naive = [...all].filter((_, i) => hasPair(rows[i]!.labels, name, value));
            expect([...(await postingsAt(source.read, header, entry))]).toEqual(naive);
            expect(header.entryOf(name, value)).toBe(entry);
          }
        }
        const pairs = new Set(rows.flatMap((row) => row.labels.filter((_, i) => i % 2 === 0)));
        expect([...header.names].sort()).toEqual([...pairs].sort());
      }),
      { numRuns: 60 },
    );
    expect((await disk.list('')).filter((entry) => entry.name.includes('spool'))).toEqual([]);
  });

  it('reads its spool back whole when a record is larger than a read', async () => {
    const writer = await openIndexWriter(disk, 'large', pause);
    const count = 300_000;
    const minTimes = Float64Array.from({ length: count }, (_, i) => i * 10);
    const refs = Float64Array.from({ length: count }, (_, i) => 8 + i * 1000);
    await writer.add(['a', '1'], { count: 1, minTimes: [0], maxTimes: [1], refs: [8] });
    await writer.add(['a', '2'], { count, minTimes, maxTimes: minTimes.map((time) => time + 5), refs });
    const facts = await writer.finish();
    const source = memorySource(await disk.readFile('large'), 'large');
    const header = new IndexHeader(await buildIndexHeader(source), 'large');
    const all = await postingsAt(source.read, header, 0);
    const table = await readSeriesTable(
      { index: source, header, entryBytesMax: 0, blockName: 'x' },
      all,
      pause,
    );
    expect(facts.seriesBytesMax).toBeGreaterThan(1 << 20);
    expect(table.chunkStart).toEqual(Uint32Array.of(0, 1, count + 1));
    expect(table.chunkRefs.at(-1)).toBe(refs.at(-1));
  });

  it('refuses series out of order and chunks that overlap', async () => {
    const writer = await openIndexWriter(disk, 'refused', pause);
    const none = { count: 0, minTimes: [], maxTimes: [], refs: [] };
    await writer.add(['a', '2'], none);
    expect(() => writer.add(['a', '1'], none)).toThrow('must sort after');
    expect(() => writer.add(['a', '2'], none)).toThrow('must sort after');
    expect(() =>
      writer.add(['a', '3'], { count: 2, minTimes: [1, 5], maxTimes: [5, 9], refs: [8, 20] }),
    ).toThrow('must start after');
    await writer.abandon();
  });

  it('points every section of the contents where Prometheus 3.14 does', async () => {
    const writer = await openIndexWriter(disk, 'toc', pause);
    await writer.add(['a', '1'], { count: 1, minTimes: [0], maxTimes: [1], refs: [8] });
    await writer.finish();
    const toc = await readIndexToc(memorySource(await disk.readFile('toc'), 'toc'));
    expect(toc.symbols).toBe(5);
    expect(toc.labelIndices).toBe(toc.postings);
    expect(toc.labelIndicesTable).toBe(toc.postingsTable);
  });
});

async function postingsAt(
  read: (offset: number, length: number) => Promise<Uint8Array>,
  header: IndexHeader,
  entry: number,
): Promise<Uint32Array> {
  const { start, end } = header.postingsRange(entry);
  const bytes = await read(start, end - start);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: view.getUint32(4) }, (_, i) => view.getUint32(8 + 4 * i));
}

function hasPair(labels: Labels, name: string, value: string): boolean {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name && labels[i + 1] === value) return true;
  return false;
}
