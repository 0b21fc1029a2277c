// A copy of a bucket in memory for whoever watches it.

import { asDomainError } from '../../model/errors.ts';
import { sleep } from '../../platform/clock.ts';
import type { DirectoryEntry } from '../directory.ts';
import { type Bucket, followOnce } from './kv-bucket.ts';

const resyncMs = 60_000;
const retryMs = 500;
const retryMsMax = 5_000;

type Watcher = () => void;

/** A copy of a bucket that is kept up to date from the first watcher on, through every failure. */
export class Mirror {
  readonly #bucket: Bucket;
  readonly #watchers = new Set<Watcher>();
  readonly #aborter = new AbortController();
  #entries: ReadonlyMap<string, DirectoryEntry> | undefined;
  #isRunning = false;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /** The entries, or undefined before they were seen for the first time. */
  get entries(): ReadonlyMap<string, DirectoryEntry> | undefined {
    return this.#entries;
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    if (!this.#isRunning) {
      this.#isRunning = true;
      void this.#run();
    }
    return () => void this.#watchers.delete(watcher);
  }

  close(): void {
    this.#watchers.clear();
    this.#aborter.abort();
  }

  /** A copy made from scratch every `resyncMs`, so that a change the server never told of is healed too. */
  async #run(): Promise<void> {
    const { clock, log } = this.#bucket.context;
    const signal = this.#aborter.signal;
    let failures = 0;
    while (!signal.aborted) {
      const turn = new AbortController();
      const cancelTimer = clock.after(resyncMs, () => turn.abort());
      try {
        await followOnce(this.#bucket, AbortSignal.any([signal, turn.signal]), (entries) => {
          failures = 0;
          this.#entries = new Map(entries);
          for (const watcher of [...this.#watchers]) watcher();
        });
      } catch (error) {
        log.warn('cannot follow the directory, trying again', { error: asDomainError(error).message });
        await sleep(clock, Math.min(retryMsMax, retryMs * 2 ** failures++), signal).catch(() => undefined);
      } finally {
        cancelTimer();
      }
    }
  }
}
