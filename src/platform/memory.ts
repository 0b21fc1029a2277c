// Memory as a resource of the process: how much there is, and a pool that bounds what many users take of it together.

import { getHeapStatistics } from 'node:v8';
import { DomainError } from '../model/errors.ts';

/** Bytes that V8 lets the heap of this process grow to: by default a share of the machine's memory, 4 GiB at most. */
export function heapBytesMax(): number {
  return getHeapStatistics().heap_size_limit;
}

/** A bounded amount of bytes that several users share; nobody waits for it. */
export class MemoryPool {
  readonly bytesMax: number;
  readonly #name: string;
  #held = 0;

  /** `name` is the setting that bounds it, for error messages. */
  constructor(name: string, bytesMax: number) {
    this.#name = name;
    this.bytesMax = bytesMax;
  }

  /** Bytes taken and not given back. */
  get held(): number {
    return this.#held;
  }

  /** Takes bytes; `full` when there are not as many left, which says nothing of who else holds them. */
  take(bytes: number): void {
    if (this.#held + bytes > this.bytesMax)
      throw new DomainError(
        'full',
        `cannot take ${bytes} bytes more: queries of this process hold ${this.#held} of ${this.bytesMax} bytes ` +
          `(limit ${this.#name}); try again later`,
      );
    this.#held += bytes;
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#held = Math.max(0, this.#held - bytes);
  }
}
