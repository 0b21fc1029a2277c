// Interns byte strings: bytes → small number, open addressing over one growing arena. Keys lie 4-aligned in the arena and are
// compared a word at a time against bytes that lie anywhere (words are little-endian on every machine Node runs on).

import { invariant } from '../model/errors.ts';
import { hashRange } from './hash.ts';

const ARENA_BYTES_MAX = 2 ** 31;

/** A table of distinct byte strings, numbered 0, 1, 2 … in order of arrival. Nothing is removed but by `clear`. */
export class ByteTable {
  /** The keys' bytes. Replaced when the table grows: read it anew after `add`. */
  arena: Uint8Array;
  /** View over the same memory as `arena`. */
  view: DataView;
  /** Start of key `id` in the arena. */
  offsets: Uint32Array;
  /** Bytes of key `id`. */
  lengths: Uint32Array;
  /** Number of keys. */
  count = 0;
  #words: Int32Array;
  #hashes: Uint32Array;
  #slots: Int32Array; // id + 1, 0 is free
  #used = 0;
  readonly #seed: number;

  /** `seed` should be random where keys come from outside, so that nobody can choose keys that collide. */
  constructor(seed: number, capacity = 64) {
    this.#seed = seed;
    this.arena = new Uint8Array(capacity * 16);
    this.view = new DataView(this.arena.buffer);
    this.#words = new Int32Array(this.arena.buffer);
    this.offsets = new Uint32Array(capacity);
    this.lengths = new Uint32Array(capacity);
    this.#hashes = new Uint32Array(capacity);
    this.#slots = new Int32Array(capacity * 2);
  }

  /** Bytes of memory the table holds. */
  get bytes(): number {
    return this.arena.length + this.offsets.length * 12 + this.#slots.length * 4;
  }

  /** Bytes of the arena that are in use. */
  get arenaUsed(): number {
    return this.#used;
  }

  /** Forgets all keys; keeps the memory. */
  clear(): void {
    if (this.count > 0) this.#slots.fill(0);
    this.count = 0;
    this.#used = 0;
  }

  /** Whether the bytes at `start` of `view` begin with key `id`; the caller has checked that `lengths[id]` bytes are there. */
  matches(id: number, view: DataView, start: number): boolean {
    const length = this.lengths[id]!;
    const words = this.#words;
    let w = this.offsets[id]! >>> 2;
    let i = start;
    for (const last = start + length - 4; i <= last; i += 4) {
      if (words[w++] !== view.getInt32(i, true)) return false;
    }
    let a = w << 2;
    for (const end = start + length; i < end; i++) if (this.arena[a++] !== view.getUint8(i)) return false;
    return true;
  }

  /** Whether bytes [start, end) of `view` stand at `at` of the arena; the caller has checked that `at` leaves room for them. */
  holds(at: number, view: DataView, start: number, end: number): boolean {
    const own = this.view;
    const shift = at - start;
    if (end - start < 4) {
      for (let i = start; i < end; i++) if (this.arena[i + shift] !== view.getUint8(i)) return false;
      return true;
    }
    const last = end - 4; // the last word may overlap the one before
    for (let i = start; i < last; i += 4) {
      if (own.getInt32(i + shift, true) !== view.getInt32(i, true)) return false;
    }
    return own.getInt32(last + shift, true) === view.getInt32(last, true);
  }

  /** The number of the key that equals bytes [start, end) of `view`, or -1. */
  find(view: DataView, start: number, end: number): number {
    const hash = hashRange(view, start, end, this.#seed);
    return this.#find(view, start, end, hash);
  }

  /** The number of the key, added if it is new. `view` must not be this table's own. */
  add(view: DataView, start: number, end: number): number {
    const hash = hashRange(view, start, end, this.#seed);
    const known = this.#find(view, start, end, hash);
    if (known >= 0) return known;
    const id = this.count;
    const length = end - start;
    this.#grow(length);
    this.offsets[id] = this.#used;
    this.lengths[id] = length;
    this.#hashes[id] = hash;
    for (let i = 0; i < length; i++) this.arena[this.#used + i] = view.getUint8(start + i);
    this.#used += (length + 3) & ~3;
    this.count = id + 1;
    this.#place(id, hash);
    return id;
  }

  #find(view: DataView, start: number, end: number, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]! - 1;
      if (id < 0) return -1;
      if (this.#hashes[id] === hash && this.lengths[id] === end - start && this.matches(id, view, start)) {
        return id;
      }
    }
  }

  #place(id: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = id + 1;
  }

  #grow(length: number): void {
    const needed = this.#used + length + 4;
    if (needed > this.arena.length) {
      invariant(needed <= ARENA_BYTES_MAX, `a byte table may hold ${ARENA_BYTES_MAX} bytes, not ${needed}`);
      const size = Math.min(ARENA_BYTES_MAX, Math.max(needed, this.arena.length * 2));
      const arena = new Uint8Array((size + 3) & ~3);
      arena.set(this.arena.subarray(0, this.#used));
      this.arena = arena;
      this.view = new DataView(arena.buffer);
      this.#words = new Int32Array(arena.buffer);
    }
    if (this.count < this.offsets.length) return;
    this.offsets = doubled(this.offsets);
    this.lengths = doubled(this.lengths);
    this.#hashes = doubled(this.#hashes);
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let id = 0; id < this.count; id++) this.#place(id, this.#hashes[id]!);
  }
}

/** A copy of twice the length, the new half zero. */
export function doubled(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(array.length * 2);
  out.set(array);
  return out;
}
