// Shared by the NATS tests: a link with the real clock and a quiet logger.

import { randomBytes } from 'node:crypto';
import { connectNats, type NatsLink } from '../../../src/bus/nats/connection.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { silentLogger } from '../../../src/platform/log.ts';

/** The real clock. */
export const clock: ReturnType<typeof realClock> = realClock();
/** A logger that says nothing. */
export const log: ReturnType<typeof silentLogger> = silentLogger();

/** Connects to these servers. */
export function link(...servers: string[]): Promise<NatsLink> {
  return connectNats({ servers, name: 'test', clock, log });
}

/** A prefix nobody else uses. */
export function freshPrefix(): string {
  return `t${randomBytes(5).toString('hex')}`;
}

/** A payload of `length` bytes that begins with `number`. */
export function numbered(number: number, length = 8): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setFloat64(0, number);
  return bytes;
}

/** The number a payload begins with. */
export function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getFloat64(0);
}
