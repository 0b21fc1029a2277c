import { describe, expect, it } from 'vitest';
import { heapBytesMax, MemoryPool } from '../../src/platform/memory.ts';

describe('memory pool', () => {
  it('hands out what there is and no more', () => {
    const pool = new MemoryPool('a.limit', 100);
    pool.take(60);
    pool.take(40);
    expect(() => pool.take(1)).toThrow(
      'cannot take 1 bytes more: queries of this process hold 100 of 100 bytes (limit a.limit)',
    );
    pool.give(50);
    pool.take(50);
    expect(pool.held).toBe(100);
  });

  it('knows how far the heap may grow', () => {
    expect(heapBytesMax()).toBeGreaterThan(64 * 1024 * 1024);
  });
});
