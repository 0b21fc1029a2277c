// Series entries of an index, decoded into columns: labels per series, chunk metas of all series end to end.

import { ByteReader, uint32At } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import { DomainError } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { Pause } from '../../model/pause.ts';
import { SERIES_ALIGN } from '../index/index-sections.ts';
import { type ByteSource, readRanges } from './byte-source.ts';
import type { IndexHeader } from './index-header.ts';

/**
 * Series in order of reference, which is label order. The chunks of series i are [chunkStart[i], chunkStart[i + 1]) of
 * `minTimes`, `maxTimes` (ms, both included) and `chunkRefs`. Immutable.
 */
export interface SeriesTable {
  readonly refs: Uint32Array;
  readonly labels: readonly Labels[];
  readonly chunkStart: Uint32Array;
  readonly minTimes: Float64Array;
  readonly maxTimes: Float64Array;
  readonly chunkRefs: Float64Array;
}

/** Where series entries come from. */
export interface SeriesEntries {
  readonly index: ByteSource;
  readonly header: IndexHeader;
  /** Largest entry in bytes when the block's meta tells, else 0. */
  readonly entryBytesMax: number;
  readonly blockName: string;
}

/** Guess of an entry's size where meta.json is silent; longer ones cost another read. */
const ENTRY_BYTES_GUESS = 1024;
/** Series decoded between two calls of `pause`. */
const PAUSE_EVERY = 1024;

/** Memory a table takes, bytes, without the label strings (the index header owns them). */
export function seriesTableWeight(table: SeriesTable): number {
  let labels = 0;
  for (const set of table.labels) labels += 32 + 8 * set.length;
  return labels + table.refs.byteLength * 2 + table.minTimes.byteLength * 3 + 512;
}

/** Reads and decodes the entries of `refs` (sorted). Errors: `corrupt` with block and offset, those of the source. */
export async function readSeriesTable(
  entries: SeriesEntries,
  refs: Uint32Array,
  pause: Pause,
  signal?: AbortSignal,
): Promise<SeriesTable> {
  const guess = (entries.entryBytesMax > 0 ? entries.entryBytesMax : ENTRY_BYTES_GUESS) + 16;
  const offsets = Float64Array.from(refs, (ref) => ref * SERIES_ALIGN);
  const lengths = new Float64Array(refs.length).fill(guess);
  const reads = await readRanges(entries.index, { offsets, lengths }, { signal });
  const cursors = reads.bytes.map((bytes) => new ByteReader(bytes, `index of block ${entries.blockName}`));
  const target = new TableBuilder(refs, entries.header);
  for (let i = 0; i < refs.length; i++) {
    const read = reads.readOf[i]!;
    const cursor = cursors[read]!;
    cursor.position = offsets[i]! - reads.starts[read]!;
    if (!target.decode(cursor)) target.decode(await wholeEntry(entries, offsets[i]!, signal));
    if (i % PAUSE_EVERY === PAUSE_EVERY - 1) await pause();
  }
  return target.finish();
}

// The entry at an offset whose end the guess did not reach.
async function wholeEntry(
  entries: SeriesEntries,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<ByteReader> {
  const { index, blockName } = entries;
  const what = `index of block ${blockName}`;
  const start = new ByteReader(await index.read(offset, Math.min(10, index.size - offset), signal), what);
  const length = start.uvarint() + start.position + 4;
  if (offset + length > index.size)
    throw new DomainError(
      'corrupt',
      `cannot read the series at offset ${offset} of ${what}: it ends too late`,
    );
  return new ByteReader(await index.read(offset, length, signal), what);
}

class TableBuilder {
  private readonly refs: Uint32Array;
  private readonly header: IndexHeader;
  private readonly labels: Labels[] = [];
  private readonly chunkStart: Uint32Array;
  private minTimes: Float64Array;
  private maxTimes: Float64Array;
  private chunkRefs: Float64Array;
  private chunks = 0;

  constructor(refs: Uint32Array, header: IndexHeader) {
    this.refs = refs;
    this.header = header;
    this.chunkStart = new Uint32Array(refs.length + 1);
    this.minTimes = new Float64Array(refs.length + 16);
    this.maxTimes = new Float64Array(refs.length + 16);
    this.chunkRefs = new Float64Array(refs.length + 16);
  }

  /** Decodes the next series at the cursor; false when the cursor's bytes end before the entry does. */
  decode(cursor: ByteReader): boolean {
    const length = cursor.uvarint();
    const start = cursor.position;
    const end = start + length;
    if (end + 4 > cursor.end) return false;
    const { bytes } = cursor;
    if (crc32c(bytes.subarray(start, end)) !== uint32At(bytes, end)) this.failChecksum(cursor);
    const labelCount = cursor.uvarint();
    if (labelCount > length / 2) cursor.fail(`${labelCount} labels cannot fit`);
    const labels: string[] = new Array(labelCount * 2);
    for (let i = 0; i < labelCount * 2; i++) labels[i] = this.header.symbol(cursor.uvarint());
    this.decodeChunks(cursor, length);
    this.labels.push(labels);
    this.chunkStart[this.labels.length] = this.chunks;
    return true;
  }

  finish(): SeriesTable {
    return {
      refs: this.refs,
      labels: this.labels,
      chunkStart: this.chunkStart,
      minTimes: this.minTimes.slice(0, this.chunks),
      maxTimes: this.maxTimes.slice(0, this.chunks),
      chunkRefs: this.chunkRefs.slice(0, this.chunks),
    };
  }

  private decodeChunks(cursor: ByteReader, length: number): void {
    const count = cursor.uvarint();
    if (count > length / 3) cursor.fail(`${count} chunks cannot fit`);
    if (this.chunks + count > this.minTimes.length) this.grow(this.chunks + count);
    let max = 0;
    let ref = 0;
    for (let i = 0; i < count; i++) {
      const min = i === 0 ? cursor.varint() : max + cursor.uvarint();
      max = min + cursor.uvarint();
      ref = i === 0 ? cursor.uvarint() : ref + cursor.varint();
      this.minTimes[this.chunks] = min;
      this.maxTimes[this.chunks] = max;
      this.chunkRefs[this.chunks++] = ref;
    }
  }

  private grow(needed: number): void {
    const grown = (before: Float64Array): Float64Array => {
      const after = new Float64Array(Math.max(needed, before.length * 2));
      after.set(before);
      return after;
    };
    this.minTimes = grown(this.minTimes);
    this.maxTimes = grown(this.maxTimes);
    this.chunkRefs = grown(this.chunkRefs);
  }

  private failChecksum(cursor: ByteReader): never {
    const offset = this.refs[this.labels.length]! * SERIES_ALIGN;
    throw new DomainError(
      'corrupt',
      `cannot read the series at offset ${offset} of ${cursor.what}: its checksum does not match`,
    );
  }
}

/** The part of a table with chunks in [start, end] (ms, both included); series without any are left out. */
export function tableWithin(table: SeriesTable, start: number, end: number): SeriesTable {
  const { minTimes, maxTimes, chunkStart } = table;
  let outside = 0;
  for (let c = 0; c < minTimes.length; c++) if (minTimes[c]! > end || maxTimes[c]! < start) outside++;
  if (outside === 0) return table;
  const kept = minTimes.length - outside;
  const refs = new Uint32Array(table.refs.length);
  const labels: Labels[] = [];
  const starts = new Uint32Array(table.refs.length + 1);
  const out = {
    minTimes: new Float64Array(kept),
    maxTimes: new Float64Array(kept),
    chunkRefs: new Float64Array(kept),
  };
  let chunks = 0;
  for (let i = 0; i < table.refs.length; i++) {
    const before = chunks;
    for (let c = chunkStart[i]!; c < chunkStart[i + 1]!; c++) {
      if (minTimes[c]! > end || maxTimes[c]! < start) continue;
      out.minTimes[chunks] = minTimes[c]!;
      out.maxTimes[chunks] = maxTimes[c]!;
      out.chunkRefs[chunks++] = table.chunkRefs[c]!;
    }
    if (chunks === before) continue;
    refs[labels.length] = table.refs[i]!;
    labels.push(table.labels[i]!);
    starts[labels.length] = chunks;
  }
  return {
    refs: refs.slice(0, labels.length),
    labels,
    chunkStart: starts.slice(0, labels.length + 1),
    ...out,
  };
}
