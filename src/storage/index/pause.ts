// Pauses that last for a time slice: work goes on without yielding until its slice is used up.

import type { Pause } from '../../model/pause.ts';

/** A pause that yields when `sliceMs` have passed since it last did; `yieldNow` is e.g. a setImmediate promise. */
export function timeSlices(monotonic: () => number, yieldNow: () => Promise<void>, sliceMs = 4): Pause {
  let began = monotonic();
  return () => {
    if (monotonic() - began < sliceMs) return undefined;
    return yieldNow().then(() => {
      began = monotonic();
    });
  };
}
