// The querier: answers PromQL and metadata questions by asking the shards of all partitions and merging what they say.

import type { Config } from '../../platform/config.ts';
import { type ActorDefinition, defineActor } from '../actor.ts';
import { onActive, onKill } from './active.ts';
import { onExemplars, onMetadata, onSeries } from './handlers.ts';
import type { QuerierMessages } from './messages.ts';
import { onExplain, onQuery } from './queries.ts';
import { onRefusals } from './refusals.ts';
import { closeQuerier, openQuerier, type QuerierState } from './state.ts';
import { onStatistics } from './statistics.ts';

/** The querier as a table. Handlers only read; hence the concurrency. */
export const querier: ActorDefinition<Config, QuerierState, QuerierMessages> = defineActor({
  role: 'querier',
  mailbox: { capacity: 2000, concurrency: 2000 },
  serves: ['querier.active', 'querier.kill'],
  publishes: [],
  open: openQuerier,
  handlers: {
    query: onQuery,
    explain: onExplain,
    series: onSeries,
    metadata: onMetadata,
    exemplars: onExemplars,
    refusals: onRefusals,
    statistics: onStatistics,
    active: onActive,
    kill: onKill,
  },
  timers: [],
  close: closeQuerier,
});
