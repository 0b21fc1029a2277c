// The finished chunks of one aligned time range of a head. A head's data lives in a few of these and leaves it range by range:
// dropping the object is the whole clean-up. Chunks of a series are a list from newest to oldest through `previous`.

import type { Chunk } from '../../codec/chunk.ts';
import { CHUNK_XOR } from '../../codec/chunk.ts';
import { readHistograms } from '../../codec/histogram-chunk.ts';
import { decodeXorAt, XOR_HEADER_BYTES } from '../../codec/xor-chunk.ts';
import type { SampleColumns } from '../../model/samples.ts';
import { offsetIn, Pages, pageOf } from './slabs.ts';

const NONE = 0; // links are record index + 1

/** Chunks of [start, start + width). */
export class ChunkRange {
  readonly start: number;
  readonly end: number;
  /** The mark of the seal: no chunk enters any more, the range is to be written as a block. 0 while it is open. */
  sealedBy = 0;
  /** Number of chunks; the columns below have room for more. */
  count = 0;
  /** First and last sample of chunk i, ms after `start`. */
  minOffsets: Uint32Array = new Uint32Array(16);
  maxOffsets: Uint32Array = new Uint32Array(16);
  addresses: Uint32Array = new Uint32Array(16);
  lengths: Uint32Array = new Uint32Array(16);
  encodings: Uint8Array = new Uint8Array(16);
  previous: Uint32Array = new Uint32Array(16);
  /** Newest in-order chunk of series `ref`, + 1. */
  newest: Uint32Array = new Uint32Array(16);
  /** Last added out-of-order chunk of a series, + 1. */
  readonly late: Map<number, number> = new Map();
  readonly pages: Pages = new Pages();
  readonly #order: number[] = [];

  constructor(start: number, width: number) {
    this.start = start;
    this.end = start + width;
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return this.pages.bytes + this.addresses.length * 21 + this.newest.length * 4 + this.late.size * 32;
  }

  /** Whether the series has a chunk here. */
  has(ref: number): boolean {
    return (ref < this.newest.length && this.newest[ref] !== NONE) || this.late.has(ref);
  }

  /** Whether an in-order or out-of-order chunk of the series shares an instant with start <= t <= end. */
  overlaps(ref: number, start: number, end: number): boolean {
    if (this.end <= start || this.start > end) return false;
    const first = ref < this.newest.length ? this.newest[ref]! : NONE;
    return (
      this.#listOverlaps(first, start, end) || this.#listOverlaps(this.late.get(ref) ?? NONE, start, end)
    );
  }

  /** Adds a copy of a chunk. In-order chunks come in time order. */
  add(ref: number, isLate: boolean, { encoding, bytes, minTime, maxTime }: Chunk): void {
    if (this.count === this.addresses.length) this.#resizeRecords(this.count * 2);
    const index = this.count++;
    const address = this.pages.allocate(bytes.length);
    const page = this.pages.views[pageOf(address)]!;
    new Uint8Array(page.buffer).set(bytes, offsetIn(address));
    this.minOffsets[index] = minTime - this.start;
    this.maxOffsets[index] = maxTime - this.start;
    this.addresses[index] = address;
    this.lengths[index] = bytes.length;
    this.encodings[index] = encoding;
    if (isLate) {
      this.previous[index] = this.late.get(ref) ?? NONE;
      this.late.set(ref, index + 1);
    } else {
      if (ref >= this.newest.length) this.#growNewest(ref);
      this.previous[index] = this.newest[ref]!;
      this.newest[ref] = index + 1;
    }
  }

  /** Appends the in-order samples of the series with start <= t <= end. */
  decodeInOrder(ref: number, start: number, end: number, target: SampleColumns): void {
    if (this.end <= start || this.start > end || ref >= this.newest.length) return;
    const order = this.#newestFirst(this.newest[ref]!, start, end);
    for (let i = order.length - 1; i >= 0; i--) this.decode(order[i]!, start, end, target);
  }

  /** Indexes of the out-of-order chunks of a series that overlap start <= t <= end, by their begin. */
  lateChunks(ref: number, start: number, end: number): number[] {
    const out: number[] = [];
    for (let link = this.late.get(ref) ?? NONE; link !== NONE; link = this.previous[link - 1]!)
      if (this.minTime(link - 1) <= end && this.maxTime(link - 1) >= start) out.push(link - 1);
    return out.sort((a, b) => this.minOffsets[a]! - this.minOffsets[b]!);
  }

  /** In-order chunks of a series that overlap start <= t <= end, in time order; their bytes are views of this range's pages. */
  inOrderChunks(ref: number, start: number, end: number): Chunk[] {
    if (ref >= this.newest.length) return [];
    return this.#newestFirst(this.newest[ref]!, start, end)
      .reverse()
      .map((index) => this.chunk(index));
  }

  /** Chunk `index`; its bytes stay valid as long as anyone holds them. */
  chunk(index: number): Chunk {
    const address = this.addresses[index]!;
    const page = this.pages.views[pageOf(address)]!;
    return {
      encoding: this.encodings[index]!,
      bytes: new Uint8Array(page.buffer, offsetIn(address), this.lengths[index]!),
      minTime: this.minTime(index),
      maxTime: this.maxTime(index),
    };
  }

  /** Appends the samples of chunk `index` with start <= t <= end. */
  decode(index: number, start: number, end: number, target: SampleColumns): void {
    if (this.encodings[index] !== CHUNK_XOR) {
      readHistograms(this.chunk(index), { start, end }, target);
      return;
    }
    const address = this.addresses[index]!;
    const view = this.pages.views[pageOf(address)]!;
    const at = offsetIn(address);
    decodeXorAt(
      view,
      at + XOR_HEADER_BYTES,
      at + this.lengths[index]!,
      view.getUint16(at),
      start,
      end,
      target,
    );
  }

  /** Time of the first sample of chunk `index`. */
  minTime(index: number): number {
    return this.start + this.minOffsets[index]!;
  }

  /** Time of the last sample of chunk `index`. */
  maxTime(index: number): number {
    return this.start + this.maxOffsets[index]!;
  }

  // Newest first: whoever wants time order walks from the back. Borrowed until the next call.
  #newestFirst(link: number, start: number, end: number): number[] {
    const order = this.#order;
    order.length = 0;
    for (let next = link; next !== NONE; next = this.previous[next - 1]!) {
      if (this.maxTime(next - 1) < start) break;
      if (this.minTime(next - 1) <= end) order.push(next - 1);
    }
    return order;
  }

  #listOverlaps(link: number, start: number, end: number): boolean {
    for (let next = link; next !== NONE; next = this.previous[next - 1]!)
      if (this.minTime(next - 1) <= end && this.maxTime(next - 1) >= start) return true;
    return false;
  }

  /** For reading a snapshot: columns for `count` chunks, which are taken as there, and newest chunks of `newest` series. */
  resize(count: number, newest: number): void {
    this.#resizeRecords(Math.max(16, count));
    this.newest = new Uint32Array(newest);
    this.count = count;
  }

  #resizeRecords(size: number): void {
    this.minOffsets = resized(this.minOffsets, size);
    this.maxOffsets = resized(this.maxOffsets, size);
    this.addresses = resized(this.addresses, size);
    this.previous = resized(this.previous, size);
    this.lengths = resized(this.lengths, size);
    const encodings = new Uint8Array(size);
    encodings.set(this.encodings);
    this.encodings = encodings;
  }

  #growNewest(ref: number): void {
    this.newest = resized(this.newest, Math.max(this.newest.length * 2, ref + 1));
  }
}

/** A longer copy of a column. */
export function resized(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(length);
  out.set(column);
  return out;
}
