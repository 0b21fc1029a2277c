// The requester's side: one reply, or frames under credit. Every way a request can end is one call of `finish`.

import type { Msg } from 'nats';
import { DomainError } from '../../model/errors.ts';
import type { Payload, RequestOptions } from '../bus.ts';
import {
  goneHeader,
  headersOf,
  isNoResponders,
  type Mailbox,
  type MailboxHandler,
  type NatsLink,
} from './connection.ts';
import type { BusContext } from './pulse.ts';
import { decodeError, frameOverheadBytes, numberHeader, wire } from './wire.ts';

/** Pulses without a word from the responder before it is probed. */
const probePulses = 6;
/** Pulses without a word before the responder counts as dead although its subject still has a listener. */
const silentPulsesMax = 60;
const empty = new Uint8Array(0);

/** What both kinds of request share: mailbox, deadline, cancellation, liveness of the responder. */
class Exchange implements MailboxHandler {
  readonly #bus: BusContext;
  readonly #link: NatsLink;
  readonly #subject: string;
  readonly #mailbox: Mailbox;
  readonly #undo: (() => void)[] = [];
  readonly #onMessage: (message: Msg) => void;
  readonly #onFailure: (error: DomainError) => void;
  #responder: string | undefined;
  #silentPulses = 0;
  #open = true;

  constructor(
    bus: BusContext,
    subject: string,
    handlers: { onMessage: (message: Msg) => void; onFailure: (error: DomainError) => void },
  ) {
    this.#bus = bus;
    this.#link = bus.link;
    this.#subject = subject;
    this.#onMessage = handlers.onMessage;
    this.#onFailure = handlers.onFailure;
    this.#mailbox = bus.link.openMailbox(this);
  }

  /** Sends the request. Throws when the connection is down. */
  start(payload: Payload, options: RequestOptions, windowBytes: number): void {
    const { signal, deadlineMs } = options;
    if (signal?.aborted) {
      this.#fail('canceled', 'it was canceled');
      return;
    }
    const pairs = { [wire.deadline]: String(Math.max(1, Math.ceil(deadlineMs))) };
    this.#link.send(this.#subject, payload, {
      reply: this.#mailbox.subject,
      headers: headersOf(windowBytes === 0 ? pairs : { ...pairs, [wire.window]: String(windowBytes) }),
    });
    const onAbort = (): void => this.#fail('canceled', 'it was canceled');
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#undo.push(
      () => signal?.removeEventListener('abort', onAbort),
      this.#bus.pulse.join(() => this.#onPulse()),
      this.#bus.clock.after(deadlineMs, () =>
        this.#fail('timeout', `no complete answer within ${deadlineMs} ms`),
      ),
    );
  }

  onMessage(message: Msg): void {
    if (!this.#open) return;
    if (isNoResponders(message)) {
      this.#fail('unavailable', 'nobody serves it');
      return;
    }
    if (message.headers?.has(goneHeader)) {
      // What we told or asked the responder found its mailbox closed: its last word was lost, or it gave up in silence.
      this.#fail('unavailable', 'its responder broke off');
      return;
    }
    this.#silentPulses = 0;
    if (message.reply) this.#responder = message.reply;
    if (message.headers?.has(wire.probe)) return;
    this.#onMessage(message);
  }

  onDisconnect(): void {
    this.#fail('unavailable', 'the connection to NATS broke');
  }

  /** Tells the responder something; lost when the connection is down, which ends this request anyway. */
  tell(pairs: Readonly<Record<string, string>>): void {
    if (this.#responder === undefined || !this.#link.connected()) return;
    this.#link.send(this.#responder, empty, { headers: headersOf(pairs) });
  }

  /** Ends the exchange without a word; `cancel` stops a responder that is still at it. */
  finish(cancel: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#mailbox.close();
    for (const undo of this.#undo) undo();
    if (cancel) this.tell({ [wire.cancel]: '1' });
  }

  #fail(code: 'canceled' | 'timeout' | 'unavailable', reason: string): void {
    if (!this.#open) return;
    this.finish(true);
    this.#onFailure(new DomainError(code, `cannot request ${this.#subject}: ${reason}`));
  }

  #onPulse(): void {
    this.#silentPulses++;
    if (this.#silentPulses > silentPulsesMax) {
      this.#fail('unavailable', 'its responder fell silent without an answer');
      return;
    }
    if (this.#silentPulses < probePulses || !this.#link.connected()) return;
    this.#link.send(this.#responder ?? this.#subject, empty, {
      reply: this.#mailbox.subject,
      headers: headersOf({ [wire.probe]: '1' }),
    });
  }
}

/** One request, one reply. */
export function requestOne(
  bus: BusContext,
  subject: string,
  payload: Payload,
  options: RequestOptions,
): Promise<Payload> {
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(bus, subject, {
      onFailure: reject,
      onMessage(message) {
        if (message.headers?.has(wire.beat)) return;
        const framed = message.headers?.has(wire.frame) || message.headers?.has(wire.end);
        const error = decodeError(message);
        exchange.finish(framed === true);
        if (error) reject(error);
        else if (framed)
          reject(
            new DomainError(
              'internal',
              `cannot request ${subject}: it answers in frames, not with one reply`,
            ),
          );
        else resolve(message.data);
      },
    });
    try {
      exchange.start(payload, options, 0);
    } catch (error) {
      exchange.finish(false);
      throw error;
    }
  });
}

const windowBytesMax = 4 * 1024 * 1024;
const windowBytesMin = 256 * 1024;

/** Frames in order. The request is sent when the first one is asked for. */
export async function* requestFrames(
  bus: BusContext,
  subject: string,
  payload: Payload,
  options: RequestOptions,
): AsyncGenerator<Payload, void, undefined> {
  const { pool } = bus;
  const windowBytes = Math.min(windowBytesMax, Math.max(windowBytesMin, Math.floor(pool.freeBytes / 4)));
  pool.freeBytes -= windowBytes;
  const stream = new FrameStream(bus, subject);
  let consumedBytes = 0;
  let creditedBytes = 0;
  try {
    stream.exchange.start(payload, options, windowBytes);
    for (;;) {
      const frame = stream.take();
      if (frame === undefined) {
        if (stream.ended()) return;
        await stream.change();
        continue;
      }
      yield frame;
      consumedBytes += frame.length + frameOverheadBytes;
      if (consumedBytes - creditedBytes < windowBytes / 2) continue;
      creditedBytes = consumedBytes;
      stream.exchange.tell({ [wire.credit]: String(creditedBytes) });
    }
  } finally {
    pool.freeBytes += windowBytes;
    stream.exchange.finish(!stream.complete);
  }
}

/** Frames received and not yet taken, with the checks that none is missing. */
class FrameStream {
  readonly exchange: Exchange;
  /** Whether the responder has nothing more to say. */
  complete = false;
  readonly #subject: string;
  #frames: Payload[] = [];
  #taken = 0;
  #receivedCount = 0;
  #failure: DomainError | undefined;
  #wake: (() => void) | undefined;

  constructor(bus: BusContext, subject: string) {
    this.#subject = subject;
    this.exchange = new Exchange(bus, subject, {
      onMessage: (message) => {
        this.#receive(message);
        this.#changed();
      },
      onFailure: (error) => {
        this.#fail(error);
        this.#changed();
      },
    });
  }

  /** The next frame, or undefined when none is here yet. */
  take(): Payload | undefined {
    if (this.#taken === this.#frames.length) return undefined;
    const frame = this.#frames[this.#taken++];
    if (this.#taken === this.#frames.length) {
      this.#frames = [];
      this.#taken = 0;
    }
    return frame;
  }

  /** Whether the end was reached; throws the error it ended with. */
  ended(): boolean {
    if (this.#failure) throw this.#failure;
    return this.complete;
  }

  /** Resolves when something arrived since the last look. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #changed(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Ends the stream at once: what is queued is of no use any more. */
  #fail(error: DomainError): void {
    this.#failure ??= error;
    this.#frames = [];
    this.#taken = 0;
  }

  #receive(message: Msg): void {
    const frame = numberHeader(message.headers, wire.frame);
    if (frame !== undefined) {
      this.#receivedCount++;
      if (this.#isWhole(frame)) this.#frames.push(message.data);
      return;
    }
    const beat = numberHeader(message.headers, wire.beat);
    if (beat !== undefined) {
      this.#isWhole(beat);
      return;
    }
    this.complete = true;
    const error = decodeError(message);
    const end = numberHeader(message.headers, wire.end);
    if (error) this.#failure ??= error;
    else if (end === undefined) this.#frames.push(message.data);
    else this.#isWhole(end);
    this.exchange.finish(false);
  }

  #isWhole(sentCount: number): boolean {
    if (sentCount === this.#receivedCount) return true;
    this.#fail(
      new DomainError(
        'unavailable',
        `cannot request ${this.#subject}: ${sentCount} frames were sent, ${this.#receivedCount} arrived`,
      ),
    );
    this.exchange.finish(true);
    return false;
  }
}
