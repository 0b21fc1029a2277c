// Time: the port every actor gets instead of Date and setTimeout, and its real implementation.

/** Cancels what it was returned for; calling it twice is harmless. */
export type Cancel = () => void;

/** Wall time, monotonic time and timers. */
export interface Clock {
  /** Milliseconds since the epoch; may jump. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes back. Leases are judged by it. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`. */
  after(delayMs: number, run: () => void): Cancel;
  /** Calls `run` every `periodMs`, first after one period. */
  every(periodMs: number, run: () => void): Cancel;
}

/** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The machine's clock. */
export function realClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    every(periodMs, run) {
      const timer = setInterval(run, periodMs);
      return () => clearInterval(timer);
    },
  };
}
