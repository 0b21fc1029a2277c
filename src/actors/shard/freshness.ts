// How much of the log a replica is known to have applied, as a moment in time: everything that was in the log then is in its head. A
// replica that was held still, cut off or busy falls behind without noticing; asked by this, it does before it answers.

/** Parts of this moment's history: when the log was looked at (monotonic ms), and its last message then. */
interface Look {
  readonly at: number;
  readonly last: number;
}

/** Follows looks at the log and what is applied. */
export class Freshness {
  /** Looks whose last message is not applied yet, in order. */
  #ahead: Look[] = [];
  #at: number;

  /** `at`: when the log was found to hold nothing more than what is applied, monotonic ms. */
  constructor(at: number) {
    this.#at = at;
  }

  /** The newest moment of which everything in the log is applied, monotonic ms. */
  get at(): number {
    return this.#at;
  }

  /** The log was asked at `at` and said that `last` is its last message, while `applied` was. */
  looked(at: number, last: number, applied: number): void {
    if (last <= applied) {
      if (at > this.#at) this.#at = at;
      return;
    }
    // A later look at the same end says more than the one before.
    this.#ahead = [...this.#ahead.filter((look) => look.last < last && look.at < at), { at, last }];
  }

  /** Everything up to `sequence` is applied. */
  applied(sequence: number): void {
    while (this.#ahead.length > 0 && this.#ahead[0]!.last <= sequence) {
      const { at } = this.#ahead.shift()!;
      if (at > this.#at) this.#at = at;
    }
  }
}
