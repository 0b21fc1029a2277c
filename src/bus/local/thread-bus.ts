// The in-process bus across worker threads: the main thread holds the hub and bridges one MessagePort per worker; in the worker
// a bus of the same port type speaks over it. Main thread: `bridgeThread(hub.share(), port, clock)`. Worker:
// `connectThreadBus(port, { clock })`.

import type { MessagePort } from 'node:worker_threads';
import { DomainError, errorText, invariant } from '../../model/errors.ts';
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
import { type Exchange, framesOf } from './credit.ts';
import {
  checkPayload,
  type LocalBus,
  type LocalService,
  localPayloadBytesMax,
  onlyReply,
} from './local-bus.ts';
import { openPortChannel, type PortChannel } from './port-channel.ts';

/** What a worker opens on the main thread. */
type HubTarget =
  | { readonly kind: 'request'; readonly subject: string }
  | { readonly kind: 'unsubscribe'; readonly subscription: number }
  | { readonly kind: 'service'; readonly service: number; readonly info: ServiceInfo }
  | { readonly kind: 'serve'; readonly service: number; readonly subject: string; readonly endpoint: number }
  | { readonly kind: 'stop'; readonly service: number };
/** What the main thread opens on a worker: an endpoint of one of its services. */
type WorkerTarget = { readonly endpoint: number };
type HubNotice =
  | { readonly kind: 'publish'; readonly subject: string }
  | {
      readonly kind: 'subscribe';
      readonly subscription: number;
      readonly subject: string;
      readonly group: string | undefined;
    };
/** An event for a subscription of the worker. */
type WorkerNotice = { readonly subscription: number; readonly subject: string };

// One port carries both directions, so that each side's channel sends the one kind of target and receives the other.
type Target = HubTarget | WorkerTarget;
type Notice = HubNotice | WorkerNotice;

const nothing = new Uint8Array(0);
const untilDone: RequestOptions = { deadlineMs: Number.POSITIVE_INFINITY };

/**
 * Connects a worker's port to `bus` and gives the worker everything of the bus; `bus` is the worker's own handle and is closed
 * when the worker ends or closes its side. Returns what cuts the worker off.
 */
export function bridgeThread(bus: LocalBus, port: MessagePort, clock: Clock): () => Promise<void> {
  const subscriptions = new Map<number, Unsubscribe>();
  const services = new Map<number, LocalService>();

  const serveEndpoint = (service: number, subject: string, endpoint: number): void => {
    const made = services.get(service);
    invariant(made, `a worker serves ${subject} on service ${service}, which it did not make`);
    made.relay(subject, (payload, options, onOver) =>
      channel.open({ endpoint }, subject, payload, options, onOver),
    );
  };

  const channel: PortChannel<Target, Notice> = openPortChannel<Target, Notice>(port, clock, {
    async onOpen(target, payload, send, context) {
      invariant('kind' in target, 'a worker sent a target meant for workers');
      switch (target.kind) {
        case 'request':
          for await (const frame of bus.requestMany(target.subject, payload, context)) await send(frame);
          return;
        case 'unsubscribe':
          await subscriptions.get(target.subscription)?.();
          subscriptions.delete(target.subscription);
          return send(nothing);
        case 'service':
          services.set(target.service, await bus.service(target.info));
          return send(nothing);
        case 'serve':
          serveEndpoint(target.service, target.subject, target.endpoint);
          return send(nothing);
        case 'stop':
          await services.get(target.service)?.stop();
          services.delete(target.service);
          return send(nothing);
      }
    },
    onNotice(notice, payload) {
      invariant('kind' in notice, 'a worker sent a notice meant for workers');
      if (notice.kind === 'publish') return bus.publish(notice.subject, payload);
      const { subscription, subject, group } = notice;
      const forward = (event: Payload, on: string): void =>
        channel.notify({ subscription, subject: on }, event);
      subscriptions.set(
        subscription,
        bus.subscribe(subject, forward, group === undefined ? undefined : { group }),
      );
    },
    onClose: () => void bus.close(),
  });
  return async () => {
    channel.close();
    await bus.close();
  };
}

/** What a worker's bus is made of. */
export interface ThreadBusOptions {
  readonly clock: Clock;
  /** Where handlers that throw are reported; default nowhere. */
  readonly log?: Logger;
  /** Must be the hub's. */
  readonly payloadBytesMax?: number;
}

interface ThreadEndpoint {
  run(payload: Payload, send: (frame: Payload) => Promise<void>, context: RequestContext): Promise<void>;
}

/** A worker's bus over the port whose other end was given to `bridgeThread`. */
export function connectThreadBus(port: MessagePort, options: ThreadBusOptions): Bus {
  return new ThreadBus(port, options);
}

class ThreadBus implements Bus {
  readonly payloadBytesMax: number;
  readonly #channel: PortChannel<Target, Notice>;
  readonly #log: Logger;
  readonly #handlers = new Map<number, (payload: Payload, subject: string) => void>();
  readonly #endpoints = new Map<number, ThreadEndpoint>();
  readonly #services = new Set<Service>();
  #nextId = 1;
  #open = true;

  constructor(port: MessagePort, options: ThreadBusOptions) {
    this.payloadBytesMax = options.payloadBytesMax ?? localPayloadBytesMax;
    this.#log = options.log ?? silentLogger();
    this.#channel = openPortChannel<Target, Notice>(port, options.clock, {
      onOpen: (target, payload, send, context) => this.#answer(target, payload, send, context),
      onNotice: (notice, payload) => this.#deliver(notice, payload),
      onClose: () => {
        this.#open = false;
      },
    });
  }

  connected(): boolean {
    return this.#open;
  }

  publish(subject: string, payload: Payload): void {
    checkPayload(payload, this.payloadBytesMax, `send to ${subject}`);
    this.#channel.notify({ kind: 'publish', subject }, payload);
  }

  subscribe(
    subject: string,
    handler: (payload: Payload, subject: string) => void,
    options?: { group?: string },
  ): Unsubscribe {
    const subscription = this.#nextId++;
    this.#handlers.set(subscription, handler);
    this.#channel.notify({ kind: 'subscribe', subscription, subject, group: options?.group }, nothing);
    return async () => {
      if (!this.#handlers.delete(subscription) || !this.#open) return;
      await this.#ask({ kind: 'unsubscribe', subscription });
    };
  }

  async request(subject: string, payload: Payload, options: RequestOptions): Promise<Payload> {
    return onlyReply(this.#start(subject, payload, options), subject);
  }

  requestMany(subject: string, payload: Payload, options: RequestOptions): AsyncIterable<Payload> {
    return framesOf(() => this.#start(subject, payload, options));
  }

  async service(info: ServiceInfo): Promise<Service> {
    const id = this.#nextId++;
    await this.#ask({ kind: 'service', service: id, info });
    const mine = new Set<number>();
    const add = async (subject: string, run: ThreadEndpoint['run']): Promise<void> => {
      const endpoint = this.#nextId++;
      mine.add(endpoint);
      this.#endpoints.set(endpoint, { run });
      await this.#ask({ kind: 'serve', service: id, subject, endpoint });
    };
    const service: Service = {
      serve: (subject, handler) =>
        add(subject, async (payload, send, context) => send(await handler(payload, context))),
      serveMany: (subject, handler) => add(subject, handler),
      stop: async () => {
        this.#services.delete(service);
        if (this.#open) await this.#ask({ kind: 'stop', service: id });
        for (const endpoint of mine) this.#endpoints.delete(endpoint);
      },
    };
    this.#services.add(service);
    return service;
  }

  // The hub closes this worker's handle when the port closes, which ends subscriptions, services and what is under way.
  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#handlers.clear();
    this.#channel.close();
  }

  #start(subject: string, payload: Payload, options: RequestOptions): Exchange {
    checkPayload(payload, this.payloadBytesMax, `send to ${subject}`);
    return this.#channel.open({ kind: 'request', subject }, subject, payload, options);
  }

  async #ask(target: HubTarget): Promise<void> {
    await onlyReply(this.#channel.open(target, 'the main thread', nothing, untilDone), 'the main thread');
  }

  async #answer(
    target: Target,
    payload: Payload,
    send: (frame: Payload) => Promise<void>,
    context: RequestContext,
  ): Promise<void> {
    invariant('endpoint' in target && !('kind' in target), 'the main thread sent a target meant for itself');
    const endpoint = this.#endpoints.get(target.endpoint);
    if (!endpoint) throw new DomainError('unavailable', 'cannot answer: the service has stopped');
    const sendChecked = async (frame: Payload): Promise<void> => {
      checkPayload(frame, this.payloadBytesMax, 'answer');
      await send(frame);
    };
    await endpoint.run(payload, sendChecked, context);
  }

  #deliver(notice: Notice, payload: Payload): void {
    invariant(!('kind' in notice), 'the main thread sent a notice meant for itself');
    try {
      this.#handlers.get(notice.subscription)?.(payload, notice.subject);
    } catch (error) {
      this.#log.error('an event could not be handled', { subject: notice.subject, error: errorText(error) });
    }
  }
}
