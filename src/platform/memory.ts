// Memory as a resource of the process: how much there is, and a pool that bounds what many users take of it together.

import { getHeapStatistics } from 'node:v8';
import { DomainError } from '../model/errors.ts';

/** The part of a pool that is kept for users that need little. */
const RESERVE = 1 / 8;
/** Who holds no more than this needs little, bytes. */
const LITTLE_BYTES = 1024 * 1024;

/** Bytes that V8 lets the heap of this process grow to: by default a share of the machine's memory, 4 GiB at most. */
export function heapBytesMax(): number {
  return getHeapStatistics().heap_size_limit;
}

/**
 * A bounded amount of bytes that several users share; nobody waits for it. An eighth is left to those that need no more than 1 MiB, so
 * that the others cannot keep them out.
 */
export class MemoryPool {
  readonly bytesMax: number;
  readonly #name: string;
  readonly #onRefused: () => void;
  #held = 0;
  #peak = 0;

  /** `name` is the setting that bounds it, for error messages; `onRefused` is told whenever there is not enough. */
  constructor(name: string, bytesMax: number, onRefused: () => void = () => {}) {
    this.#name = name;
    this.bytesMax = bytesMax;
    this.#onRefused = onRefused;
  }

  /** Bytes taken and not given back. */
  get held(): number {
    return this.#held;
  }

  /** The most bytes there ever were. */
  get peak(): number {
    return this.#peak;
  }

  /**
   * Takes bytes for a user that has `before` bytes already. `full` when there are not as many left, which says nothing of who else holds
   * them; `execution` when there never will be.
   */
  take(bytes: number, before = 0): void {
    const wanted = before + bytes;
    const usable = this.bytesMax * (wanted <= LITTLE_BYTES ? 1 : 1 - RESERVE);
    if (Math.max(wanted, this.#held + bytes) > usable) {
      this.#onRefused();
      throw wanted > usable ? this.#never(wanted) : this.#notNow(bytes);
    }
    this.hold(bytes);
  }

  /** Takes bytes that are in use already, whether or not there are as many left. */
  hold(bytes: number): void {
    this.#held += bytes;
    this.#peak = Math.max(this.#peak, this.#held);
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#held = Math.max(0, this.#held - bytes);
  }

  #notNow(bytes: number): DomainError {
    return new DomainError(
      'full',
      `cannot take ${bytes} bytes more: queries of this process hold ${this.#held} of ${this.bytesMax} bytes ` +
        `(limit ${this.#name}, an eighth of it for small queries alone); try again later`,
    );
  }

  #never(bytes: number): DomainError {
    return new DomainError(
      'execution',
      `query needs ${bytes} bytes of memory or more, all queries of this process have ${this.bytesMax} bytes ` +
        `(limit ${this.#name}, an eighth of it for small queries alone)`,
    );
  }
}
