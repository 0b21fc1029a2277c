// A disk in memory that can lose what was not synced, page by page, and fail as real ones do: a failed fsync forgets which pages
// were dirty, so that the next one succeeds without having written them.

import { DomainError } from '../../../src/model/errors.ts';
import type { Disk, DiskFile } from '../../../src/platform/disk.ts';
import type { Random } from '../../../src/platform/random.ts';

const pageBytes = 512;

interface Stored {
  cached: Uint8Array;
  durable: Uint8Array;
  dirty: Set<number>;
}

/** A Disk under the test's control. */
export interface MemoryDisk extends Disk {
  /** Calls so far, of every kind counted. */
  readonly counts: { reads: number; writes: number; syncs: number };
  /** The next calls of a kind end with this; 'full' writes a part before it fails. */
  fail(kind: 'write' | 'sync', error: 'full' | 'broken' | undefined): void;
  /** Holds syncs until released. */
  holdSyncs(): () => void;
  /** Holds reads of a file until released. */
  holdReads(file: string): () => void;
  /** Power cut: each page not synced is kept or lost, a file's end is anywhere between its synced and its last length. */
  crash(random: Random): void;
  /** A file's bytes, to damage them. */
  bytes(file: string): Uint8Array;
  setBytes(file: string, bytes: Uint8Array): void;
  names(): string[];
}

export function createMemoryDisk(): MemoryDisk {
  const files = new Map<string, Stored>();
  const counts = { reads: 0, writes: 0, syncs: 0 };
  const failures = new Map<'write' | 'sync', 'full' | 'broken'>();
  let held: Promise<void> | undefined;
  const heldReads = new Map<string, Promise<void>>();
  // Files opened before a crash belong to a process that is no more: what it still does never ends.
  let life = 0;
  const alive = async (opened: number): Promise<void> => {
    if (opened !== life) await new Promise(() => {});
  };

  const need = (file: string): Stored => {
    const stored = files.get(file);
    if (!stored) throw new DomainError('not_found', `cannot open ${file}: it does not exist`);
    return stored;
  };
  const failing = (kind: 'write' | 'sync', file: string): void => {
    const failure = failures.get(kind);
    if (failure === 'full') throw new DomainError('full', `cannot ${kind} ${file}: the disk is full`);
    if (failure === 'broken') throw new DomainError('internal', `cannot ${kind} ${file}: EIO`);
  };

  const openFile = (name: string): DiskFile => {
    const stored = need(name);
    const opened = life;
    return {
      async read(offset, length) {
        counts.reads++;
        await heldReads.get(name);
        return stored.cached.slice(offset, offset + length);
      },
      async write(bytes, offset) {
        await alive(opened);
        counts.writes++;
        const part = failures.has('write') ? bytes.subarray(0, bytes.length >> 1) : bytes;
        put(stored, part, offset);
        failing('write', name);
      },
      async sync() {
        await alive(opened);
        counts.syncs++;
        await held;
        if (failures.has('sync')) stored.dirty.clear();
        failing('sync', name);
        flush(stored);
      },
      async truncate(length) {
        stored.cached = stored.cached.slice(0, length);
        // the page of the new end is rewritten with the next sync, as the kernel does
        stored.dirty.add(Math.floor(length / pageBytes));
      },
      async size() {
        return stored.cached.length;
      },
      async close() {},
    };
  };

  const at = (folder: string): MemoryDisk => {
    const full = (file: string): string =>
      folder === '' ? file : file === '' ? folder : `${folder}/${file}`;
    return {
      counts,
      async open(file, mode) {
        if (mode === 'create' && !files.has(full(file))) files.set(full(file), empty());
        return openFile(full(file));
      },
      async readFile(file) {
        return need(full(file)).cached.slice();
      },
      async writeFile(file, bytes) {
        failing('write', full(file));
        files.set(full(file), { cached: bytes.slice(), durable: bytes.slice(), dirty: new Set() });
      },
      async list(sub) {
        const prefix = full(sub) === '' ? '' : `${full(sub)}/`;
        const found = new Map<
          string,
          { name: string; isFolder: boolean; bytes: number; modifiedMs: number }
        >();
        for (const [path, stored] of files) {
          if (!path.startsWith(prefix)) continue;
          const [name = '', ...below] = path.slice(prefix.length).split('/');
          const isFolder = below.length > 0;
          found.set(name, { name, isFolder, bytes: isFolder ? 0 : stored.cached.length, modifiedMs: 0 });
        }
        return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      },
      async makeFolder() {},
      async remove(target) {
        for (const name of [...files.keys()])
          if (name === full(target) || name.startsWith(`${full(target)}/`)) files.delete(name);
      },
      async rename(source, target) {
        const below = `${full(source)}/`;
        const inFolder = [...files.keys()].filter((name) => name.startsWith(below));
        for (const name of inFolder) {
          files.set(`${full(target)}/${name.slice(below.length)}`, need(name));
          files.delete(name);
        }
        if (inFolder.length > 0) return;
        files.set(full(target), need(full(source)));
        files.delete(full(source));
      },
      async space() {
        return { freeBytes: 1e9, totalBytes: 1e9 };
      },
      within: (sub) => at(full(sub)),
      describe: full,
      fail: (kind, error) => (error === undefined ? failures.delete(kind) : failures.set(kind, error)),
      holdSyncs() {
        const { promise, resolve } = Promise.withResolvers<void>();
        held = promise;
        return () => {
          held = undefined;
          resolve();
        };
      },
      holdReads(file) {
        const { promise, resolve } = Promise.withResolvers<void>();
        heldReads.set(file, promise);
        return () => {
          heldReads.delete(file);
          resolve();
        };
      },
      crash(random) {
        failures.clear();
        held = undefined;
        life++;
        for (const stored of files.values()) lose(stored, random);
      },
      bytes: (file) => need(full(file)).cached.slice(),
      setBytes: (file, bytes) =>
        files.set(full(file), { cached: bytes.slice(), durable: bytes.slice(), dirty: new Set() }),
      names: () => [...files.keys()].sort(),
    };
  };
  return at('');
}

function empty(): Stored {
  return { cached: new Uint8Array(0), durable: new Uint8Array(0), dirty: new Set() };
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  out.set(bytes.subarray(0, length));
  return out;
}

// Nobody else has the memory behind a file; there is more of it than the file is long, for what is written next.
function grown(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.byteOffset === 0 && bytes.buffer.byteLength >= length)
    return new Uint8Array(bytes.buffer, 0, length);
  const out = new Uint8Array(Math.max(length, 2 * bytes.length));
  out.set(bytes);
  return out.subarray(0, length);
}

function put(stored: Stored, bytes: Uint8Array, offset: number): void {
  if (stored.cached.length < offset + bytes.length)
    stored.cached = grown(stored.cached, offset + bytes.length);
  stored.cached.set(bytes, offset);
  for (let page = Math.floor(offset / pageBytes); page * pageBytes < offset + bytes.length; page++)
    stored.dirty.add(page);
}

function keepPage(stored: Stored, target: Uint8Array, page: number): void {
  const start = page * pageBytes;
  if (start >= target.length) return;
  target.set(stored.cached.subarray(start, Math.min(start + pageBytes, target.length)), start);
}

function flush(stored: Stored): void {
  stored.durable = resized(stored.durable, stored.cached.length);
  for (const page of stored.dirty) keepPage(stored, stored.durable, page);
  stored.dirty.clear();
}

function lose(stored: Stored, random: Random): void {
  const growth = stored.cached.length - stored.durable.length;
  const length = stored.durable.length + (growth > 0 ? random.integer(growth + 1) : 0);
  const after = resized(stored.durable, length);
  for (const page of stored.dirty) if (random.integer(2) === 0) keepPage(stored, after, page);
  stored.cached = after;
  stored.durable = after.slice();
  stored.dirty.clear();
}
