// Reads one block: matchers → postings → series entries → chunk bytes. Everything read twice comes from the shared caches;
// what is asked of the index goes through its header, so that a cold query moves ranges, never whole files.

import { ByteReader, uint32At } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import type { CompiledMatcher } from '../../codec/regex.ts';
import { DomainError } from '../../model/errors.ts';
import { type Labels, labelValue } from '../../model/labels.ts';
import { matcherText } from '../../model/matcher.ts';
import type { Pause } from '../../model/pause.ts';
import { compareText } from '../../model/text.ts';
import { type PostingsIndex, selectPostings } from '../index/postings-select.ts';
import { meets, NO_POSTINGS, union } from '../index/postings-set.ts';
import type { BlockMeta } from './block-meta.ts';
import { ByteCache } from './byte-cache.ts';
import { type ByteSource, readRanges } from './byte-source.ts';
import { type ChunkStore, type LoadedSeries, loadChunks } from './chunk-load.ts';
import type { IndexHeader } from './index-header.ts';
import { readSeriesTable, type SeriesTable, seriesTableWeight, tableWithin } from './series-table.ts';
import { walkSeries } from './series-walk.ts';
import type { Tombstones } from './tombstones.ts';

/** Postings lists looked up one by one through the cache; more are read in bulk. */
const CACHED_LISTS_MAX = 64;
/** Above this many bytes of postings per selected series, label values come from series entries instead. */
const SERIES_COST_BYTES = 512;

/** Labels of a block whose values are remembered, and the most values of one: about 1 MB for each block at worst. */
const KNOWN_LABELS_MAX = 8;
const KNOWN_VALUES_MAX = 2000;

/** Caches shared by all blocks of a process. */
export interface BlockCaches {
  readonly pages: ByteCache<Uint8Array>;
  readonly postings: ByteCache<Uint32Array>;
  readonly tables: ByteCache<SeriesTable>;
  readonly headers: ByteCache<IndexHeader>;
}

/** Limits of the shared caches, bytes. */
export interface BlockCacheLimits {
  readonly pageBytesMax: number;
  readonly postingsBytesMax: number;
  readonly tableBytesMax: number;
  readonly headerBytesMax: number;
}

/** Makes the shared caches. */
export function blockCaches(limits: BlockCacheLimits): BlockCaches {
  return {
    pages: new ByteCache(limits.pageBytesMax),
    postings: new ByteCache(limits.postingsBytesMax),
    tables: new ByteCache(limits.tableBytesMax),
    headers: new ByteCache(limits.headerBytesMax),
  };
}

/** The files of a block, however they are reached. */
export interface BlockFiles {
  readonly index: ByteSource;
  /** Chunk segments from index 0. */
  readonly segments: readonly ByteSource[];
  readonly tombstones: Tombstones;
  /** Loads the index header; called again after the cache has dropped it. */
  loadHeader(signal?: AbortSignal): Promise<IndexHeader>;
}

/** What a read may use. */
export interface BlockReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Most series a selection may have; more is `too_large`. */
  readonly seriesMax?: number;
}

/** Series of a block that match, with the places of their chunks in the wanted time range. */
export interface BlockSelection {
  readonly meta: BlockMeta;
  /** In label order; `table.labels.length` series. Borrowed, immutable. */
  readonly table: SeriesTable;
  /** Reads the chunks of series [first, end). */
  load(first: number, end: number, signal?: AbortSignal): Promise<LoadedSeries>;
}

/** An open block. Use openDiskBlock or openBucketBlock to make one. */
export class BlockReader {
  readonly meta: BlockMeta;
  private readonly files: BlockFiles;
  private readonly caches: BlockCaches;
  private readonly pause: Pause;
  private readonly chunks: ChunkStore;
  private headerUnderWay: Promise<IndexHeader> | undefined;
  /** All values of labels that were asked for without matchers. */
  private readonly knownValues = new Map<string, readonly string[]>();

  constructor(meta: BlockMeta, files: BlockFiles, caches: BlockCaches, pause: Pause) {
    this.meta = meta;
    this.files = files;
    this.caches = caches;
    this.pause = pause;
    this.chunks = {
      blockName: meta.ulid,
      segment: (index) => this.segment(index),
      chunkBytesMax: meta.thanos?.chunkBytesMax ?? 0,
      tombstones: files.tombstones,
    };
  }

  /** Series that match and have a chunk in [start, end] (ms, both included). */
  async select(
    matchers: readonly CompiledMatcher[],
    start: number,
    end: number,
    options: BlockReadOptions = {},
  ): Promise<BlockSelection> {
    const table = tableWithin(await this.seriesTable(matchers, options), start, end);
    return {
      meta: this.meta,
      table,
      load: (first, last, signal) => loadChunks(this.chunks, table, { first, end: last }, signal),
    };
  }

  /** All series in label order, some at a time. Errors: `corrupt`, those of the files, the signal's reason. */
  async *walk(signal?: AbortSignal): AsyncGenerator<LoadedSeries> {
    const { files, chunks, pause, meta } = this;
    const entryBytesMax = meta.thanos?.seriesBytesMax ?? 0;
    yield* walkSeries(
      { index: files.index, header: await this.header(signal), chunks, entryBytesMax, pause },
      signal,
    );
  }

  /** Label names of the series that match, sorted; without matchers from the header alone. */
  async labelNames(
    matchers: readonly CompiledMatcher[] = [],
    options: BlockReadOptions = {},
  ): Promise<readonly string[]> {
    if (matchers.length === 0) return (await this.header(options.signal)).names;
    const table = await this.seriesTable(matchers, options);
    const names = new Set<string>();
    for (const labels of table.labels) for (let i = 0; i < labels.length; i += 2) names.add(labels[i]!);
    return [...names].sort(compareText);
  }

  /** Values of a label on the series that match, sorted; without matchers on other labels no series is touched. */
  async labelValues(
    name: string,
    matchers: readonly CompiledMatcher[] = [],
    options: BlockReadOptions = {},
  ): Promise<readonly string[]> {
    const known = matchers.length === 0 ? this.knownValues.get(name) : undefined;
    if (known !== undefined) return known;
    const header = await this.header(options.signal);
    const entries = header.entriesOf(name);
    if (entries === undefined || name === '') return [];
    const own = matchers.filter((matcher) => matcher.matcher.name === name);
    const wanted: number[] = [];
    const values: string[] = [];
    for (let entry = entries.first; entry < entries.first + entries.count; entry++) {
      const value = header.valueOf(entry);
      if (!own.every((matcher) => matcher.matches(value))) continue;
      wanted.push(entry);
      values.push(value);
    }
    if (matchers.length === 0) this.rememberValues(name, values);
    if (own.length === matchers.length || wanted.length === 0) return values;
    const refs = await this.postings(matchers, header, options.signal);
    if (refs.length === 0) return [];
    const span = header.postingsRange(wanted.at(-1)!).end - header.postingsRange(wanted[0]!).start;
    if (span > refs.length * SERIES_COST_BYTES) return this.valuesFromSeries(name, matchers, options);
    const lists = await this.readLists(header, wanted, options.signal);
    return values.filter((_, i) => meets(lists[i]!, refs));
  }

  // Dashboards ask for the values of a few labels again and again.
  private rememberValues(name: string, values: readonly string[]): void {
    if (values.length > KNOWN_VALUES_MAX) return;
    if (this.knownValues.size >= KNOWN_LABELS_MAX)
      this.knownValues.delete(this.knownValues.keys().next().value as string);
    this.knownValues.set(name, values);
  }

  /** Number of series that match; reads postings only. */
  async seriesCount(matchers: readonly CompiledMatcher[], options: BlockReadOptions = {}): Promise<number> {
    return (await this.postings(matchers, await this.header(options.signal), options.signal)).length;
  }

  /** Closes the files and forgets what the caches hold of the block. */
  async close(): Promise<void> {
    const prefix = `${this.meta.ulid}/`;
    for (const cache of Object.values(this.caches) as ByteCache<unknown>[]) cache.forget(prefix);
    await Promise.all([this.files.index.close(), ...this.files.segments.map((segment) => segment.close())]);
  }

  private async segment(index: number): Promise<ByteSource> {
    const source = this.files.segments[index];
    if (source === undefined)
      throw new DomainError(
        'corrupt',
        `cannot read block ${this.meta.ulid}: its index names chunk segment ${index + 1}, it has ${this.files.segments.length}`,
      );
    return source;
  }

  private async header(signal: AbortSignal | undefined): Promise<IndexHeader> {
    const key = `${this.meta.ulid}/header`;
    const known = this.caches.headers.get(key);
    if (known !== undefined) return known;
    signal?.throwIfAborted();
    // Not given the signal: others may wait for the same load.
    this.headerUnderWay ??= this.files.loadHeader().then(
      (header) => {
        this.caches.headers.set(key, header, header.weight);
        this.headerUnderWay = undefined;
        return header;
      },
      (error: unknown) => {
        this.headerUnderWay = undefined;
        throw error;
      },
    );
    return this.headerUnderWay;
  }

  private async seriesTable(
    matchers: readonly CompiledMatcher[],
    options: BlockReadOptions,
  ): Promise<SeriesTable> {
    const key = `${this.meta.ulid}/${matchers.map((matcher) => matcherText(matcher.matcher)).join()}`;
    const known = this.caches.tables.get(key);
    if (known !== undefined) {
      this.assertSeries(known.labels.length, options);
      return known;
    }
    const header = await this.header(options.signal);
    const refs = await this.postings(matchers, header, options.signal);
    this.assertSeries(refs.length, options);
    const entries = {
      index: this.files.index,
      header,
      entryBytesMax: this.meta.thanos?.seriesBytesMax ?? 0,
      blockName: this.meta.ulid,
    };
    const table = await readSeriesTable(entries, refs, this.pause, options.signal);
    this.caches.tables.set(key, table, seriesTableWeight(table));
    return table;
  }

  private assertSeries(count: number, options: BlockReadOptions): void {
    if (options.seriesMax === undefined || count <= options.seriesMax) return;
    throw new DomainError(
      'too_large',
      `cannot select from block ${this.meta.ulid}: ${count} series match, at most ${options.seriesMax} are allowed`,
    );
  }

  private async valuesFromSeries(
    name: string,
    matchers: readonly CompiledMatcher[],
    options: BlockReadOptions,
  ): Promise<readonly string[]> {
    const table = await this.seriesTable(matchers, options);
    const values = new Set(table.labels.map((labels: Labels) => labelValue(labels, name)));
    values.delete('');
    return [...values].sort(compareText);
  }

  private postings(
    matchers: readonly CompiledMatcher[],
    header: IndexHeader,
    signal: AbortSignal | undefined,
  ): Promise<Uint32Array> {
    return selectPostings(this.postingsIndex(header, signal), matchers);
  }

  private postingsIndex(header: IndexHeader, signal: AbortSignal | undefined): PostingsIndex {
    const ofEntries = (entries: number[]): Promise<Uint32Array> => this.unite(header, entries, signal);
    return {
      all: () => ofEntries([header.entryOf('', '')]),
      withValues: (name, values) => {
        const entries = values.map((value) => (value === '' ? -1 : header.entryOf(name, value)));
        return ofEntries(entries.filter((entry) => entry >= 0).sort((a, b) => a - b));
      },
      where: (name, accepts, prefix) => {
        const range = header.entriesWithPrefix(name, prefix ?? '') ?? { first: 0, count: 0 };
        const entries: number[] = [];
        for (let entry = range.first; entry < range.first + range.count; entry++)
          if (accepts(header.valueOf(entry))) entries.push(entry);
        return ofEntries(entries);
      },
      having: (name) => {
        const range = header.entriesOf(name) ?? { first: 0, count: 0 };
        return ofEntries(Array.from({ length: range.count }, (_, i) => range.first + i));
      },
    };
  }

  // The union of the lists of `entries` (ascending).
  private async unite(
    header: IndexHeader,
    entries: number[],
    signal: AbortSignal | undefined,
  ): Promise<Uint32Array> {
    if (entries.length === 0 || entries[0]! < 0) return NO_POSTINGS;
    if (entries.length <= CACHED_LISTS_MAX) return union(await this.readLists(header, entries, signal));
    const lists = await this.readRaw(header, entries, signal);
    let total = 0;
    for (const list of lists) total += list.length;
    // Lists of one label name never share a series, so sorting what they hold together is their union.
    const all = new Uint32Array(total);
    let at = 0;
    for (const list of lists) {
      all.set(list, at);
      at += list.length;
    }
    return all.sort();
  }

  private async readLists(
    header: IndexHeader,
    entries: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<Uint32Array[]> {
    const { postings } = this.caches;
    const key = (entry: number): string => `${this.meta.ulid}/${entry}`;
    const out = entries.map((entry) => postings.get(key(entry)));
    const missing = entries.filter((_, i) => out[i] === undefined);
    if (missing.length === 0) return out as Uint32Array[];
    const read = await this.readRaw(header, missing, signal);
    let next = 0;
    for (let i = 0; i < out.length; i++) {
      if (out[i] !== undefined) continue;
      const list = read[next]!;
      postings.set(key(missing[next++]!), list, list.byteLength + 128);
      out[i] = list;
    }
    return out as Uint32Array[];
  }

  // Reads and decodes the lists of `entries` (ascending) from the index.
  private async readRaw(
    header: IndexHeader,
    entries: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<Uint32Array[]> {
    const offsets = new Float64Array(entries.length);
    const lengths = new Float64Array(entries.length);
    for (let i = 0; i < entries.length; i++) {
      const { start, end } = header.postingsRange(entries[i]!);
      offsets[i] = start;
      lengths[i] = end - start;
    }
    const reads = await readRanges(this.files.index, { offsets, lengths }, { signal });
    const what = `postings of block ${this.meta.ulid}`;
    const cursors = reads.bytes.map((bytes) => new ByteReader(bytes, what));
    const out: Uint32Array[] = new Array(entries.length);
    for (let i = 0; i < entries.length; i++) {
      const read = reads.readOf[i]!;
      const cursor = cursors[read]!;
      cursor.position = offsets[i]! - reads.starts[read]!;
      out[i] = decodePostings(cursor, offsets[i]!);
    }
    return out;
  }
}

function decodePostings(cursor: ByteReader, offset: number): Uint32Array {
  const length = cursor.u32be();
  cursor.need(length + 4);
  const { bytes, position: at } = cursor;
  if (crc32c(bytes.subarray(at, at + length)) !== uint32At(bytes, at + length))
    throw new DomainError(
      'corrupt',
      `cannot read ${cursor.what}: the checksum of the list at offset ${offset} does not match`,
    );
  const count = cursor.u32be();
  if (count * 4 + 4 !== length) cursor.fail(`a list of ${count} references in ${length} bytes`);
  const out = new Uint32Array(count);
  for (let i = 0; i < count; i++) out[i] = uint32At(bytes, at + 4 + 4 * i);
  return out;
}
