// Typed calls over the bus, from the catalogue: envelopes in and out, deadlines from the catalogue unless the caller knows better.

import { decodeEnvelope, encodeEnvelope } from '../codec/envelope.ts';
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
    await bus.request(subject, encodeEnvelope(message), requestOptions(kind, options)),
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
  const payload = encodeEnvelope(message);
  return (subject, options = {}) => bus.requestMany(subject, payload, requestOptions(kind, options));
}

/** Sends an event. */
export function emit<K extends Kind>(bus: Bus, subject: string, message: RequestOf<K>): void {
  bus.publish(subject, encodeEnvelope(message));
}

/** Serves a kind with one reply. */
export function serve<K extends Kind>(
  service: Service,
  subject: string,
  handler: (message: RequestOf<K>, context: RequestContext) => Promise<ReplyOf<K>>,
): Promise<void> {
  return service.serve(subject, async (payload, context) =>
    encodeEnvelope(await handler(decodeEnvelope<RequestOf<K>>(payload), context)),
  );
}

/** Serves a kind with a stream of byte frames. */
export function serveMany<K extends Kind>(
  service: Service,
  subject: string,
  handler: (
    message: RequestOf<K>,
    send: (frame: Uint8Array) => Promise<void>,
    context: RequestContext,
  ) => Promise<void>,
): Promise<void> {
  return service.serveMany(subject, (payload, send, context) =>
    handler(decodeEnvelope<RequestOf<K>>(payload), send, context),
  );
}
