// Seeded choices of the fuzzer.

/** A generator of choices; `pick` of an empty list is undefined. */
export interface FuzzRandom {
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
  /** True once in `count` times. */
  once(count: number): boolean;
}

/** mulberry32. */
export function makeRandom(seed: number): FuzzRandom {
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
  };
  return { below, pick: (items) => items[below(items.length)]!, once: (count) => below(count) === 0 };
}

/** A seed for part `index` of a run with `seed`. */
export function partSeed(seed: number, index: number): number {
  return (Math.imul(seed, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)) >>> 0;
}
