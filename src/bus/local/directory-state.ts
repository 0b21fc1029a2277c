// What all handles on a local directory share: entries by key, who keeps them alive, and the records that are stored. Expiry is
// judged by the clock at every look, and by a timer so that watchers hear of it.

import { DomainError } from '../../model/errors.ts';
import type { Cancel, Clock } from '../../platform/clock.ts';
import type { DirectoryEntry } from '../directory.ts';

/** An entry and what keeps it there. */
export interface StateEntry {
  readonly key: string;
  readonly kind: 'announced' | 'lease' | 'record';
  readonly value: Uint8Array;
  readonly revision: number;
  /** Monotonic milliseconds at which it is gone unless renewed; infinite for records. */
  expiresMs: number;
  /** Runs when the entry expires, before anybody else can take its key. */
  readonly onExpire: (() => void) | undefined;
}

/** The shared state. Everything here is synchronous: a call is one step. */
export interface DirectoryState {
  /** The entry of a key, or undefined when there is none or it has expired. */
  get(key: string): StateEntry | undefined;
  /** Sets an entry (of a new revision) and tells watchers. */
  set(entry: Omit<StateEntry, 'revision'> & { readonly revision?: number }): StateEntry;
  /** Removes an entry if it still is the one of `revision`. */
  remove(key: string, revision: number): void;
  /** Keeps an entry alive if it still is the one of `revision`; false when it is not. */
  renew(key: string, revision: number, ttlMs: number): boolean;
  nextRevision(): number;
  list(prefix: string): DirectoryEntry[];
  /** Calls `onChange` in a later microtask after each change below `prefix`; returns what stops it. */
  watch(prefix: string, onChange: (entries: readonly DirectoryEntry[]) => void): () => void;
  records(): StateEntry[];
  close(): void;
}

interface Watcher {
  readonly prefix: string;
  readonly onChange: (entries: readonly DirectoryEntry[]) => void;
  due: boolean;
}

/** An empty state whose revisions follow `revision`. */
export function createDirectoryState(clock: Clock, revision: number): DirectoryState {
  return new State(clock, revision);
}

class State implements DirectoryState {
  readonly #clock: Clock;
  readonly #entries = new Map<string, StateEntry>();
  readonly #watchers = new Set<Watcher>();
  #revision: number;
  #timer: { atMs: number; cancel: Cancel } | undefined;

  constructor(clock: Clock, revision: number) {
    this.#clock = clock;
    this.#revision = revision;
  }

  get(key: string): StateEntry | undefined {
    const entry = this.#entries.get(key);
    if (!entry || entry.expiresMs > this.#clock.monotonic()) return entry;
    this.#expire(entry);
    return undefined;
  }

  set(given: Omit<StateEntry, 'revision'> & { readonly revision?: number }): StateEntry {
    const entry: StateEntry = { ...given, revision: given.revision ?? this.nextRevision() };
    this.#entries.set(entry.key, entry);
    this.#wakeFor(entry.expiresMs);
    this.#tell(entry.key);
    return entry;
  }

  remove(key: string, revision: number): void {
    if (this.#entries.get(key)?.revision !== revision) return;
    this.#entries.delete(key);
    this.#tell(key);
  }

  renew(key: string, revision: number, ttlMs: number): boolean {
    const entry = this.get(key);
    if (entry?.revision !== revision) return false;
    entry.expiresMs = this.#clock.monotonic() + ttlMs;
    return true;
  }

  nextRevision(): number {
    this.#revision++;
    return this.#revision;
  }

  list(prefix: string): DirectoryEntry[] {
    const out: DirectoryEntry[] = [];
    for (const key of [...this.#entries.keys()]) {
      const entry = key.startsWith(prefix) ? this.get(key) : undefined;
      if (entry) out.push({ key, value: entry.value, revision: entry.revision });
    }
    return out.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  watch(prefix: string, onChange: (entries: readonly DirectoryEntry[]) => void): () => void {
    const watcher: Watcher = { prefix, onChange, due: false };
    this.#watchers.add(watcher);
    this.#notify(watcher);
    return () => this.#watchers.delete(watcher);
  }

  records(): StateEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.kind === 'record');
  }

  close(): void {
    this.#timer?.cancel();
    this.#watchers.clear();
  }

  #expire(entry: StateEntry): void {
    this.#entries.delete(entry.key);
    entry.onExpire?.();
    this.#tell(entry.key);
  }

  #tell(key: string): void {
    for (const watcher of this.#watchers) if (key.startsWith(watcher.prefix)) this.#notify(watcher);
  }

  // Changes of one step are told as one.
  #notify(watcher: Watcher): void {
    if (watcher.due) return;
    watcher.due = true;
    queueMicrotask(() => {
      watcher.due = false;
      if (this.#watchers.has(watcher)) watcher.onChange(this.list(watcher.prefix));
    });
  }

  // One timer, for the earliest expiry; renewals only make it look too early.
  #wakeFor(atMs: number): void {
    if (!Number.isFinite(atMs) || (this.#timer && this.#timer.atMs <= atMs)) return;
    this.#timer?.cancel();
    const cancel = this.#clock.after(Math.max(0, atMs - this.#clock.monotonic()), () => this.#sweep());
    this.#timer = { atMs, cancel };
  }

  #sweep(): void {
    this.#timer = undefined;
    let earliest = Number.POSITIVE_INFINITY;
    for (const key of [...this.#entries.keys()]) {
      const entry = this.get(key);
      if (entry) earliest = Math.min(earliest, entry.expiresMs);
    }
    this.#wakeFor(earliest);
  }
}

/** Throws `bad_data` unless `key` is dot-separated tokens of [A-Za-z0-9_-]. */
export function checkKey(key: string): void {
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(key))
    throw new DomainError(
      'bad_data',
      `cannot use the directory key "${key}": only tokens of [A-Za-z0-9_-], dots between`,
    );
}
