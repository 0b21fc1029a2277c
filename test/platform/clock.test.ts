import { describe, expect, it } from 'vitest';
import { realClock, sleep } from '../../src/platform/clock.ts';
import { createVirtualClock } from '../helpers/virtual-clock.ts';

describe('virtual clock', () => {
  it('runs due timers in the order of their times, equal times in the order of their making', async () => {
    const clock = createVirtualClock(0);
    const ran: string[] = [];
    clock.after(20, () => ran.push(`late at ${clock.now()}`));
    clock.after(10, () => ran.push(`first at ${clock.now()}`));
    clock.after(10, () => ran.push(`second at ${clock.now()}`));
    clock.after(31, () => ran.push('never'));
    await clock.advance(30);
    expect(ran).toEqual(['first at 10', 'second at 10', 'late at 20']);
    expect([clock.now(), clock.monotonic(), clock.pending(), clock.nextInMs()]).toEqual([30, 30, 1, 1]);
  });

  it('lets promises settle between two timers, so that what they start can fall due in the same advance', async () => {
    const clock = createVirtualClock(0);
    const ran: number[] = [];
    const work = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        await sleep(clock, 10);
        ran.push(clock.now());
      }
    };
    const done = work();
    await clock.advance(50);
    expect(ran).toEqual([10, 20, 30, 40, 50]);
    await done;
  });

  it('repeats until canceled, from within too', async () => {
    const clock = createVirtualClock(0);
    let count = 0;
    const cancel = clock.every(10, () => {
      if (++count === 3) cancel();
    });
    await clock.advance(100);
    expect(count).toBe(3);
    expect(clock.pending()).toBe(0);
  });

  it('moves wall time alone when it jumps', async () => {
    const clock = createVirtualClock(1_000);
    clock.jumpWallTime(-500);
    expect([clock.now(), clock.monotonic()]).toEqual([500, 0]);
  });
});

describe('sleep', () => {
  it('rejects with the reason when aborted, before or during, and leaves no timer behind', async () => {
    const clock = createVirtualClock();
    await expect(sleep(clock, 10, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
    const control = new AbortController();
    const sleeping = sleep(clock, 10, control.signal);
    control.abort(new Error('during'));
    await expect(sleeping).rejects.toThrow('during');
    expect(clock.pending()).toBe(0);
  });
});

describe('real clock', () => {
  it('counts up, and its canceled timers do not run', async () => {
    const clock = realClock();
    const start = clock.monotonic();
    let ran = 0;
    clock.after(1, () => ran++)();
    const cancel = clock.every(1, () => ran++);
    cancel();
    await sleep(clock, 15);
    expect(ran).toBe(0);
    expect(clock.monotonic() - start).toBeGreaterThan(10);
  });
});
