// Typed calls over the bus, from the catalogue: envelopes in and out, deadlines from the catalogue unless the caller knows better.
// A message carries the version of its kind as `v`. Fields a reader does not know are passed over; a message of a newer version than
// the reader's changed in a way that must not be passed over, and is answered with an error.

import { decodeEnvelope, encodeEnvelope } from '../codec/envelope.ts';
import { DomainError } from '../model/errors.ts';
import type { Bus, RequestContext, Service } from './bus.ts';
import { CATALOGUE, type Contract, type Kind } from './contract.ts';

/** Options of a call. */
export interface CallOptions {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** Request of a kind. */
export type RequestOf<K extends Kind> = Contract[K]['request'];
/** Reply (or one frame of the reply) of a kind. */
export type ReplyOf<K extends Kind> = Contract[K]['reply'];

function requestOptions(kind: Kind, options: CallOptions): { deadlineMs: number; signal?: AbortSignal } {
  const deadlineMs = options.deadlineMs ?? CATALOGUE[kind].deadlineMs;
  return options.signal ? { deadlineMs, signal: options.signal } : { deadlineMs };
}

/** One request, one reply. */
export async function call<K extends Kind>(
  bus: Bus,
  kind: K,
  subject: string,
  message: RequestOf<K>,
  options: CallOptions = {},
): Promise<ReplyOf<K>> {
  return decodeEnvelope<ReplyOf<K>>(
    await bus.request(subject, encodeMessage(kind, message), requestOptions(kind, options)),
  );
}

/** One request, a stream of frames as bytes. */
export function callMany<K extends Kind>(
  bus: Bus,
  kind: K,
  subject: string,
  message: RequestOf<K>,
  options: CallOptions = {},
): AsyncIterable<Uint8Array> {
  return callManyOnEach(bus, kind, message)(subject, options);
}

/** As callMany for many subjects: the message is encoded once. */
export function callManyOnEach<K extends Kind>(
  bus: Bus,
  kind: K,
  message: RequestOf<K>,
): (subject: string, options?: CallOptions) => AsyncIterable<Uint8Array> {
  const payload = encodeMessage(kind, message);
  return (subject, options = {}) => bus.requestMany(subject, payload, requestOptions(kind, options));
}

/** Sends an event. */
export function emit<K extends Kind>(bus: Bus, kind: K, subject: string, message: RequestOf<K>): void {
  bus.publish(subject, encodeMessage(kind, message));
}

/** Serves a kind with one reply. */
export function serve<K extends Kind>(
  service: Service,
  kind: K,
  subject: string,
  handler: (message: RequestOf<K>, context: RequestContext) => Promise<ReplyOf<K>>,
): Promise<void> {
  return service.serve(subject, async (payload, context) =>
    encodeEnvelope(await handler(decodeMessage(kind, payload), context)),
  );
}

/** Serves a kind with a stream of byte frames. */
export function serveMany<K extends Kind>(
  service: Service,
  kind: K,
  subject: string,
  handler: (
    message: RequestOf<K>,
    send: (frame: Uint8Array) => Promise<void>,
    context: RequestContext,
  ) => Promise<void>,
): Promise<void> {
  return service.serveMany(subject, (payload, send, context) =>
    handler(decodeMessage(kind, payload), send, context),
  );
}

/** A request or event as bytes, with the version of its kind. */
export function encodeMessage<K extends Kind>(kind: K, message: RequestOf<K>): Uint8Array {
  return encodeEnvelope({ v: CATALOGUE[kind].version, ...message });
}

/** A request or event from bytes. Errors: `corrupt`, `unavailable` for a version newer than ours (another process may know it). */
export function decodeMessage<K extends Kind>(kind: K, payload: Uint8Array): RequestOf<K> {
  const message = decodeEnvelope<RequestOf<K> & { readonly v?: number }>(payload);
  const known = CATALOGUE[kind].version;
  if (typeof message?.v === 'number' && message.v > known)
    throw new DomainError(
      'unavailable',
      `cannot answer ${kind} of version ${message.v}: this process knows versions up to ${known}`,
    );
  return message;
}
