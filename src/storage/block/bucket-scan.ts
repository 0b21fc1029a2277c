// Finds the complete blocks of a bucket by their meta.json, with a copy of each meta on local disk: blocks never change, so a
// meta is fetched once. Deletion marks (features.md 1.6) are honoured.

import { DomainError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { type BlockMeta, decodeBlockMeta, isUlid, META_FILE } from './block-meta.ts';

/** Name of the object that says a block is going to be deleted. */
export const DELETION_MARK_FILE = 'deletion-mark.json';
/** Blocks looked at together. */
const PARALLEL_BLOCKS = 16;

/** What a scan wants. */
export interface ScanOptions {
  /** External labels a block must have (others it may have besides). */
  readonly labels: Readonly<Record<string, string>>;
  /** Marked blocks are left out once their mark is this old, ms; 0 leaves them out at once. */
  readonly ignoreMarkedAfterMs: number;
  readonly now: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a scan found. */
export interface ScanResult {
  /** Complete blocks with the wanted labels, by ULID. */
  readonly blocks: readonly BlockMeta[];
  /** Folders without meta.json: uploads under way or given up. */
  readonly incomplete: readonly string[];
  /** Blocks left out for their deletion mark. */
  readonly marked: readonly string[];
  /** Blocks whose meta.json cannot be read, with the reason. */
  readonly broken: readonly { readonly ulid: string; readonly reason: string }[];
}

type Found =
  | { readonly kind: 'block'; readonly meta: BlockMeta }
  | { readonly kind: 'other' }
  | { readonly kind: 'incomplete' | 'marked'; readonly ulid: string }
  | { readonly kind: 'broken'; readonly ulid: string; readonly reason: string };

/**
 * Lists the bucket's blocks. `cacheDisk` keeps metas as <ULID>/meta.json; folders of blocks that are gone are removed from
 * it. One bad block is reported, never the end of the scan. Errors: `unavailable` from the bucket.
 */
export async function scanBucket(
  objects: ObjectStore,
  cacheDisk: Disk,
  options: ScanOptions,
): Promise<ScanResult> {
  const ulids: string[] = [];
  for await (const folder of objects.folders('')) {
    const name = folder.slice(0, -1);
    if (isUlid(name)) ulids.push(name);
  }
  ulids.sort();
  const found: Found[] = new Array(ulids.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < ulids.length) {
      const mine = next++;
      options.signal?.throwIfAborted();
      found[mine] = await inspectBlock(objects, cacheDisk, ulids[mine]!, options);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_BLOCKS }, worker));
  await forgetGone(cacheDisk, new Set(ulids));
  return {
    blocks: found.flatMap((one) => (one.kind === 'block' ? [one.meta] : [])),
    incomplete: found.flatMap((one) => (one.kind === 'incomplete' ? [one.ulid] : [])),
    marked: found.flatMap((one) => (one.kind === 'marked' ? [one.ulid] : [])),
    broken: found.flatMap((one) => (one.kind === 'broken' ? [{ ulid: one.ulid, reason: one.reason }] : [])),
  };
}

async function inspectBlock(
  objects: ObjectStore,
  cacheDisk: Disk,
  ulid: string,
  options: ScanOptions,
): Promise<Found> {
  const cached = await cachedMeta(cacheDisk, ulid);
  // Labels never change: a block of somebody else costs no request after the first scan.
  if (cached !== undefined && !hasLabels(cached, options.labels)) return { kind: 'other' };
  const names = new Set<string>();
  for await (const entry of objects.list(`${ulid}/`)) names.add(entry.key.slice(ulid.length + 1));
  if (!names.has(META_FILE)) return { kind: 'incomplete', ulid };
  const meta = cached ?? (await fetchMeta(objects, cacheDisk, ulid));
  if (meta === undefined) return { kind: 'incomplete', ulid };
  if ('reason' in meta) return { kind: 'broken', ulid, reason: meta.reason };
  if (!hasLabels(meta, options.labels)) return { kind: 'other' };
  if (names.has(DELETION_MARK_FILE)) {
    const markedAt = await deletionTime(objects, ulid);
    if (markedAt !== undefined && options.now - markedAt >= options.ignoreMarkedAfterMs)
      return { kind: 'marked', ulid };
  }
  return { kind: 'block', meta };
}

/** Whether a block carries all the given external labels. */
export function hasLabels(meta: BlockMeta, labels: Readonly<Record<string, string>>): boolean {
  const own = meta.thanos?.labels ?? {};
  return Object.entries(labels).every(([name, value]) => (own[name] ?? '') === value);
}

/** The meta of one block by its name, from `cacheDisk` or the bucket; undefined when it is not complete there. Errors: `corrupt`, `unavailable`. */
export async function findBlock(
  objects: ObjectStore,
  cacheDisk: Disk,
  ulid: string,
): Promise<BlockMeta | undefined> {
  const meta = (await cachedMeta(cacheDisk, ulid)) ?? (await fetchMeta(objects, cacheDisk, ulid));
  if (meta !== undefined && 'reason' in meta)
    throw new DomainError('corrupt', `cannot use block ${ulid}: ${meta.reason}`);
  return meta;
}

/** The metas that `cacheDisk` has of blocks with the wanted labels: what is known while the bucket is away. */
export async function cachedBlocks(
  cacheDisk: Disk,
  labels: Readonly<Record<string, string>>,
): Promise<BlockMeta[]> {
  const found: BlockMeta[] = [];
  for (const entry of await cacheDisk.list('')) {
    const meta = entry.isFolder && isUlid(entry.name) ? await cachedMeta(cacheDisk, entry.name) : undefined;
    if (meta !== undefined && hasLabels(meta, labels)) found.push(meta);
  }
  return found;
}

async function cachedMeta(cacheDisk: Disk, ulid: string): Promise<BlockMeta | undefined> {
  try {
    return decodeBlockMeta(await cacheDisk.readFile(`${ulid}/${META_FILE}`));
  } catch (error) {
    if (error instanceof DomainError && (error.code === 'not_found' || error.code === 'corrupt'))
      return undefined;
    throw error;
  }
}

async function fetchMeta(
  objects: ObjectStore,
  cacheDisk: Disk,
  ulid: string,
): Promise<BlockMeta | { readonly reason: string } | undefined> {
  const bytes = await getIfThere(objects, `${ulid}/${META_FILE}`);
  if (bytes === undefined) return undefined;
  try {
    const meta = decodeBlockMeta(bytes, `${ulid}/${META_FILE}`);
    if (meta.ulid !== ulid) return { reason: `its meta.json says it is block ${meta.ulid}` };
    await cacheDisk.writeFile(`${ulid}/${META_FILE}`, bytes);
    return meta;
  } catch (error) {
    if (error instanceof DomainError && error.code === 'corrupt') return { reason: error.message };
    throw error;
  }
}

// When the block was marked, ms, or undefined when the mark is gone; one that cannot be read binds from the beginning of time.
async function deletionTime(objects: ObjectStore, ulid: string): Promise<number | undefined> {
  const bytes = await getIfThere(objects, `${ulid}/${DELETION_MARK_FILE}`);
  if (bytes === undefined) return undefined;
  try {
    const mark: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const seconds = (mark as { deletion_time?: unknown } | null)?.deletion_time;
    return typeof seconds === 'number' ? seconds * 1000 : 0;
  } catch {
    return 0;
  }
}

// An object may be removed between its listing and this request.
async function getIfThere(objects: ObjectStore, key: string): Promise<Uint8Array | undefined> {
  try {
    return await objects.get(key);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') return undefined;
    throw error;
  }
}

async function forgetGone(cacheDisk: Disk, present: ReadonlySet<string>): Promise<void> {
  for (const entry of await cacheDisk.list(''))
    if (entry.isFolder && isUlid(entry.name) && !present.has(entry.name)) await cacheDisk.remove(entry.name);
}
