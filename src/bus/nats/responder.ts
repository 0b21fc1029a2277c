// The responder's side: a service of the NATS micro API whose endpoints answer with one reply or with frames under credit.

import type { Msg, Service as NatsService, ServiceMsg } from 'nats';
import { asDomainError, DomainError } from '../../model/errors.ts';
import type { Payload, RequestContext, Service, ServiceInfo } from '../bus.ts';
import { goneHeader, goneMessage, headersOf, isNoResponders, type MailboxHandler } from './connection.ts';
import type { BusContext } from './pulse.ts';
import { encodeError, frameOverheadBytes, numberHeader, wire } from './wire.ts';

const empty = new Uint8Array(0);
/** Deadline of a request that names none (another tool's). */
const deadlineMsDefault = 30_000;
/** Window of a requester that asks for frames without naming one. */
const windowBytesDefault = 256 * 1024;

/** One request being answered. */
class Answer implements MailboxHandler {
  readonly context: RequestContext;
  readonly framed: boolean;
  readonly #bus: BusContext;
  readonly #reply: string;
  readonly #control: string;
  readonly #windowBytes: number;
  readonly #aborter = new AbortController();
  readonly #undo: (() => void)[] = [];
  #sentCount = 0;
  #sentBytes = 0;
  #creditedBytes = 0;
  #pulses = 0;
  #wake: (() => void) | undefined;
  /** Resolves when the frame sent last has gone out and the next may follow. */
  #turn: Promise<void> = Promise.resolve();

  constructor(bus: BusContext, request: ServiceMsg, framed: boolean) {
    this.#bus = bus;
    this.framed = framed;
    this.#reply = request.reply ?? '';
    const deadlineMs = numberHeader(request.headers, wire.deadline) ?? deadlineMsDefault;
    this.#windowBytes = numberHeader(request.headers, wire.window) ?? windowBytesDefault;
    this.context = { signal: this.#aborter.signal, deadlineMs };
    const mailbox = bus.link.openMailbox(this);
    this.#control = mailbox.subject;
    this.#undo.push(
      () => mailbox.close(),
      bus.pulse.join(() => this.#onPulse()),
      bus.clock.after(deadlineMs, () => this.#abort('timeout', `${deadlineMs} ms have passed`)),
    );
  }

  onMessage(message: Msg): void {
    const headers = message.headers;
    if (isNoResponders(message) || headers?.has(wire.cancel) || headers?.has(goneHeader)) {
      this.#abort('canceled', 'the requester is gone');
      return;
    }
    const credited = numberHeader(headers, wire.credit);
    if (credited === undefined || credited <= this.#creditedBytes) return;
    this.#creditedBytes = credited;
    this.#wake?.();
  }

  onDisconnect(): void {
    this.#abort('canceled', 'the connection to NATS broke');
  }

  /** Sends one frame, after those of earlier calls, and resolves when the next may follow. */
  send(frame: Payload): Promise<void> {
    const sent = this.#turn.then(() => this.#sendNow(frame));
    this.#turn = sent.catch(() => undefined);
    return sent;
  }

  async #sendNow(frame: Payload): Promise<void> {
    this.context.signal.throwIfAborted();
    this.#checkSize(frame);
    this.#sentCount++;
    this.#sentBytes += frame.length + frameOverheadBytes;
    this.#publish(frame, { [wire.frame]: String(this.#sentCount) }, true);
    while (this.#sentBytes - this.#creditedBytes >= this.#windowBytes) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.context.signal.throwIfAborted();
    }
  }

  /** Sends the last word: the reply, or the end of the frames. */
  succeed(payload: Payload | undefined): void {
    if (this.#aborter.signal.aborted) return;
    if (payload === undefined) {
      this.#publish(empty, { [wire.end]: String(this.#sentCount) }, false);
      return;
    }
    this.#checkSize(payload);
    this.#bus.link.send(this.#reply, payload);
  }

  /** Sends the error as the last word. */
  fail(error: DomainError): void {
    if (this.#aborter.signal.aborted || !this.#bus.link.connected()) return;
    const ending: Record<string, string> = this.framed ? { [wire.end]: String(this.#sentCount) } : {};
    const { headers, payload } = encodeError(error, ending);
    this.#bus.link.send(this.#reply, payload, { headers });
  }

  /** Forgets the request. */
  close(): void {
    for (const undo of this.#undo) undo();
  }

  #checkSize(payload: Payload): void {
    if (payload.length > this.#bus.payloadBytesMax)
      throw new DomainError(
        'too_large',
        `cannot answer with ${payload.length} bytes in one message: at most ${this.#bus.payloadBytesMax} are allowed`,
      );
  }

  #publish(payload: Payload, pairs: Readonly<Record<string, string>>, withControl: boolean): void {
    const headers = headersOf(pairs);
    this.#bus.link.send(this.#reply, payload, withControl ? { headers, reply: this.#control } : { headers });
  }

  #onPulse(): void {
    this.#pulses++;
    if (this.#pulses < 2 || !this.#bus.link.connected()) return;
    this.#publish(empty, { [wire.beat]: String(this.#sentCount) }, true);
  }

  #abort(code: 'canceled' | 'timeout', reason: string): void {
    if (this.#aborter.signal.aborted) return;
    this.#aborter.abort(new DomainError(code, `cannot go on answering: ${reason}`));
    this.#wake?.();
  }
}

type Run = (payload: Payload, answer: Answer) => Promise<Payload | undefined>;

/** Announces a service and returns it; its endpoints come with `serve` and `serveMany`. */
export async function startService(bus: BusContext, info: ServiceInfo): Promise<Service> {
  const service: NatsService = await bus.link.connection.services.add({
    name: info.name,
    version: info.version,
    description: info.description,
    metadata: { ...info.metadata },
  });
  /** What is being answered, by the requester's mailbox. */
  const underWay = new Map<string, Promise<void>>();

  const respond = async (request: ServiceMsg, framed: boolean, run: Run): Promise<void> => {
    const answer = new Answer(bus, request, framed);
    try {
      answer.succeed(await run(request.data, answer));
    } catch (error) {
      answer.fail(asDomainError(error));
    } finally {
      answer.close();
    }
  };
  const endpoint = async (subject: string, framed: boolean, run: Run): Promise<void> => {
    service.addEndpoint(subject.replaceAll(/[^A-Za-z0-9_-]/g, '_'), {
      subject,
      metadata: { answers: framed ? 'frames' : 'one reply' },
      handler: (error, request) => {
        if (error) return bus.log.error('a NATS endpoint failed', { subject, error: error.message });
        const { reply } = request;
        if (!reply) return;
        if (request.headers?.has(wire.probe)) {
          if (!underWay.has(reply)) bus.link.connection.publish(reply, empty, goneMessage());
          return;
        }
        underWay.set(
          reply,
          respond(request, framed, run).finally(() => underWay.delete(reply)),
        );
      },
    });
    await bus.link.connection.flush();
  };

  return {
    serve: (subject, handler) =>
      endpoint(subject, false, (payload, answer) => handler(payload, answer.context)),
    serveMany: (subject, handler) =>
      endpoint(subject, true, async (payload, answer) => {
        await handler(payload, (frame) => answer.send(frame), answer.context);
        return undefined;
      }),
    async stop() {
      await service.stop();
      await Promise.allSettled([...underWay.values()]);
    },
  };
}
