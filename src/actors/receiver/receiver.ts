// The receiver: takes remote write in, judges it, and answers 2xx once every frame of a request is durable in its partition's log.

import type { Config } from '../../platform/config.ts';
import { type ActorDefinition, defineActor } from '../actor.ts';
import { onSweep, onWrite } from './handlers.ts';
import type { ReceiverMessages } from './messages.ts';
import { closeReceiver, openReceiver, type ReceiverState } from './state.ts';

/** The receiver as a table. A write is one atomic step up to its wait for the log; hence the concurrency. */
export const receiver: ActorDefinition<Config, ReceiverState, ReceiverMessages> = defineActor({
  role: 'receiver',
  mailbox: { capacity: 4096, concurrency: 4096 },
  serves: [],
  publishes: [],
  open: openReceiver,
  handlers: { write: onWrite, sweep: onSweep },
  timers: [{ everyMs: 30_000, send: 'sweep' }],
  close: closeReceiver,
});
