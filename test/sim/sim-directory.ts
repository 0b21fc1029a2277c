// The directory of the simulation: the state of the local adapter as the one server that all processes reach over the network. Leases
// are held as the NATS adapter holds them: valid by the holder's clock, from before the last renewal that got through.

import type { Announcement, Directory, DirectoryEntry, Lease } from '../../src/bus/directory.ts';
import { checkKey, createDirectoryState, type DirectoryState } from '../../src/bus/local/directory-state.ts';
import { asDomainError, DomainError } from '../../src/model/errors.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { SimHost } from './host.ts';
import type { SimNetwork } from './network.ts';

const CALL_MS_MAX = 5000;
const RESYNC_MS = 2000;

/** The server side. */
export interface DirectoryServer {
  readonly state: DirectoryState;
  /** No leader: nothing is answered. */
  isAway: boolean;
}

/** An empty directory. */
export function createDirectoryServer(clock: Clock): DirectoryServer {
  return { state: createDirectoryState(clock, 0), isAway: false };
}

/** The directory as the process on `host` has it, for this life of it. */
export function openSimDirectory(server: DirectoryServer, network: SimNetwork, host: SimHost): Directory {
  return new SimDirectory(server, network, host);
}

class SimDirectory implements Directory {
  readonly #server: DirectoryServer;
  readonly #network: SimNetwork;
  readonly #host: SimHost;
  readonly #owned = new Set<() => Promise<void>>();
  readonly #watches = new Set<() => void>();
  #isClosed = false;

  constructor(server: DirectoryServer, network: SimNetwork, host: SimHost) {
    this.#server = server;
    this.#network = network;
    this.#host = host;
  }

  async announce(key: string, value: Uint8Array, ttlMs: number): Promise<Announcement> {
    checkKey(key);
    const { state } = this.#server;
    let latest = value.slice();
    let revision = 0;
    const put = (): number => {
      const found = state.get(key);
      if (found && found.kind !== 'announced')
        throw new DomainError('conflict', `cannot announce ${key}: it is the key of a ${found.kind}`);
      const entry = { key, kind: 'announced' as const, value: latest, onExpire: undefined };
      return state.set({ ...entry, expiresMs: this.#network.loop.now + ttlMs }).revision;
    };
    revision = await this.#call(`announce ${key}`, put);
    const stop = this.#host.clock.every(ttlMs / 3, () => {
      this.#call(`renew ${key}`, () => (state.renew(key, revision, ttlMs) ? revision : put())).then(
        (renewed) => {
          revision = renewed;
        },
        () => {},
      );
    });
    const end = async (): Promise<void> => {
      stop();
      this.#owned.delete(end);
      await this.#call(`withdraw ${key}`, () => state.remove(key, state.get(key)?.revision ?? 0)).catch(
        () => {},
      );
    };
    this.#owned.add(end);
    return {
      update: async (bytes) => {
        if (!this.#owned.has(end))
          throw new DomainError('conflict', `cannot update ${key}: it was withdrawn`);
        latest = bytes.slice();
        revision = await this.#call(`update ${key}`, put);
      },
      withdraw: end,
    };
  }

  list(prefix: string): Promise<DirectoryEntry[]> {
    return this.#call(`list ${prefix}`, () => this.#server.state.list(prefix));
  }

  async watch(prefix: string, onChange: (entries: readonly DirectoryEntry[]) => void): Promise<() => void> {
    const { loop } = this.#network;
    const { state } = this.#server;
    const watcher = this.#host.present;
    let isOver = false;
    let lastArrival = 0;
    const send = (entries: readonly DirectoryEntry[]): void => {
      if (isOver) return;
      if (this.#server.isAway || !this.#network.arrives(this.#host, 'nats')) {
        loop.after(RESYNC_MS, `watch ${prefix} again`, () => send(state.list(prefix)));
        return;
      }
      lastArrival = Math.max(lastArrival, loop.now + this.#network.transit());
      loop.after(
        lastArrival - loop.now,
        `sees ${prefix}`,
        () => {
          if (!isOver) onChange(entries);
        },
        watcher,
      );
    };
    const entries = await this.#call(`watch ${prefix}`, () => state.list(prefix));
    onChange(entries);
    const stop = state.watch(prefix, send);
    const end = (): void => {
      isOver = true;
      stop();
      offEnd();
      this.#watches.delete(end);
    };
    const offEnd = this.#host.atEnd(end);
    this.#watches.add(end);
    return end;
  }

  async acquire(key: string, value: Uint8Array, ttlMs: number): Promise<Lease | undefined> {
    checkKey(key);
    const { state } = this.#server;
    const takenAt = this.#host.clock.monotonic();
    const copy = value.slice();
    const token = await this.#call(`acquire ${key}`, () => {
      if (state.get(key)) return undefined;
      const expiresMs = this.#network.loop.now + ttlMs;
      return state.set({ key, kind: 'lease', value: copy, expiresMs, onExpire: undefined }).revision;
    });
    return token === undefined ? undefined : this.#hold(key, token, takenAt, ttlMs);
  }

  #hold(key: string, token: number, takenAt: number, ttlMs: number): Lease {
    const { clock } = this.#host;
    const { state } = this.#server;
    const lost = new AbortController();
    let validFrom = takenAt;
    let isOver = false;
    let cancelRenewal = (): void => {};
    const end = (): void => {
      isOver = true;
      cancelRenewal();
      this.#owned.delete(release);
    };
    const lose = (reason: string): void => {
      if (isOver) return;
      end();
      lost.abort(new DomainError('conflict', `lost the lease on ${key}: ${reason}`));
    };
    const leftMs = (): number => validFrom + (ttlMs * 5) / 6 - clock.monotonic();
    const isLate = (): boolean => leftMs() <= 0;
    const renewLater = (delayMs: number): void => {
      if (!isOver) cancelRenewal = clock.after(delayMs, () => void renew());
    };
    const renew = async (): Promise<void> => {
      if (isLate()) return lose('it could not be renewed in time');
      const sentAt = clock.monotonic();
      try {
        if (!(await this.#call(`renew ${key}`, () => state.renew(key, token, ttlMs), ttlMs / 4)))
          return lose('another took it, or it expired');
        validFrom = sentAt;
        renewLater(ttlMs / 3);
      } catch {
        renewLater(ttlMs / 12);
      }
    };
    const release = async (): Promise<void> => {
      if (isOver) return;
      end();
      await this.#call(`release ${key}`, () => state.remove(key, token)).catch(() => {});
    };
    this.#owned.add(release);
    renewLater(ttlMs / 3);
    return {
      key,
      token,
      get lost() {
        if (isLate()) lose('it could not be renewed in time');
        return lost.signal;
      },
      heldMs: () => (isOver ? 0 : leftMs()),
      release,
    };
  }

  async read(key: string): Promise<DirectoryEntry | undefined> {
    checkKey(key);
    return this.#call(`read ${key}`, () => {
      const entry = this.#server.state.get(key);
      return entry && { key, value: entry.value, revision: entry.revision };
    });
  }

  async write(key: string, value: Uint8Array, expected: number): Promise<number> {
    checkKey(key);
    const { state } = this.#server;
    const copy = value.slice();
    return this.#call(`write ${key}`, () => {
      const found = state.get(key)?.revision ?? 0;
      if (found !== expected)
        throw new DomainError(
          'conflict',
          `cannot write ${key}: it has revision ${found}, expected was ${expected}`,
        );
      const expiresMs = Number.POSITIVE_INFINITY;
      return state.set({ key, kind: 'record', value: copy, expiresMs, onExpire: undefined }).revision;
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    for (const end of [...this.#watches]) end();
    await Promise.all([...this.#owned].map((end) => end()));
    this.#isClosed = true;
  }

  async #call<T>(label: string, effect: () => T, timeoutMs: number = CALL_MS_MAX): Promise<T> {
    if (this.#isClosed)
      throw new DomainError('unavailable', `cannot ${label} in the directory: it is closed`);
    const isSilent = (): boolean => this.#server.isAway;
    try {
      return await this.#network.call(this.#host, { label, timeoutMs, link: 'nats', isSilent }, effect);
    } catch (error) {
      throw asDomainError(error);
    }
  }
}
