// What a shard counts.

import type { RefusalReason } from '../../model/refusal.ts';
import type { CounterMetric, GaugeMetric, HistogramMetric, Metrics } from '../../platform/metrics.ts';

/** Metrics of a shard. */
export interface ShardMetrics {
  readonly samples: CounterMetric;
  readonly frames: CounterMetric;
  readonly damage: CounterMetric;
  readonly series: GaugeMetric;
  readonly applied: GaugeMetric;
  readonly lag: GaugeMetric;
  readonly headBytes: GaugeMetric;
  readonly blocksCut: CounterMetric;
  readonly cutFailures: CounterMetric;
  readonly cutSeconds: HistogramMetric;
  readonly snapshotSeconds: HistogramMetric;
  readonly logBytes: GaugeMetric;
  /** Counts samples refused after they had been acknowledged. */
  readonly countRefused: (tenant: string, reason: RefusalReason, samples: number) => void;
}

/** Tenants of a partition with refusals of their own: senders make up tenants, and each takes memory here and in whoever scrapes. */
export const REFUSED_TENANTS_MAX = 100;
/** Stands for all further tenants; none can have this name. */
export const OTHER_TENANTS = 'other tenants';

const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];

/** The metrics of a partition's shard, shared with the other shards of the process. */
export function shardMetrics(metrics: Metrics, partition: number): ShardMetrics {
  return {
    samples: metrics.counter(
      'skein_shard_samples_appended_total',
      'Samples taken into heads; every replica counts them.',
      ['partition'],
    ),
    frames: metrics.counter('skein_shard_frames_total', 'Frames of the log applied.', ['partition']),
    damage: metrics.counter(
      'skein_shard_log_damage_total',
      'Missing, broken or unreadable frames found in the log.',
      ['partition'],
    ),
    series: metrics.gauge('skein_shard_head_series', 'Series in heads.', ['partition']),
    applied: metrics.gauge('skein_shard_applied_sequence', 'Last log message applied.', ['partition']),
    lag: metrics.gauge('skein_shard_lag_messages', 'Log messages not applied yet.', ['partition']),
    headBytes: metrics.gauge('skein_shard_head_bytes', 'Memory of heads.', ['partition']),
    blocksCut: metrics.counter('skein_shard_blocks_cut_total', 'Blocks cut and uploaded.', ['partition']),
    cutFailures: metrics.counter(
      'skein_shard_cut_failures_total',
      'Cut passes that failed and will be tried again.',
      ['partition'],
    ),
    cutSeconds: metrics.histogram('skein_shard_cut_seconds', 'Time of a cut pass, upload included.', SECONDS),
    snapshotSeconds: metrics.histogram('skein_shard_snapshot_seconds', 'Time of a head snapshot.', SECONDS),
    logBytes: metrics.gauge('skein_shard_log_bytes', 'Bytes the log of a partition holds.', ['partition']),
    countRefused: refusedCounter(metrics, partition),
  };
}

function refusedCounter(metrics: Metrics, partition: number): ShardMetrics['countRefused'] {
  const counter = metrics.counter(
    'skein_shard_samples_refused_total',
    `Samples refused after they had been acknowledged, by reason; every replica counts them. Beyond ${REFUSED_TENANTS_MAX} tenants of a partition the others share tenant="${OTHER_TENANTS}".`,
    ['partition', 'tenant', 'reason'],
  );
  const tenants = new Set<string>();
  return (tenant, reason, samples) => {
    if (tenants.size < REFUSED_TENANTS_MAX) tenants.add(tenant);
    const shown = tenants.has(tenant) ? tenant : OTHER_TENANTS;
    counter.add(samples, { partition: String(partition), tenant: shown, reason });
  };
}
