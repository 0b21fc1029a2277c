// Opens blocks for reading, from a local folder or from a bucket with a local cache of index headers.

import { DomainError } from '../../model/errors.ts';
import type { Pause } from '../../model/pause.ts';
import type { Disk } from '../../platform/disk.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { type BlockMeta, decodeBlockMeta, META_FILE } from './block-meta.ts';
import { type BlockCaches, BlockReader } from './block-reader.ts';
import {
  type ByteSource,
  cachedSource,
  diskSource,
  LOCAL_READ_BYTES_MAX,
  objectSource,
  type PageCacheOptions,
} from './byte-source.ts';
import { segmentName } from './chunk-segments.ts';
import { placed } from './corrupt-block.ts';
import { buildIndexHeader, INDEX_HEADER_FILE, IndexHeader, loadIndexHeader } from './index-header.ts';
import { decodeTombstones, NO_TOMBSTONES, TOMBSTONES_FILE, type Tombstones } from './tombstones.ts';

/** What open blocks share. */
export interface BlockShared {
  readonly caches: BlockCaches;
  /** Lets others run while many series are decoded. */
  readonly pause: Pause;
}

/** The files of a block as they are, without caches: for those who read them once from front to back. */
export interface BlockSources {
  readonly meta: BlockMeta;
  readonly index: ByteSource;
  /** Chunk segments from index 0. */
  readonly segments: readonly ByteSource[];
  readonly tombstones: Tombstones;
  close(): Promise<void>;
}

/** Opens the files of the block in a local folder, ours or Prometheus's. Errors: `not_found`, `corrupt`. */
export async function openDiskSources(disk: Disk, folder: string): Promise<BlockSources> {
  const path = (name: string): string => `${folder}/${name}`;
  const meta = decodeBlockMeta(await disk.readFile(path(META_FILE)), disk.describe(path(META_FILE)));
  const tombstones = tombstonesOf(await optional(disk.readFile(path(TOMBSTONES_FILE))), meta);
  const names = segmentsOf((await disk.list(path('chunks'))).map((entry) => entry.name));
  const opened: ByteSource[] = [];
  try {
    for (const name of ['index', ...names.map((segment) => `chunks/${segment}`)])
      opened.push(await diskSource(disk, path(name)));
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
  return sourcesOf(meta, opened, tombstones);
}

/** Opens the files of a block in a bucket. Errors: `not_found`, `corrupt`, `unavailable`. */
export async function openBucketSources(objects: ObjectStore, meta: BlockMeta): Promise<BlockSources> {
  const sizes = await bucketSizes(objects, meta);
  const indexBytes = sizes.get('index');
  if (indexBytes === undefined)
    throw new DomainError('not_found', `cannot open block ${meta.ulid}: it has no index in the bucket`);
  const names = segmentsOf(
    [...sizes.keys()].filter((name) => name.startsWith('chunks/')).map((name) => name.slice(7)),
  );
  const sources = [
    objectSource(objects, `${meta.ulid}/index`, indexBytes),
    ...names.map((name) =>
      objectSource(objects, `${meta.ulid}/chunks/${name}`, sizes.get(`chunks/${name}`)!),
    ),
  ];
  // Neither Thanos nor we upload an empty tombstones file; only meta.json saying so makes one worth a request.
  const stones =
    meta.stats.numTombstones > 0 ? await optional(objects.get(`${meta.ulid}/${TOMBSTONES_FILE}`)) : undefined;
  return sourcesOf(meta, sources, tombstonesOf(stones, meta));
}

/** Opens the block in a local folder, ours or Prometheus's. Errors: `not_found`, `corrupt`. */
export async function openDiskBlock(disk: Disk, folder: string, shared: BlockShared): Promise<BlockReader> {
  const sources = await openDiskSources(disk, folder);
  const files = {
    ...withPages(sources, shared, { passByBytes: LOCAL_READ_BYTES_MAX }),
    tombstones: sources.tombstones,
    loadHeader: async (signal?: AbortSignal) =>
      new IndexHeader(await buildIndexHeader(sources.index, signal), `index of block ${sources.meta.ulid}`),
  };
  return new BlockReader(sources.meta, files, shared.caches, shared.pause);
}

/** Where a bucket's blocks are and where their index headers are kept. */
export interface BucketPlace {
  readonly objects: ObjectStore;
  /** Local cache: one folder a block, with its index header. */
  readonly cacheDisk: Disk;
}

/** Opens a block of a bucket; the index header is fetched on first use. Errors: `not_found`, `corrupt`, `unavailable`. */
export async function openBucketBlock(
  place: BucketPlace,
  meta: BlockMeta,
  shared: BlockShared,
): Promise<BlockReader> {
  const sources = await openBucketSources(place.objects, meta);
  const files = {
    ...withPages(sources, shared),
    tombstones: sources.tombstones,
    loadHeader: (signal?: AbortSignal) =>
      loadIndexHeader(place.cacheDisk, `${meta.ulid}/${INDEX_HEADER_FILE}`, sources.index, signal),
  };
  return new BlockReader(meta, files, shared.caches, shared.pause);
}

function sourcesOf(meta: BlockMeta, opened: readonly ByteSource[], tombstones: Tombstones): BlockSources {
  const [index, ...segments] = opened;
  return { meta, index: index!, segments, tombstones, close: () => closeAll(opened) };
}

async function closeAll(sources: readonly ByteSource[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()));
}

// File sizes from meta.json where they are complete, else from a listing.
async function bucketSizes(objects: ObjectStore, meta: BlockMeta): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  const files = meta.thanos?.files.filter((file) => file.relPath !== META_FILE) ?? [];
  if (files.length > 0 && files.every((file) => file.sizeBytes !== undefined)) {
    for (const file of files) sizes.set(file.relPath, file.sizeBytes!);
    return sizes;
  }
  const prefix = `${meta.ulid}/`;
  for await (const entry of objects.list(prefix)) sizes.set(entry.key.slice(prefix.length), entry.bytes);
  return sizes;
}

function withPages(
  { meta, index, segments }: BlockSources,
  shared: BlockShared,
  options: PageCacheOptions = {},
): { readonly index: ByteSource; readonly segments: readonly ByteSource[] } {
  const cached = (source: ByteSource, name: string): ByteSource =>
    cachedSource(source, shared.caches.pages, `${meta.ulid}/${name}`, options);
  return {
    index: cached(index, 'index'),
    segments: segments.map((segment, i) => cached(segment, segmentName(i))),
  };
}

function segmentsOf(names: readonly string[]): string[] {
  return names.filter((name) => /^\d{6}$/.test(name)).sort();
}

function tombstonesOf(bytes: Uint8Array | undefined, meta: BlockMeta): Tombstones {
  if (bytes === undefined) return NO_TOMBSTONES;
  try {
    return decodeTombstones(bytes, `tombstones of block ${meta.ulid}`);
  } catch (error) {
    throw placed(error, { ulid: meta.ulid, file: TOMBSTONES_FILE, offset: 0 });
  }
}

async function optional(bytes: Promise<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return await bytes;
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') return undefined;
    throw error;
  }
}
