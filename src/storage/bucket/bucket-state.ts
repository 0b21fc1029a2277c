// What is in a bucket, from one listing of it: its blocks with size, age and marks, and the folders that are no whole blocks. One bad
// block is told of and never ends the reading.

import { DomainError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { type BlockMeta, isUlid, META_FILE } from '../block/block-meta.ts';
import { findBlock } from '../block/bucket-scan.ts';
import type { ObjectEntry, ObjectStore } from '../objects/object-store.ts';
import { MARK_KINDS, type Mark, type MarkKind, markKey, readMark } from './marks.ts';

/** Blocks looked at together. */
const PARALLEL_BLOCKS = 16;

/** A complete block. */
export interface BucketBlock {
  readonly meta: BlockMeta;
  /** Bytes of all its objects. */
  readonly bytes: number;
  /** When it was complete, ms: the time of its meta.json, which is uploaded last. The ULIDs of our own blocks tell of their data instead. */
  readonly uploadedMs: number;
  readonly marks: ReadonlyMap<MarkKind, Mark>;
  /** Marks that are there and cannot be read, with the reason. They bind (nothing is merged) and they delete nothing. */
  readonly unreadableMarks: ReadonlyMap<MarkKind, string>;
}

/** A folder that is no whole block. */
export interface BrokenBlock {
  readonly ulid: string;
  readonly bytes: number;
  /** When its newest object changed, ms. */
  readonly changedMs: number;
}

/** A bucket as one listing shows it; everything in order of ULID. */
export interface BucketState {
  readonly blocks: readonly BucketBlock[];
  /** Folders without meta.json and without a deletion mark: uploads under way or given up. */
  readonly partial: readonly BrokenBlock[];
  /** Folders without meta.json that have a deletion mark: somebody's deletion did not end. */
  readonly halfDeleted: readonly BrokenBlock[];
  /** Blocks whose meta.json cannot be read, with the reason. */
  readonly corrupt: readonly (BrokenBlock & { readonly reason: string })[];
}

type Found =
  | { readonly kind: 'block'; readonly block: BucketBlock }
  | { readonly kind: 'partial' | 'halfDeleted'; readonly block: BrokenBlock }
  | { readonly kind: 'corrupt'; readonly block: BrokenBlock & { readonly reason: string } };

/**
 * Lists the bucket once. A meta.json is fetched once in its life and kept on `cacheDisk` as <ULID>/meta.json; marks are read each time.
 * Objects outside of block folders are passed over. Errors: `unavailable`, the signal's reason.
 */
export async function readBucketState(
  objects: ObjectStore,
  cacheDisk: Disk,
  signal?: AbortSignal,
): Promise<BucketState> {
  const folders = await listFolders(objects, signal);
  const found: Found[] = new Array(folders.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < folders.length) {
      const mine = next++;
      signal?.throwIfAborted();
      const [ulid, entries] = folders[mine]!;
      found[mine] = await inspectFolder(objects, cacheDisk, ulid, entries);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_BLOCKS, folders.length) }, worker));
  return {
    blocks: found.flatMap((one) => (one.kind === 'block' ? [one.block] : [])),
    partial: found.flatMap((one) => (one.kind === 'partial' ? [one.block] : [])),
    halfDeleted: found.flatMap((one) => (one.kind === 'halfDeleted' ? [one.block] : [])),
    corrupt: found.flatMap((one) => (one.kind === 'corrupt' ? [one.block] : [])),
  };
}

/** Objects by name within their folder. */
type FolderEntries = ReadonlyMap<string, ObjectEntry>;

async function listFolders(
  objects: ObjectStore,
  signal: AbortSignal | undefined,
): Promise<[string, FolderEntries][]> {
  const folders = new Map<string, Map<string, ObjectEntry>>();
  for await (const entry of objects.list('')) {
    signal?.throwIfAborted();
    const slash = entry.key.indexOf('/');
    const ulid = entry.key.slice(0, Math.max(slash, 0));
    if (!isUlid(ulid)) continue;
    let entries = folders.get(ulid);
    if (entries === undefined) {
      entries = new Map();
      folders.set(ulid, entries);
    }
    entries.set(entry.key.slice(slash + 1), entry);
  }
  return [...folders].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

async function inspectFolder(
  objects: ObjectStore,
  cacheDisk: Disk,
  ulid: string,
  entries: FolderEntries,
): Promise<Found> {
  const facts = brokenBlock(ulid, entries.values());
  const metaEntry = entries.get(META_FILE);
  if (metaEntry === undefined) return { kind: missingMetaKind(ulid, entries), block: facts };
  let meta: BlockMeta | undefined;
  try {
    meta = await findBlock(objects, cacheDisk, ulid);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'corrupt') throw error;
    return { kind: 'corrupt', block: { ...facts, reason: error.message } };
  }
  // Its deletion began after the listing.
  if (meta === undefined) return { kind: missingMetaKind(ulid, entries), block: facts };
  const marks = new Map<MarkKind, Mark>();
  const unreadableMarks = new Map<MarkKind, string>();
  for (const kind of MARK_KINDS) {
    if (!entries.has(fileOf(kind, ulid))) continue;
    try {
      const mark = await readMark(objects, kind, ulid);
      if (mark !== undefined) marks.set(kind, mark);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'corrupt') throw error;
      unreadableMarks.set(kind, error.message);
    }
  }
  const { bytes } = facts;
  return {
    kind: 'block',
    block: { meta, bytes, uploadedMs: metaEntry.modifiedMs, marks, unreadableMarks },
  };
}

function missingMetaKind(ulid: string, entries: FolderEntries): 'partial' | 'halfDeleted' {
  return entries.has(fileOf('deletion', ulid)) ? 'halfDeleted' : 'partial';
}

function fileOf(kind: MarkKind, ulid: string): string {
  return markKey(kind, ulid).slice(ulid.length + 1);
}

/** Size and age of the objects of a folder. */
export function brokenBlock(ulid: string, entries: Iterable<ObjectEntry>): BrokenBlock {
  let bytes = 0;
  let changedMs = Number.NEGATIVE_INFINITY;
  for (const entry of entries) {
    bytes += entry.bytes;
    changedMs = Math.max(changedMs, entry.modifiedMs);
  }
  return { ulid, bytes, changedMs };
}
