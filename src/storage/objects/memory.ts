// A bucket in memory, for tests and the simulator.

import { DomainError } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { checkKey, foldersOf } from './keys.ts';
import type { ObjectEntry, ObjectStore } from './object-store.ts';

interface Stored {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

/** An empty bucket whose times come from `clock`. */
export function memoryStore(clock: Clock): ObjectStore {
  const objects = new Map<string, Stored>();
  const find = (key: string): Stored => {
    const found = objects.get(checkKey(key));
    if (!found) throw new DomainError('not_found', `cannot get ${key}: it does not exist`);
    return found;
  };
  const entryOf = (key: string, stored: Stored): ObjectEntry => ({
    key,
    bytes: stored.bytes.length,
    modifiedMs: stored.modifiedMs,
  });
  const put = (key: string, bytes: Uint8Array): void => {
    objects.set(checkKey(key), { bytes: bytes.slice(), modifiedMs: clock.now() });
  };
  const sortedKeys = (prefix: string): string[] =>
    [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  return {
    async put(key, bytes, signal) {
      signal?.throwIfAborted();
      put(key, bytes);
    },
    async putOnce(key, bytes) {
      if (objects.has(checkKey(key)))
        throw new DomainError('conflict', `cannot put ${key}: it exists already`);
      put(key, bytes);
    },
    async putStream(key, chunks, bytes) {
      const whole = new Uint8Array(bytes);
      let length = 0;
      for await (const chunk of chunks) {
        if (length + chunk.length <= bytes) whole.set(chunk, length);
        length += chunk.length;
      }
      if (length !== bytes)
        throw new DomainError('bad_data', `cannot put ${key}: ${length} bytes came, ${bytes} were announced`);
      put(key, whole);
    },
    async get(key, signal) {
      signal?.throwIfAborted();
      return find(key).bytes.slice();
    },
    async getRange(key, offset, length, signal) {
      signal?.throwIfAborted();
      return find(key).bytes.slice(offset, offset + length);
    },
    async stat(key) {
      const found = objects.get(checkKey(key));
      return found && entryOf(key, found);
    },
    async *list(prefix) {
      for (const key of sortedKeys(prefix)) {
        const found = objects.get(key);
        if (found) yield entryOf(key, found);
      }
    },
    async *folders(prefix) {
      yield* foldersOf(sortedKeys(prefix), prefix);
    },
    async remove(key) {
      objects.delete(checkKey(key));
    },
  };
}
