// Randomness: the port and two implementations, the machine's and a seeded one for simulation and tests.

import { randomBytes } from 'node:crypto';

/** A source of random integers and identifiers. */
export interface Random {
  /** A uniform integer, 0 <= n < bound, bound <= 2^32. */
  integer(bound: number): number;
  /** `count` random bytes. */
  bytes(count: number): Uint8Array;
}

/** `count` random bytes as lower-case hex. */
export function randomHex(random: Random, count: number): string {
  return Buffer.from(random.bytes(count)).toString('hex');
}

/** The machine's randomness. */
export function realRandom(): Random {
  return {
    integer: (bound) => Math.floor(Math.random() * bound),
    bytes: (count) => new Uint8Array(randomBytes(count)),
  };
}

/** xoshiro128** (Blackman, Vigna): the same seed gives the same numbers on every machine. */
export function seededRandom(seed: number): Random {
  const state = new Uint32Array(4);
  let mix = seed >>> 0;
  for (let i = 0; i < 4; i++) {
    // splitmix32 spreads a small seed over the whole state
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    state[i] = (z ^ (z >>> 16)) >>> 0;
  }
  const next = (): number => {
    const s1 = state[1]!;
    const product = Math.imul(s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s1 << 9;
    state[2]! ^= state[0]!;
    state[3]! ^= state[1]!;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= shifted;
    state[3] = (state[3]! << 11) | (state[3]! >>> 21);
    return result;
  };
  return {
    integer: (bound) => Math.floor((next() / 0x1_0000_0000) * bound),
    bytes(count) {
      const out = new Uint8Array(count);
      for (let i = 0; i < count; i++) out[i] = next() & 0xff;
      return out;
    },
  };
}
