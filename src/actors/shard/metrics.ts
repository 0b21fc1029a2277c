// What a shard counts.

import type { CounterMetric, GaugeMetric, HistogramMetric, Metrics } from '../../platform/metrics.ts';

/** Metrics of all shards of a process. */
export interface ShardMetrics {
  readonly samples: CounterMetric;
  readonly refused: CounterMetric;
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
}

const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];

/** Makes them (once per process). */
export function shardMetrics(metrics: Metrics): ShardMetrics {
  return {
    samples: metrics.counter(
      'skein_shard_samples_appended_total',
      'Samples taken into heads; every replica counts them.',
      ['partition'],
    ),
    refused: metrics.counter(
      'skein_shard_samples_refused_total',
      'Samples refused after they had been acknowledged, by reason; every replica counts them.',
      ['partition', 'tenant', 'reason'],
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
  };
}
