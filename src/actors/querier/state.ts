// State of a querier: one engine per tenant (each with its plan cache), and the gate that bounds queries at once.

import type { Service } from '../../bus/bus.ts';
import type { Config } from '../../platform/config.ts';
import type { MemoryPool } from '../../platform/memory.ts';
import type { Turns } from '../../platform/turns.ts';
import { createEngine, type Engine } from '../../query/engine.ts';
import type { ActorContext } from '../actor.ts';
import { announceService } from '../service.ts';
import { serveActive } from './active.ts';
import { ActiveQueries } from './active-queries.ts';
import { FairQueue } from './fair-queue.ts';
import type { FanoutSettings } from './fanout.ts';
import { featureOptions } from './features.ts';
import { fragmentRunner } from './fragments.ts';
import type { Asked, QuerierMessages } from './messages.ts';
import { type QuerierMetrics, querierMetrics } from './metrics.ts';
import type { QueryLog } from './query-log.ts';
import { Routes } from './routes.ts';

const ENGINES_MAX = 1000;

/** What a querier holds. */
export interface QuerierState {
  readonly config: Config;
  readonly fanout: FanoutSettings;
  /** Where queries wait for their turn. */
  readonly queue: FairQueue;
  /** Where queries are tried that find no place. */
  readonly lightLane: FairQueue;
  readonly queryLog: QueryLog;
  /** Queries that wait or run. */
  readonly active: ActiveQueries;
  /** Working memory of all queries of the process together. */
  readonly memory: MemoryPool | undefined;
  readonly turns: Turns | undefined;
  /** Engines by tenant, partial-response mode and consistency, least recently used first. */
  readonly engines: Map<string, Engine>;
  readonly metrics: QuerierMetrics;
  /** Ends the following of the directory. */
  readonly unfollow: () => void;
  /** Answers other queriers, and shows this one to `nats micro ls`. */
  readonly service: Service;
}

/** Opens a querier; it has nothing to load, and can be asked for its queries by other queriers from now on. */
export async function openQuerier(
  config: Config,
  context: ActorContext<QuerierMessages>,
): Promise<QuerierState> {
  const routes = new Routes(context.clock);
  const metrics = querierMetrics(context.metrics);
  const active = new ActiveQueries({
    processId: context.identity.id,
    clock: context.clock,
    gauge: metrics.queries,
  });
  const service = await announceService(context, 'querier', 'Answers PromQL by asking the shards');
  await serveActive(service, active, context);
  return {
    config,
    unfollow: await routes.follow(context.directory),
    service,
    active,
    fanout: {
      bus: context.bus,
      clock: context.clock,
      prefix: context.cluster.prefix,
      partitions: context.cluster.partitions,
      ownerWaitMs: config.query.owner_wait,
      hedgeAfterMs: config.query.hedge_after,
      routes,
      partialResponse: config.query.partial_response,
    },
    memory: context.memory,
    turns: context.turns,
    queue: openQueue(config, metrics),
    lightLane: new FairQueue({
      ...placesOf(config),
      tenantQueueMax: config.query.tenant_queue_max,
      onWaiting: () => {},
    }),
    queryLog: { log: context.log, longerThanMs: config.query.log_queries_longer_than },
    engines: new Map(),
    metrics,
  };
}

function placesOf({ query }: Config): { concurrencyMax: number; tenantConcurrencyMax: number } {
  const { concurrency_max: concurrencyMax, tenant_concurrency_max: perTenant } = query;
  return { concurrencyMax, tenantConcurrencyMax: perTenant === 0 ? concurrencyMax : perTenant };
}

function openQueue(config: Config, metrics: QuerierMetrics): FairQueue {
  const { query } = config;
  metrics.queriesMax.set(query.concurrency_max);
  metrics.logEnabled.set(query.log_queries_longer_than > 0 ? 1 : 0);
  return new FairQueue({
    ...placesOf(config),
    tenantQueueMax: query.tenant_queue_max,
    onWaiting: (user, count) => {
      if (count === 0) metrics.waiting.remove({ user });
      else metrics.waiting.set(count, { user });
    },
  });
}

/** The engine of a tenant; made on first use, the least recently used one is dropped beyond a bound. */
export function engineOf(
  state: QuerierState,
  asked: Pick<Asked, 'tenant' | 'partialResponse' | 'strong'>,
): Engine {
  const { tenant, strong = false } = asked;
  const partialResponse = asked.partialResponse ?? state.fanout.partialResponse;
  const key = `${partialResponse ? 'partial' : 'whole'}/${strong ? 'strong' : 'bounded'}/${tenant}`;
  const found = state.engines.get(key);
  if (found) {
    state.engines.delete(key);
    state.engines.set(key, found);
    return found;
  }
  const { query } = state.config;
  const engine = createEngine({
    ...featureOptions(query.enable_feature),
    lookbackMs: query.lookback_delta,
    defaultStepMs: query.default_step,
    limits: {
      samplesMax: query.samples_max,
      seriesMax: query.series_max,
      memoryBytesMax: query.memory_bytes_max,
    },
    clock: state.fanout.clock,
    ...(state.memory === undefined ? {} : { memory: state.memory }),
    ...(state.turns === undefined ? {} : { turns: state.turns }),
    fragments: fragmentRunner({
      ...{ ...state.fanout, partialResponse, strong, tenant },
      onReply: (kind, bytes) => state.metrics.replyBytes.add(bytes, { kind }),
    }),
  });
  state.engines.set(key, engine);
  if (state.engines.size > ENGINES_MAX) state.engines.delete(state.engines.keys().next().value as string);
  return engine;
}

/** A querier owes nothing to anyone. */
export async function closeQuerier(state: QuerierState): Promise<void> {
  state.engines.clear();
  state.unfollow();
  await state.service.stop();
}
