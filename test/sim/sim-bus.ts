// The bus of the simulation: messages between processes take time, may be lost, come twice or never. A request whose messages were
// lost, or whose responder is gone, fails as the NATS adapter fails it: after a few pulses without a word.

import type {
  Bus,
  Payload,
  RequestContext,
  RequestOptions,
  Service,
  Unsubscribe,
} from '../../src/bus/bus.ts';
import {
  type CreditGate,
  createCreditGate,
  createFrameQueue,
  type Exchange,
  framesOf,
  streamWindowBytes,
} from '../../src/bus/local/credit.ts';
import { checkPayload, localPayloadBytesMax, onlyReply } from '../../src/bus/local/local-bus.ts';
import { createSubjectMap, type SubjectMap } from '../../src/bus/local/subject-map.ts';
import { asDomainError, DomainError } from '../../src/model/errors.ts';
import type { SimHost } from './host.ts';
import type { EventOwner } from './loop.ts';
import type { SimNetwork } from './network.ts';

// Six pulses without a word, a probe, and nobody.
const SILENCE_MS = 1500;
const CANCEL_MS = 200;

interface Subscription {
  readonly host: SimHost;
  readonly owner: EventOwner;
  readonly group: string | undefined;
  readonly handler: (payload: Payload, subject: string) => void;
  isActive: boolean;
}

type Run = (
  payload: Payload,
  send: (frame: Payload) => Promise<void>,
  context: RequestContext,
) => Promise<void>;

interface Endpoint {
  readonly host: SimHost;
  readonly owner: EventOwner;
  readonly run: Run;
  readonly underWay: Set<Promise<void>>;
  isActive: boolean;
}

/** What all processes share. */
export interface BusServer {
  readonly subscriptions: SubjectMap<Subscription>;
  readonly endpoints: SubjectMap<Endpoint>;
}

/** A bus without anybody on it. */
export function createBusServer(): BusServer {
  return { subscriptions: createSubjectMap(), endpoints: createSubjectMap() };
}

/** The bus as the process on `host` has it, for this life of it. */
export function openSimBus(server: BusServer, network: SimNetwork, host: SimHost): Bus {
  return new SimBus(server, network, host);
}

class SimBus implements Bus {
  readonly payloadBytesMax: number = localPayloadBytesMax;
  readonly #server: BusServer;
  readonly #network: SimNetwork;
  readonly #host: SimHost;
  readonly #atClose = new Set<() => Promise<void> | void>();
  readonly #failures = new Set<(error: DomainError) => void>();
  readonly #lastArrivals = new Map<SimHost, number>();
  #isOpen = true;

  constructor(server: BusServer, network: SimNetwork, host: SimHost) {
    this.#server = server;
    this.#network = network;
    this.#host = host;
  }

  connected(): boolean {
    return this.#isOpen && this.#host.isConnected;
  }

  publish(subject: string, payload: Payload): void {
    checkPayload(payload, this.payloadBytesMax, `send to ${subject}`);
    if (!this.connected()) return;
    const targets: Subscription[] = [];
    const groups = new Map<string, Subscription[]>();
    for (const subscription of this.#server.subscriptions.match(subject)) {
      const { group } = subscription;
      if (group === undefined) targets.push(subscription);
      else groups.set(group, [...(groups.get(group) ?? []), subscription]);
    }
    for (const members of groups.values())
      targets.push(members[this.#network.random.integer(members.length)]!);
    for (const target of targets) {
      this.#deliver(target, subject, payload);
      if (this.#network.draw(this.#network.rates.duplicate)) this.#deliver(target, subject, payload);
    }
  }

  #deliver(target: Subscription, subject: string, payload: Payload): void {
    const { loop } = this.#network;
    if (!this.#network.arrives(this.#host, 'nats') || !target.host.isReachable) return;
    // One publisher's events keep their order, unless the network is of the kind that loses them.
    const earliest = this.#network.rates.lose > 0 ? 0 : (this.#lastArrivals.get(target.host) ?? 0);
    const arrival = Math.max(earliest, loop.now + this.#network.transit());
    this.#lastArrivals.set(target.host, arrival);
    const run = (): void => {
      if (!target.isActive) return;
      try {
        target.handler(payload, subject);
      } catch (error) {
        loop.note(`an event could not be handled: ${asDomainError(error).message}`);
      }
    };
    loop.after(arrival - loop.now, `event ${subject}`, run, target.owner);
  }

  subscribe(
    subject: string,
    handler: (payload: Payload, subject: string) => void,
    options?: { group?: string },
  ): Unsubscribe {
    this.#checkOpen();
    const subscription: Subscription = {
      host: this.#host,
      owner: this.#host.present,
      group: options?.group,
      handler,
      isActive: true,
    };
    const remove = this.#server.subscriptions.add(subject, subscription);
    const end = (): void => {
      subscription.isActive = false;
      remove();
      offEnd();
      this.#atClose.delete(end);
    };
    const offEnd = this.#host.atEnd(end);
    this.#atClose.add(end);
    return async () => end();
  }

  async request(subject: string, payload: Payload, options: RequestOptions): Promise<Payload> {
    return onlyReply(this.#start(subject, payload, options), subject);
  }

  requestMany(subject: string, payload: Payload, options: RequestOptions): AsyncIterable<Payload> {
    return framesOf(() => this.#start(subject, payload, options));
  }

  #start(subject: string, payload: Payload, options: RequestOptions): Exchange {
    this.#checkOpen();
    checkPayload(payload, this.payloadBytesMax, `send to ${subject}`);
    const failures = this.#failures;
    let own: ((error: DomainError) => void) | undefined;
    const onOver = (): void => {
      if (own !== undefined) failures.delete(own);
    };
    const asked = { subject, payload, options, onOver };
    const exchange = openExchange(this.#server, this.#network, this.#host, asked);
    const { fail } = exchange;
    own = fail;
    failures.add(fail);
    return exchange;
  }

  async service(): Promise<Service> {
    this.#checkOpen();
    const endpoints: Endpoint[] = [];
    const removals: (() => void)[] = [];
    const add = (subject: string, run: Run): void => {
      const endpoint: Endpoint = {
        host: this.#host,
        owner: this.#host.present,
        run,
        underWay: new Set(),
        isActive: true,
      };
      endpoints.push(endpoint);
      removals.push(this.#server.endpoints.add(subject, endpoint));
    };
    const leave = (): void => {
      for (const endpoint of endpoints) endpoint.isActive = false;
      for (const remove of removals.splice(0)) remove();
      offEnd();
    };
    const offEnd = this.#host.atEnd(leave);
    const stop = async (): Promise<void> => {
      leave();
      this.#atClose.delete(stop);
      await Promise.all(endpoints.flatMap(({ underWay }) => [...underWay]));
    };
    this.#atClose.add(leave);
    return {
      serve: async (subject, handler) =>
        add(subject, async (payload, send, context) => send(await handler(payload, context))),
      serveMany: async (subject, handler) => add(subject, handler),
      stop,
    };
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const fail of [...this.#failures])
      fail(new DomainError('unavailable', 'cannot complete the request: the bus was closed'));
    for (const end of [...this.#atClose]) await end();
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new DomainError('unavailable', 'cannot use the bus: it is closed');
    if (!this.#host.isConnected)
      throw new DomainError('unavailable', 'cannot use the bus: no connection to NATS');
  }
}

interface Asked {
  readonly subject: string;
  readonly payload: Payload;
  readonly options: RequestOptions;
  readonly onOver: () => void;
}

// One request: what the requester has of it, and how it can be ended from outside.
function openExchange(
  server: BusServer,
  network: SimNetwork,
  host: SimHost,
  { subject, payload, options, onOver }: Asked,
): Exchange {
  const { loop } = network;
  const requester = host.present;
  const undo: (() => void)[] = [];
  let isOver = false;
  let responder: Responder | undefined;
  let credit = 0;
  const queue = createFrameQueue({
    onTake(bytes) {
      credit += bytes;
      if (credit < streamWindowBytes / 4 && !responder?.isWaiting()) return;
      const given = credit;
      credit = 0;
      responder?.later(0.2, 'credit', () => responder?.gate.credit(given));
    },
    onOver() {
      isOver = true;
      for (const run of undo) run();
      if (responder?.isAnswering())
        responder.later(CANCEL_MS, `${subject} is canceled`, () => responder?.cancel());
      onOver();
    },
  });
  const fail = (code: 'timeout' | 'canceled' | 'unavailable', reason: string): void =>
    queue.fail(new DomainError(code, `cannot request ${subject}: ${reason}`));
  const brokenOff = (): void =>
    void loop.after(
      SILENCE_MS,
      `${subject} fell silent`,
      () => fail('unavailable', 'its responder broke off'),
      requester,
    );
  const exchange: Exchange = {
    next: queue.next,
    cancel() {
      if (!isOver) fail('canceled', 'the requester left');
    },
    fail: queue.fail,
  };
  const { signal, deadlineMs } = options;
  const onAbort = (): void => fail('canceled', 'it was canceled');
  if (signal?.aborted) {
    onAbort();
    return exchange;
  }
  signal?.addEventListener('abort', onAbort, { once: true });
  undo.push(
    () => signal?.removeEventListener('abort', onAbort),
    host.onLink((isUp) => {
      if (!isUp) fail('unavailable', 'the connection to NATS broke');
    }),
    loop.after(
      deadlineMs,
      `deadline of ${subject}`,
      () => fail('timeout', `no complete answer within ${deadlineMs} ms`),
      requester,
    ),
  );
  if (!network.arrives(host, 'nats')) {
    brokenOff();
    return exchange;
  }
  const nobody = (): void =>
    void loop.after(
      network.transit(),
      `nobody serves ${subject}`,
      () => fail('unavailable', 'nobody serves it'),
      requester,
    );
  const endpoints = server.endpoints.match(subject).filter((endpoint) => endpoint.isActive);
  const endpoint = endpoints[endpoints.length < 2 ? 0 : network.random.integer(endpoints.length)];
  if (endpoint === undefined) nobody();
  else if (!endpoint.host.isReachable) brokenOff();
  else {
    undo.push(
      endpoint.host.atEnd(() => {
        if (!isOver) brokenOff();
      }),
    );
    const arrive = (): void => {
      if (!endpoint.isActive) nobody();
      else
        responder = answer(
          network,
          { host, requester },
          endpoint,
          { subject, payload, deadlineMs },
          { ...queue, brokenOff },
        );
    };
    loop.after(network.transit(), `request ${subject}`, arrive, endpoint.owner);
  }
  return exchange;
}

interface Responder {
  readonly gate: CreditGate;
  readonly isWaiting: () => boolean;
  readonly isAnswering: () => boolean;
  readonly cancel: () => void;
  readonly later: (delayMs: number, label: string, run: () => void) => void;
}

interface Answering {
  readonly push: (frame: Payload) => void;
  readonly end: (error?: DomainError) => void;
  readonly brokenOff: () => void;
}

// The responder's side of a request; runs in its process.
function answer(
  network: SimNetwork,
  from: { readonly host: SimHost; readonly requester: EventOwner },
  { host, owner, run, underWay }: Endpoint,
  { subject, payload, deadlineMs }: { subject: string; payload: Payload; deadlineMs: number },
  to: Answering,
): Responder {
  const { loop } = network;
  const gate = createCreditGate(streamWindowBytes);
  const aborter = new AbortController();
  const { requester } = from;
  let waiting = 0;
  let isAnswering = true;
  let isBroken = false;
  let lastArrival = 0;
  const cancel = (): void => {
    if (!isAnswering) return;
    const gone = new DomainError('canceled', `cannot send to ${subject}: the requester is gone`);
    gate.shut(gone);
    aborter.abort(gone);
  };
  // Everything of one answer arrives in order, or the answer breaks off.
  const tell = (label: string, deliver: () => void): void => {
    if (isBroken || !requester.isUp) return;
    if (!network.arrives(host, 'nats') || !from.host.isReachable) {
      isBroken = true;
      loop.after(0, `${subject} lost a message`, to.brokenOff, requester);
      return;
    }
    lastArrival = Math.max(lastArrival, loop.now + network.transit());
    loop.after(lastArrival - loop.now, label, deliver, requester);
  };
  const send = async (frame: Payload): Promise<void> => {
    checkPayload(frame, localPayloadBytesMax, `answer on ${subject}`);
    waiting++;
    try {
      await gate.pass(frame.length);
    } finally {
      waiting--;
    }
    tell(`frame of ${subject} (${frame.length})`, () => to.push(frame));
  };
  const cancelDeadline = loop.after(deadlineMs, `deadline of ${subject} at its responder`, cancel, owner);
  const offEnd = from.host.atEnd(
    () => void loop.after(CANCEL_MS, `requester of ${subject} is gone`, cancel, owner),
  );
  const work = Promise.resolve()
    .then(() => run(payload, send, { signal: aborter.signal, deadlineMs }))
    .then(
      () => undefined,
      (error: unknown) => asDomainError(error),
    )
    .then((error) => {
      isAnswering = false;
      cancelDeadline();
      offEnd();
      underWay.delete(work);
      tell(`end of ${subject}`, () => to.end(error));
    });
  underWay.add(work);
  return {
    gate,
    isWaiting: () => waiting > 0,
    isAnswering: () => isAnswering,
    cancel,
    later: (delayMs, label, deliver) => void loop.after(delayMs, label, deliver, owner),
  };
}
