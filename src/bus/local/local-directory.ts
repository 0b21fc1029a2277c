// The directory inside one process: entries and leases in memory, judged by the clock; records in one file that is replaced as
// a whole. Every opening starts a new epoch, so that revisions and fencing tokens go on growing over restarts.

import { DomainError, errorText, invariant } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Announcement, Directory, DirectoryEntry, Lease } from '../directory.ts';
import { checkKey, createDirectoryState, type DirectoryState } from './directory-state.ts';

const recordsFile = 'records.json';
const formatVersion = 1;
/** Revisions of one epoch; 2^53 leaves room for nine million epochs. */
const revisionsPerEpoch = 1_000_000_000;
/** A holder gives up after this part of its time to live without a renewal: before anybody else may take the lease. */
const giveUpPart = 5 / 6;

interface StoredRecords {
  readonly version: number;
  readonly epoch: number;
  readonly records: readonly { readonly key: string; readonly revision: number; readonly value: string }[];
}

/** A directory that other handles can share. */
export interface LocalDirectory extends Directory {
  /** Another handle, as another process would have: its entries and leases are its own. */
  share(): LocalDirectory;
  /** For tests and the simulator: from now on this handle reaches nothing, as if its process had lost the network. */
  cutOff(): void;
}

interface Shared {
  readonly clock: Clock;
  readonly state: DirectoryState;
  /** Sets a record in the state once it is stored; one after another. */
  store(key: string, value: Uint8Array, expected: number): Promise<number>;
  handles: number;
}

/** Opens the directory stored below `disk`, or makes an empty one. `corrupt` when its file does not parse. */
export async function openLocalDirectory(options: { disk: Disk; clock: Clock }): Promise<LocalDirectory> {
  const { disk, clock } = options;
  const stored = await readRecords(disk);
  const epoch = (stored?.epoch ?? 0) + 1;
  const state = createDirectoryState(clock, epoch * revisionsPerEpoch);
  for (const { key, revision, value } of stored?.records ?? [])
    state.set(recordOf(key, new Uint8Array(Buffer.from(value, 'base64')), revision));
  await writeRecords(disk, epoch, state.records());
  let storing: Promise<unknown> = Promise.resolve();
  const store = async (key: string, value: Uint8Array, expected: number): Promise<number> => {
    const found = state.get(key)?.revision ?? 0;
    if (found !== expected)
      throw new DomainError(
        'conflict',
        `cannot write ${key}: it has revision ${found}, expected was ${expected}`,
      );
    const record = recordOf(key, value.slice(), state.nextRevision());
    await writeRecords(disk, epoch, [...state.records().filter((other) => other.key !== key), record]);
    return state.set(record).revision;
  };
  return createHandle({
    clock,
    state,
    store(key, value, expected) {
      const done = storing.then(() => store(key, value, expected));
      storing = done.catch(() => {});
      return done;
    },
    handles: 0,
  });
}

interface RecordEntry {
  readonly key: string;
  readonly kind: 'record';
  readonly value: Uint8Array;
  readonly revision: number;
  readonly expiresMs: number;
  readonly onExpire: undefined;
}

function recordOf(key: string, value: Uint8Array, revision: number): RecordEntry {
  return { key, kind: 'record', value, revision, expiresMs: Number.POSITIVE_INFINITY, onExpire: undefined };
}

async function readRecords(disk: Disk): Promise<StoredRecords | undefined> {
  try {
    const text = new TextDecoder().decode(await disk.readFile(recordsFile));
    const stored = JSON.parse(text) as StoredRecords;
    if (
      stored.version === formatVersion &&
      Number.isSafeInteger(stored.epoch) &&
      Array.isArray(stored.records)
    )
      return stored;
    throw new SyntaxError(`it has version ${String(stored.version)}, this program knows ${formatVersion}`);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') return undefined;
    if (error instanceof DomainError) throw error;
    throw new DomainError('corrupt', `cannot use ${disk.describe(recordsFile)}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

async function writeRecords(
  disk: Disk,
  epoch: number,
  records: readonly { key: string; revision: number; value: Uint8Array }[],
): Promise<void> {
  const stored: StoredRecords = {
    version: formatVersion,
    epoch,
    records: records.map(({ key, revision, value }) => ({
      key,
      revision,
      value: Buffer.from(value).toString('base64'),
    })),
  };
  await disk.writeFile(recordsFile, new TextEncoder().encode(`${JSON.stringify(stored, undefined, 1)}\n`));
}

function createHandle(shared: Shared): LocalDirectory {
  shared.handles++;
  return new Handle(shared);
}

class Handle implements LocalDirectory {
  readonly #shared: Shared;
  /** Ends everything this handle keeps alive. */
  readonly #owned = new Set<() => void>();
  readonly #watches = new Set<() => void>();
  #reach: 'connected' | 'cut' | 'closed' = 'connected';

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  share(): LocalDirectory {
    return createHandle(this.#shared);
  }

  cutOff(): void {
    if (this.#reach === 'connected') this.#reach = 'cut';
    for (const stop of this.#watches) stop();
  }

  async announce(key: string, value: Uint8Array, ttlMs: number): Promise<Announcement> {
    this.#check(key);
    const { clock, state } = this.#shared;
    let latest = value.slice();
    const put = (): number => {
      const entry = { key, kind: 'announced' as const, value: latest, onExpire: undefined };
      return state.set({ ...entry, expiresMs: clock.monotonic() + ttlMs }).revision;
    };
    const found = state.get(key);
    if (found && found.kind !== 'announced')
      throw new DomainError('conflict', `cannot announce ${key}: it is the key of a ${found.kind}`);
    let revision = put();
    const stopRenewing = clock.every(ttlMs / 3, () => {
      if (this.#reach !== 'connected' || state.renew(key, revision, ttlMs)) return;
      // The process stood still for so long that the entry expired; unless somebody else has the key now, it is back.
      if (!state.get(key)) revision = put();
    });
    const end = (): void => {
      stopRenewing();
      this.#owned.delete(end);
      if (this.#reach !== 'cut') state.remove(key, revision);
    };
    this.#owned.add(end);
    return {
      update: async (bytes) => {
        this.#check(key);
        if (!this.#owned.has(end))
          throw new DomainError('conflict', `cannot update ${key}: it was withdrawn`);
        latest = bytes.slice();
        revision = put();
      },
      withdraw: async () => end(),
    };
  }

  async list(prefix: string): Promise<DirectoryEntry[]> {
    this.#checkReach('list');
    return this.#shared.state.list(prefix);
  }

  async watch(prefix: string, onChange: (entries: readonly DirectoryEntry[]) => void): Promise<() => void> {
    this.#checkReach('watch');
    const stop = this.#shared.state.watch(prefix, onChange);
    this.#watches.add(stop);
    return () => {
      stop();
      this.#watches.delete(stop);
    };
  }

  async acquire(key: string, value: Uint8Array, ttlMs: number): Promise<Lease | undefined> {
    this.#check(key);
    const { clock, state } = this.#shared;
    if (state.get(key)) return undefined;
    const lost = new AbortController();
    const lose = (reason: string): void => {
      stopRenewing();
      cancelGiveUp();
      this.#owned.delete(end);
      lost.abort(new DomainError('conflict', `lost the lease ${key}: ${reason}`));
    };
    const entry = state.set({
      key,
      kind: 'lease',
      value: value.slice(),
      expiresMs: clock.monotonic() + ttlMs,
      // When the whole process stood still, timers come late: the holder must hear of it before the next one does. A
      // handle that was cut off has to find out by its own clock.
      onExpire: () => {
        if (this.#reach === 'connected') lose('it was not renewed in time');
      },
    });
    let endsMs = 0;
    const giveUpLater = (): (() => void) => {
      endsMs = clock.monotonic() + ttlMs * giveUpPart;
      return clock.after(ttlMs * giveUpPart, () => lose('it could not be renewed in time'));
    };
    let cancelGiveUp = giveUpLater();
    const stopRenewing = clock.every(ttlMs / 3, () => {
      if (this.#reach !== 'connected') return;
      if (!state.renew(key, entry.revision, ttlMs)) return lose('it is gone');
      cancelGiveUp();
      cancelGiveUp = giveUpLater();
    });
    const end = (): void => {
      if (!this.#owned.has(end)) return;
      stopRenewing();
      cancelGiveUp();
      this.#owned.delete(end);
      if (this.#reach !== 'cut') state.remove(key, entry.revision);
    };
    this.#owned.add(end);
    return {
      key,
      token: entry.revision,
      get lost() {
        if (clock.monotonic() >= endsMs) lose('it could not be renewed in time');
        return lost.signal;
      },
      heldMs: () => (lost.signal.aborted ? 0 : endsMs - clock.monotonic()),
      release: async () => end(),
    };
  }

  async read(key: string): Promise<DirectoryEntry | undefined> {
    this.#check(key);
    const entry = this.#shared.state.get(key);
    return entry && { key, value: entry.value, revision: entry.revision };
  }

  async write(key: string, value: Uint8Array, expected: number): Promise<number> {
    this.#check(key);
    invariant(Number.isSafeInteger(expected) && expected >= 0, `cannot expect revision ${expected}`);
    return this.#shared.store(key, value, expected);
  }

  async close(): Promise<void> {
    if (this.#reach === 'closed') return;
    for (const stop of this.#watches) stop();
    for (const end of [...this.#owned]) end();
    this.#reach = 'closed';
    this.#shared.handles--;
    if (this.#shared.handles === 0) this.#shared.state.close();
  }

  #check(key: string): void {
    checkKey(key);
    this.#checkReach(`use ${key}`);
  }

  #checkReach(action: string): void {
    if (this.#reach === 'connected') return;
    const reason = this.#reach === 'closed' ? 'it is closed' : 'it cannot be reached';
    throw new DomainError('unavailable', `cannot ${action} in the directory: ${reason}`);
  }
}
