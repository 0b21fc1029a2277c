// A least-recently-used cache with a limit in bytes, shared by all blocks of a process: pages of files, postings, decoded
// selections, index headers. Keys are text that begins with the block's ULID, so that a closed block can be forgotten.

/** A cache bounded by the bytes its owner says the entries weigh. */
export class ByteCache<Value> {
  /** Lookups that found and did not find, since the start. */
  hits = 0;
  misses = 0;
  private readonly bytesMax: number;
  private readonly entries = new Map<string, { readonly value: Value; readonly bytes: number }>();
  private held = 0;

  /** `bytesMax` bounds the sum of what `set` was told; an entry larger than that is not kept. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.held;
  }

  /** The value under `key`, which becomes the most recently used. */
  get(key: string): Value | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  /** Keeps a value that weighs `bytes`, dropping the least recently used ones to make room. */
  set(key: string, value: Value, bytes: number): void {
    this.drop(key);
    if (bytes > this.bytesMax) return;
    this.entries.set(key, { value, bytes });
    this.held += bytes;
    for (const oldest of this.entries.keys()) {
      if (this.held <= this.bytesMax) break;
      this.drop(oldest);
    }
  }

  /** Forgets every entry whose key begins with `prefix`. O(entries). */
  forget(prefix: string): void {
    for (const key of [...this.entries.keys()]) if (key.startsWith(prefix)) this.drop(key);
  }

  private drop(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.held -= entry.bytes;
  }
}
