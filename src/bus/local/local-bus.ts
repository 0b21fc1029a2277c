// The bus inside one process: events and frames are handed over by reference, always in a later microtask. Several handles may
// share one hub (one per worker thread, see thread-bus.ts); closing a handle ends what was made through it.

import { asDomainError, DomainError, type ErrorCode, errorText } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { type Logger, silentLogger } from '../../platform/log.ts';
import type {
  Bus,
  Payload,
  RequestContext,
  RequestOptions,
  Service,
  ServiceInfo,
  Unsubscribe,
} from '../bus.ts';
import { createCreditGate, createFrameQueue, type Exchange, framesOf, streamWindowBytes } from './credit.ts';
import { createSubjectMap, type SubjectMap } from './subject-map.ts';

/** Largest payload of the in-process bus: NATS's default, so that what works embedded works in a cluster. */
export const localPayloadBytesMax: number = 1024 * 1024;
/** A stream that never waits for anything lets timers and sockets run after this many bytes. */
const yieldBytes = 1024 * 1024;

/** What a local bus is made of. */
export interface LocalBusOptions {
  readonly clock: Clock;
  /** Where handlers that throw are reported; default nowhere. */
  readonly log?: Logger;
  readonly payloadBytesMax?: number;
}

/** A bus that other handles can share. */
export interface LocalBus extends Bus {
  /** Another handle on the same hub, with subscriptions and services of its own. */
  share(): LocalBus;
  service(info: ServiceInfo): Promise<LocalService>;
}

interface Subscription {
  readonly group: string | undefined;
  readonly handler: (payload: Payload, subject: string) => void;
  active: boolean;
}

type Send = (frame: Payload) => Promise<void>;

/** Begins an exchange; `onOver` is called once, when nothing more can come of it, possibly before this returns. */
export type OpenExchange = (payload: Payload, options: RequestOptions, onOver: () => void) => Exchange;

interface Endpoint {
  readonly open: OpenExchange;
  /** Requests under way. A promise resolves when its handler has ended; `fail` ends it from outside. */
  readonly underWay: Map<Promise<void>, (error: DomainError) => void>;
}

interface Hub {
  readonly clock: Clock;
  readonly log: Logger;
  readonly payloadBytesMax: number;
  readonly subscriptions: SubjectMap<Subscription>;
  readonly endpoints: SubjectMap<Endpoint>;
  /** State of `pick`. */
  turn: number;
}

/** A bus of its own, with one handle on it. */
export function createLocalBus(options: LocalBusOptions): LocalBus {
  return createHandle({
    clock: options.clock,
    log: options.log ?? silentLogger(),
    payloadBytesMax: options.payloadBytesMax ?? localPayloadBytesMax,
    subscriptions: createSubjectMap(),
    endpoints: createSubjectMap(),
    turn: 0,
  });
}

/** Throws `too_large` when `payload` is larger than `bytesMax`. */
export function checkPayload(payload: Payload, bytesMax: number, action: string): void {
  if (payload.length > bytesMax)
    throw new DomainError(
      'too_large',
      `cannot ${action}: ${payload.length} bytes in one message, at most ${bytesMax} are allowed`,
    );
}

/** The one frame of an exchange. */
export async function onlyReply(exchange: Exchange, subject: string): Promise<Payload> {
  try {
    const reply = await exchange.next();
    if (reply !== undefined && (await exchange.next()) === undefined) return reply;
    const count = reply === undefined ? 'no' : 'more than one';
    throw new DomainError('internal', `cannot use the answer of ${subject}: it has ${count} frame`);
  } finally {
    exchange.cancel();
  }
}

function createHandle(hub: Hub): LocalBus {
  const subscriptions = new Set<Unsubscribe>();
  const services = new Set<LocalService>();
  const exchanges = new Set<Exchange>();
  let open = true;

  const checkOpen = (): void => {
    if (!open) throw new DomainError('unavailable', 'cannot use the bus: it is closed');
  };
  const start = (subject: string, payload: Payload, options: RequestOptions): Exchange => {
    checkOpen();
    checkPayload(payload, hub.payloadBytesMax, `send to ${subject}`);
    let exchange: Exchange | undefined;
    let over = false;
    exchange = openExchange(hub, subject, payload, options, () => {
      over = true;
      if (exchange) exchanges.delete(exchange);
    });
    if (!over) exchanges.add(exchange);
    return exchange;
  };

  return {
    payloadBytesMax: hub.payloadBytesMax,
    publish(subject, payload) {
      checkPayload(payload, hub.payloadBytesMax, `send to ${subject}`);
      if (open) publish(hub, subject, payload);
    },
    subscribe(subject, handler, options) {
      checkOpen();
      const subscription: Subscription = { group: options?.group, handler, active: true };
      const remove = hub.subscriptions.add(subject, subscription);
      const unsubscribe = async (): Promise<void> => {
        subscription.active = false;
        remove();
        subscriptions.delete(unsubscribe);
      };
      subscriptions.add(unsubscribe);
      return unsubscribe;
    },
    async request(subject, payload, options) {
      return onlyReply(start(subject, payload, options), subject);
    },
    requestMany: (subject, payload, options) => framesOf(() => start(subject, payload, options)),
    async service() {
      checkOpen();
      const service = createService(hub, () => services.delete(service));
      services.add(service);
      return service;
    },
    connected: () => open,
    async close() {
      if (!open) return;
      open = false;
      const closed = new DomainError('unavailable', 'cannot complete the request: the bus was closed');
      await Promise.all([...subscriptions].map((unsubscribe) => unsubscribe()));
      for (const exchange of [...exchanges]) exchange.fail(closed);
      await Promise.all([...services].map((service) => service.end(closed)));
    },
    share: () => createHandle(hub),
  };
}

// One of several, spread evenly but in no simple rhythm, which traffic of the same rhythm could fall in with (Numerical Recipes' LCG).
function pick<Value>(hub: Hub, values: readonly Value[]): Value {
  hub.turn = (Math.imul(hub.turn, 1_664_525) + 1_013_904_223) >>> 0;
  return values[(hub.turn >>> 16) % values.length]!;
}

function publish(hub: Hub, subject: string, payload: Payload): void {
  const targets: Subscription[] = [];
  const groups = new Map<string, Subscription[]>();
  for (const subscription of hub.subscriptions.match(subject)) {
    if (subscription.group === undefined) targets.push(subscription);
    else {
      const members = groups.get(subscription.group) ?? [];
      members.push(subscription);
      groups.set(subscription.group, members);
    }
  }
  for (const members of groups.values()) targets.push(pick(hub, members));
  if (targets.length > 0) queueMicrotask(() => deliver(hub, targets, subject, payload));
}

function deliver(hub: Hub, targets: readonly Subscription[], subject: string, payload: Payload): void {
  for (const target of targets) {
    if (!target.active) continue;
    try {
      target.handler(payload, subject);
    } catch (error) {
      hub.log.error('an event could not be handled', { subject, error: errorText(error) });
    }
  }
}

function openExchange(
  hub: Hub,
  subject: string,
  payload: Payload,
  options: RequestOptions,
  onOver: () => void,
): Exchange {
  if (options.signal?.aborted)
    return failedExchange(failureOf(subject, 'canceled', 'it was canceled'), onOver);
  const endpoints = hub.endpoints.match(subject);
  if (endpoints.length === 0)
    return failedExchange(failureOf(subject, 'unavailable', 'nobody serves it'), onOver);
  return pick(hub, endpoints).open(payload, options, onOver);
}

function failureOf(subject: string, code: ErrorCode, reason: string): DomainError {
  return new DomainError(code, `cannot get an answer from ${subject}: ${reason}`);
}

function failedExchange(error: DomainError, onOver: () => void): Exchange {
  const queue = createFrameQueue({ onTake() {}, onOver });
  queue.fail(error);
  return { next: queue.next, cancel() {}, fail() {} };
}

/** Exchanges with a handler of this thread. */
function answeredBy(
  hub: Hub,
  subject: string,
  underWay: Endpoint['underWay'],
  run: (payload: Payload, send: Send, context: RequestContext) => Promise<void>,
): OpenExchange {
  return (payload, { deadlineMs, signal }, onOver) => {
    const gate = createCreditGate(streamWindowBytes);
    const responder = new AbortController();
    const undo: (() => void)[] = [];
    let answering = true;
    const gone = (reason: string): DomainError =>
      new DomainError('canceled', `cannot send to ${subject}: ${reason}`);
    const queue = createFrameQueue({
      onTake: (bytes) => gate.credit(bytes),
      onOver() {
        for (const step of undo) step();
        if (answering) {
          const reason = gone('the requester is gone');
          gate.shut(reason);
          responder.abort(reason);
        }
        onOver();
      },
    });
    const fail = (code: ErrorCode, reason: string): void => queue.fail(failureOf(subject, code, reason));
    if (signal) undo.push(onAbort(signal, () => fail('canceled', 'it was canceled')));
    const late = (): void => fail('timeout', `no complete answer within ${deadlineMs} ms`);
    if (Number.isFinite(deadlineMs)) undo.push(hub.clock.after(deadlineMs, late));
    const send = senderOf(hub, subject, gate, queue.push);
    const answered = Promise.resolve()
      .then(() => run(payload, send, { signal: responder.signal, deadlineMs }))
      .then(
        () => {
          answering = false;
          queue.end();
        },
        (error: unknown) => {
          answering = false;
          queue.end(asDomainError(error));
        },
      )
      .finally(() => underWay.delete(answered));
    underWay.set(answered, queue.fail);
    return { next: queue.next, cancel: () => queue.fail(gone('the requester left')), fail: queue.fail };
  };
}

/** Exchanges that somebody else answers; only who they end with is kept here. */
function relayedBy(underWay: Endpoint['underWay'], open: OpenExchange): OpenExchange {
  return (payload, options, onOver) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let over = false;
    const exchange = open(payload, options, () => {
      over = true;
      resolve();
      underWay.delete(promise);
      onOver();
    });
    if (!over) underWay.set(promise, exchange.fail);
    return exchange;
  };
}

function onAbort(signal: AbortSignal, run: () => void): () => void {
  signal.addEventListener('abort', run, { once: true });
  return () => signal.removeEventListener('abort', run);
}

// `send` of one answer: checks size, waits for credit, and now and then lets the rest of the process run.
function senderOf(
  hub: Hub,
  subject: string,
  gate: { pass(bytes: number): Promise<void> },
  push: (frame: Payload) => void,
): Send {
  let sinceYield = 0;
  return async (frame) => {
    checkPayload(frame, hub.payloadBytesMax, `answer on ${subject}`);
    await gate.pass(frame.length);
    push(frame);
    sinceYield += frame.length;
    if (sinceYield < yieldBytes) return;
    sinceYield = 0;
    await new Promise<void>((resolve) => hub.clock.after(0, resolve));
  };
}

/** A service of the in-process bus. */
export interface LocalService extends Service {
  /** Requests on `subject` are opened elsewhere; frames go from there to the requester without a stop here. */
  relay(subject: string, open: OpenExchange): void;
  /** Stops, and ends the requests under way with `error`. */
  end(error: DomainError): Promise<void>;
}

function createService(hub: Hub, onStop: () => void): LocalService {
  const endpoints = new Set<Endpoint>();
  const removals: (() => void)[] = [];
  const add = (subject: string, openOf: (underWay: Endpoint['underWay']) => OpenExchange): void => {
    const underWay: Endpoint['underWay'] = new Map();
    const endpoint: Endpoint = { underWay, open: openOf(underWay) };
    endpoints.add(endpoint);
    removals.push(hub.endpoints.add(subject, endpoint));
  };
  const stop = async (): Promise<void> => {
    for (const remove of removals.splice(0)) remove();
    onStop();
    await Promise.all([...endpoints].flatMap((endpoint) => [...endpoint.underWay.keys()]));
  };
  return {
    async serve(subject, handler) {
      add(subject, (underWay) =>
        answeredBy(hub, subject, underWay, async (payload, send, context) =>
          send(await handler(payload, context)),
        ),
      );
    },
    async serveMany(subject, handler) {
      add(subject, (underWay) => answeredBy(hub, subject, underWay, handler));
    },
    relay(subject, open) {
      add(subject, (underWay) => relayedBy(underWay, open));
    },
    stop,
    async end(error) {
      const stopped = stop();
      for (const endpoint of endpoints) for (const fail of [...endpoint.underWay.values()]) fail(error);
      await stopped;
    },
  };
}
