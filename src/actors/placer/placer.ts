// The placer: one in every process with the shard role. It watches who is there, works out which partitions belong here, and
// starts and stops their shards so that a partition always has somebody who answers.

import { type ActorDefinition, defineActor } from '../actor.ts';
import { onDrain, onPlace, onSettle } from './handlers.ts';
import {
  closePlacer,
  openPlacer,
  type PlacerConfig,
  type PlacerMessages,
  type PlacerState,
} from './state.ts';

/** The placer as a table. */
export const placer: ActorDefinition<PlacerConfig, PlacerState, PlacerMessages> = defineActor({
  role: 'placer',
  mailbox: { capacity: 64, concurrency: 8 },
  serves: [],
  publishes: [],
  open: openPlacer,
  handlers: { place: onPlace, settle: onSettle, drain: onDrain },
  timers: [{ everyMs: 1000, send: 'place' }],
  close: closePlacer,
});
