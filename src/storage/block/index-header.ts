// The part of a block's index that every query needs, kept near: symbols and the postings offset table. The file is Thanos's
// index-header, version 1 (features.md 1.4):
//
//   magic 0xBAAAD792 <4b> | version 1 <1b> | index version <1b> | end of the last postings list in the index <8b>
//   symbol table, a copy of the index's section with its length and CRC
//   postings offset table, a copy likewise
//   offset of the symbols <8b> | offset of the postings offset table <8b> | CRC32C of these 16 bytes <4b>
//
// It is built by three ranged reads (contents, symbols, table) and never by reading the whole index.

import { ByteReader, ByteWriter, compareBytesAt, textOf, uint32At, utf8Of } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import { DomainError } from '../../model/errors.ts';
import { compareText } from '../../model/text.ts';
import type { Disk } from '../../platform/disk.ts';
import { INDEX_MAGIC, INDEX_TOC_BYTES, INDEX_VERSION } from '../index/index-sections.ts';
import type { ByteSource } from './byte-source.ts';

/** Name of the file beside a block's meta.json in the local cache. */
export const INDEX_HEADER_FILE = 'index-header';
const HEADER_MAGIC = 0xbaaad792;
const HEADER_VERSION = 1;
const HEADER_START_BYTES = 14;
const HEADER_TOC_BYTES = 20;

/** Where the sections of an index begin; 0 for one that is not there. */
export interface IndexToc {
  readonly symbols: number;
  readonly series: number;
  readonly labelIndices: number;
  readonly labelIndicesTable: number;
  readonly postings: number;
  readonly postingsTable: number;
}

/** Reads and checks an index's table of contents and first bytes. */
export async function readIndexToc(index: ByteSource, signal?: AbortSignal): Promise<IndexToc> {
  if (index.size < INDEX_TOC_BYTES + 5)
    throw new DomainError('corrupt', `cannot read ${index.what}: ${index.size} bytes are no index`);
  const start = new ByteReader(await index.read(0, 5, signal), index.what);
  if (start.u32be() !== INDEX_MAGIC) start.fail('the magic number is wrong');
  const version = start.u8();
  if (version !== INDEX_VERSION) start.fail(`index version ${version} is not known (2 is)`);
  const bytes = await index.read(index.size - INDEX_TOC_BYTES, INDEX_TOC_BYTES, signal);
  const toc = new ByteReader(bytes, `the contents of ${index.what}`);
  if (crc32c(bytes.subarray(0, INDEX_TOC_BYTES - 4)) !== uint32At(bytes, INDEX_TOC_BYTES - 4))
    toc.fail('the checksum does not match');
  const out: IndexToc = {
    symbols: toc.u64be(),
    series: toc.u64be(),
    labelIndices: toc.u64be(),
    labelIndicesTable: toc.u64be(),
    postings: toc.u64be(),
    postingsTable: toc.u64be(),
  };
  const ordered = out.symbols <= out.series && out.series <= out.postingsTable;
  if (!ordered || out.postingsTable > index.size - INDEX_TOC_BYTES || out.symbols === 0)
    toc.fail('its offsets are out of order');
  return out;
}

/** Builds the bytes of an index header from an index by ranged reads. */
export async function buildIndexHeader(index: ByteSource, signal?: AbortSignal): Promise<Uint8Array> {
  const toc = await readIndexToc(index, signal);
  const [symbols, table] = await Promise.all([
    index.read(toc.symbols, toc.series - toc.symbols, signal),
    index.read(toc.postingsTable, index.size - INDEX_TOC_BYTES - toc.postingsTable, signal),
  ]);
  const out = new ByteWriter(HEADER_START_BYTES + symbols.length + table.length + HEADER_TOC_BYTES);
  out.u32be(HEADER_MAGIC);
  out.u8(HEADER_VERSION);
  out.u8(INDEX_VERSION);
  out.u64be(toc.postingsTable);
  out.raw(symbols);
  const tableAt = out.length;
  out.raw(table);
  const contents = out.length;
  out.u64be(HEADER_START_BYTES);
  out.u64be(tableAt);
  out.u32be(crc32c(out.written().subarray(contents)));
  return out.written();
}

/**
 * Opens the index header at `path` of the local cache, building it from the index when it is missing or does not check.
 * Errors: those of the index source.
 */
export async function loadIndexHeader(
  disk: Disk,
  path: string,
  index: ByteSource,
  signal?: AbortSignal,
): Promise<IndexHeader> {
  try {
    return new IndexHeader(await disk.readFile(path), `index header of ${index.what}`);
  } catch (error) {
    if (!(error instanceof DomainError) || (error.code !== 'not_found' && error.code !== 'corrupt'))
      throw error;
  }
  const bytes = await buildIndexHeader(index, signal);
  const header = new IndexHeader(bytes, `index header of ${index.what}`);
  await disk.writeFile(path, bytes);
  return header;
}

/** The entries of one label name in the postings offset table: [first, first + count), one a value, sorted by value. */
export interface NameEntries {
  readonly first: number;
  readonly count: number;
}

/** An index header in memory: symbol and postings-offset lookups without further reads. Immutable. */
export class IndexHeader {
  /** Label names, sorted. */
  readonly names: readonly string[];
  /** Memory this object holds, bytes. */
  readonly weight: number;
  private readonly bytes: Uint8Array;
  private readonly what: string;
  private readonly symbolAt: Uint32Array;
  private readonly symbolText: (string | undefined)[];
  /** Position of each table entry's value (its length prefix). */
  private readonly entryAt: Uint32Array;
  private readonly byName = new Map<string, NameEntries>();
  private readonly postingsEndAll: number;

  /** Parses the bytes of an index-header file (kept, not copied); `corrupt` when they do not check. */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.what = what;
    const cursor = new ByteReader(bytes, what);
    if (cursor.u32be() !== HEADER_MAGIC) cursor.fail('the magic number is wrong');
    if (cursor.u8() !== HEADER_VERSION) cursor.fail('its version is not known');
    if (cursor.u8() !== INDEX_VERSION) cursor.fail('its index version is not known');
    this.postingsEndAll = cursor.u64be();
    cursor.need(HEADER_TOC_BYTES);
    const contents = bytes.length - HEADER_TOC_BYTES;
    if (crc32c(bytes.subarray(contents, bytes.length - 4)) !== uint32At(bytes, bytes.length - 4))
      cursor.fail('the checksum of its contents does not match');
    cursor.position = contents;
    const symbols = cursor.u64be();
    const table = cursor.u64be();
    this.symbolAt = parseSymbols(section(bytes, symbols, what));
    this.symbolText = new Array(this.symbolAt.length);
    this.entryAt = this.parseTable(section(bytes, table, what));
    this.names = [...this.byName.keys()].filter((name) => name !== '').sort(compareText);
    this.weight = bytes.length + this.symbolAt.length * 12 + this.entryAt.length * 4 + 1024;
  }

  /** Number of symbols. */
  get symbolCount(): number {
    return this.symbolAt.length;
  }

  /** The text of a symbol; `corrupt` for a number beyond the table. */
  symbol(number: number): string {
    const known = this.symbolText[number];
    if (known !== undefined) return known;
    if (number >= this.symbolAt.length)
      throw new DomainError(
        'corrupt',
        `cannot read ${this.what}: symbol ${number} of ${this.symbolAt.length}`,
      );
    const cursor = new ByteReader(this.bytes, this.what, this.symbolAt[number]!);
    return (this.symbolText[number] = nameOf(cursor));
  }

  /** The entries of a label name; undefined when no series has it. '' with value '' is the list of all series. */
  entriesOf(name: string): NameEntries | undefined {
    return this.byName.get(name);
  }

  /** The entry of a name and value, or -1. O(log values). */
  entryOf(name: string, value: string): number {
    const entries = this.byName.get(name);
    if (entries === undefined) return -1;
    const target = utf8Of(value);
    const found = this.lowerBound(entries, target);
    return found < entries.first + entries.count && this.compareValue(found, target) === 0 ? found : -1;
  }

  /** The entries of a name whose value begins with `prefix`. */
  entriesWithPrefix(name: string, prefix: string): NameEntries | undefined {
    const entries = this.byName.get(name);
    if (entries === undefined || prefix === '') return entries;
    const target = utf8Of(prefix);
    const first = this.lowerBound(entries, target);
    let end = first;
    // The last byte is raised to find the end; 0xff never occurs in UTF-8.
    const above = target.slice();
    above[above.length - 1]!++;
    end = this.lowerBound(entries, above);
    return { first, count: end - first };
  }

  /** The value of an entry. */
  valueOf(entry: number): string {
    const cursor = new ByteReader(this.bytes, this.what, this.entryAt[entry]!);
    return nameOf(cursor);
  }

  /** Where the entry's postings list begins in the index, and a place at or after its end. */
  postingsRange(entry: number): { readonly start: number; readonly end: number } {
    const start = this.postingsAt(entry);
    const next = entry + 1 < this.entryAt.length ? this.postingsAt(entry + 1) : this.postingsEndAll;
    return { start, end: next > start ? next : this.postingsEndAll };
  }

  private postingsAt(entry: number): number {
    const cursor = new ByteReader(this.bytes, this.what, this.entryAt[entry]!);
    cursor.skip(cursor.uvarint());
    return cursor.uvarint();
  }

  private lowerBound(entries: NameEntries, target: Uint8Array): number {
    let low = entries.first;
    let high = entries.first + entries.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareValue(middle, target) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private compareValue(entry: number, target: Uint8Array): number {
    const cursor = new ByteReader(this.bytes, this.what, this.entryAt[entry]!);
    const length = cursor.uvarint();
    return compareBytesAt(this.bytes, cursor.position, length, target);
  }

  private parseTable(cursor: ByteReader): Uint32Array {
    const count = cursor.u32be();
    // An entry has at least five bytes: a count from outside may not choose how much memory is taken.
    if (count > (cursor.end - cursor.position) / 4) cursor.fail(`${count} postings entries cannot fit`);
    const entryAt = new Uint32Array(count);
    const bytes = cursor.bytes;
    let nameAt = -1;
    let nameBytes = 0;
    let first = 0;
    const close = (end: number): void => {
      if (nameAt >= 0) this.byName.set(textOf(bytes, nameAt, nameBytes), { first, count: end - first });
    };
    for (let i = 0; i < count; i++) {
      if (cursor.uvarint() !== 2) cursor.fail('a postings entry does not have two keys');
      const length = cursor.uvarint();
      const at = cursor.position;
      cursor.skip(length);
      if (nameAt < 0 || !sameBytes(bytes, nameAt, nameBytes, at, length)) {
        close(i);
        nameAt = at;
        nameBytes = length;
        first = i;
      }
      entryAt[i] = cursor.position;
      cursor.skip(cursor.uvarint());
      cursor.uvarint();
    }
    close(count);
    return entryAt;
  }
}

// A section without its length and checksum, after checking both.
function section(bytes: Uint8Array, at: number, what: string): ByteReader {
  const cursor = new ByteReader(bytes, what, at);
  const length = cursor.u32be();
  cursor.need(length + 4);
  const end = cursor.position + length;
  if (crc32c(bytes.subarray(cursor.position, end)) !== uint32At(bytes, end))
    cursor.fail('the checksum of a section does not match');
  cursor.end = end;
  return cursor;
}

function parseSymbols(cursor: ByteReader): Uint32Array {
  const count = cursor.u32be();
  if (count > cursor.end - cursor.position) cursor.fail(`${count} symbols cannot fit`);
  const at = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    at[i] = cursor.position;
    cursor.skip(cursor.uvarint());
  }
  return at;
}

function sameBytes(bytes: Uint8Array, a: number, aLength: number, b: number, bLength: number): boolean {
  if (aLength !== bLength) return false;
  for (let i = 0; i < aLength; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

// Texts of other people's blocks may be malformed; that is no reason to refuse the block.
function nameOf(cursor: ByteReader): string {
  const length = cursor.uvarint();
  return textOf(cursor.bytes, cursor.skip(length), length);
}
