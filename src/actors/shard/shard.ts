// The shard: everything of one partition. It follows the partition's log into heads (one per tenant), answers queries over
// heads and blocks, and, while it holds the lease, cuts blocks, uploads them and trims the log.

import { type ActorDefinition, defineActor } from '../actor.ts';
import { onHandover, onPlaced, onStatus, onTick } from './handlers.ts';
import { closeShard, openShard } from './life.ts';
import type { ShardMessages } from './messages.ts';
import type { ShardConfig, ShardState } from './state.ts';

/** The shard as a table. */
export const shard: ActorDefinition<ShardConfig, ShardState, ShardMessages> = defineActor({
  role: 'shard',
  mailbox: { capacity: 64, concurrency: 1 },
  serves: [
    'shard.query',
    'shard.series',
    'shard.metadata',
    'shard.exemplars',
    'shard.statistics',
    'shard.cardinality',
    'shard.refusals',
    'replica.handover',
  ],
  publishes: ['partition.report'],
  open: openShard,
  handlers: { tick: onTick, place: onPlaced, status: onStatus, handover: onHandover },
  timers: [{ everyMs: 1000, send: 'tick' }],
  close: closeShard,
});
