// Exchanges over a MessagePort. Either side opens an exchange on a target of the other; the answer is a stream of frames under
// the opener's credit. One-way notices need no answer. Payload bytes are never structured-cloned: a shared buffer is shared, a
// frame that owns its whole buffer is transferred, anything else is copied once and the copy transferred.
//
//   opener → responder   open {id, target, window, deadline, payload}   credit {id, bytes}   cancel {id}
//   responder → opener   frame {id, payload}   end {id, failure?}
//   either way           notice {notice, payload}

import type { MessagePort } from 'node:worker_threads';
import { asDomainError, DomainError, type ErrorCode, invariant } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Payload, RequestContext, RequestOptions } from '../bus.ts';
import {
  type CreditGate,
  createCreditGate,
  createFrameQueue,
  type Exchange,
  type FrameQueue,
  streamWindowBytes,
} from './credit.ts';

/** Payloads up to this size are copied rather than transferred: cheaper, and constants can be sent again and again. */
const copyBytesMax = 4_096;
const goneReason = 'the thread at the other end is gone';

interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}

type Message<Target, Notice> =
  | {
      readonly kind: 'open';
      readonly id: number;
      readonly target: Target;
      readonly windowBytes: number;
      readonly deadlineMs: number;
      readonly payload: Payload;
    }
  | { readonly kind: 'credit'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'frame'; readonly id: number; readonly payload: Payload }
  | { readonly kind: 'end'; readonly id: number; readonly failure: Failure | undefined }
  | { readonly kind: 'notice'; readonly notice: Notice; readonly payload: Payload };

/** What one side does with what the other sends. */
export interface ChannelHandlers<Target, Notice> {
  /** Answers an exchange: frames through `send`, then returns or throws. */
  onOpen(
    target: Target,
    payload: Payload,
    send: (frame: Payload) => Promise<void>,
    context: RequestContext,
  ): Promise<void>;
  onNotice(notice: Notice, payload: Payload): void;
  /** The port closed: the other thread ended or closed it. Called once. */
  onClose(): void;
}

/** One side of the port. `Target` and `Notice` are plain data. */
export interface PortChannel<Target, Notice> {
  /**
   * Opens an exchange on the other side. `label` names it in errors. Its requester may send `payload` again. `onOver` is called once, when
   * nothing more can come, possibly before this returns.
   */
  open(
    target: Target,
    label: string,
    payload: Payload,
    options: RequestOptions,
    onOver?: () => void,
  ): Exchange;
  notify(notice: Notice, payload: Payload): void;
  /** Closes the port for both sides; exchanges under way fail with `unavailable`. */
  close(): void;
}

interface Answering {
  readonly gate: CreditGate;
  readonly control: AbortController;
}

/** Speaks over `port`, which it owns from now on. */
export function openPortChannel<Target, Notice>(
  port: MessagePort,
  clock: Clock,
  handlers: ChannelHandlers<Target, Notice>,
): PortChannel<Target, Notice> {
  return new Channel(port, clock, handlers);
}

class Channel<Target, Notice> implements PortChannel<Target, Notice> {
  readonly #port: MessagePort;
  readonly #clock: Clock;
  readonly #handlers: ChannelHandlers<Target, Notice>;
  readonly #asking = new Map<number, FrameQueue>();
  readonly #answering = new Map<number, Answering>();
  #nextId = 1;
  #isOpen = true;

  constructor(port: MessagePort, clock: Clock, handlers: ChannelHandlers<Target, Notice>) {
    this.#port = port;
    this.#clock = clock;
    this.#handlers = handlers;
    port.on('message', (message: Message<Target, Notice>) => this.#onMessage(message));
    port.on('close', () => this.#onClosed());
  }

  open(
    target: Target,
    label: string,
    payload: Payload,
    options: RequestOptions,
    onOver: () => void = () => {},
  ): Exchange {
    const { deadlineMs, signal } = options;
    const id = this.#nextId++;
    const undo: (() => void)[] = [];
    const queue = createFrameQueue({
      onTake: creditor((bytes) => this.#post({ kind: 'credit', id, bytes })),
      onOver: () => {
        for (const run of undo) run();
        this.#asking.delete(id);
        onOver();
      },
    });
    const failWith = (error: DomainError): void => {
      if (this.#asking.has(id)) this.#post({ kind: 'cancel', id });
      queue.fail(error);
    };
    const fail = (code: ErrorCode, reason: string): void =>
      failWith(new DomainError(code, `cannot get an answer from ${label}: ${reason}`));
    const onAbort = (): void => fail('canceled', 'it was canceled');
    if (signal?.aborted) onAbort();
    else if (!this.#isOpen) fail('unavailable', goneReason);
    else {
      signal?.addEventListener('abort', onAbort, { once: true });
      undo.push(() => signal?.removeEventListener('abort', onAbort));
      const late = (): void => fail('timeout', `no complete answer within ${deadlineMs} ms`);
      if (Number.isFinite(deadlineMs)) undo.push(this.#clock.after(deadlineMs, late));
      this.#asking.set(id, queue);
      const lent = lend(payload);
      this.#post(
        { kind: 'open', id, target, windowBytes: streamWindowBytes, deadlineMs, payload: lent.payload },
        lent.transfer,
      );
    }
    return { next: queue.next, cancel: () => fail('canceled', 'the requester left'), fail: failWith };
  }

  notify(notice: Notice, payload: Payload): void {
    const lent = lend(payload);
    this.#post({ kind: 'notice', notice, payload: lent.payload }, lent.transfer);
  }

  close(): void {
    this.#port.close();
    this.#onClosed();
  }

  #post(message: Message<Target, Notice>, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#isOpen) this.#port.postMessage(message, [...transfer]);
  }

  #onMessage(message: Message<Target, Notice>): void {
    switch (message.kind) {
      case 'open':
        void this.#answer(message);
        return;
      case 'credit':
        this.#answering.get(message.id)?.gate.credit(message.bytes);
        return;
      case 'cancel':
        this.#abort(message.id, new DomainError('canceled', 'cannot send: the requester is gone'));
        return;
      case 'frame':
        this.#asking.get(message.id)?.push(message.payload);
        return;
      case 'end': {
        const { id, failure } = message;
        this.#asking.get(id)?.end(failure && new DomainError(failure.code, failure.message, failure));
        return;
      }
      case 'notice':
        this.#handlers.onNotice(message.notice, message.payload);
    }
  }

  async #answer(message: Extract<Message<Target, Notice>, { kind: 'open' }>): Promise<void> {
    const { id, target, deadlineMs } = message;
    const gate = createCreditGate(message.windowBytes);
    const control = new AbortController();
    this.#answering.set(id, { gate, control });
    const send = async (frame: Payload): Promise<void> => {
      await gate.pass(frame.length);
      const { payload, transfer } = giveAway(frame);
      this.#post({ kind: 'frame', id, payload }, transfer);
    };
    let failure: Failure | undefined;
    try {
      await this.#handlers.onOpen(target, message.payload, send, { signal: control.signal, deadlineMs });
    } catch (error) {
      const { code, message: text, retryable } = asDomainError(error);
      failure = { code, message: text, retryable };
    }
    this.#answering.delete(id);
    this.#post({ kind: 'end', id, failure });
  }

  #abort(id: number, error: DomainError): void {
    this.#answering.get(id)?.gate.shut(error);
    this.#answering.get(id)?.control.abort(error);
  }

  #onClosed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const gone = new DomainError('unavailable', `cannot complete the request: ${goneReason}`);
    for (const queue of [...this.#asking.values()]) queue.fail(gone);
    for (const id of [...this.#answering.keys()]) this.#abort(id, gone);
    this.#handlers.onClose();
  }
}

// Gives credit in large parts: what is small ends before its sender waits for any.
function creditor(post: (bytes: number) => void): (bytes: number) => void {
  let owed = 0;
  return (bytes) => {
    owed += bytes;
    if (owed < streamWindowBytes / 4) return;
    post(owed);
    owed = 0;
  };
}

interface Shipment {
  readonly payload: Payload;
  readonly transfer: readonly ArrayBuffer[];
}

// The sender keeps its bytes (events, requests: others may get them as well).
function lend(payload: Payload): Shipment {
  if (payload.buffer instanceof SharedArrayBuffer) return { payload, transfer: [] };
  const copy = new Uint8Array(payload);
  return { payload: copy, transfer: [copy.buffer] };
}

// The sender gives its bytes up (replies, frames).
function giveAway(payload: Payload): Shipment {
  const { buffer } = payload;
  if (buffer instanceof SharedArrayBuffer || payload.length <= copyBytesMax) {
    invariant(
      buffer instanceof SharedArrayBuffer || !buffer.detached,
      'a frame was sent twice: its buffer is gone',
    );
    return lend(payload);
  }
  if (payload.length < buffer.byteLength) return lend(payload);
  return { payload: new Uint8Array(buffer), transfer: [buffer] };
}
