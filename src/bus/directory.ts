// The directory port: who is there (entries that vanish unless renewed), who owns what (leases with fencing tokens), and
// the few records a cluster keeps for good. Revisions grow with every change of a key.

/** A value with the revision of the write that set it. */
export interface DirectoryEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

/** An entry this process keeps alive by renewing it every third of its time to live. */
export interface Announcement {
  /** Replaces the value. */
  update(value: Uint8Array): Promise<void>;
  /** Removes the entry and stops renewing. */
  withdraw(): Promise<void>;
}

/**
 * Exclusive ownership of a key. Renewed by itself every third of its time to live; given up early, by the holder's own
 * monotonic clock, when renewing did not succeed in time: `lost` aborts before anyone else can take it.
 */
export interface Lease {
  readonly key: string;
  /** Fencing token: larger than that of every earlier holder. */
  readonly token: number;
  /** Judged by the clock whenever it is asked for: a process that stood still finds it aborted before any timer has run. */
  readonly lost: AbortSignal;
  /** Milliseconds after which `lost` aborts unless the lease is renewed meanwhile; at most 0 once it is lost. */
  heldMs(): number;
  /** Gives the lease up at once so that another can take it. */
  release(): Promise<void>;
}

/** The directory of a cluster. Keys are dot-separated tokens of [A-Za-z0-9_-]. */
export interface Directory {
  announce(key: string, value: Uint8Array, ttlMs: number): Promise<Announcement>;
  /** All announced or stored entries whose key starts with `prefix`, by key. */
  list(prefix: string): Promise<DirectoryEntry[]>;
  /** Calls `onChange` soon after any entry below `prefix` appears, changes, vanishes or expires, and once at the start. */
  watch(prefix: string, onChange: (entries: readonly DirectoryEntry[]) => void): Promise<() => void>;
  /** Takes the lease, or undefined while another holds it. Decided by compare-and-set, never by a read. `value` is shown in list. */
  acquire(key: string, value: Uint8Array, ttlMs: number): Promise<Lease | undefined>;
  /** A record for good: its entry, or undefined. */
  read(key: string): Promise<DirectoryEntry | undefined>;
  /** Creates (`expected` 0) or replaces a record if its revision is still `expected`; throws `conflict` otherwise. Returns the new revision. */
  write(key: string, value: Uint8Array, expected: number): Promise<number>;
  close(): Promise<void>;
}
