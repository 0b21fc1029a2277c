// The heart of the simulator: one queue of events ordered by (virtual time, sequence). An event runs, every promise that can settle
// does, the next one follows. Everything that happens is hashed, so that two runs of a seed can be compared.

import type { Cancel, Clock } from '../../src/platform/clock.ts';

/** Whoever events can belong to: they are dropped when it is gone, and kept back while it stands still. */
export interface EventOwner {
  readonly name: string;
  /** Counts its lives; an event of an earlier one never runs. */
  readonly life: number;
  readonly isUp: boolean;
  /** While it stands still: takes the event for later. */
  readonly held: SimEvent[] | undefined;
}

/** Something that is going to happen. */
export interface SimEvent {
  at: number;
  sequence: number;
  readonly label: string;
  readonly owner: EventOwner | undefined;
  readonly life: number;
  readonly run: () => void;
  canceled: boolean;
}

const RECENT_EVENTS = 50;
// Taken before the traps are set (traps.ts): the only real thing the loop waits for.
const { setImmediate } = globalThis;

/** The queue of events and the virtual time. */
export class SimLoop {
  /** Virtual milliseconds since the start. */
  now = 0;
  /** Events run so far. */
  steps = 0;
  readonly #heap: SimEvent[] = [];
  readonly #recent: string[] = [];
  #sequence = 0;
  #hash = 0x811c9dc5;

  /** Lets `run` happen `delayMs` from now, as part of `owner`'s life if there is one. */
  after(delayMs: number, label: string, run: () => void, owner?: EventOwner): Cancel {
    const event: SimEvent = {
      at: this.now + Math.max(0, delayMs),
      sequence: this.#sequence++,
      label,
      owner,
      life: owner?.life ?? 0,
      run,
      canceled: false,
    };
    this.#push(event);
    return () => {
      event.canceled = true;
    };
  }

  /** Puts an event that was kept back into the queue again: it is due now. */
  release(event: SimEvent): void {
    // The same event, not a copy: whoever scheduled it may still cancel it.
    event.at = Math.max(event.at, this.now);
    event.sequence = this.#sequence++;
    this.#push(event);
  }

  /** Notes something in the trace: it counts in the hash and is shown among the last events. */
  note(text: string): void {
    const line = `${this.now.toFixed(3)} ${text}`;
    for (let i = 0; i < line.length; i++)
      this.#hash = Math.imul(this.#hash ^ line.charCodeAt(i), 0x01000193) >>> 0;
    this.#recent.push(line);
    if (this.#recent.length > RECENT_EVENTS) this.#recent.shift();
  }

  /** Runs what falls due until `untilMs`, or until `check`, called after every event, says that it is enough. */
  async run(untilMs: number, check: () => boolean): Promise<void> {
    for (let event = this.#heap[0]; event !== undefined && event.at <= untilMs; event = this.#heap[0]) {
      this.#pop();
      if (event.canceled) continue;
      const { owner } = event;
      this.now = Math.max(this.now, event.at);
      if (owner !== undefined) {
        if (!owner.isUp || owner.life !== event.life) continue;
        if (owner.held !== undefined) {
          owner.held.push(event);
          continue;
        }
      }
      this.steps++;
      this.note(owner === undefined ? event.label : `${owner.name} ${event.label}`);
      event.run();
      await new Promise<void>((resolve) => void setImmediate(resolve));
      if (check()) return;
    }
    this.now = Math.max(this.now, untilMs);
  }

  /** Hash of the trace so far. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, '0');
  }

  /** The last events, oldest first. */
  recent(): readonly string[] {
    return this.#recent;
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}

/** How a clock deviates from virtual time. */
export interface ClockSkew {
  /** Wall time is off by this, ms. */
  readonly offsetMs: number;
  /** Seconds run longer by this many parts in a million. */
  readonly driftPpm: number;
}

/** A clock over the loop, of `owner` or of the infrastructure; wall time starts at `startMs`. */
export function loopClock(
  loop: SimLoop,
  startMs: number,
  owner?: EventOwner,
  { offsetMs, driftPpm }: ClockSkew = { offsetMs: 0, driftPpm: 0 },
): Clock {
  const rate = 1 + driftPpm / 1e6;
  return {
    now: () => Math.floor(startMs + offsetMs + loop.now * rate),
    monotonic: () => loop.now * rate,
    after: (delayMs, run) => loop.after(delayMs / rate, 'timer', run, owner),
    every(periodMs, run) {
      let cancel: Cancel = () => {};
      const arm = (): void => {
        cancel = loop.after(
          Math.max(1, periodMs) / rate,
          'tick',
          () => {
            arm();
            run();
          },
          owner,
        );
      };
      arm();
      return () => cancel();
    },
  };
}
