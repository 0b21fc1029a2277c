// The directory on two JetStream key-value buckets (`nats kv ls` shows them): `<prefix>_live` for announcements and leases,
// whose entries carry their own time to live and leave a marker when they expire, and `<prefix>_records` for what is kept for
// good. Everything is decided by compare-and-set on the revision of a key; reads only say which revision to try.

import { asDomainError, DomainError } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Announcement, Directory, DirectoryEntry, Lease } from '../directory.ts';
import type { NatsLink } from './connection.ts';
import { type JetstreamContext, lastMessageOf } from './jetstream-api.ts';
import {
  type Bucket,
  deleteKey,
  isMarker,
  openBucket,
  renewalTimeoutMs,
  snapshot,
  writeKey,
} from './kv-bucket.ts';
import { Mirror } from './kv-mirror.ts';
import { holdLease } from './nats-lease.ts';

/** Where the directory of a cluster is. */
export interface NatsDirectoryOptions {
  readonly connection: NatsLink;
  /** Begins the names of the buckets; dots become underscores. */
  readonly prefix: string;
  /** Copies of each bucket, 1 to 5; used when it is created. */
  readonly replicas: number;
  readonly clock: Clock;
  readonly log: Logger;
}

// Every change of any key comes by here for every watch: nothing is copied but what matches.
function select(sources: readonly Iterable<DirectoryEntry>[], prefix: string): DirectoryEntry[] {
  const found: DirectoryEntry[] = [];
  for (const entries of sources)
    for (const entry of entries) if (entry.key.startsWith(prefix)) found.push(entry);
  return found.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function fingerprint(entries: readonly DirectoryEntry[]): string {
  return entries.map((entry) => `${entry.key} ${Buffer.from(entry.value).toString('base64')}`).join('\n');
}

/** Opens the directory, creating its buckets in a new cluster. Closing it leaves the connection open. */
export async function openNatsDirectory(options: NatsDirectoryOptions): Promise<Directory> {
  const { connection: link, clock, log, replicas } = options;
  const context: JetstreamContext = { link, clock, log };
  const name = options.prefix.replaceAll('.', '_');
  const live = await openBucket(context, `${name}_live`, replicas, true);
  const records = await openBucket(context, `${name}_records`, replicas, false);
  const mirrors = [new Mirror(live), new Mirror(records)] as const;
  const leases = new Set<Lease>();
  const announcements = new Set<Announcement>();

  const watch: Directory['watch'] = async (prefix, onChange) => {
    let shown: string | undefined;
    const look = (): void => {
      const [a, b] = [mirrors[0].entries, mirrors[1].entries];
      if (!a || !b) return;
      const entries = select([a.values(), b.values()], prefix);
      const now = fingerprint(entries);
      if (now === shown) return;
      shown = now;
      onChange(entries);
    };
    const stops = mirrors.map((mirror) => mirror.watch(look));
    look();
    return () => {
      for (const stop of stops) stop();
    };
  };

  return {
    async announce(key, value, ttlMs) {
      const announcement = await keepAnnounced(live, { key, value, ttlMs }, () =>
        announcements.delete(announcement),
      );
      announcements.add(announcement);
      return announcement;
    },
    async list(prefix) {
      const found = await Promise.all([snapshot(live), snapshot(records)]);
      return select(found, prefix);
    },
    watch,
    async acquire(key, value, ttlMs) {
      const lease = await holdLease(live, { key, value, ttlMs }, () => {
        if (lease) leases.delete(lease);
      });
      if (lease) leases.add(lease);
      return lease;
    },
    async read(key) {
      const last = await lastMessageOf(context, records.stream, records.root + key);
      if (!last || isMarker(last.headerText)) return undefined;
      return { key, value: last.payload, revision: last.sequence };
    },
    write: (key, value, expected) => writeKey(records, key, value, { expected }),
    async close() {
      for (const mirror of mirrors) mirror.close();
      await Promise.allSettled([...leases].map((lease) => lease.release()));
      await Promise.allSettled([...announcements].map((announcement) => announcement.withdraw()));
    },
  };
}

/** Writes an announcement and renews it every third of its time to live, sooner after a failure. */
async function keepAnnounced(
  bucket: Bucket,
  entry: { key: string; value: Uint8Array; ttlMs: number },
  onEnd: () => void,
): Promise<Announcement> {
  const { key, ttlMs } = entry;
  const { clock, log } = bucket.context;
  let value = entry.value;
  await writeKey(bucket, key, value, { ttlMs });
  let isOver = false;
  let renewing: Promise<void> = Promise.resolve();
  let cancelTimer = (): void => undefined;

  const renew = async (): Promise<void> => {
    try {
      await writeKey(bucket, key, value, { ttlMs, timeoutMs: renewalTimeoutMs(ttlMs) });
      schedule(ttlMs / 3);
    } catch (error) {
      log.warn('cannot renew an announcement, trying again', { key, error: asDomainError(error).message });
      schedule(ttlMs / 12);
    }
  };
  const schedule = (delayMs: number): void => {
    cancelTimer();
    if (isOver) return;
    cancelTimer = clock.after(delayMs, () => {
      renewing = renew();
    });
  };
  schedule(ttlMs / 3);

  return {
    async update(next) {
      value = next;
      await renewing;
      if (isOver) throw new DomainError('conflict', `cannot update ${key}: it was withdrawn`);
      await writeKey(bucket, key, value, { ttlMs });
      schedule(ttlMs / 3);
    },
    async withdraw() {
      if (isOver) return;
      isOver = true;
      cancelTimer();
      onEnd();
      await renewing;
      await deleteKey(bucket, key).catch((error) => {
        log.warn('cannot withdraw an announcement, it will expire', {
          key,
          error: asDomainError(error).message,
        });
      });
    },
  };
}
