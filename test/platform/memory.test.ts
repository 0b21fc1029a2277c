import { describe, expect, it } from 'vitest';
import { heapBytesMax, MemoryPool } from '../../src/platform/memory.ts';

const MIB = 1024 * 1024;

describe('memory pool', () => {
  it('keeps an eighth for users that need little, whatever the others take', () => {
    let refused = 0;
    const pool = new MemoryPool('query.x', 80 * MIB, () => refused++);
    pool.take(40 * MIB);
    pool.take(30 * MIB, 2 * MIB);
    expect(() => pool.take(MIB, MIB)).toThrow(
      'cannot take 1048576 bytes more: queries of this process hold 73400320 of 83886080 bytes (limit query.x, an eighth of it for small queries alone); try again later',
    );
    for (let i = 0; i < 10; i++) pool.take(MIB);
    expect(() => pool.take(1)).toThrow(/^cannot take 1 bytes more/);
    expect([refused, pool.held, pool.peak]).toEqual([2, 80 * MIB, 80 * MIB]);
    pool.give(30 * MIB);
    pool.take(MIB, MIB);
    expect([pool.held, pool.peak]).toEqual([51 * MIB, 80 * MIB]);
  });

  it('blames a user that would not fit alone, and asks it not to come back', () => {
    const pool = new MemoryPool('query.x', 80 * MIB);
    expect(() => pool.take(MIB, 70 * MIB)).toThrow(
      expect.objectContaining({ code: 'execution', message: expect.stringContaining('(limit query.x') }),
    );
    pool.take(60 * MIB);
    expect(() => pool.take(20 * MIB)).toThrow(expect.objectContaining({ code: 'full', retryable: true }));
  });

  it('counts what is in use already without refusing it', () => {
    const pool = new MemoryPool('query.x', MIB);
    pool.hold(2 * MIB);
    expect(pool.held).toBe(2 * MIB);
    expect(() => pool.take(1)).toThrow();
    pool.give(2 * MIB);
    pool.take(1);
  });

  it('knows how far the heap may grow', () => {
    expect(heapBytesMax()).toBeGreaterThan(64 * MIB);
  });
});
