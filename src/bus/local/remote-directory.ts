// The directory of the main thread as a worker thread of its process has it: every call is a request over the bus between the two,
// answered by directory-service.ts.

import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { DomainError, errorText, invariant } from '../../model/errors.ts';
import type { Cancel, Clock } from '../../platform/clock.ts';
import type { Bus, Payload } from '../bus.ts';
import type { Announcement, Directory, DirectoryEntry, Lease } from '../directory.ts';
import {
  type DirectoryMessages,
  type DirectoryStreams,
  directorySubject,
  type Held,
} from './directory-service.ts';

/** A holder asks after every such part of its time to live how long it may go on; renewed as usual that is at least half of it. */
const askPart = 1 / 6;

/** The directory served on `bus`. Closing gives up what was announced and acquired through it, and leaves `bus` open. */
export function remoteDirectory(bus: Bus, clock: Clock): Directory {
  return new RemoteDirectory(bus, clock);
}

class RemoteDirectory implements Directory {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #closing = new AbortController();

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
  }

  async list(prefix: string): Promise<DirectoryEntry[]> {
    return [...(await this.#ask('list', { prefix })).entries];
  }

  async read(key: string): Promise<DirectoryEntry | undefined> {
    return (await this.#ask('read', { key })).entry;
  }

  async write(key: string, value: Uint8Array, expected: number): Promise<number> {
    return (await this.#ask('write', { key, value, expected })).revision;
  }

  async watch(prefix: string, onChange: (entries: readonly DirectoryEntry[]) => void): Promise<() => void> {
    const stream = await this.#open('watch', { prefix });
    onChange(stream.first.entries);
    void stream.follow(({ entries }) => onChange(entries)).catch(() => {});
    return stream.end;
  }

  async announce(key: string, value: Uint8Array, ttlMs: number): Promise<Announcement> {
    const stream = await this.#open('announce', { key, value, ttlMs });
    stream.follow(() => {}).catch(() => {});
    const { id } = stream.first;
    return {
      update: async (next) => void (await this.#ask('update', { id, value: next })),
      withdraw: async () => {
        if (stream.ended()) return;
        await this.#ask('withdraw', { id });
        stream.end();
      },
    };
  }

  async acquire(key: string, value: Uint8Array, ttlMs: number): Promise<Lease | undefined> {
    const askedAt = this.#clock.monotonic();
    const stream = await this.#open('acquire', { key, value, ttlMs });
    const { id, token, ms } = stream.first;
    if (id === undefined) return undefined;
    const stopAsking = this.#clock.every(ttlMs * askPart, () => this.#askHeld({ id }, lease));
    const release = async (): Promise<void> => {
      if (!stream.ended()) await this.#ask('release', { id });
    };
    const lease: RemoteLease = new RemoteLease(this.#clock, {
      ...{ key, token, release, endsAt: askedAt + ms, reached: () => this.#bus.connected() },
      onOver: () => {
        stopAsking();
        stream.end();
      },
    });
    stream
      .follow(() => {})
      .then(
        () => lease.lose('it is gone'),
        (error) => lease.lose(errorText(error)),
      );
    return lease;
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  // Without an answer the lease ends when it would have ended anyway.
  #askHeld(held: Held, lease: RemoteLease): void {
    const at = this.#clock.monotonic();
    this.#ask('held', held).then(
      ({ ms }) => lease.extend(at + ms),
      () => {},
    );
  }

  async #ask<K extends keyof DirectoryMessages>(
    verb: K,
    request: DirectoryMessages[K]['request'],
  ): Promise<DirectoryMessages[K]['reply']> {
    this.#checkOpen(verb);
    return decodeEnvelope(
      await this.#bus.request(directorySubject(verb), encodeEnvelope(request), {
        deadlineMs: Number.POSITIVE_INFINITY,
      }),
    );
  }

  async #open<K extends keyof DirectoryStreams>(
    verb: K,
    request: DirectoryStreams[K]['request'],
  ): Promise<Stream<DirectoryStreams[K]['frame']>> {
    this.#checkOpen(verb);
    const leaving = new AbortController();
    const frames = this.#bus.requestMany(directorySubject(verb), encodeEnvelope(request), {
      deadlineMs: Number.POSITIVE_INFINITY,
      signal: AbortSignal.any([leaving.signal, this.#closing.signal]),
    });
    return openStream(frames[Symbol.asyncIterator](), leaving);
  }

  #checkOpen(verb: string): void {
    if (this.#closing.signal.aborted)
      throw new DomainError('unavailable', `cannot ${verb} in the directory: it is closed`);
  }
}

/** A stream that stays open, whose first frame has come. */
interface Stream<Frame> {
  readonly first: Frame;
  /** Calls `onFrame` with the frames after the first until the stream ends; rejects with its error. */
  follow(onFrame: (frame: Frame) => void): Promise<void>;
  readonly end: () => void;
  ended(): boolean;
}

async function openStream<Frame>(
  frames: AsyncIterator<Payload>,
  leaving: AbortController,
): Promise<Stream<Frame>> {
  const begun = await frames.next();
  invariant(begun.done !== true, 'the directory ended a stream before its first frame');
  return {
    first: decodeEnvelope<Frame>(begun.value),
    async follow(onFrame) {
      try {
        for (let next = await frames.next(); next.done !== true; next = await frames.next())
          if (!leaving.signal.aborted) onFrame(decodeEnvelope<Frame>(next.value));
      } finally {
        leaving.abort();
      }
    },
    end: () => leaving.abort(),
    ended: () => leaving.signal.aborted,
  };
}

interface LeaseTerms {
  readonly key: string;
  readonly token: number;
  /** Monotonic milliseconds at which it ends unless extended. */
  readonly endsAt: number;
  readonly release: () => Promise<void>;
  /** Whether the main thread can be reached: it gives up for those who went. */
  readonly reached: () => boolean;
  /** Called once, when it is lost or released. */
  readonly onOver: () => void;
}

/** A lease that the main thread renews; how long it holds is counted from before the main thread was asked. */
class RemoteLease implements Lease {
  readonly key: string;
  readonly token: number;
  readonly #clock: Clock;
  readonly #terms: LeaseTerms;
  readonly #aborter = new AbortController();
  #endsAt: number;
  #cancelEnd: Cancel = () => {};
  #isOver = false;

  constructor(clock: Clock, terms: LeaseTerms) {
    this.key = terms.key;
    this.token = terms.token;
    this.#clock = clock;
    this.#terms = terms;
    this.#endsAt = terms.endsAt;
    this.#armEnd();
  }

  get lost(): AbortSignal {
    if (this.#clock.monotonic() >= this.#endsAt) this.lose('it could not be renewed in time');
    if (!this.#terms.reached()) this.lose('the main thread is gone');
    return this.#aborter.signal;
  }

  heldMs(): number {
    return this.#isOver ? 0 : this.#endsAt - this.#clock.monotonic();
  }

  async release(): Promise<void> {
    if (this.#isOver) return;
    await this.#terms.release();
    this.#end();
  }

  /** It holds until `endsAt` at least. */
  extend(endsAt: number): void {
    if (this.#isOver) return;
    this.#endsAt = Math.max(this.#endsAt, endsAt);
    this.#armEnd();
  }

  lose(reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#aborter.abort(new DomainError('conflict', `lost the lease on ${this.key}: ${reason}`));
  }

  #end(): void {
    this.#isOver = true;
    this.#cancelEnd();
    this.#terms.onOver();
  }

  #armEnd(): void {
    this.#cancelEnd();
    this.#cancelEnd = this.#clock.after(Math.max(0, this.#endsAt - this.#clock.monotonic()), () =>
      this.lose('it could not be renewed in time'),
    );
  }
}
