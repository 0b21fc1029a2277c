// The bus on core NATS. Several buses may share one connection; closing a bus leaves the connection open.

import { DomainError, errorText } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Bus, Service, Unsubscribe } from '../bus.ts';
import type { NatsLink } from './connection.ts';
import { type BusContext, createPulse } from './pulse.ts';
import { requestFrames, requestOne } from './requester.ts';
import { startService } from './responder.ts';
import { headroomBytes, pulseMs } from './wire.ts';

/** Bytes of frames that may be on their way to this process, all streams together. */
const creditBytes = 32 * 1024 * 1024;

/** A bus over `connection`. */
export function createNatsBus(options: { connection: NatsLink; clock: Clock; log: Logger }): Bus {
  const { connection: link, clock, log } = options;
  const payloadBytesMax = link.serverPayloadBytesMax - headroomBytes;
  const context: BusContext = {
    link,
    clock,
    log,
    pulse: createPulse(clock, pulseMs),
    pool: { freeBytes: creditBytes },
    payloadBytesMax,
  };
  const subscriptions = new Set<Unsubscribe>();
  const services = new Set<Service>();

  const checkSize = (subject: string, bytes: number): void => {
    if (bytes > payloadBytesMax)
      throw new DomainError(
        'too_large',
        `cannot send to ${subject}: ${bytes} bytes in one message, at most ${payloadBytesMax} are allowed`,
      );
  };

  return {
    payloadBytesMax,
    publish(subject, payload) {
      checkSize(subject, payload.length);
      if (link.connected()) link.send(subject, payload);
    },
    subscribe(subject, handler, options) {
      const subscription = link.connection.subscribe(subject, {
        ...(options?.group === undefined ? {} : { queue: options.group }),
        callback: (error, message) => {
          try {
            if (error) throw error;
            handler(message.data, message.subject);
          } catch (caught) {
            log.error('a NATS event could not be handled', { subject, error: errorText(caught) });
          }
        },
      });
      const unsubscribe = async (): Promise<void> => {
        if (!subscriptions.delete(unsubscribe)) return;
        if (link.connected()) await subscription.drain();
        else subscription.unsubscribe();
      };
      subscriptions.add(unsubscribe);
      return unsubscribe;
    },
    async request(subject, payload, options) {
      checkSize(subject, payload.length);
      return requestOne(context, subject, payload, options);
    },
    async *requestMany(subject, payload, options) {
      checkSize(subject, payload.length);
      yield* requestFrames(context, subject, payload, options);
    },
    async service(info) {
      const service = await startService(context, info);
      services.add(service);
      return service;
    },
    connected: () => link.connected(),
    async close() {
      await Promise.allSettled([...subscriptions].map((unsubscribe) => unsubscribe()));
      await Promise.allSettled([...services].map((service) => service.stop()));
      services.clear();
    },
  };
}
