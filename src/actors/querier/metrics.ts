// What a querier counts; by the names of Prometheus's engine and Mimir's scheduler where they count the same.

import type { CounterMetric, GaugeMetric, HistogramMetric, Metrics } from '../../platform/metrics.ts';

/** Metrics of a querier. */
export interface QuerierMetrics {
  readonly seconds: HistogramMetric;
  readonly partial: CounterMetric;
  readonly samples: CounterMetric;
  readonly replyBytes: CounterMetric;
  readonly queries: GaugeMetric;
  readonly queriesMax: GaugeMetric;
  readonly logEnabled: GaugeMetric;
  readonly slices: HistogramMetric;
  readonly waiting: GaugeMetric;
  readonly light: CounterMetric;
}

/** The metrics of the querier of a process. */
export function querierMetrics(metrics: Metrics): QuerierMetrics {
  return {
    seconds: metrics.histogram(
      'skein_query_duration_seconds',
      'Time from a query being admitted to its answer.',
      [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
      ['kind'],
    ),
    partial: metrics.counter('skein_query_partial_responses_total', 'Answers that lacked a partition.'),
    samples: metrics.counter('skein_query_samples_total', 'Samples read by queries.'),
    replyBytes: metrics.counter(
      'skein_query_reply_bytes_total',
      'Bytes of replies of shards to fragments of queries, by kind: series at the steps (batch), states of aggregations (partial), raw samples (raw), counts and notes.',
      ['kind'],
    ),
    queries: metrics.gauge('prometheus_engine_queries', 'Queries being executed or waiting.'),
    queriesMax: metrics.gauge(
      'prometheus_engine_queries_concurrent_max',
      'Queries executed at once at most.',
    ),
    logEnabled: metrics.gauge(
      'prometheus_engine_query_log_enabled',
      '1 when long and failed queries are logged (query.log_queries_longer_than).',
    ),
    slices: metrics.histogram(
      'prometheus_engine_query_duration_histogram_seconds',
      'Time queries wait for their turn (slice queue_time) and are evaluated (inner_eval).',
      [0.01, 0.1, 1, 10],
      ['slice'],
    ),
    waiting: metrics.gauge(
      'cortex_query_scheduler_queue_length',
      'Queries waiting for their turn, by tenant; absent for those of whom none waits.',
      ['user'],
    ),
    light: metrics.counter(
      'skein_query_light_total',
      'Queries that found no free place and were tried beside the others: answered there, or queued because they were not light.',
      ['outcome'],
    ),
  };
}
