// Writes an index file in Prometheus's index format v2 (tsdb/docs/format/index.md), section by section as Prometheus 3.14 does:
// symbols, series, postings (the one of all series first), postings offset table, table of contents. Label indices are no longer
// written; their table-of-contents entries point at the end of the section before, as in 3.14.
//
// Memory: the symbols, 4 bytes a symbol and a series, and what postings take (postings-writer.ts); never series or chunk data.

import { ByteWriter, putUint32 } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import { invariant } from '../../model/errors.ts';
import type { Pause } from '../../model/pause.ts';
import type { Disk } from '../../platform/disk.ts';
import { createFileSink, type FileSink } from './file-sink.ts';
import { writePostings } from './postings-writer.ts';
import type { SeriesSpool } from './series-spool.ts';
import type { ChosenSymbols } from './symbol-table.ts';

/** First four bytes of an index file. */
export const INDEX_MAGIC = 0xbaaad700;
/** The index format written and read here. */
export const INDEX_VERSION = 2;
/** Bytes of the table of contents at the end of an index: six uint64 and a CRC32C. */
export const INDEX_TOC_BYTES = 52;
/** Series entries start at multiples of this; a series reference is offset / 16. */
export const SERIES_ALIGN = 16;
/** Limit of the format: references are uint32 multiples of 16 bytes. */
const INDEX_BYTES_MAX = SERIES_ALIGN * 0xffff_ffff;
const SECTION_BYTES_MAX = 0xffff_ffff;
/** Bytes of a section copied at a time. */
const COPY_BYTES = 1 << 20;
/** Series between two calls of `pause`. */
const PAUSE_EVERY = 128;

/** What an index holds, for meta.json. */
export interface IndexFacts {
  readonly bytes: number;
  readonly seriesCount: number;
  readonly symbolCount: number;
  /** Bytes of the largest series entry with its length and checksum. */
  readonly seriesBytesMax: number;
}

/** What an index is made of: its series, whose labels are ids, and the symbols behind those. */
export interface IndexContent {
  readonly spool: SeriesSpool;
  readonly symbols: ChosenSymbols;
  readonly pause: Pause;
  /** Told how much is done, of 1: first series, then postings. */
  readonly onProgress?: ((done: number) => void) | undefined;
  /** See PostingsInput. */
  readonly perPass?: number;
}

/** Writes the index file, durably. Errors: the disk's. */
export async function writeIndex(disk: Disk, path: string, content: IndexContent): Promise<IndexFacts> {
  const target = await createFileSink(disk, path);
  try {
    const facts = await writeSections(target, content);
    await target.flush();
    await target.file.sync();
    return facts;
  } finally {
    await target.file.close();
  }
}

async function writeSections(target: FileSink, content: IndexContent): Promise<IndexFacts> {
  const head = new ByteWriter(16);
  head.u32be(INDEX_MAGIC);
  head.u8(INDEX_VERSION);
  await target.write(head.written());

  const { spool, symbols, pause } = content;
  const symbolsAt = target.position;
  await writeSymbols(target, symbols, pause);
  const seriesAt = target.position;
  const series = await writeSeries(target, content);
  const seriesEnd = target.position;
  await target.pad(4);
  const tableStart = spool.sink.position;
  const onPostings = (done: number): void => content.onProgress?.((1 + done) / 2);
  const entries = await writePostings(target, { ...content, ...series, onProgress: onPostings });
  const tableAt = target.position;
  await writeTable(target, spool, tableStart, entries);

  const toc = new ByteWriter(INDEX_TOC_BYTES);
  // Prometheus notes where postings begin before it pads them to 4 bytes.
  for (const at of [symbolsAt, seriesAt, seriesEnd, tableAt, seriesEnd, tableAt]) toc.u64be(at);
  toc.u32be(crc32c(toc.written()));
  await target.write(toc.written());
  return {
    bytes: target.position,
    seriesCount: spool.seriesCount,
    symbolCount: symbols.count,
    seriesBytesMax: series.seriesBytesMax,
  };
}

async function writeSymbols(target: FileSink, symbols: ChosenSymbols, pause: Pause): Promise<void> {
  const { table, rows, count } = symbols;
  let bytes = table.bytes.length;
  if (rows !== undefined) {
    bytes = 0;
    for (const row of rows) bytes += table.starts[row + 1]! - table.starts[row]!;
  }
  const section = await openSection(target, bytes, count);
  for (let number = 0; number < count; ) {
    const first = rows === undefined ? number : rows[number]!;
    const start = table.starts[first]!;
    let last = first;
    // Neighbours go together.
    while (++number < count && table.starts[last + 1]! - start < COPY_BYTES) {
      if (rows !== undefined && rows[number] !== last + 1) break;
      last++;
    }
    await section.write(table.bytes.subarray(start, table.starts[last + 1]));
    await pause();
  }
  await section.close();
}

/** What writing the series brought to light; see PostingsInput. */
interface WrittenSeries {
  readonly refs: Uint32Array;
  readonly nameUses: Uint32Array;
  readonly seriesBytesMax: number;
}

async function writeSeries(
  target: FileSink,
  { spool, symbols, pause, onProgress }: IndexContent,
): Promise<WrittenSeries> {
  const refs = new Uint32Array(spool.seriesCount);
  const nameUses = new Uint32Array(symbols.count);
  const entry = new ByteWriter(4096);
  const framed = new ByteWriter(4096);
  let seriesBytesMax = 0;
  let series = 0;
  for await (const records of spool.records()) {
    while (records.position < records.end) {
      const end = records.u32be() + records.position;
      entry.clear();
      const labelCount = records.uvarint();
      entry.uvarint(labelCount);
      for (let i = 0; i < labelCount; i++) {
        const name = symbols.numbers[records.uvarint()]!;
        nameUses[name]!++;
        entry.uvarint(name);
        entry.uvarint(symbols.numbers[records.uvarint()]!);
      }
      entry.raw(records.bytes.subarray(records.position, end));
      records.position = end;
      framed.clear();
      framed.uvarint(entry.length);
      framed.raw(entry.written());
      framed.u32be(crc32c(entry.written()));
      if (framed.length > seriesBytesMax) seriesBytesMax = framed.length;
      const padded = target.pad(SERIES_ALIGN);
      if (padded !== undefined) await padded;
      invariant(target.position <= INDEX_BYTES_MAX, 'an index must stay below 64 GiB');
      refs[series++] = target.position / SERIES_ALIGN;
      const settled = target.write(framed.written());
      if (settled !== undefined) await settled;
      if (series % PAUSE_EVERY === 0) await pause();
    }
    onProgress?.(series / spool.seriesCount / 2);
  }
  invariant(series === spool.seriesCount, `${series} of ${spool.seriesCount} series spooled`);
  return { refs, nameUses, seriesBytesMax };
}

// The postings offset table, whose entries lie in the spool from `start` on.
async function writeTable(
  target: FileSink,
  spool: SeriesSpool,
  start: number,
  entries: number,
): Promise<void> {
  await spool.sink.flush();
  const end = spool.sink.position;
  const section = await openSection(target, end - start, entries);
  for (let at = start; at < end; at += COPY_BYTES)
    await section.write(await spool.sink.file.read(at, Math.min(COPY_BYTES, end - at)));
  await section.close();
}

/** A section that begins with a count, being written: its checksum covers what lies between its length and itself. */
interface Section {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

async function openSection(target: FileSink, bytes: number, count: number): Promise<Section> {
  const length = bytes + 4;
  invariant(length <= SECTION_BYTES_MAX, `a section must stay below 4 GiB, has ${length} bytes`);
  const head = new Uint8Array(8);
  putUint32(head, 0, length);
  putUint32(head, 4, count);
  let crc = crc32c(head.subarray(4));
  await target.write(head);
  const end = target.position + bytes;
  return {
    write: async (part) => {
      crc = crc32c(part, crc);
      await target.write(part);
    },
    close: async () => {
      invariant(target.position === end, `a section ends at ${target.position}, not at ${end}`);
      const tail = new Uint8Array(4);
      putUint32(tail, 0, crc);
      await target.write(tail);
    },
  };
}
