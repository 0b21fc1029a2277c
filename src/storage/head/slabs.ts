// Memory of chunks. Pages are ArrayBuffers that start small (a head with few series stays small) and double up to 1 MiB; a
// place in them is one 32-bit address: page number in the upper 14 bits, offset in units of 4 bytes in the lower 18.

import { DomainError } from '../../model/errors.ts';

const PAGE_BYTES_MIN = 4096;
const PAGE_BYTES_MAX = 1 << 20;
const OFFSET_BITS = 18;
const OFFSET_MASK = (1 << OFFSET_BITS) - 1;
const PAGES_MAX = 1 << (32 - OFFSET_BITS);

/** The page an address lies in. */
export function pageOf(address: number): number {
  return address >>> OFFSET_BITS;
}

/** Byte offset of an address in its page. */
export function offsetIn(address: number): number {
  return (address & OFFSET_MASK) << 2;
}

/** Pages filled from front to back. Nothing is freed but all of it at once, by letting go of the object. */
export class Pages {
  /** The pages; address arithmetic is pageOf and offsetIn. */
  readonly views: DataView<ArrayBuffer>[] = [];
  /** Bytes used of the last page. */
  used = 0;
  /** Bytes of all pages. */
  bytes = 0;

  /** Room for `size` bytes, 4-aligned; its address. Error: `full` when the address space of 16 GiB is used up. */
  allocate(size: number): number {
    const aligned = (size + 3) & ~3;
    const last = this.views[this.views.length - 1];
    const room = Math.min(last?.byteLength ?? 0, PAGE_BYTES_MAX);
    // What is larger than a page has one for itself.
    if (this.used + aligned > room) this.#addPage(last, aligned);
    const at = this.used;
    this.used += aligned;
    return (((this.views.length - 1) << OFFSET_BITS) | (at >>> 2)) >>> 0;
  }

  /** Puts back a page read from a snapshot; `used` bytes of it are taken. */
  restore(page: ArrayBuffer, used: number): void {
    this.views.push(new DataView(page));
    this.bytes += page.byteLength;
    this.used = used;
  }

  #addPage(last: DataView | undefined, needed: number): void {
    if (this.views.length === PAGES_MAX)
      throw new DomainError('full', `cannot take more chunk memory: ${PAGES_MAX} pages are in use`);
    const usual = last === undefined ? PAGE_BYTES_MIN : Math.min(PAGE_BYTES_MAX, last.byteLength * 2);
    const size = Math.max(usual, needed);
    this.views.push(new DataView(new ArrayBuffer(size)));
    this.bytes += size;
    this.used = 0;
  }
}

/** Bytes of a block of a chunk being written. */
export const BLOCK_BYTES = 128;

/**
 * Blocks of chunks being written. A chunk of 30 to 1000 bytes is a chain of equal blocks from last to first, so that memory one
 * series gives back fits every other, whatever the sizes of their chunks; slots of several sizes took twice the memory when
 * all series fill their chunks in step, as they do.
 */
export class Blocks {
  readonly pages: Pages = new Pages();
  /** By page, then block: address of the block before it in its chain; of a free block, `free` as it was before. */
  readonly links: Uint32Array[] = [];
  /** First free block as address + 1; 0 is none. */
  free = 0;
  /** Blocks in use. */
  used = 0;

  /** A block behind `before` (an address; anything for the first block of a chunk); its bytes are whatever was there. */
  take(before: number): number {
    this.used++;
    let address = this.free - 1;
    if (address >= 0) this.free = this.link(address);
    else {
      address = this.pages.allocate(BLOCK_BYTES);
      const page = pageOf(address);
      if (page === this.links.length)
        this.links.push(new Uint32Array(this.pages.views[page]!.byteLength / BLOCK_BYTES));
    }
    this.#setLink(address, before);
    return address;
  }

  /** Gives the chain of `count` blocks that ends at `last` back. */
  give(last: number, count: number): void {
    this.used -= count;
    let address = last;
    for (let i = 0; i < count; i++) {
      const before = this.link(address);
      this.#setLink(address, this.free);
      this.free = address + 1;
      address = before;
    }
  }

  /** Copies the chain of `count` blocks that ends at `last` into `target`, front first. */
  gather(last: number, count: number, target: DataView): void {
    let address = last;
    for (let i = count - 1; i >= 0; i--) {
      const page = this.pages.views[pageOf(address)]!;
      const from = offsetIn(address);
      const to = i * BLOCK_BYTES;
      for (let b = 0; b < BLOCK_BYTES; b += 4) target.setInt32(to + b, page.getInt32(from + b));
      address = this.link(address);
    }
  }

  /** For reading a snapshot, whose pages are back already: makes room for their links. */
  restore(free: number, used: number): void {
    this.free = free;
    this.used = used;
    for (const page of this.pages.views) this.links.push(new Uint32Array(page.byteLength / BLOCK_BYTES));
  }

  /** The link of a block. */
  link(address: number): number {
    return this.links[pageOf(address)]![offsetIn(address) / BLOCK_BYTES]!;
  }

  #setLink(address: number, to: number): void {
    this.links[pageOf(address)]![offsetIn(address) / BLOCK_BYTES] = to;
  }
}
