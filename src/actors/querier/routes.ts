// Which replicas of a partition can be asked, best first, as the directory tells: whoever leads, then its standbys; those that were
// slow a moment ago last, the latest of them at the very end. Replicas that replay are asked only where there is no other.

import type { Directory, DirectoryEntry } from '../../bus/directory.ts';
import { leaseKey } from '../../bus/subjects.ts';
import { decodeEnvelope } from '../../codec/envelope.ts';
import type { Clock } from '../../platform/clock.ts';
import type { ReplicaFacts } from '../shard/messages.ts';

/** Time between two readings of what the directory tells. */
const READ_MS = 100;
/** How long a replica comes last after it was slow or away. */
const SLOW_MS = 15_000;
/** Hedges in a row, and how many requests earn one more: a cluster that is slow as a whole must not get twice the work. */
const HEDGES_MAX = 32;
const REQUESTS_PER_HEDGE = 10;
/** Ranks of replicas that cannot follow their log, and of those that replay it; 0 leads, 1 stands by. */
const STALLED = 2;
const REPLAYING = 3;

/** The replicas of every partition. */
export class Routes {
  readonly #clock: Clock;
  readonly #slowUntil = new Map<string, number>();
  #replicas: readonly DirectoryEntry[] = [];
  #leases: readonly DirectoryEntry[] = [];
  #byPartition = new Map<number, readonly string[]>();
  #isRead = true;
  #readAt = Number.NEGATIVE_INFINITY;
  /** In parts of a hedge. */
  #credit = HEDGES_MAX * REQUESTS_PER_HEDGE;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins to follow the directory; returns what ends it. */
  async follow(directory: Directory): Promise<() => void> {
    const ends = [
      await directory.watch('replica.', (entries) => {
        this.#replicas = entries;
        this.#isRead = false;
      }),
      await directory.watch('lease.', (entries) => {
        this.#leases = entries;
        this.#isRead = false;
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  /** Processes with a complete replica of the partition, best first; empty while the directory knows of none. */
  replicasOf(partition: number): readonly string[] {
    const now = this.#clock.monotonic();
    if (!this.#isRead && now - this.#readAt >= READ_MS) this.#read(now);
    const replicas = this.#byPartition.get(partition) ?? [];
    if (this.#slowUntil.size === 0) return replicas;
    // Of several slow ones the longest ago comes first: the other one may have been killed just now.
    const slowUntil = (process: string): number => {
      const until = this.#slowUntil.get(process) ?? 0;
      return until > now ? until : 0;
    };
    return replicas.toSorted((a, b) => slowUntil(a) - slowUntil(b));
  }

  /** A replica was slow or away: for a while the others are asked first. */
  noteSlow(process: string): void {
    const now = this.#clock.monotonic();
    for (const [other, until] of this.#slowUntil) if (until <= now) this.#slowUntil.delete(other);
    this.#slowUntil.set(process, now + SLOW_MS);
  }

  /** A request is made. */
  noteRequest(): void {
    this.#credit = Math.min(HEDGES_MAX * REQUESTS_PER_HEDGE, this.#credit + 1);
  }

  /** Whether a second replica may be asked now; counts it. */
  takeHedge(): boolean {
    if (this.#credit < REQUESTS_PER_HEDGE) return false;
    this.#credit -= REQUESTS_PER_HEDGE;
    return true;
  }

  #read(now: number): void {
    this.#isRead = true;
    this.#readAt = now;
    const holders = new Map(
      this.#leases.map(({ key, value }) => [key, decodeEnvelope<{ process: string }>(value).process]),
    );
    const ranked = new Map<number, { process: string; rank: number; lag: number }[]>();
    for (const { value } of this.#replicas) {
      const { partition, process, lifecycle, lag } = decodeEnvelope<ReplicaFacts>(value);
      const rank = rankOf(lifecycle, holders.get(leaseKey(partition)) === process);
      const list = ranked.get(partition);
      if (list === undefined) ranked.set(partition, [{ process, rank, lag }]);
      else list.push({ process, rank, lag });
    }
    this.#byPartition = new Map();
    for (const [partition, list] of ranked) {
      const others = list.filter(({ rank }) => rank < REPLAYING);
      const asked = others.length > 0 ? others : list;
      asked.sort((a, b) => a.rank - b.rank || a.lag - b.lag || (a.process < b.process ? -1 : 1));
      this.#byPartition.set(
        partition,
        asked.map(({ process }) => process),
      );
    }
  }
}

function rankOf(lifecycle: string, leads: boolean): number {
  if (lifecycle === 'replaying') return REPLAYING;
  if (lifecycle !== 'ready') return STALLED;
  return leads ? 0 : 1;
}
