// Long synchronous work gives way to others now and then through a pause handed in from outside.

/** Lets others run; called often, so an implementation may return at once while its time slice lasts. */
export type Pause = () => Promise<void> | void;

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
