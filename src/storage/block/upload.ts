// Puts a finished local block into the bucket and takes blocks out of it. The order is Thanos's: meta.json comes last and goes
// first, so that whoever sees a meta.json sees a whole block.

import { DomainError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { type BlockMeta, decodeBlockMeta, META_FILE } from './block-meta.ts';
import { DELETION_MARK_FILE } from './bucket-scan.ts';

/** Files up to this size are sent from memory in one request. */
const WHOLE_FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes read from disk at a time for larger files. */
const PART_BYTES = 1024 * 1024;

/** How a block is uploaded. */
export interface UploadOptions {
  /** Throws (`conflict`) when the caller no longer owns the partition; asked right before meta.json is put. */
  readonly assertOwner: () => void | Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** What an upload did. */
export interface UploadResult {
  readonly meta: BlockMeta;
  /** Bytes sent; files that were already there in the same size are not sent again. */
  readonly sentBytes: number;
  readonly skippedFiles: number;
}

/**
 * Uploads the block in `folder`: chunks, index, meta.json last. Calling it again finishes what an earlier call began.
 * Errors: `conflict` from assertOwner, `corrupt` when a stored size is not the local one, `unavailable` from the bucket.
 */
export async function uploadBlock(
  disk: Disk,
  folder: string,
  objects: ObjectStore,
  options: UploadOptions,
): Promise<UploadResult> {
  const metaBytes = await disk.readFile(`${folder}/${META_FILE}`);
  const meta = decodeBlockMeta(metaBytes, disk.describe(`${folder}/${META_FILE}`));
  const chunks = (await disk.list(`${folder}/chunks`)).filter((entry) => !entry.isFolder);
  const files = [...chunks.map((entry) => `chunks/${entry.name}`), 'index'];
  let sentBytes = 0;
  let skippedFiles = 0;
  for (const file of files) {
    options.signal?.throwIfAborted();
    const sent = await uploadFile(disk, `${folder}/${file}`, objects, `${meta.ulid}/${file}`, options.signal);
    if (sent === 0) skippedFiles++;
    sentBytes += sent;
  }
  options.signal?.throwIfAborted();
  await options.assertOwner();
  const key = `${meta.ulid}/${META_FILE}`;
  if (await sameObject(objects, key, metaBytes)) return { meta, sentBytes, skippedFiles: skippedFiles + 1 };
  await objects.put(key, metaBytes, options.signal);
  return { meta, sentBytes: sentBytes + metaBytes.length, skippedFiles };
}

/** Removes a block from the bucket: meta.json first, its deletion mark last, so that one begun is known as such. Calling it again finishes an earlier call. */
export async function deleteBlock(objects: ObjectStore, ulid: string, signal?: AbortSignal): Promise<void> {
  await objects.remove(`${ulid}/${META_FILE}`);
  const rest: string[] = [];
  for await (const entry of objects.list(`${ulid}/`)) rest.push(entry.key);
  const markLast = rest.sort((a, b) => Number(isDeletionMark(a)) - Number(isDeletionMark(b)));
  for (const key of markLast) {
    signal?.throwIfAborted();
    await objects.remove(key);
  }
}

function isDeletionMark(key: string): boolean {
  return key.endsWith(`/${DELETION_MARK_FILE}`);
}

async function uploadFile(
  disk: Disk,
  path: string,
  objects: ObjectStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const file = await disk.open(path, 'read');
  try {
    const bytes = await file.size();
    if ((await objects.stat(key))?.bytes === bytes) return 0;
    if (bytes <= WHOLE_FILE_BYTES_MAX) await objects.put(key, await file.read(0, bytes), signal);
    else await objects.putStream(key, partsOf(file, bytes, signal), bytes);
    const stored = await objects.stat(key);
    if (stored?.bytes !== bytes)
      throw new DomainError(
        'corrupt',
        `cannot upload ${disk.describe(path)}: ${key} has ${stored?.bytes ?? 'no'} bytes in the bucket, ${bytes} were sent`,
        { retryable: true },
      );
    return bytes;
  } finally {
    await file.close();
  }
}

async function* partsOf(
  file: { read(offset: number, length: number): Promise<Uint8Array> },
  bytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += PART_BYTES) {
    signal?.throwIfAborted();
    yield await file.read(at, Math.min(PART_BYTES, bytes - at));
  }
}

async function sameObject(objects: ObjectStore, key: string, bytes: Uint8Array): Promise<boolean> {
  const stored = await objects.stat(key);
  if (stored?.bytes !== bytes.length) return false;
  const there = await objects.get(key);
  return there.length === bytes.length && there.every((byte, i) => byte === bytes[i]);
}
