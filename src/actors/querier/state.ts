// State of a querier: one engine per tenant (each with its plan cache), and the gate that bounds queries at once.

import type { Service } from '../../bus/bus.ts';
import type { Config } from '../../platform/config.ts';
import type { MemoryPool } from '../../platform/memory.ts';
import type { CounterMetric, HistogramMetric } from '../../platform/metrics.ts';
import { createEngine, type Engine } from '../../query/engine.ts';
import type { ActorContext } from '../actor.ts';
import { announceService } from '../service.ts';
import { serveActive } from './active.ts';
import { ActiveQueries } from './active-queries.ts';
import type { FanoutSettings } from './fanout.ts';
import { featureOptions } from './features.ts';
import { fragmentRunner } from './fragments.ts';
import { Gate } from './gate.ts';
import type { Asked, QuerierMessages } from './messages.ts';
import { Routes } from './routes.ts';

const ENGINES_MAX = 1000;

/** What a querier holds. */
export interface QuerierState {
  readonly config: Config;
  readonly fanout: FanoutSettings;
  readonly gate: Gate;
  /** Queries that wait or run. */
  readonly active: ActiveQueries;
  /** Working memory of all queries of the process together. */
  readonly memory: MemoryPool | undefined;
  /** Engines by tenant, partial-response mode and consistency, least recently used first. */
  readonly engines: Map<string, Engine>;
  readonly metrics: QuerierMetrics;
  /** Ends the following of the directory. */
  readonly unfollow: () => void;
  /** Answers other queriers, and shows this one to `nats micro ls`. */
  readonly service: Service;
}

/** What a querier counts. */
export interface QuerierMetrics {
  readonly seconds: HistogramMetric;
  readonly partial: CounterMetric;
  readonly samples: CounterMetric;
}

/** Opens a querier; it has nothing to load, and can be asked for its queries by other queriers from now on. */
export async function openQuerier(
  config: Config,
  context: ActorContext<QuerierMessages>,
): Promise<QuerierState> {
  const routes = new Routes(context.clock);
  const active = new ActiveQueries({
    processId: context.identity.id,
    clock: context.clock,
    gauge: context.metrics.gauge(
      'prometheus_engine_queries',
      'The current number of queries being executed or waiting.',
    ),
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
    gate: new Gate(config.query.concurrency_max, config.query.queue_max),
    engines: new Map(),
    metrics: {
      seconds: context.metrics.histogram(
        'skein_query_duration_seconds',
        'Time from a query being admitted to its answer.',
        [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
        ['kind'],
      ),
      partial: context.metrics.counter(
        'skein_query_partial_responses_total',
        'Answers that lacked a partition.',
      ),
      samples: context.metrics.counter('skein_query_samples_total', 'Samples read by queries.'),
    },
  };
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
    fragments: fragmentRunner({ ...state.fanout, partialResponse, strong, tenant }),
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
