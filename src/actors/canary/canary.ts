// The canary: writes sine waves by remote write, reads them back by the HTTP API as any user would, and counts what is lost, doubled or
// wrong. It knows nothing of Skein's inside, so it can watch another cluster, or anything that speaks Prometheus's protocols.

import { type ActorDefinition, defineActor } from '../actor.ts';
import type { CanaryMessages } from './messages.ts';
import { onRead } from './reader.ts';
import { type CanaryConfig, type CanaryState, closeCanary, onSave, openCanary, TICK_MS } from './state.ts';
import { onWrite } from './writer.ts';

/** The canary as a table. Its ticks look at the clock whether their interval has come; writing goes on while a reading waits. */
export const canary: ActorDefinition<CanaryConfig, CanaryState, CanaryMessages> = defineActor({
  role: 'canary',
  mailbox: { capacity: 8, concurrency: 3 },
  serves: [],
  publishes: [],
  open: openCanary,
  handlers: { write: onWrite, read: onRead, save: onSave },
  timers: [
    { everyMs: TICK_MS, send: 'write' },
    { everyMs: TICK_MS, send: 'read' },
    { everyMs: 30_000, send: 'save' },
  ],
  close: closeCanary,
});
