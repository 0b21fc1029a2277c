// The chunk bytes of selected series, read with few reads, checksums verified, decoded on demand without waiting.

import { ByteReader, uint32At } from '../../codec/bytes.ts';
import { CHUNK_XOR, type Chunk } from '../../codec/chunk.ts';
import { crc32c } from '../../codec/hash.ts';
import { readChunk } from '../../codec/sample-chunks.ts';
import { decodeXorAt, XOR_HEADER_BYTES } from '../../codec/xor-chunk.ts';
import { DomainError } from '../../model/errors.ts';
import { type Labels, labelsText } from '../../model/labels.ts';
import type { SampleColumns } from '../../model/samples.ts';
import { type ByteSource, readRanges } from './byte-source.ts';
import { encodingName, offsetOf, segmentOf } from './chunk-segments.ts';
import type { SeriesTable } from './series-table.ts';
import { type DeletedInterval, dropDeleted, type Tombstones } from './tombstones.ts';

/** Guess of a chunk's size where meta.json is silent (Thanos's estimate); longer ones cost another read. */
const CHUNK_BYTES_GUESS = 16_000;

/** Where chunks come from. */
export interface ChunkStore {
  readonly blockName: string;
  /** The segment of an index from 0; `corrupt` when the block has none. */
  segment(index: number): Promise<ByteSource>;
  /** Largest chunk with its frame in bytes when the block's meta tells, else 0. */
  readonly chunkBytesMax: number;
  readonly tombstones: Tombstones;
}

/** Chunks of table entries [first, first + count): parallel columns, chunk c of the table at index c - base. */
interface ChunkColumns {
  readonly base: number;
  readonly encodings: Uint8Array;
  readonly buffers: readonly Uint8Array[];
  readonly bufferOf: Uint32Array;
  readonly dataAt: Uint32Array;
  readonly dataBytes: Uint32Array;
}

/** Reads the chunks of series [first, end) of a table. Errors: `corrupt` with block and offset, those of the source. */
export async function loadChunks(
  store: ChunkStore,
  table: SeriesTable,
  range: { readonly first: number; readonly end: number },
  signal?: AbortSignal,
): Promise<LoadedSeries> {
  const base = table.chunkStart[range.first]!;
  const count = table.chunkStart[range.end]! - base;
  const columns = {
    base,
    encodings: new Uint8Array(count),
    buffers: [] as Uint8Array[],
    bufferOf: new Uint32Array(count),
    dataAt: new Uint32Array(count),
    dataBytes: new Uint32Array(count),
  };
  let done = 0;
  while (done < count) {
    const segment = segmentOf(table.chunkRefs[base + done]!);
    let end = done + 1;
    while (end < count && segmentOf(table.chunkRefs[base + end]!) === segment) end++;
    await loadSegment(
      store,
      segment,
      table.chunkRefs.subarray(base + done, base + end),
      done,
      columns,
      signal,
    );
    done = end;
  }
  return new LoadedSeries(store, table, range.first, range.end, columns);
}

async function loadSegment(
  store: ChunkStore,
  segment: number,
  refs: Float64Array,
  into: number,
  columns: ChunkColumns & { buffers: Uint8Array[] },
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = await store.segment(segment);
  const guess = store.chunkBytesMax > 0 ? Math.max(store.chunkBytesMax, 16) : CHUNK_BYTES_GUESS;
  const offsets = Float64Array.from(refs, offsetOf);
  const what = `chunks of block ${store.blockName}`;
  for (let i = 0; i < offsets.length; i++) {
    if (offsets[i]! >= source.size || (i > 0 && offsets[i]! <= offsets[i - 1]!))
      throw new DomainError(
        'corrupt',
        `cannot read ${what}: the index points to offset ${offsets[i]} of segment ${segment + 1} with ${source.size} bytes`,
      );
  }
  const lengths = new Float64Array(refs.length).fill(guess);
  const reads = await readRanges(source, { offsets, lengths }, { signal });
  const firstBuffer = columns.buffers.length;
  columns.buffers.push(...reads.bytes);
  const cursors = reads.bytes.map((bytes) => new ByteReader(bytes, what));
  for (let i = 0; i < refs.length; i++) {
    const read = reads.readOf[i]!;
    let cursor = cursors[read]!;
    cursor.position = offsets[i]! - reads.starts[read]!;
    let buffer = firstBuffer + read;
    let length = cursor.uvarint();
    if (cursor.position + 1 + length + 4 > cursor.end) {
      const needed = varintBytes(length) + 1 + length + 4;
      cursor = new ByteReader(await source.read(offsets[i]!, needed, signal), what);
      buffer = columns.buffers.push(cursor.bytes) - 1;
      length = cursor.uvarint();
    }
    const { bytes, position: at } = cursor;
    const dataEnd = at + 1 + length;
    if (crc32c(bytes.subarray(at, dataEnd)) !== uint32At(bytes, dataEnd))
      throw new DomainError(
        'corrupt',
        `cannot read the chunk at offset ${offsets[i]} of segment ${segment + 1}, ${what}: its checksum does not match`,
      );
    columns.bufferOf[into + i] = buffer;
    columns.encodings[into + i] = bytes[at]!;
    columns.dataAt[into + i] = at + 1;
    columns.dataBytes[into + i] = length;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest /= 128) bytes++;
  return bytes;
}

/** Series [first, end) of a selection with their chunk bytes in memory; indexes below count from `first`. */
export class LoadedSeries {
  readonly count: number;
  private readonly store: ChunkStore;
  private readonly table: SeriesTable;
  private readonly first: number;
  private readonly columns: ChunkColumns;
  private readonly views: readonly DataView[];

  constructor(store: ChunkStore, table: SeriesTable, first: number, end: number, columns: ChunkColumns) {
    this.store = store;
    this.table = table;
    this.first = first;
    this.count = end - first;
    this.columns = columns;
    this.views = columns.buffers.map((b) => new DataView(b.buffer, b.byteOffset, b.byteLength));
  }

  /** Bytes of chunk data held in memory. */
  get bytes(): number {
    let sum = 0;
    for (const buffer of this.columns.buffers) sum += buffer.length;
    return sum;
  }

  /** The labels of series `index`. */
  labels(index: number): Labels {
    return this.table.labels[this.first + index]!;
  }

  /** Whether parts of the series are deleted, so that its chunks must not be handed on verbatim. */
  hasDeletions(index: number): boolean {
    return this.store.tombstones.has(this.table.refs[this.first + index]!);
  }

  /** What is deleted of series `index`; undefined for nothing. */
  deletions(index: number): readonly DeletedInterval[] | undefined {
    return this.store.tombstones.get(this.table.refs[this.first + index]!);
  }

  /** The chunks of series `index` in time order, borrowed; deletions are not applied. */
  chunks(index: number): Chunk[] {
    const { chunkStart, minTimes, maxTimes } = this.table;
    const out: Chunk[] = [];
    for (let c = chunkStart[this.first + index]!; c < chunkStart[this.first + index + 1]!; c++) {
      const at = c - this.columns.base;
      out.push({
        encoding: this.columns.encodings[at]!,
        bytes: this.data(at),
        minTime: minTimes[c]!,
        maxTime: maxTimes[c]!,
      });
    }
    return out;
  }

  /**
   * Appends the samples of series `index` with start <= t <= end to `target` in time order, deleted ones left out.
   * Errors: `execution` for an encoding that is not known, `corrupt` from the decoder.
   */
  append(index: number, start: number, end: number, target: SampleColumns): void {
    const { chunkStart, minTimes, maxTimes, refs } = this.table;
    const series = this.first + index;
    const before = target.count;
    for (let c = chunkStart[series]!; c < chunkStart[series + 1]!; c++) {
      if (minTimes[c]! > end || maxTimes[c]! < start) continue;
      const at = c - this.columns.base;
      const encoding = this.columns.encodings[at]!;
      if (encoding === CHUNK_XOR && target.starts === undefined) this.decodeFloats(at, start, end, target);
      else if (!readChunk({ encoding, bytes: this.data(at) }, { start, end }, target))
        this.refuse(index, encoding);
    }
    const deleted = this.store.tombstones.get(refs[series]!);
    if (deleted !== undefined) dropDeleted(target, before, deleted);
  }

  // In place, because a view and a subarray a chunk cost as much as decoding twenty samples.
  private decodeFloats(at: number, start: number, end: number, target: SampleColumns): void {
    const { bufferOf, dataAt, dataBytes } = this.columns;
    const bytes = dataBytes[at]!;
    if (bytes < XOR_HEADER_BYTES) return;
    const view = this.views[bufferOf[at]!]!;
    const from = dataAt[at]!;
    const count = view.getUint16(from);
    if (count > 0) decodeXorAt(view, from + XOR_HEADER_BYTES, from + bytes, count, start, end, target);
  }

  private refuse(index: number, encoding: number): never {
    throw new DomainError(
      'execution',
      `cannot read series ${labelsText(this.labels(index))} of block ${this.store.blockName}: ` +
        `its chunks are encoded as ${encodingName(encoding)}`,
    );
  }

  private data(at: number): Uint8Array {
    const { buffers, bufferOf, dataAt, dataBytes } = this.columns;
    return buffers[bufferOf[at]!]!.subarray(dataAt[at]!, dataAt[at]! + dataBytes[at]!);
  }
}
