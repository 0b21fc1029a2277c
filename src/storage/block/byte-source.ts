// Random access to the bytes of a block's file, wherever it lies: a local file or an object read by ranged GETs, optionally
// behind a page cache, and the merging of near ranges into few reads.

import { DomainError, invariant } from '../../model/errors.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { ByteCache } from './byte-cache.ts';

/** A file of known size that can be read anywhere. */
export interface ByteSource {
  readonly size: number;
  /** Where the bytes come from, for messages. */
  readonly what: string;
  /** Exactly the bytes [offset, offset + length), borrowed and never to be changed; `corrupt` when the file is shorter. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Bytes per cached page: large enough for one GET to be worth its latency, small enough for one series to be cheap. */
export const PAGE_BYTES: number = 64 * 1024;
/** Largest gap that is read along rather than starting another read. */
export const MERGE_GAP_BYTES: number = 512 * 1024;
/** Largest read that merging builds. */
export const MERGED_BYTES_MAX: number = 16 * 1024 * 1024;
/** Local reads from this size on pass by the page cache: the operating system has them, and a scan would empty the cache. */
export const LOCAL_READ_BYTES_MAX: number = 512 * 1024;
/** Reads of one call that are under way at the same time. */
const PARALLEL_READS = 8;

/** A file on the local disk. The file stays open until `close`. */
export async function diskSource(disk: Disk, path: string): Promise<ByteSource> {
  const file: DiskFile = await disk.open(path, 'read');
  const size = await file.size();
  const what = disk.describe(path);
  return {
    size,
    what,
    read: async (offset, length) => {
      // Checked first: a length from a corrupt file must not choose how much memory is taken.
      if (offset + length > size) exactly(new Uint8Array(0), length, what, offset);
      return exactly(await file.read(offset, length), length, what, offset);
    },
    close: () => file.close(),
  };
}

/** An object of a bucket, read by ranged GETs. */
export function objectSource(objects: ObjectStore, key: string, size: number): ByteSource {
  return {
    size,
    what: `object ${key}`,
    read: async (offset, length, signal) => {
      if (length === 0) return new Uint8Array(0);
      return exactly(await objects.getRange(key, offset, length, signal), length, `object ${key}`, offset);
    },
    close: () => Promise.resolve(),
  };
}

/** Bytes already in memory. */
export function memorySource(bytes: Uint8Array, what: string): ByteSource {
  return {
    size: bytes.length,
    what,
    read: async (offset, length) => exactly(bytes.subarray(offset, offset + length), length, what, offset),
    close: () => Promise.resolve(),
  };
}

/** Whether large reads go through the page cache. */
export interface PageCacheOptions {
  /** Reads of this size and more pass by the cache; all are cached when absent. */
  readonly passByBytes?: number;
}

/**
 * The source behind a page cache: only missing pages are read, neighbours in one read, and two callers that miss the same
 * page share the read. `key` must be unique to the file and begin with the block's ULID.
 */
export function cachedSource(
  source: ByteSource,
  cache: ByteCache<Uint8Array>,
  key: string,
  options: PageCacheOptions = {},
): ByteSource {
  const passByBytes = options.passByBytes ?? Number.POSITIVE_INFINITY;
  const underWay = new Map<number, Promise<Uint8Array>>();
  const fetch = (first: number, count: number, signal?: AbortSignal): Promise<Uint8Array>[] => {
    const start = first * PAGE_BYTES;
    const run = source.read(start, Math.min(count * PAGE_BYTES, source.size - start), signal);
    return Array.from({ length: count }, (_, i) => {
      const page = run.then((bytes) => {
        // A copy, so that keeping one page does not keep the whole read alive.
        const own = count === 1 ? bytes : bytes.slice(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
        cache.set(`${key}/${first + i}`, own, own.length + 128);
        return own;
      });
      // A read that one caller can abort is not shared with others.
      if (signal === undefined) {
        underWay.set(first + i, page);
        const settle = (): void => void underWay.delete(first + i);
        page.then(settle, settle);
      }
      return page;
    });
  };
  return {
    size: source.size,
    what: source.what,
    close: () => source.close(),
    read: async (offset, length, signal) => {
      if (length === 0) return new Uint8Array(0);
      if (offset < 0 || offset + length > source.size)
        exactly(new Uint8Array(0), length, source.what, offset);
      if (length >= passByBytes) return source.read(offset, length, signal);
      const first = Math.floor(offset / PAGE_BYTES);
      const count = Math.floor((offset + length - 1) / PAGE_BYTES) - first + 1;
      const pages: (Uint8Array | Promise<Uint8Array> | undefined)[] = new Array(count);
      for (let i = 0; i < count; i++) pages[i] = cache.get(`${key}/${first + i}`) ?? underWay.get(first + i);
      for (let i = 0; i < count; i++) {
        if (pages[i] !== undefined) continue;
        let end = i + 1;
        while (end < count && pages[end] === undefined) end++;
        const fetched = fetch(first + i, end - i, signal);
        for (let j = i; j < end; j++) pages[j] = fetched[j - i];
      }
      const skip = offset - first * PAGE_BYTES;
      if (count === 1) return (await pages[0]!).subarray(skip, skip + length);
      const ready = await Promise.all(pages as (Uint8Array | Promise<Uint8Array>)[]);
      const out = new Uint8Array(length);
      let done = 0;
      for (let i = 0; i < count; i++) {
        const from = i === 0 ? skip : 0;
        const part = ready[i]!.subarray(from, from + length - done);
        out.set(part, done);
        done += part.length;
      }
      return out;
    },
  };
}

/** Wanted bytes of a file: parallel arrays in order of offset; ranges may overlap and may end past the file. */
export interface ByteRanges {
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
}

/** Ranges merged into reads: range i lies in read `readOf[i]`; the read covers [starts[r], starts[r] + bytes[r].length). */
export interface MergedReads {
  readonly bytes: readonly Uint8Array[];
  readonly starts: Float64Array;
  readonly readOf: Uint32Array;
}

/** How ranges are merged. */
export interface MergeOptions {
  /** 512 KiB when absent. */
  readonly gapBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Reads all ranges with few reads: neighbours closer than the gap become one, up to 16 MiB. */
export async function readRanges(
  source: ByteSource,
  ranges: ByteRanges,
  options: MergeOptions = {},
): Promise<MergedReads> {
  const { offsets, lengths } = ranges;
  const gap = options.gapBytes ?? MERGE_GAP_BYTES;
  const readOf = new Uint32Array(offsets.length);
  const starts: number[] = [];
  const ends: number[] = [];
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i]!;
    invariant(i === 0 || offset >= offsets[i - 1]!, 'ranges must be in order of offset');
    const end = Math.min(offset + lengths[i]!, source.size);
    if (end <= offset && lengths[i]! > 0) exactly(new Uint8Array(0), lengths[i]!, source.what, offset);
    const last = starts.length - 1;
    const joins =
      last >= 0 &&
      offset - ends[last]! <= gap &&
      Math.max(end, ends[last]!) - starts[last]! <= MERGED_BYTES_MAX;
    if (joins) ends[last] = Math.max(end, ends[last]!);
    else {
      starts.push(offset);
      ends.push(end);
    }
    readOf[i] = starts.length - 1;
  }
  const bytes: Uint8Array[] = new Array(starts.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < starts.length) {
      const mine = next++;
      options.signal?.throwIfAborted();
      bytes[mine] = await source.read(starts[mine]!, ends[mine]! - starts[mine]!, options.signal);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_READS, starts.length) }, worker));
  return { bytes, starts: Float64Array.from(starts), readOf };
}

function exactly(bytes: Uint8Array, length: number, what: string, offset: number): Uint8Array {
  if (bytes.length === length) return bytes;
  throw new DomainError(
    'corrupt',
    `cannot read ${length} bytes at offset ${offset} of ${what}: only ${bytes.length} are there`,
  );
}
