// A key-value bucket as a JetStream stream in the layout that `nats kv` knows: one subject per key, one message kept per
// subject. A key's revision is the stream sequence of its last message. Entries of a live bucket carry their own time to live
// and leave a marker when they expire, so that followers hear of it.

import { asDomainError, DomainError } from '../../model/errors.ts';
import { sleep } from '../../platform/clock.ts';
import type { DirectoryEntry } from '../directory.ts';
import { Consumer, type StreamMessage } from './consumer.ts';
import {
  ensureStream,
  type JetstreamContext,
  lastMessageOf,
  nanoseconds,
  publishAcked,
} from './jetstream-api.ts';

/** One key-value bucket. */
export interface Bucket {
  readonly context: JetstreamContext;
  readonly stream: string;
  /** Subject of the empty key: the subject of a key is this and the key. */
  readonly root: string;
}

/** How an entry is written. */
export interface WriteOptions {
  /** Revision the key must still have, 0 for none; absent: written whatever is there. */
  readonly expected?: number;
  /** Expires after this, rounded up to whole seconds. */
  readonly ttlMs?: number;
  /** Writes a deletion instead of a value. */
  readonly isDeletion?: boolean;
  /** The same write sent again has the same id and counts once. */
  readonly id?: string;
  /** Milliseconds to wait for the acknowledgement; default 3 s. */
  readonly timeoutMs?: number;
}

const writeTimeoutMs = 3_000;
const markerTtlMs = 60_000;
const duplicateWindowMs = 30_000;
const listTimeoutMs = 10_000;
const listRetryMs = 50;
const empty = new Uint8Array(0);

/** Milliseconds one attempt to renew an entry waits for its acknowledgement: several fit into its time to live. */
export function renewalTimeoutMs(ttlMs: number): number {
  return Math.min(3000, ttlMs / 4);
}

/** Writes a key and resolves with its new revision. Errors: `conflict`, `unavailable`. */
export function writeKey(
  bucket: Bucket,
  key: string,
  value: Uint8Array,
  options: WriteOptions,
): Promise<number> {
  const headers: Record<string, string> = { 'Nats-Expected-Stream': bucket.stream };
  if (options.expected !== undefined)
    headers['Nats-Expected-Last-Subject-Sequence'] = String(options.expected);
  if (options.ttlMs !== undefined) headers['Nats-TTL'] = `${Math.ceil(options.ttlMs / 1_000)}s`;
  if (options.isDeletion) headers['KV-Operation'] = 'DEL';
  if (options.id !== undefined) headers['Nats-Msg-Id'] = options.id;
  return publishAcked(bucket.context, bucket.root + key, value, {
    headers,
    timeoutMs: options.timeoutMs ?? writeTimeoutMs,
  });
}

/** Deletes a key, with `expected` only if it still has this revision; the marker itself goes after a minute. */
export async function deleteKey(bucket: Bucket, key: string, expected?: number): Promise<void> {
  await writeKey(bucket, key, empty, {
    ...(expected === undefined ? {} : { expected }),
    isDeletion: true,
    ttlMs: markerTtlMs,
  });
}

/** Whether a message's raw headers say that it only marks a deletion or an expiry. */
export function isMarker(headerText: string): boolean {
  return /^(KV-Operation: *(DEL|PURGE)|Nats-Marker-Reason:)/m.test(headerText);
}

/**
 * Writes a key that nobody has: resolves with the revision, or undefined when somebody has it. What a deletion or an expiry
 * left behind does not count as somebody.
 */
export async function createKey(
  bucket: Bucket,
  key: string,
  value: Uint8Array,
  options: { ttlMs?: number },
): Promise<number | undefined> {
  let expected = 0;
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      return await writeKey(bucket, key, value, { ...options, expected });
    } catch (error) {
      if (asDomainError(error).code !== 'conflict') throw error;
    }
    const last = await lastMessageOf(bucket.context, bucket.stream, bucket.root + key);
    if (last && !isMarker(last.headerText)) return undefined;
    expected = last?.sequence ?? 0;
  }
  return undefined;
}

/** Opens a bucket, creating it in a new cluster. `live` makes entries that can expire. */
export async function openBucket(
  context: JetstreamContext,
  name: string,
  replicas: number,
  live: boolean,
): Promise<Bucket> {
  const stream = `KV_${name}`;
  await ensureStream(context, stream, {
    subjects: [`$KV.${name}.>`],
    description: live ? 'Skein: who is there and who owns what' : 'Skein: records of the cluster',
    storage: 'file',
    retention: 'limits',
    discard: 'new',
    num_replicas: replicas,
    max_msgs_per_subject: 1,
    max_age: 0,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    duplicate_window: nanoseconds(duplicateWindowMs),
    ...(live ? { allow_msg_ttl: true, subject_delete_marker_ttl: nanoseconds(markerTtlMs) } : {}),
  });
  return { context, stream, root: `$KV.${name}.` };
}

/** Applies one message of a bucket to what is known of it. */
function applyTo(entries: Map<string, DirectoryEntry>, bucket: Bucket, message: StreamMessage): void {
  const key = message.subject.slice(bucket.root.length);
  const isGone =
    message.headers?.has('Nats-Marker-Reason') ||
    ['DEL', 'PURGE'].includes(message.headers?.get('KV-Operation') ?? '');
  if (isGone) entries.delete(key);
  else entries.set(key, { key, value: message.payload, revision: message.sequence });
}

/**
 * Follows a bucket until the consumer breaks, it was `resyncMs`, or the signal aborts. `onState` gets the entries once they are
 * complete and after each change; the map is the caller's to read until the next call.
 */
export async function followOnce(
  bucket: Bucket,
  signal: AbortSignal,
  onState: (entries: ReadonlyMap<string, DirectoryEntry>) => void,
): Promise<void> {
  const consumer = await Consumer.open(bucket.context, bucket.stream, { lastPerSubject: `${bucket.root}>` });
  const entries = new Map<string, DirectoryEntry>();
  try {
    let isComplete = consumer.initialPending === 0;
    if (isComplete) onState(entries);
    for (;;) {
      const batch = await consumer.next(signal);
      if (batch.length === 0) break;
      for (const message of batch) {
        applyTo(entries, bucket, message);
        isComplete ||= message.pending === 0;
      }
      if (isComplete) onState(entries);
    }
    if (!signal.aborted)
      throw new DomainError(
        'unavailable',
        `cannot follow ${bucket.stream}: ${consumer.broken ?? 'it broke'}`,
      );
  } finally {
    consumer.close();
  }
}

/** All entries of a bucket as its leader has them. Errors: `unavailable`, at once when there is no connection. */
export async function snapshot(bucket: Bucket): Promise<DirectoryEntry[]> {
  const { clock, link } = bucket.context;
  const end = clock.monotonic() + listTimeoutMs;
  for (;;) {
    try {
      return await snapshotOnce(bucket, end - clock.monotonic());
    } catch (error) {
      // The server we talk to may not have heard yet of a consumer that was just made elsewhere, and says 503.
      const isPassing = asDomainError(error).code === 'unavailable' && link.connected();
      if (!isPassing || clock.monotonic() + listRetryMs >= end) throw error;
      await sleep(clock, listRetryMs);
    }
  }
}

async function snapshotOnce(bucket: Bucket, timeoutMs: number): Promise<DirectoryEntry[]> {
  const aborter = new AbortController();
  const cancelTimer = bucket.context.clock.after(timeoutMs, () => aborter.abort());
  let found: DirectoryEntry[] | undefined;
  try {
    await followOnce(bucket, aborter.signal, (entries) => {
      found ??= [...entries.values()];
      aborter.abort();
    });
  } finally {
    cancelTimer();
  }
  if (!found)
    throw new DomainError(
      'unavailable',
      `cannot list ${bucket.stream}: no answer within ${listTimeoutMs} ms`,
    );
  return found;
}
