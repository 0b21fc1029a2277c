// The durable-log port: one append-only log per partition, the write-ahead log of the cluster. A message's sequence is its
// position, starting at 1 and without holes. Appending resolves only when the message is durable (fsync in embedded mode,
// R replicas in a cluster). A log is trimmed from the front only.

/** One message as read back. `payload` is borrowed until the next batch is asked for. */
export interface LogMessage {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** First and last sequence kept, and their bytes. An empty log has last = first - 1. */
export interface LogBounds {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

/** One partition's log. */
export interface DurableLog {
  /**
   * Appends and resolves with the sequence once durable. Calls made one after another are appended in that order. A log that is
   * away is tried for about `msMax` (15 s unless given).
   * Errors: `full` (no room: the log refuses rather than forgets), `unavailable` (no leader, no connection, timeout: the
   * message may or may not have been appended), `too_large`.
   */
  append(payload: Uint8Array, msMax?: number): Promise<number>;
  /**
   * Messages from sequence `from` on, in order, in batches, forever: waits at the tail for new ones until the signal aborts
   * (then it ends without an error). `from` older than what is kept: throws `not_found` naming the gap, never skips.
   * Bytes that do not check: throws `corrupt`.
   */
  read(from: number, signal: AbortSignal): AsyncIterable<readonly LogMessage[]>;
  bounds(): Promise<LogBounds>;
  /** Forgets every message before `first`; never touches later ones. Idempotent. */
  trim(first: number): Promise<void>;
}

/** The logs of a cluster. */
export interface DurableLogs {
  /** Largest payload of one message in bytes. */
  readonly payloadBytesMax: number;
  /** Creates the log of a partition of a new cluster; an existing one is left as it is. */
  create(partition: number): Promise<void>;
  /** Opens an existing log; `not_found` when it is missing (an existing cluster's log is never recreated silently). */
  open(partition: number): Promise<DurableLog>;
  close(): Promise<void>;
}
