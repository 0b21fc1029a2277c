// Pipelined, ordered appends to one stream. Many are in flight; they resolve in order. When one gets no acknowledgement (its
// leader died, the connection broke), nothing new is sent until every other one in flight has an outcome; then everything
// unacknowledged is sent again in the same order with the same message ids, which the stream's duplicate window recognises.
// If order cannot be kept (a later one got in before an earlier one) or time runs out, that append *and every append made
// after it so far* reject: what a caller is told to be appended always stands behind everything it was told before.

import { nuid } from 'nats';
import { asDomainError, DomainError } from '../../model/errors.ts';
import { type JetstreamContext, publishAcked } from './jetstream-api.ts';

/** Where and how appends go. */
export interface AppendTarget {
  readonly stream: string;
  readonly subject: string;
  readonly payloadBytesMax: number;
  /** Begins the ids of the messages, unlike that of any other queue; a random one when left out. */
  readonly writer?: string;
}

interface Pending {
  readonly payload: Uint8Array;
  readonly id: string;
  readonly msMax: number;
  /** Monotonic time at which it fails. */
  readonly end: number;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: DomainError) => void;
  state: 'waiting' | 'flying' | 'lost' | 'acked';
  sequence: number;
}

const appendMsMax = 15_000;
const flyingMax = 64;
const ackMsMax = 4_000;
const resendMs = 250;

/** The appends of one log made by this process. */
export class AppendQueue {
  readonly #context: JetstreamContext;
  readonly #target: AppendTarget;
  readonly #writer: string;
  #count = 0;
  /** In order of the calls. */
  #pending: Pending[] = [];
  #flyingCount = 0;
  #recovering = false;
  #lastSequence = 0;
  #closed = false;

  constructor(context: JetstreamContext, target: AppendTarget) {
    this.#context = context;
    this.#target = target;
    this.#writer = target.writer ?? nuid.next();
  }

  /** Appends; see DurableLog.append. */
  append(payload: Uint8Array, msMax: number = appendMsMax): Promise<number> {
    const { payloadBytesMax, stream } = this.#target;
    return new Promise((resolve, reject) => {
      if (payload.length > payloadBytesMax)
        return reject(
          new DomainError(
            'too_large',
            `cannot append ${payload.length} bytes to ${stream}: at most ${payloadBytesMax} are allowed`,
          ),
        );
      if (this.#closed)
        return reject(new DomainError('unavailable', `cannot append to ${stream}: it is closed`));
      this.#pending.push({
        payload,
        id: `${this.#writer}-${this.#count++}`,
        msMax,
        end: this.#context.clock.monotonic() + msMax,
        resolve,
        reject,
        state: 'waiting',
        sequence: 0,
      });
      this.#sendWaiting();
    });
  }

  /** Rejects what is under way. */
  close(): void {
    this.#closed = true;
    this.#failFrom(
      0,
      new DomainError('unavailable', `cannot append to ${this.#target.stream}: it is closed`),
    );
  }

  #sendWaiting(): void {
    if (this.#recovering) return;
    for (const pending of this.#pending) {
      if (this.#flyingCount >= flyingMax) return;
      if (pending.state === 'waiting') this.#send(pending);
    }
  }

  #send(pending: Pending): void {
    pending.state = 'flying';
    this.#flyingCount++;
    publishAcked(this.#context, this.#target.subject, pending.payload, {
      headers: { 'Nats-Msg-Id': pending.id, 'Nats-Expected-Stream': this.#target.stream },
      timeoutMs: Math.max(1, Math.min(ackMsMax, pending.end - this.#context.clock.monotonic())),
    }).then(
      (sequence) => this.#onOutcome(pending, sequence),
      (error) => this.#onOutcome(pending, asDomainError(error)),
    );
  }

  #onOutcome(pending: Pending, outcome: number | DomainError): void {
    this.#flyingCount--;
    const index = this.#pending.indexOf(pending);
    if (index >= 0) {
      if (typeof outcome === 'number') {
        pending.state = 'acked';
        pending.sequence = outcome;
        this.#resolveFront();
      } else if (outcome.code === 'unavailable') {
        pending.state = 'lost';
        this.#recovering = true;
      } else this.#failFrom(index, outcome);
    }
    if (!this.#recovering) this.#sendWaiting();
    else if (this.#flyingCount === 0) this.#recover();
  }

  /** Resolves from the front as far as acknowledgements reach, as long as their sequences rise. */
  #resolveFront(): void {
    let count = 0;
    for (const pending of this.#pending) {
      if (pending.state !== 'acked') break;
      if (pending.sequence <= this.#lastSequence) {
        this.#pending.splice(0, count);
        this.#failFrom(0, this.#outOfOrder());
        return;
      }
      this.#lastSequence = pending.sequence;
      pending.resolve(pending.sequence);
      count++;
    }
    this.#pending.splice(0, count);
  }

  #outOfOrder(): DomainError {
    return new DomainError(
      'unavailable',
      `cannot append to ${this.#target.stream}: a later message got in before an earlier one that was lost`,
    );
  }

  #unanswered(msMax: number): DomainError {
    return new DomainError(
      'unavailable',
      `cannot append to ${this.#target.stream}: no acknowledgement within ${msMax} ms (no leader, or a disk of JetStream is full: the log of nats-server says which)`,
    );
  }

  /** Rejects the append at `index` with `error` and every later one as appended or not, nobody knows. */
  #failFrom(index: number, error: DomainError): void {
    const failed = this.#pending.splice(index);
    const later = new DomainError(
      'unavailable',
      `cannot append to ${this.#target.stream}: an append before this one failed: ${error.message}`,
    );
    failed.forEach((pending, i) => {
      pending.reject(i === 0 ? error : later);
    });
  }

  /** Nothing is in flight: the front is lost (what was acknowledged before it has been resolved). Sends all again that has time left. */
  #recover(): void {
    const { clock, link } = this.#context;
    const now = clock.monotonic();
    const late = this.#pending.findIndex(({ end }) => end <= now);
    if (this.#pending.some(({ state }) => state === 'acked')) this.#failFrom(0, this.#outOfOrder());
    else if (late >= 0) this.#failFrom(late, this.#unanswered(this.#pending[late]!.msMax));
    if (this.#pending.length > 0) {
      clock.after(resendMs, () => {
        if (this.#pending.length > 0 && !link.connected()) return this.#recover();
        for (const pending of this.#pending) if (pending.state === 'lost') pending.state = 'waiting';
        this.#recovering = false;
        this.#sendWaiting();
      });
      return;
    }
    this.#recovering = false;
  }
}
