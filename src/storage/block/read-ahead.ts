// Reads a file from front to back in large pieces, the next one while the last one is worked on. Jumps are allowed and start small,
// so that a file read in another order does not cost whole pieces.

import type { ByteSource } from './byte-source.ts';

/** Bytes of the first read after a jump; each read behind it is twice as long. */
const FIRST_BYTES = 128 * 1024;
const NO_BYTES = new Uint8Array(0);

/** How a file is read. */
export interface ReadAheadOptions {
  /** Bytes that may be read: [from, to). */
  readonly from: number;
  readonly to: number;
  /** Bytes of a piece; two are held. */
  readonly pieceBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of each piece when it is there. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/** A window on a file that is moved forward. */
export class ReadAhead {
  /** The window, borrowed until the next `load`; never a Buffer. */
  bytes: Uint8Array = NO_BYTES;
  /** Where in the file the window begins. */
  start: number;
  /** First byte that may not be read. */
  readonly end: number;
  private readonly source: ByteSource;
  private readonly options: ReadAheadOptions;
  private readonly first: number;
  private next: Promise<Uint8Array> | undefined;
  private nextBytes: number;

  constructor(source: ByteSource, options: ReadAheadOptions) {
    this.source = source;
    this.options = options;
    this.start = this.first = options.from;
    this.end = options.to;
    this.nextBytes = Math.min(FIRST_BYTES, options.pieceBytes);
  }

  /** Whether the window holds these bytes. */
  has(offset: number, length: number): boolean {
    return offset >= this.start && offset + length <= this.start + this.bytes.length;
  }

  /** Whether these bytes may be read. */
  contains(offset: number, length: number): boolean {
    return offset >= this.first && length >= 0 && offset + length <= this.end;
  }

  /** Moves the window so that it begins at `offset` and holds `length` bytes; `contains` must hold. Errors: the source's. */
  async load(offset: number, length: number): Promise<void> {
    this.options.signal?.throwIfAborted();
    const windowEnd = this.start + this.bytes.length;
    if (offset < this.start || offset > windowEnd) await this.jump(offset);
    const parts = [this.bytes.subarray(offset - this.start)];
    let have = parts[0]!.length;
    while (have < length || have === 0) {
      const part = await (this.next ?? this.read(offset + have));
      this.next = undefined;
      parts.push(part);
      have += part.length;
      this.options.onRead?.(part.length);
    }
    this.bytes = joined(parts, have);
    this.start = offset;
    if (offset + have < this.end) {
      this.next = this.read(offset + have);
      // Reported where it is awaited, if it still is.
      this.next.catch(() => undefined);
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.next?.catch(() => undefined);
    this.next = undefined;
  }

  private async jump(offset: number): Promise<void> {
    await this.close();
    this.bytes = NO_BYTES;
    this.start = offset;
    this.nextBytes = Math.min(FIRST_BYTES, this.options.pieceBytes);
  }

  private read(at: number): Promise<Uint8Array> {
    const bytes = Math.min(this.nextBytes, this.end - at);
    this.nextBytes = Math.min(2 * this.nextBytes, this.options.pieceBytes);
    return this.source.read(at, bytes, this.options.signal);
  }
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const [only] = parts.filter((part) => part.length > 0);
  if (only !== undefined && only.length === bytes)
    return only.constructor === Uint8Array
      ? only
      : new Uint8Array(only.buffer, only.byteOffset, only.byteLength);
  const out = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
