// The object-store port (S3 and everything like it). Keys are slash-separated. Errors: `not_found`, `conflict` (putOnce lost),
// `unavailable` (after the adapter's own retries), `full`. Readers never see a half-written object.

/** One object of a listing. */
export interface ObjectEntry {
  readonly key: string;
  readonly bytes: number;
  /** Last change in ms since the epoch. */
  readonly modifiedMs: number;
}

/** A bucket. */
export interface ObjectStore {
  /** Stores an object, replacing one of that key. */
  put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Stores an object only if the key is free; throws `conflict` otherwise. */
  putOnce(key: string, bytes: Uint8Array): Promise<void>;
  /** Stores an object from parts of a file too large for memory. */
  putStream(key: string, chunks: AsyncIterable<Uint8Array>, bytes: number): Promise<void>;
  get(key: string, signal?: AbortSignal): Promise<Uint8Array>;
  /** `length` bytes from `offset`; shorter only at the object's end. */
  getRange(key: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Size and time of an object, or undefined when there is none. */
  stat(key: string): Promise<ObjectEntry | undefined>;
  /** All objects below a prefix, by key. */
  list(prefix: string): AsyncIterable<ObjectEntry>;
  /** The immediate "folders" below a prefix that ends in '/' or is empty, each with its trailing '/'. */
  folders(prefix: string): AsyncIterable<string>;
  /** Removes an object; absent is fine. */
  remove(key: string): Promise<void>;
}
