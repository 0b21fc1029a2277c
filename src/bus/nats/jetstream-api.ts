// JetStream's request API as far as we need it: streams, consumers, publishing with acknowledgement. We speak it ourselves
// over the link's inbox, so that a broken connection fails every call at once and nothing is retried behind our back
// (a silent retry would reorder pipelined appends). Replies are outside input: fields are picked and checked one by one.

import type { Msg } from 'nats';
import { asDomainError, DomainError, type ErrorCode } from '../../model/errors.ts';
import { type Clock, sleep } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { LogBounds } from '../durable-log.ts';
import { headersOf, isNoResponders, type NatsLink } from './connection.ts';

/** What JetStream calls are made with. */
export interface JetstreamContext {
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A JSON object from the server. */
export type Json = Readonly<Record<string, unknown>>;

const apiTimeoutMs = 5_000;
/** A read is asked again after these: a server that is just becoming a stream's leader drops what it is asked. */
const readTimeoutsMs = [500, 1_500, 3_000] as const;
const ensureMsMax = 30_000;
const ensureRetryMs = 500;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Nanoseconds, JetStream's unit of time, from milliseconds. */
export function nanoseconds(milliseconds: number): number {
  return milliseconds * 1_000_000;
}

/** A field as an object; {} when it is something else. */
export function objectField(json: Json, name: string): Json {
  const value = json[name];
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

/** A field as a number; 0 when it is something else. */
export function numberField(json: Json, name: string): number {
  const value = json[name];
  return typeof value === 'number' ? value : 0;
}

function stringField(json: Json, name: string): string {
  const value = json[name];
  return typeof value === 'string' ? value : '';
}

/** Sends one message and resolves with the answer. Errors: `unavailable` (nobody there, connection broke, no answer in time). */
export function exchange(
  context: JetstreamContext,
  subject: string,
  payload: Uint8Array,
  options: { headers?: Readonly<Record<string, string>>; timeoutMs: number },
): Promise<Msg> {
  return new Promise((resolve, reject) => {
    const { link, clock } = context;
    const fail = (reason: string): void => {
      close();
      reject(new DomainError('unavailable', `cannot reach JetStream on ${subject}: ${reason}`));
    };
    const cancelTimer = clock.after(options.timeoutMs, () =>
      fail(`no answer within ${options.timeoutMs} ms`),
    );
    const mailbox = link.openMailbox({
      onMessage(message) {
        if (isNoResponders(message))
          return fail('nobody listens there (no stream leader right now, or no JetStream)');
        close();
        resolve(message);
      },
      onDisconnect: () => fail('the connection to NATS broke'),
    });
    const close = (): void => {
      cancelTimer();
      mailbox.close();
    };
    try {
      link.send(subject, payload, {
        reply: mailbox.subject,
        ...(options.headers ? { headers: headersOf(options.headers) } : {}),
      });
    } catch (error) {
      close();
      reject(error);
    }
  });
}

const codeOfError: Readonly<Record<number, ErrorCode>> = {
  10005: 'unavailable', // no suitable peers: servers are missing right now
  10008: 'unavailable', // JetStream temporarily unavailable
  10014: 'not_found', // consumer
  10023: 'full', // insufficient resources
  10028: 'full', // memory limit
  10037: 'not_found', // message
  10047: 'full', // storage limit
  10054: 'too_large',
  10059: 'not_found', // stream
  10071: 'conflict', // wrong last sequence
  10158: 'unavailable', // a message of this id is being stored: whether it is, the next attempt hears
  10164: 'conflict', // wrong last sequence, without the figure
};
const storeFailed = 10077;

function refusal(subject: string, error: Json): DomainError {
  const description = stringField(error, 'description');
  const errorCode = numberField(error, 'err_code');
  const status = numberField(error, 'code');
  const isFull = errorCode === storeFailed && /^maximum (bytes|messages)/.test(description);
  const code = isFull ? 'full' : (codeOfError[errorCode] ?? (status >= 500 ? 'unavailable' : 'internal'));
  const hint = isFull ? ': the log is full, see nats.log_bytes_max' : '';
  return new DomainError(code, `JetStream refused ${subject}: ${description} (${errorCode})${hint}`);
}

function parse(subject: string, message: Msg): Json {
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(message.data));
  } catch (error) {
    throw new DomainError('unavailable', `JetStream answered ${subject} with something unreadable`, {
      cause: error,
    });
  }
  if (typeof json !== 'object' || json === null)
    throw new DomainError('unavailable', `JetStream answered ${subject} with something unreadable`);
  const object: Json = Object.fromEntries(Object.entries(json));
  if (object['error'] !== undefined) throw refusal(subject, objectField(object, 'error'));
  return object;
}

/** Calls `$JS.API.<verb>`. Errors: `unavailable`, and the server's refusals by code. */
export async function jetstreamApi(context: JetstreamContext, verb: string, body?: Json): Promise<Json> {
  const payload = encoder.encode(body === undefined ? '' : JSON.stringify(body));
  return parse(verb, await exchange(context, `$JS.API.${verb}`, payload, { timeoutMs: apiTimeoutMs }));
}

// Calls a verb that changes nothing, several times within the same 5 s. Errors: as jetstreamApi.
async function jetstreamRead(context: JetstreamContext, verb: string, body?: Json): Promise<Json> {
  const payload = encoder.encode(body === undefined ? '' : JSON.stringify(body));
  for (const timeoutMs of readTimeoutsMs.slice(0, -1))
    try {
      return parse(verb, await exchange(context, `$JS.API.${verb}`, payload, { timeoutMs }));
    } catch (error) {
      if (asDomainError(error).code !== 'unavailable' || !context.link.connected()) throw error;
    }
  const timeoutMs = readTimeoutsMs.at(-1)!;
  return parse(verb, await exchange(context, `$JS.API.${verb}`, payload, { timeoutMs }));
}

/** Publishes into a stream and resolves with the sequence it got. Errors: `full`, `too_large`, `conflict`, `unavailable`. */
export async function publishAcked(
  context: JetstreamContext,
  subject: string,
  payload: Uint8Array,
  options: { headers: Readonly<Record<string, string>>; timeoutMs: number },
): Promise<number> {
  const ack = parse(subject, await exchange(context, subject, payload, options));
  const sequence = numberField(ack, 'seq');
  if (sequence < 1)
    throw new DomainError('unavailable', `JetStream acknowledged ${subject} without a sequence`);
  return sequence;
}

/** What a stream keeps right now. Errors: `not_found`, `unavailable`. */
export async function streamBounds(context: JetstreamContext, stream: string): Promise<LogBounds> {
  const state = objectField(await jetstreamRead(context, `STREAM.INFO.${stream}`), 'state');
  const last = numberField(state, 'last_seq');
  const first = numberField(state, 'messages') === 0 ? last + 1 : numberField(state, 'first_seq');
  return { first, last, bytes: numberField(state, 'bytes') };
}

async function createUnlessThere(context: JetstreamContext, stream: string, config: Json): Promise<void> {
  try {
    await jetstreamRead(context, `STREAM.INFO.${stream}`);
  } catch (error) {
    if (asDomainError(error).code !== 'not_found') throw error;
    context.log.info('creating a JetStream stream', { stream });
    await jetstreamApi(context, `STREAM.CREATE.${stream}`, { name: stream, ...config });
  }
}

/**
 * Creates a stream unless there is one of that name, whatever its configuration. A cluster that is just starting gets half a
 * minute to have its leaders and enough servers. Errors: `unavailable`, `full`.
 */
export async function ensureStream(context: JetstreamContext, stream: string, config: Json): Promise<void> {
  const { clock, log } = context;
  const end = clock.monotonic() + ensureMsMax;
  for (;;) {
    try {
      await createUnlessThere(context, stream, config);
      return;
    } catch (error) {
      const { code, message } = asDomainError(error);
      if (code !== 'unavailable' || clock.monotonic() >= end) throw error;
      log.warn('JetStream is not ready yet, trying again', { stream, error: message });
      await sleep(clock, ensureRetryMs);
    }
  }
}

/** Whether a stored message's raw headers carry this Nats-Msg-Id. */
export function isMessageId(headerText: string, id: string): boolean {
  return headerText.split('\r\n').includes(`Nats-Msg-Id: ${id}`);
}

/** The newest message of one subject, asked from the stream's leader; undefined when there is none. */
export async function lastMessageOf(
  context: JetstreamContext,
  stream: string,
  subject: string,
): Promise<{ sequence: number; payload: Uint8Array; headerText: string } | undefined> {
  try {
    const reply = await jetstreamRead(context, `STREAM.MSG.GET.${stream}`, { last_by_subj: subject });
    const message = objectField(reply, 'message');
    return {
      sequence: numberField(message, 'seq'),
      payload: new Uint8Array(Buffer.from(stringField(message, 'data'), 'base64')),
      headerText: Buffer.from(stringField(message, 'hdrs'), 'base64').toString(),
    };
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') return undefined;
    throw error;
  }
}
