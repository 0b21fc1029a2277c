// Nothing real may happen inside the simulation: real time, real chance, real timers and the network are replaced by traps that fail
// loudly and are remembered, because an actor may swallow what a trap throws.

interface Trap {
  readonly target: object;
  readonly key: string;
}

const TRAPS: readonly Trap[] = [
  { target: globalThis, key: 'setTimeout' },
  { target: globalThis, key: 'setInterval' },
  { target: globalThis, key: 'setImmediate' },
  { target: globalThis, key: 'fetch' },
  { target: globalThis, key: 'Worker' },
  { target: Date, key: 'now' },
  { target: Math, key: 'random' },
  { target: performance, key: 'now' },
  { target: AbortSignal, key: 'timeout' },
  { target: crypto.subtle, key: 'digest' },
];

/** Runs `work` with all traps set; `onSprung` is told of each that is stepped into, with the place. */
export async function withTraps<T>(onSprung: (text: string) => void, work: () => Promise<T>): Promise<T> {
  const undo: (() => void)[] = [];
  for (const { target, key } of TRAPS) {
    const was = Object.getOwnPropertyDescriptor(target, key);
    const sprung = (): never => {
      const error = new Error(`${key} is real: the simulation has none`);
      onSprung(error.stack ?? error.message);
      throw error;
    };
    Object.defineProperty(target, key, { configurable: true, writable: true, value: sprung });
    undo.push(() => {
      if (was === undefined) Reflect.deleteProperty(target, key);
      else Object.defineProperty(target, key, was);
    });
  }
  try {
    return await work();
  } finally {
    for (const run of undo.reverse()) run();
  }
}
