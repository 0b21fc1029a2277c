// All series of a block in label order, some at a time: the index is read from front to back in pieces and kept nowhere, so that
// memory does not depend on how many series there are. For work on whole blocks; queries select.

import { ByteReader } from '../../codec/bytes.ts';
import { DomainError } from '../../model/errors.ts';
import type { Pause } from '../../model/pause.ts';
import { SERIES_ALIGN } from '../index/index-sections.ts';
import type { ByteSource } from './byte-source.ts';
import { type ChunkStore, type LoadedSeries, loadChunks } from './chunk-load.ts';
import { type IndexHeader, readIndexToc } from './index-header.ts';
import { readSeriesTable, type SeriesTable } from './series-table.ts';

/** Bytes of the index read at a time. */
const INDEX_READ_BYTES = 1 << 20;
/** Chunks loaded at a time; a series with more is loaded alone. */
const CHUNKS_PER_LOAD = 4096;

/** What a walk goes over. */
export interface WalkSource {
  readonly index: ByteSource;
  readonly header: IndexHeader;
  readonly chunks: ChunkStore;
  /** Largest series entry in bytes when the block's meta tells, else 0. */
  readonly entryBytesMax: number;
  readonly pause: Pause;
  /** 1 MiB unless a test wants to see several pieces. */
  readonly indexReadBytes?: number;
}

/** Loads the series of a block one group after another. Errors: `corrupt`, those of the sources, the signal's reason. */
export async function* walkSeries(source: WalkSource, signal?: AbortSignal): AsyncGenerator<LoadedSeries> {
  const { index, header, chunks, entryBytesMax } = source;
  const toc = await readIndexToc(index, signal);
  const end = seriesEnd(toc);
  for (let at = alignUp(toc.series); at < end; ) {
    const piece = await readPiece(source, at, end, signal);
    const entries = { index: piece.source, header, entryBytesMax, blockName: chunks.blockName };
    const table = await readSeriesTable(entries, piece.refs, source.pause, signal);
    for (let first = 0; first < table.labels.length; ) {
      signal?.throwIfAborted();
      const last = groupEnd(table, first);
      yield await loadChunks(chunks, table, { first, end: last }, signal);
      await source.pause();
      first = last;
    }
    at = piece.end;
  }
}

// The section behind that of the series: label indices, or what stands in their place.
function seriesEnd(toc: {
  readonly labelIndices: number;
  readonly postings: number;
  readonly series: number;
}): number {
  return toc.labelIndices > toc.series ? toc.labelIndices : toc.postings;
}

function groupEnd({ chunkStart, labels }: SeriesTable, first: number): number {
  let end = first + 1;
  while (end < labels.length && chunkStart[end + 1]! - chunkStart[first]! <= CHUNKS_PER_LOAD) end++;
  return end;
}

interface Piece {
  /** References of the entries that lie in the piece as a whole. */
  readonly refs: Uint32Array;
  /** The index, of which the piece is in memory. */
  readonly source: ByteSource;
  /** Where the next piece begins. */
  readonly end: number;
}

async function readPiece(
  { index, indexReadBytes = INDEX_READ_BYTES }: WalkSource,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<Piece> {
  for (let wanted = indexReadBytes; ; wanted *= 4) {
    const length = Math.min(wanted, end - start);
    const bytes = await index.read(start, length, signal);
    const { refs, next } = entriesOf(bytes, start, index.what);
    if (refs.length === 0 && length < end - start) continue;
    const isPadding = refs.length === 0;
    if (isPadding && bytes.some((byte) => byte !== 0))
      throw new DomainError('corrupt', `cannot read ${index.what}: no series ends behind offset ${start}`);
    const source: ByteSource = {
      size: index.size,
      what: index.what,
      close: () => Promise.resolve(),
      read: async (offset, size, abort) =>
        offset >= start && offset + size <= start + length
          ? bytes.subarray(offset - start, offset - start + size)
          : index.read(offset, size, abort),
    };
    return { refs: Uint32Array.from(refs), source, end: isPadding ? end : next };
  }
}

// Entries: uvarint length, content, four bytes of checksum, padding up to the next multiple of 16.
function entriesOf(bytes: Uint8Array, start: number, what: string): { refs: number[]; next: number } {
  const cursor = new ByteReader(bytes, what);
  const refs: number[] = [];
  let next = 0;
  // A length has ten bytes at most; what is left at the end of a piece is read with the next one.
  while (next < bytes.length && (bytes[next]! < 0x80 || bytes.length - next >= 10)) {
    cursor.position = next;
    const length = cursor.uvarint();
    const after = cursor.position + length + 4;
    if (length === 0 || after > bytes.length) break;
    refs.push((start + next) / SERIES_ALIGN);
    next = alignUp(start + after) - start;
  }
  return { refs, next: start + next };
}

function alignUp(offset: number): number {
  return Math.ceil(offset / SERIES_ALIGN) * SERIES_ALIGN;
}
