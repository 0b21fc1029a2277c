// How long work shares the one thread of a process: whoever computes for long takes turns, one turn for each pass of the event loop, so
// that sockets and timers get in between. Who has had the fewest turns comes first: a short piece of work does not wait for long ones.

/** How long a turn lasts, ms. Whoever answers a question in between waits for one of them at most. */
const TURN_MS = 2;
/** Work that has had as many turns is all alike. */
const LEVEL_MAX = 7;
/** Every so many turns one goes to whoever has had the most of them: nobody starves. */
const TURNS_FOR_THE_REST = 8;

/** Something that computes for long. */
export interface TurnTaker {
  /** Turns it has had to wait for. */
  turns: number;
}

/** What turns need of the process. */
export interface TurnHost {
  /** Monotonic time, ms. */
  monotonic(): number;
  /** Calls `run` in the next pass of the event loop, behind the sockets that are ready now. */
  soon(run: () => void): void;
}

/** The turns of one thread. */
export class Turns {
  readonly #host: TurnHost;
  /** When the turn under way began; undefined while nobody has looked since the event loop passed. */
  #began: number | undefined;
  /** Those that wait, by the turns they have had. */
  readonly #waiting: (() => void)[][] = Array.from({ length: LEVEL_MAX + 1 }, () => []);
  #given = 0;

  constructor(host: TurnHost) {
    this.#host = host;
  }

  /** Whether the turn under way has lasted for long enough. */
  get isOver(): boolean {
    return this.#began !== undefined && this.#host.monotonic() - this.#began >= TURN_MS;
  }

  /** Undefined while the turn lasts, else what to wait for before computing on. To be called every millisecond or more often. */
  take(taker: TurnTaker): Promise<void> | undefined {
    if (this.#began === undefined) {
      this.#begin();
      return undefined;
    }
    if (!this.isOver) return undefined;
    const level = Math.min(taker.turns++, LEVEL_MAX);
    return new Promise((resolve) => this.#waiting[level]!.push(resolve));
  }

  #begin(): void {
    this.#began = this.#host.monotonic();
    this.#host.soon(() => this.#next());
  }

  // The event loop has passed.
  #next(): void {
    const start = this.#pick();
    if (start === undefined) {
      this.#began = undefined;
      return;
    }
    this.#begin();
    start();
  }

  #pick(): (() => void) | undefined {
    const last = ++this.#given % TURNS_FOR_THE_REST === 0;
    const queue = last
      ? this.#waiting.findLast(({ length }) => length > 0)
      : this.#waiting.find(({ length }) => length > 0);
    return queue?.shift();
  }
}

/** The turns of this thread. */
export function realTurns(): Turns {
  return new Turns({ monotonic: () => performance.now(), soon: (run) => void setImmediate(run) });
}
