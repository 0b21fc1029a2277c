// An ordered, ephemeral pull consumer: no acknowledgements, no replicated state, flow control by bytes. It hands out batches
// until anything at all goes wrong (a message lost on the way, silence, a new leader, a broken connection); then it is `broken`
// and its owner makes a new one from where it stands. Bytes on the way and in the queue are bounded by three pulls.

import { createInbox, type Msg, type Subscription } from 'nats';
import type { Cancel } from '../../platform/clock.ts';
import { type JetstreamContext, jetstreamApi, nanoseconds, numberField } from './jetstream-api.ts';

/** One message of a stream. */
export interface StreamMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: Msg['headers'];
  /** Messages that still followed when the server sent this one. */
  readonly pending: number;
}

/** Where a consumer begins. */
export type ConsumerStart = { readonly sequence: number } | { readonly lastPerSubject: string };

const pullBytes = 4 * 1024 * 1024;
const pullsMax = 2;
/** No bound of its own: bytes bound a pull. */
const pullMessages = 1_000_000;
const pullExpiresMs = 30_000;
const heartbeatMs = 2_000;
const silenceMsMax = 3 * heartbeatMs;
const inactiveMs = 60_000;
const messageOverheadBytes = 200;
const encoder = new TextEncoder();

/** Reads the tokens of `$JS.ACK...`: the stream's sequence, the consumer's, messages still to come. */
function parseAckSubject(
  subject: string,
): { sequence: number; delivery: number; pending: number } | undefined {
  const tokens = subject.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  const at = tokens.length === 9 ? 5 : 7; // the longer form has a domain and an account before the stream
  const sequence = Number(tokens[at]);
  const delivery = Number(tokens[at + 1]);
  const pending = Number(tokens[at + 3]);
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(delivery)) return undefined;
  return { sequence, delivery, pending };
}

/** A consumer at work. */
export class Consumer {
  /** Messages waiting when it was made. */
  readonly initialPending: number;
  readonly #context: JetstreamContext;
  readonly #stream: string;
  readonly #name: string;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #undo: (() => void)[] = [];
  readonly #pulls = new Set<string>();
  #pullCount = 0;
  #queue: StreamMessage[] = [];
  #queueBytes = 0;
  #delivered = 0;
  #quietPulses = 0;
  #broken: string | undefined;
  #wake: (() => void) | undefined;

  private constructor(context: JetstreamContext, stream: string, name: string, initialPending: number) {
    this.#context = context;
    this.#stream = stream;
    this.#name = name;
    this.initialPending = initialPending;
    this.#inbox = createInbox();
    this.#subscription = context.link.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => (error ? this.#break(error.message) : this.#onMessage(message)),
    });
    const cancelPulse: Cancel = context.clock.every(heartbeatMs, () => this.#onPulse());
    const cancelStatus = context.link.onStatus(() => this.#break('the connection to NATS broke'));
    this.#undo.push(cancelPulse, cancelStatus, () => this.#subscription.unsubscribe());
    if (!context.link.connected()) this.#break('the connection to NATS is down');
    this.#pull();
  }

  /** Makes a consumer. Errors: `not_found` (no such stream), `unavailable`. */
  static async open(context: JetstreamContext, stream: string, start: ConsumerStart): Promise<Consumer> {
    const name = createInbox().replace('_INBOX.', 'skein-');
    const reply = await jetstreamApi(context, `CONSUMER.CREATE.${stream}.${name}`, {
      stream_name: stream,
      action: 'create',
      config: {
        name,
        ack_policy: 'none',
        replay_policy: 'instant',
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanoseconds(inactiveMs),
        ...('sequence' in start
          ? { deliver_policy: 'by_start_sequence', opt_start_seq: start.sequence }
          : { deliver_policy: 'last_per_subject', filter_subject: start.lastPerSubject }),
      },
    });
    return new Consumer(context, stream, name, numberField(reply, 'num_pending'));
  }

  /** Why it gives nothing more, once the queue is empty. */
  get broken(): string | undefined {
    return this.#queue.length === 0 ? this.#broken : undefined;
  }

  /** What arrived since the last call; waits for something. Empty when it broke or the signal aborted. */
  async next(signal: AbortSignal): Promise<readonly StreamMessage[]> {
    const onAbort = (): void => this.#wake?.();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (this.#queue.length === 0 && this.#broken === undefined && !signal.aborted)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    const batch = this.#queue;
    this.#queue = [];
    this.#queueBytes = 0;
    this.#pull();
    return batch;
  }

  /** Forgets it; the server is told, and forgets it by itself when it does not hear. */
  close(): void {
    this.#break('it was closed');
    const verb = `CONSUMER.DELETE.${this.#stream}.${this.#name}`;
    void jetstreamApi(this.#context, verb).catch(() => undefined);
  }

  #break(reason: string): void {
    if (this.#broken !== undefined) return;
    this.#broken = reason;
    for (const undo of this.#undo) undo();
    this.#wake?.();
  }

  #pull(): void {
    while (this.#broken === undefined && this.#pulls.size < pullsMax && this.#queueBytes < pullBytes) {
      const id = `${this.#inbox}.${this.#pullCount++}`;
      this.#pulls.add(id);
      this.#quietPulses = 0;
      const request = {
        batch: pullMessages,
        max_bytes: pullBytes,
        expires: nanoseconds(pullExpiresMs),
        idle_heartbeat: nanoseconds(heartbeatMs),
      };
      const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#name}`;
      if (!this.#context.link.connected()) {
        this.#break('the connection to NATS is down');
        return;
      }
      this.#context.link.send(subject, encoder.encode(JSON.stringify(request)), { reply: id });
    }
  }

  #onPulse(): void {
    if (this.#pulls.size === 0) return;
    this.#quietPulses++;
    if (this.#quietPulses * heartbeatMs > silenceMsMax) this.#break('the server fell silent');
  }

  #onMessage(message: Msg): void {
    if (this.#broken !== undefined) return;
    this.#quietPulses = 0;
    const ack = parseAckSubject(message.reply ?? '');
    if (ack) this.#onDelivery(message, ack);
    else this.#onStatus(message);
  }

  #onDelivery(message: Msg, ack: { sequence: number; delivery: number; pending: number }): void {
    this.#delivered++;
    if (ack.delivery !== this.#delivered) {
      this.#break(`delivery ${this.#delivered} was lost, ${ack.delivery} arrived`);
      return;
    }
    this.#queue.push({
      sequence: ack.sequence,
      subject: message.subject,
      payload: message.data,
      headers: message.headers,
      pending: ack.pending,
    });
    this.#queueBytes += message.data.length + messageOverheadBytes;
    this.#wake?.();
  }

  /** 100: a heartbeat. 404, 408 and most 409: that pull is used up. Anything else ends the consumer. */
  #onStatus(message: Msg): void {
    const code = message.headers?.code ?? 0;
    if (code === 100) return;
    const description = message.headers?.description ?? '';
    const isUsedUp =
      code === 404 || code === 408 || (code === 409 && /max_?bytes|batch completed/i.test(description));
    if (!isUsedUp) {
      this.#break(`the server said ${code} ${description}`);
      return;
    }
    this.#pulls.delete(message.subject);
    this.#pull();
  }
}
