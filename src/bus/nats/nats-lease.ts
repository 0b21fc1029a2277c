// A lease on a key of the live bucket. The holder's own monotonic clock, counted from *before* the last renewal that got
// through was sent, ends it a sixth of its time to live before the server can let anybody else have it.

import { nuid } from 'nats';
import { asDomainError, DomainError } from '../../model/errors.ts';
import type { Lease } from '../directory.ts';
import { isMessageId, lastMessageOf } from './jetstream-api.ts';
import { type Bucket, createKey, deleteKey, renewalTimeoutMs, writeKey } from './kv-bucket.ts';

interface LeaseEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly ttlMs: number;
}

/** Takes the lease and keeps it, or undefined while another has it. `onEnd` is called once, when it is lost or released. */
export async function holdLease(
  bucket: Bucket,
  entry: LeaseEntry,
  onEnd: () => void,
): Promise<Lease | undefined> {
  const takenAt = bucket.context.clock.monotonic();
  const token = await createKey(bucket, entry.key, entry.value, { ttlMs: entry.ttlMs });
  if (token === undefined) return undefined;
  const holder = new LeaseHolder(bucket, entry, { takenAt, token, onEnd });
  return {
    key: entry.key,
    token,
    get lost() {
      return holder.lost;
    },
    heldMs: () => holder.heldMs(),
    release: () => holder.release(),
  };
}

class LeaseHolder {
  readonly #aborter = new AbortController();
  readonly #bucket: Bucket;
  readonly #entry: LeaseEntry;
  readonly #onEnd: () => void;
  #revision: number;
  #validFrom: number;
  #isOver = false;
  #cancelRenewal: () => void = () => undefined;
  #cancelEnd: () => void = () => undefined;
  #renewing: Promise<void> = Promise.resolve();
  /** The renewal under way: sent again under the same id until its outcome is known, valid from when it was first sent. */
  #renewal: { readonly id: string; readonly sentAt: number } | undefined;

  constructor(
    bucket: Bucket,
    entry: LeaseEntry,
    start: { takenAt: number; token: number; onEnd: () => void },
  ) {
    this.#bucket = bucket;
    this.#entry = entry;
    this.#onEnd = start.onEnd;
    this.#revision = start.token;
    this.#validFrom = start.takenAt;
    this.#armEnd();
    this.#scheduleRenewal(entry.ttlMs / 3);
  }

  get lost(): AbortSignal {
    if (this.#bucket.context.clock.monotonic() >= this.#endsAt())
      this.#lose('it could not be renewed in time');
    return this.#aborter.signal;
  }

  heldMs(): number {
    return this.#isOver ? 0 : this.#endsAt() - this.#bucket.context.clock.monotonic();
  }

  async release(): Promise<void> {
    if (this.#isOver) return;
    this.#end();
    await this.#renewing;
    const { key } = this.#entry;
    await deleteKey(this.#bucket, key, this.#revision).catch((error) => {
      this.#bucket.context.log.warn('cannot release a lease, it will expire', {
        key,
        error: asDomainError(error).message,
      });
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#cancelRenewal();
    this.#cancelEnd();
    this.#onEnd();
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.#end();
    const { key } = this.#entry;
    this.#bucket.context.log.warn('a lease is lost', { key, reason });
    this.#aborter.abort(new DomainError('conflict', `lost the lease on ${key}: ${reason}`));
  }

  #armEnd(): void {
    const { clock } = this.#bucket.context;
    this.#cancelEnd();
    this.#cancelEnd = clock.after(Math.max(0, this.#endsAt() - clock.monotonic()), () =>
      this.#lose('it could not be renewed in time'),
    );
  }

  #endsAt(): number {
    return this.#validFrom + (this.#entry.ttlMs * 5) / 6;
  }

  #scheduleRenewal(delayMs: number): void {
    if (this.#isOver) return;
    this.#cancelRenewal = this.#bucket.context.clock.after(delayMs, () => {
      this.#renewing = this.#renew();
    });
  }

  /**
   * After a conflict: whether the key's last message is this very renewal, stored by an attempt whose acknowledgement was lost.
   * If it is another's, the lease is lost; if nobody can tell right now, the renewal is tried again.
   */
  async #recognise(id: string): Promise<boolean> {
    const { context, stream, root } = this.#bucket;
    try {
      const last = await lastMessageOf(context, stream, root + this.#entry.key);
      if (last && isMessageId(last.headerText, id)) {
        this.#revision = last.sequence;
        return true;
      }
      this.#lose('another took it, or it expired');
    } catch (error) {
      context.log.warn('cannot tell whether a lease was renewed', {
        key: this.#entry.key,
        error: asDomainError(error).message,
      });
    }
    return false;
  }

  async #renew(): Promise<void> {
    const { key, value, ttlMs } = this.#entry;
    this.#renewal ??= { id: nuid.next(), sentAt: this.#bucket.context.clock.monotonic() };
    const { id, sentAt } = this.#renewal;
    try {
      this.#revision = await writeKey(this.#bucket, key, value, {
        expected: this.#revision,
        ttlMs,
        id,
        timeoutMs: renewalTimeoutMs(ttlMs),
      });
    } catch (error) {
      if (asDomainError(error).code !== 'conflict' || !(await this.#recognise(id))) {
        this.#scheduleRenewal(ttlMs / 12);
        return;
      }
    }
    if (this.#isOver) return;
    this.#validFrom = sentAt;
    this.#renewal = undefined;
    this.#armEnd();
    this.#scheduleRenewal(ttlMs / 3);
  }
}
