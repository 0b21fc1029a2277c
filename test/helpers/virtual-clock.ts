// A clock that only moves when a test says so. Timers run in order of (time, creation); after each one every promise that can
// settle without I/O does, because advance() waits for a macrotask.

import type { Cancel, Clock } from '../../src/platform/clock.ts';

interface Timer {
  readonly id: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
  dueMs: number;
}

/** A Clock under the test's control. */
export interface VirtualClock extends Clock {
  /** Moves time by `ms`, running every timer that falls due on the way; resolves when their promises have settled. */
  advance(ms: number): Promise<void>;
  /** Moves wall time only, as an operator or NTP would; no timer runs. */
  jumpWallTime(ms: number): void;
  /** Timers waiting. */
  pending(): number;
  /** Milliseconds from now until the next timer, or undefined. */
  nextInMs(): number | undefined;
}

/** Lets every promise settle that does not wait for I/O or a timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A clock that starts at wall time `startMs` and monotonic time 0. */
export function createVirtualClock(startMs: number = Date.UTC(2026, 0, 1)): VirtualClock {
  const timers = new Map<number, Timer>();
  let elapsedMs = 0;
  let wallOffsetMs = startMs;
  let nextId = 1;

  const add = (delayMs: number, periodMs: number | undefined, run: () => void): Cancel => {
    const id = nextId++;
    timers.set(id, { id, periodMs, run, dueMs: elapsedMs + Math.max(0, delayMs) });
    return () => timers.delete(id);
  };

  const earliest = (): Timer | undefined => {
    let best: Timer | undefined;
    for (const timer of timers.values())
      if (!best || timer.dueMs < best.dueMs || (timer.dueMs === best.dueMs && timer.id < best.id))
        best = timer;
    return best;
  };

  return {
    now: () => wallOffsetMs + elapsedMs,
    monotonic: () => elapsedMs,
    after: (delayMs, run) => add(delayMs, undefined, run),
    every: (periodMs, run) => add(Math.max(1, periodMs), Math.max(1, periodMs), run),
    async advance(ms) {
      const target = elapsedMs + ms;
      await settle();
      for (let timer = earliest(); timer && timer.dueMs <= target; timer = earliest()) {
        elapsedMs = Math.max(elapsedMs, timer.dueMs);
        if (timer.periodMs === undefined) timers.delete(timer.id);
        else timer.dueMs += timer.periodMs;
        timer.run();
        await settle();
      }
      elapsedMs = target;
      await settle();
    },
    jumpWallTime(ms) {
      wallOffsetMs += ms;
    },
    pending: () => timers.size,
    nextInMs() {
      const timer = earliest();
      return timer && timer.dueMs - elapsedMs;
    },
  };
}
