// What is owed: for every interval of the last hours whether its samples were sent and acknowledged. One request carries the
// samples of all series of an interval, so one byte tells of all of them; a ring of bytes bounds the memory.

import { invariant } from '../../model/errors.ts';

const NEVER = 0;
const SENT = 1;
const ACKNOWLEDGED = 2;

/** A ledger as it is kept on disk: `states` begins with slot `first`. */
export interface LedgerRecord {
  readonly first: number;
  readonly states: Uint8Array;
}

/** Slots are intervals by number: slot n has the time n × interval. It knows those from `first` on, to `newest`. */
export class Ledger {
  readonly #states: Uint8Array;
  #first: number;
  #newest: number;

  /** Knows nothing before slot `first`; remembers the last `capacity` slots. */
  constructor(capacity: number, first: number) {
    this.#states = new Uint8Array(capacity);
    this.#first = first;
    this.#newest = first - 1;
  }

  /** The oldest slot it can tell about. */
  get first(): number {
    return this.#first;
  }

  /** The newest slot that was sent. */
  get newest(): number {
    return this.#newest;
  }

  /** Samples of the slot are about to be sent: from now on they may be readable. */
  send(slot: number): void {
    if (slot < this.#first) return;
    this.#advance(slot);
    const at = slot % this.#states.length;
    if (this.#states[at] === NEVER) this.#states[at] = SENT;
  }

  /** Samples of the slot were answered with 2xx: from now on they are owed. */
  acknowledge(slot: number): void {
    if (slot < this.#first) return;
    invariant(this.maySee(slot), `slot ${slot} is acknowledged and was not sent`);
    this.#states[slot % this.#states.length] = ACKNOWLEDGED;
  }

  /** Whether its samples must be readable. */
  isOwed(slot: number): boolean {
    return this.#stateOf(slot) === ACKNOWLEDGED;
  }

  /** Whether its samples can be readable. */
  maySee(slot: number): boolean {
    return this.#stateOf(slot) !== NEVER;
  }

  /** Everything it knows; the states are a copy. */
  record(): LedgerRecord {
    const states = new Uint8Array(this.#newest - this.#first + 1);
    for (let i = 0; i < states.length; i++) states[i] = this.#stateOf(this.#first + i);
    return { first: this.#first, states };
  }

  /**
   * A ledger that goes on with a record. What was sent between the record and slot `now` is not known: it may be there and is not
   * owed.
   */
  static resume(capacity: number, { first, states }: LedgerRecord, now: number): Ledger {
    const ledger = new Ledger(capacity, first);
    for (let i = 0; i < states.length; i++) {
      ledger.#advance(first + i);
      ledger.#states[(first + i) % capacity] = Math.min(states[i]!, ACKNOWLEDGED);
    }
    const gap = Math.max(first + states.length, now - capacity + 1);
    for (let slot = gap; slot <= now; slot++) ledger.send(slot);
    return ledger;
  }

  #stateOf(slot: number): number {
    return slot < this.#first || slot > this.#newest ? NEVER : this.#states[slot % this.#states.length]!;
  }

  // Slots passed over were never sent; the oldest make room.
  #advance(slot: number): void {
    if (slot <= this.#newest) return;
    const from = Math.max(this.#newest + 1, slot - this.#states.length + 1);
    for (let fresh = from; fresh <= slot; fresh++) this.#states[fresh % this.#states.length] = NEVER;
    this.#newest = slot;
    this.#first = Math.max(this.#first, slot - this.#states.length + 1);
  }
}
