// The main thread's directory for the worker threads of its process, over the bus between them. The worker's side is remote-directory.ts.
// An announcement or lease lives as long as the stream that was opened with it: a thread that ends takes its own along.

import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { DomainError } from '../../model/errors.ts';
import type { Bus, Service, Unsubscribe } from '../bus.ts';
import type { Announcement, Directory, DirectoryEntry, Lease } from '../directory.ts';

/** Requests answered once. */
export interface DirectoryMessages {
  list: { request: { readonly prefix: string }; reply: { readonly entries: readonly DirectoryEntry[] } };
  read: { request: { readonly key: string }; reply: { readonly entry: DirectoryEntry | undefined } };
  write: {
    request: { readonly key: string; readonly value: Uint8Array; readonly expected: number };
    reply: { readonly revision: number };
  };
  update: { request: Held & { readonly value: Uint8Array }; reply: object };
  withdraw: { request: Held; reply: object };
  /** How long the holder may still act on its lease. */
  held: { request: Held; reply: { readonly ms: number } };
  release: { request: Held; reply: object };
}

/** Requests answered by a stream that stays open. */
export interface DirectoryStreams {
  /** Entries at the start and after each change. */
  watch: { request: { readonly prefix: string }; frame: { readonly entries: readonly DirectoryEntry[] } };
  /** One frame when it is announced. */
  announce: { request: Claim; frame: Held };
  /** One frame, without an id when another has the lease; ends with `conflict` when the lease is lost. */
  acquire: { request: Claim; frame: Partial<Held> & { readonly token: number; readonly ms: number } };
}

/** An announcement or lease to be kept. */
export interface Claim {
  readonly key: string;
  readonly value: Uint8Array;
  readonly ttlMs: number;
}

/** Names an announcement or lease that is kept. */
export interface Held {
  readonly id: number;
}

/** Subject of a request to the directory. */
export function directorySubject(verb: keyof DirectoryMessages | keyof DirectoryStreams): string {
  return `directory.${verb}`;
}

/** Serves `directory` on `bus` until the returned function is called. */
export async function serveDirectory(bus: Bus, directory: Directory): Promise<Unsubscribe> {
  const info = {
    name: 'directory',
    version: '1.0.0',
    description: 'Directory of the process',
    metadata: {},
  };
  const service = await bus.service(info);
  const announced = new Map<number, Announcement>();
  const leases = new Map<number, Lease>();
  let nextId = 1;
  await serveEach(service, {
    list: async ({ prefix }) => ({ entries: await directory.list(prefix) }),
    read: async ({ key }) => ({ entry: await directory.read(key) }),
    write: async ({ key, value, expected }) => ({ revision: await directory.write(key, value, expected) }),
    async update({ id, value }) {
      const announcement = announced.get(id);
      if (announcement === undefined)
        throw new DomainError('conflict', 'cannot update an announcement: it was withdrawn');
      await announcement.update(value);
      return {};
    },
    async withdraw({ id }) {
      await announced.get(id)?.withdraw();
      return {};
    },
    held: async ({ id }) => ({ ms: leases.get(id)?.heldMs() ?? 0 }),
    async release({ id }) {
      await leases.get(id)?.release();
      return {};
    },
  });
  await serveStream(service, 'watch', async ({ prefix }, send, signal) => {
    const stop = await directory.watch(prefix, (entries) => void send({ entries }).catch(() => {}));
    await aborted(signal);
    stop();
  });
  await serveStream(service, 'announce', async ({ key, value, ttlMs }, send, signal) => {
    const announcement = await directory.announce(key, value, ttlMs);
    const id = nextId++;
    announced.set(id, announcement);
    try {
      await send({ id });
      await aborted(signal);
    } finally {
      announced.delete(id);
      await announcement.withdraw();
    }
  });
  await serveStream(service, 'acquire', async ({ key, value, ttlMs }, send, signal) => {
    const lease = await directory.acquire(key, value, ttlMs);
    if (lease === undefined) return send({ token: 0, ms: 0 });
    const id = nextId++;
    leases.set(id, lease);
    try {
      await send({ id, token: lease.token, ms: lease.heldMs() });
      await aborted(AbortSignal.any([signal, lease.lost]));
      lease.lost.throwIfAborted();
    } finally {
      leases.delete(id);
      await lease.release();
    }
  });
  return () => service.stop();
}

type Handlers = {
  readonly [K in keyof DirectoryMessages]: (
    request: DirectoryMessages[K]['request'],
  ) => Promise<DirectoryMessages[K]['reply']>;
};

async function serveEach(service: Service, handlers: Handlers): Promise<void> {
  for (const [verb, handler] of Object.entries(handlers) as [
    keyof Handlers,
    (request: unknown) => Promise<unknown>,
  ][])
    await service.serve(directorySubject(verb), async (payload) =>
      encodeEnvelope(await handler(decodeEnvelope(payload))),
    );
}

function serveStream<K extends keyof DirectoryStreams>(
  service: Service,
  verb: K,
  handler: (
    request: DirectoryStreams[K]['request'],
    send: (frame: DirectoryStreams[K]['frame']) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<void>,
): Promise<void> {
  return service.serveMany(directorySubject(verb), (payload, send, { signal }) =>
    handler(decodeEnvelope(payload), (frame) => send(encodeEnvelope(frame)), signal),
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
