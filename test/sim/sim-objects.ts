// The bucket of the simulation: one store in memory behind a network that can be slow, refuse, or lose an answer after the work was
// done. What S3 promises holds: whole objects, strong consistency.

import { DomainError } from '../../src/model/errors.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { memoryStore } from '../../src/storage/objects/memory.ts';
import type { ObjectEntry, ObjectStore } from '../../src/storage/objects/object-store.ts';
import type { SimHost } from './host.ts';
import type { SimNetwork } from './network.ts';

const TIMEOUT_MS = 30_000;

/** Chances in 10,000 for each request, and how long a slow one takes at most. */
export interface BucketRates {
  readonly refuse: number;
  readonly slow: number;
  readonly slowMs: number;
}

/** The service itself. */
export interface BucketServer {
  readonly store: ObjectStore;
  rates: BucketRates;
  /** How it is away, if it is: every request is refused, or nobody answers. */
  away: 'refuses' | 'silent' | undefined;
  /** Told when an object is there. */
  onPut: (key: string, host: SimHost) => void;
  /** Told when a process begins to send an object. */
  onSend: (key: string, host: SimHost, bytes: Uint8Array) => void;
}

/** An empty bucket. */
export function createBucketServer(clock: Clock, rates: BucketRates): BucketServer {
  return { store: memoryStore(clock), rates, away: undefined, onPut: () => {}, onSend: () => {} };
}

/** The bucket as the process on `host` has it. */
export function openSimObjects(server: BucketServer, network: SimNetwork, host: SimHost): ObjectStore {
  const { store } = server;
  const call = <T>(label: string, effect: () => Promise<T>): Promise<T> => {
    const refused = (): DomainError =>
      new DomainError('unavailable', `cannot ${label}: 503 Service Unavailable`);
    const isSlow = network.draw(server.rates.slow);
    const workMs = isSlow ? network.random.integer(server.rates.slowMs) : network.random.integer(20);
    const fate = network.draw(server.rates.refuse) ? network.random.integer(2) : undefined;
    return network.call(
      host,
      { label, timeoutMs: TIMEOUT_MS, link: 'bucket', workMs, isSilent: () => server.away === 'silent' },
      async () => {
        if (server.away === 'refuses' || fate === 0) throw refused();
        const result = await effect();
        // The work was done and the answer is an error all the same.
        if (fate === 1) throw refused();
        return result;
      },
    );
  };
  const put = async (key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    server.onSend(key, host, bytes);
    const copy = bytes.slice();
    await call(`put ${key}`, async () => {
      await store.put(key, copy);
      server.onPut(key, host);
    });
  };
  const each = async function* <T>(label: string, items: () => AsyncIterable<T>): AsyncGenerator<T> {
    const found = await call(label, async () => {
      const all: T[] = [];
      for await (const item of items()) all.push(item);
      return all;
    });
    yield* found;
  };
  return {
    put,
    putOnce: (key, bytes) => call(`putOnce ${key}`, () => store.putOnce(key, bytes)),
    async putStream(key, chunks, bytes) {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk.slice());
      const whole = Buffer.concat(parts);
      if (whole.length !== bytes)
        throw new DomainError(
          'bad_data',
          `cannot put ${key}: ${whole.length} bytes came, ${bytes} were announced`,
        );
      await put(key, whole);
    },
    get: (key, signal) => aborted(signal) ?? call(`get ${key}`, () => store.get(key)),
    getRange: (key, offset, length, signal) =>
      aborted(signal) ?? call(`get ${key}`, () => store.getRange(key, offset, length)),
    stat: (key): Promise<ObjectEntry | undefined> => call(`stat ${key}`, () => store.stat(key)),
    list: (prefix) => each(`list ${prefix}`, () => store.list(prefix)),
    folders: (prefix) => each(`folders ${prefix}`, () => store.folders(prefix)),
    remove: (key) => call(`remove ${key}`, () => store.remove(key)),
  };
}

function aborted(signal: AbortSignal | undefined): Promise<never> | undefined {
  return signal?.aborted ? Promise.reject(signal.reason) : undefined;
}
