// Writes a block's index in Prometheus's index format v2 (tsdb/docs/format/index.md), section by section as Prometheus 3.14
// does: symbols, series, postings (the one of all series first), postings offset table, table of contents. Label indices are
// no longer written; their table-of-contents entries point at the end of the section before, as in 3.14.
//
// Symbols stand before the series but are known only after the last one. So `add` spools each series to a temporary file as
// ids of label pairs, and `finish` numbers the symbols and turns the spool into entries. Memory: symbols, distinct label
// pairs, 4 bytes a posting; never series or chunk data.

import { ByteReader, ByteWriter, putUint32 } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import { compareLabels, type Labels, labelsText } from '../../model/labels.ts';
import type { Pause } from '../../model/pause.ts';
import { sortTexts } from '../../model/sliced-sort.ts';
import type { Disk } from '../../platform/disk.ts';
import { createFileSink, type FileSink } from './file-sink.ts';

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
/** Spool bytes read back at a time. */
const SPOOL_READ_BYTES = 1 << 20;
/** Series or postings lists between two calls of `pause`. */
const PAUSE_EVERY = 128;
/** Symbols or pairs between two calls of `pause`. */
const SYMBOLS_PER_PAUSE = 4096;

/** Where a series' chunks are: parallel arrays of `count` entries in time order; borrowed for the call. */
export interface ChunkRefs {
  count: number;
  readonly minTimes: Float64Array | number[];
  readonly maxTimes: Float64Array | number[];
  /** segment * 2^32 + offset. */
  readonly refs: Float64Array | number[];
}

/** What an index holds, for meta.json. */
export interface IndexFacts {
  readonly bytes: number;
  readonly seriesCount: number;
  readonly symbolCount: number;
  /** Bytes of the largest series entry with its length and checksum. */
  readonly seriesBytesMax: number;
}

/** Pairs in order of first sight: a pair's id is its index here. */
interface PairTable {
  readonly ids: Map<string, Map<string, number>>;
  readonly names: string[];
  readonly values: string[];
  /** Series that carry the pair. */
  readonly uses: number[];
}

/** Opens an index file for writing; series are added in label order, then `finish` completes it. */
export async function openIndexWriter(disk: Disk, path: string, pause: Pause): Promise<IndexWriter> {
  const spool = await createFileSink(disk, `${path}.spool`);
  return new IndexWriter(disk, path, spool, pause);
}

/** An index being written. See openIndexWriter. */
export class IndexWriter {
  private readonly disk: Disk;
  private readonly path: string;
  private readonly spool: FileSink;
  private readonly pause: Pause;
  private readonly pairs: PairTable = { ids: new Map(), names: [], values: [], uses: [] };
  private readonly record = new ByteWriter(4096);
  private lastLabels: Labels = [];
  private lastPairs: number[] = [];
  private seriesCount = 0;

  constructor(disk: Disk, path: string, spool: FileSink, pause: Pause) {
    this.disk = disk;
    this.path = path;
    this.spool = spool;
    this.pause = pause;
  }

  /** Adds a series; labels must sort after those of the call before, chunks must be in order and not overlap. */
  add(labels: Labels, chunks: ChunkRefs): Promise<void> | undefined {
    if (this.seriesCount > 0 && compareLabels(this.lastLabels, labels) >= 0)
      throw new DomainError(
        'internal',
        `cannot add series ${labelsText(labels)} to an index: it must sort after ${labelsText(this.lastLabels)}`,
      );
    const record = this.record;
    record.clear();
    record.u32be(0);
    const pairs = this.pairsOf(labels);
    record.uvarint(pairs.length);
    for (const pair of pairs) record.uvarint(pair);
    encodeChunkRefs(chunks, record);
    putUint32(record.bytes, 0, record.length - 4);
    this.lastLabels = labels;
    this.lastPairs = pairs;
    this.seriesCount++;
    return this.spool.write(record.written());
  }

  /** Writes the index file, durably; the temporary file is gone afterwards. */
  async finish(): Promise<IndexFacts> {
    await this.spool.flush();
    const target = await createFileSink(this.disk, this.path);
    try {
      const facts = await this.writeSections(target);
      await target.flush();
      await target.file.sync();
      return facts;
    } finally {
      await target.file.close();
      await this.abandon();
    }
  }

  /** Closes and removes the temporary file; for a writer that will not be finished. */
  async abandon(): Promise<void> {
    await this.spool.file.close();
    await this.disk.remove(`${this.path}.spool`);
  }

  private pairsOf(labels: Labels): number[] {
    const out: number[] = new Array(labels.length / 2);
    for (let i = 0; i < labels.length; i += 2) {
      const same = labels[i] === this.lastLabels[i] && labels[i + 1] === this.lastLabels[i + 1];
      const pair = same ? this.lastPairs[i / 2]! : this.pairId(labels[i]!, labels[i + 1]!);
      this.pairs.uses[pair]!++;
      out[i / 2] = pair;
    }
    return out;
  }

  private pairId(name: string, value: string): number {
    const { ids, names, values, uses } = this.pairs;
    let ofName = ids.get(name);
    if (ofName === undefined) ids.set(name, (ofName = new Map()));
    let id = ofName.get(value);
    if (id === undefined) {
      id = names.length;
      ofName.set(value, id);
      names.push(name);
      values.push(value);
      uses.push(0);
    }
    return id;
  }

  private async writeSections(target: FileSink): Promise<IndexFacts> {
    const head = new ByteWriter(16);
    head.u32be(INDEX_MAGIC);
    head.u8(INDEX_VERSION);
    await target.write(head.written());

    const symbolsAt = target.position;
    const numbers = await this.numberSymbols();
    await target.write(await this.encodeSymbols(numbers.symbols));
    const seriesAt = target.position;
    const postings = this.openPostings(numbers);
    const seriesBytesMax = await this.writeSeries(target, numbers, postings);
    const seriesEnd = target.position;
    await target.pad(4);
    const table = await this.writePostings(target, postings);
    const tableAt = target.position;
    await target.write(table);

    const toc = new ByteWriter(INDEX_TOC_BYTES);
    // Prometheus notes where postings begin before it pads them to 4 bytes.
    for (const at of [symbolsAt, seriesAt, seriesEnd, tableAt, seriesEnd, tableAt]) toc.u64be(at);
    toc.u32be(crc32c(toc.written()));
    await target.write(toc.written());
    return {
      bytes: target.position,
      seriesCount: this.seriesCount,
      symbolCount: numbers.symbols.length,
      seriesBytesMax,
    };
  }

  // Symbols in order, and for each pair the numbers of its name and value.
  private async numberSymbols(): Promise<SymbolNumbers> {
    const { ids, names, values } = this.pairs;
    // Prometheus has the empty text among its symbols (from the postings of all series); so do we, to write the same bytes.
    const distinct = new Set<string>(values).add('');
    for (const name of ids.keys()) distinct.add(name);
    const symbols = await sortTexts([...distinct], this.pause);
    const numbers = new Map<string, number>();
    for (let i = 0; i < symbols.length; i++) {
      numbers.set(symbols[i]!, i);
      if (i % SYMBOLS_PER_PAUSE === 0) await this.pause();
    }
    const ofNames = new Uint32Array(names.length);
    const ofValues = new Uint32Array(names.length);
    for (let pair = 0; pair < names.length; pair++) {
      ofNames[pair] = numbers.get(names[pair]!)!;
      ofValues[pair] = numbers.get(values[pair]!)!;
      if (pair % SYMBOLS_PER_PAUSE === 0) await this.pause();
    }
    return { symbols, ofNames, ofValues };
  }

  private openPostings(numbers: SymbolNumbers): PostingsFill {
    const { uses } = this.pairs;
    const byValue = countingSort(Uint32Array.from(uses.keys()), numbers.ofValues, numbers.symbols.length);
    const order = countingSort(byValue, numbers.ofNames, numbers.symbols.length);
    const next = new Float64Array(uses.length);
    let total = 0;
    for (const pair of order) {
      next[pair] = total;
      total += uses[pair]!;
    }
    return { order, next, refs: new Uint32Array(total), all: new Uint32Array(this.seriesCount), count: 0 };
  }

  private async encodeSymbols(symbols: readonly string[]): Promise<Uint8Array> {
    const section = new ByteWriter(1 << 16);
    section.u32be(0);
    section.u32be(symbols.length);
    for (let i = 0; i < symbols.length; i++) {
      section.text(symbols[i]!);
      if (i % SYMBOLS_PER_PAUSE === 0) await this.pause();
    }
    return closeSection(section);
  }

  private async writeSeries(
    target: FileSink,
    numbers: SymbolNumbers,
    postings: PostingsFill,
  ): Promise<number> {
    const entry = new ByteWriter(4096);
    const framed = new ByteWriter(4096);
    let bytesMax = 0;
    for await (const records of spoolRecords(this.spool)) {
      while (records.position < records.end) {
        const end = records.u32be() + records.position;
        await target.pad(SERIES_ALIGN);
        invariant(target.position <= INDEX_BYTES_MAX, `an index must stay below ${INDEX_BYTES_MAX} bytes`);
        const ref = target.position / SERIES_ALIGN;
        entry.clear();
        const pairCount = records.uvarint();
        entry.uvarint(pairCount);
        for (let i = 0; i < pairCount; i++) {
          const pair = records.uvarint();
          entry.uvarint(numbers.ofNames[pair]!);
          entry.uvarint(numbers.ofValues[pair]!);
          postings.refs[postings.next[pair]!++] = ref;
        }
        entry.raw(records.bytes.subarray(records.position, end));
        records.position = end;
        postings.all[postings.count++] = ref;
        framed.clear();
        framed.uvarint(entry.length);
        framed.raw(entry.written());
        framed.u32be(crc32c(entry.written()));
        if (framed.length > bytesMax) bytesMax = framed.length;
        await target.write(framed.written());
        if (postings.count % PAUSE_EVERY === 0) await this.pause();
      }
    }
    invariant(postings.count === this.seriesCount, `${postings.count} of ${this.seriesCount} series spooled`);
    return bytesMax;
  }

  private async writePostings(target: FileSink, postings: PostingsFill): Promise<Uint8Array> {
    const { names, values, uses } = this.pairs;
    const table = new ByteWriter(1 << 16);
    table.u32be(0);
    table.u32be(postings.order.length + 1);
    const list = new ByteWriter(1 << 16);
    addTableEntry(table, '', '', target.position);
    await target.write(encodePostings(postings.all, list));
    for (let i = 0; i < postings.order.length; i++) {
      const pair = postings.order[i]!;
      const end = postings.next[pair]!;
      addTableEntry(table, names[pair]!, values[pair]!, target.position);
      await target.write(encodePostings(postings.refs.subarray(end - uses[pair]!, end), list));
      if (i % PAUSE_EVERY === 0) await this.pause();
    }
    return closeSection(table);
  }
}

/** Symbols in order; parallel to pair ids the symbol numbers of each pair's name and value. */
interface SymbolNumbers {
  readonly symbols: readonly string[];
  readonly ofNames: Uint32Array;
  readonly ofValues: Uint32Array;
}

/** Postings while series are written: `next[pair]` is where the pair's next reference goes; at the end, where its list ends. */
interface PostingsFill {
  /** Pair ids sorted by name and value. */
  readonly order: Uint32Array;
  readonly next: Float64Array;
  readonly refs: Uint32Array;
  readonly all: Uint32Array;
  count: number;
}

/** Appends a series' chunk metas as an index entry holds them: delta-coded times and references. */
export function encodeChunkRefs(chunks: ChunkRefs, target: ByteWriter): void {
  const { count, minTimes, maxTimes, refs } = chunks;
  target.uvarint(count);
  for (let i = 0; i < count; i++) {
    const min = minTimes[i]!;
    const max = maxTimes[i]!;
    invariant(max >= min, `a chunk's last time ${max} must not be before its first ${min}`);
    if (i === 0) {
      target.varint(min);
      target.uvarint(max - min);
      target.uvarint(refs[0]!);
    } else {
      const before = maxTimes[i - 1]!;
      invariant(min > before, `a chunk must start after the one before ends: ${min} ms, ${before} ms`);
      target.uvarint(min - before);
      target.uvarint(max - min);
      target.varint(refs[i]! - refs[i - 1]!);
    }
  }
}

// Fills in a section's leading length and appends its CRC32C, which covers what lies between the two.
function closeSection(section: ByteWriter): Uint8Array {
  const bytes = section.length - 4;
  invariant(bytes <= 0xffff_ffff, `a section must stay below 4 GiB, has ${bytes} bytes`);
  putUint32(section.bytes, 0, bytes);
  section.u32be(crc32c(section.written().subarray(4)));
  return section.written();
}

function encodePostings(refs: Uint32Array, list: ByteWriter): Uint8Array {
  list.clear();
  list.reserve(refs.length * 4 + 12);
  list.u32be(refs.length * 4 + 4);
  list.u32be(refs.length);
  let at = list.length;
  for (let i = 0; i < refs.length; i++) at = putUint32(list.bytes, at, refs[i]!);
  list.length = at;
  list.u32be(crc32c(list.written().subarray(4)));
  return list.written();
}

// `ids` in ascending order of keys[id] (each below `keyCount`), equal keys in the order they had. O(ids + keyCount).
function countingSort(ids: Uint32Array, keys: Uint32Array, keyCount: number): Uint32Array {
  const starts = new Uint32Array(keyCount + 1);
  for (let i = 0; i < ids.length; i++) starts[keys[ids[i]!]! + 1]!++;
  for (let key = 0; key < keyCount; key++) starts[key + 1]! += starts[key]!;
  const out = new Uint32Array(ids.length);
  for (let i = 0; i < ids.length; i++) out[starts[keys[ids[i]!]!]!++] = ids[i]!;
  return out;
}

function addTableEntry(table: ByteWriter, name: string, value: string, at: number): void {
  table.uvarint(2);
  table.text(name);
  table.text(value);
  table.uvarint(at);
}

// The spool's whole records, a piece at a time.
async function* spoolRecords(spool: FileSink): AsyncGenerator<ByteReader> {
  let at = 0;
  let want = SPOOL_READ_BYTES;
  while (at < spool.position) {
    const bytes = await spool.file.read(at, Math.min(want, spool.position - at));
    const cursor = new ByteReader(bytes, 'the index spool');
    let whole = 0;
    while (bytes.length - whole >= 4) {
      cursor.position = whole;
      const next = whole + 4 + cursor.u32be();
      if (next > bytes.length) break;
      whole = next;
    }
    if (whole === 0) {
      want *= 2;
      invariant(bytes.length < spool.position - at || bytes.length === 0, 'the spool ends inside a record');
      continue;
    }
    cursor.position = 0;
    cursor.end = whole;
    at += whole;
    yield cursor;
  }
}
