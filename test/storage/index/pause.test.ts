// Time slices.

import { describe, expect, it } from 'vitest';
import { timeSlices } from '../../../src/storage/index/pause.ts';

describe('pause', () => {
  it('yields when its time slice is over, not before', async () => {
    let now = 0;
    let yields = 0;
    const pause = timeSlices(
      () => now,
      async () => void yields++,
      4,
    );
    await pause();
    now = 3.9;
    await pause();
    expect(yields).toBe(0);
    now = 4;
    await pause();
    await pause();
    expect(yields).toBe(1);
  });
});
