import { describe, expect, it } from 'vitest';
import { randomHex, realRandom, seededRandom } from '../../src/platform/random.ts';

describe('seeded random', () => {
  it('gives the same numbers for the same seed and others for another', () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 20 }, () => random.integer(1_000_000));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(0).some((value) => value > 0)).toBe(true);
  });

  it('never changes: what was found with a seed can be found again', () => {
    const random = seededRandom(42);
    expect(Array.from({ length: 4 }, () => random.integer(2 ** 32))).toMatchInlineSnapshot(`
      [
        2837322924,
        544945897,
        479756282,
        3500138142,
      ]
    `);
  });

  it('spreads over its whole range', () => {
    const random = seededRandom(1);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[random.integer(10)]!++;
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe('real random', () => {
  it('stays within its bound and makes hex of the asked length', () => {
    const random = realRandom();
    for (let i = 0; i < 1_000; i++) expect(random.integer(3)).toBeLessThan(3);
    expect(randomHex(random, 6)).toMatch(/^[0-9a-f]{12}$/);
    expect(randomHex(random, 6)).not.toBe(randomHex(random, 6));
  });
});
