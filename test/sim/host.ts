// A simulated machine with one Skein process: it has lives, can stand still, and has a clock and a disk of its own.

import type { Clock } from '../../src/platform/clock.ts';
import type { Random } from '../../src/platform/random.ts';
import { createMemoryDisk, type MemoryDisk } from '../bus/local/memory-disk.ts';
import { type ClockSkew, type EventOwner, loopClock, type SimEvent, type SimLoop } from './loop.ts';

/** A machine. Its process is up or not; its disk outlives the process. */
export class SimHost implements EventOwner {
  readonly name: string;
  readonly zone: string;
  readonly clock: Clock;
  readonly disk: MemoryDisk = createMemoryDisk();
  life = 0;
  isUp = false;
  held: SimEvent[] | undefined;
  /** Whether messages between this machine and NATS arrive. */
  isReachable = true;
  /** Whether it has noticed that they do not. */
  isConnected = true;
  /** Whether the bucket can be reached from here. */
  hasBucket = true;
  /** What belongs to the present life only: nothing reaches a process that is started later. */
  present: EventOwner = this;
  readonly #loop: SimLoop;
  readonly #atEnd = new Set<() => void>();
  readonly #onLink = new Set<(isUp: boolean) => void>();

  constructor(loop: SimLoop, place: { name: string; zone: string; startMs: number; skew: ClockSkew }) {
    this.#loop = loop;
    this.name = place.name;
    this.zone = place.zone;
    this.clock = loopClock(loop, place.startMs, this, place.skew);
  }

  /** A new life begins. */
  boot(): void {
    this.life++;
    this.isUp = true;
    this.held = undefined;
    this.isConnected = this.isReachable;
    this.present = presentLife(this);
  }

  /** The process is gone at once: whatever it was doing never ends, what it had not synced may be lost. */
  kill(random: Random): void {
    this.leave();
    this.disk.crash(random);
  }

  /** The process has ended by itself. */
  leave(): void {
    this.isUp = false;
    this.held = undefined;
    this.life++;
    for (const end of [...this.#atEnd]) end();
    this.#atEnd.clear();
    this.#onLink.clear();
  }

  /** The process stands still: everything that would reach it waits. */
  pause(): void {
    if (this.isUp) this.held ??= [];
  }

  /** It goes on; what has waited comes at once. */
  resume(): void {
    const events = this.held ?? [];
    this.held = undefined;
    for (const event of events) this.#loop.release(event);
  }

  /** Called when this life ends in any way; returns what takes it back. */
  atEnd(run: () => void): () => void {
    this.#atEnd.add(run);
    return () => this.#atEnd.delete(run);
  }

  /** Called, for as long as this life lasts, when the process notices that NATS is gone or back. */
  onLink(run: (isUp: boolean) => void): () => void {
    this.#onLink.add(run);
    return () => this.#onLink.delete(run);
  }

  /** NATS cannot be reached from here any more; noticed after `noticeMs`. */
  cut(noticeMs: number): void {
    this.isReachable = false;
    this.#loop.after(noticeMs, 'notices that NATS is away', () => this.#notice(false), this);
  }

  /** NATS is there again. */
  heal(): void {
    this.isReachable = true;
    this.#loop.after(100, 'is connected to NATS again', () => this.#notice(true), this);
  }

  #notice(isUp: boolean): void {
    if (this.isConnected === isUp || this.isReachable !== isUp) {
      // A break that was over before it was noticed is a break all the same.
      if (!isUp || this.isConnected !== isUp) return;
    }
    this.isConnected = isUp;
    for (const run of [...this.#onLink]) run(isUp);
  }
}

function presentLife(host: SimHost): EventOwner {
  const { name, life } = host;
  return {
    name,
    life,
    get isUp() {
      return host.isUp && host.life === life;
    },
    get held() {
      return host.held;
    },
  };
}
