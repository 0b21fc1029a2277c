// What the canary counts. Counters with labels are there from the start, so that a first increase is seen as one.

import type { CounterMetric, GaugeMetric, HistogramMetric, Metrics } from '../../platform/metrics.ts';

/** Which data a reading is of: the last two minutes, or any time the canary remembers. */
export const WINDOWS = ['recent', 'older'] as const;
/** A kind of reading. */
export type WindowKind = (typeof WINDOWS)[number];

/** What the canary counts. */
export interface CanaryMetrics {
  readonly acknowledged: CounterMetric;
  readonly dropped: CounterMetric;
  readonly writeFailures: CounterMetric;
  readonly writeSeconds: HistogramMetric;
  readonly lastWrite: GaugeMetric;
  readonly checked: CounterMetric;
  readonly lost: CounterMetric;
  readonly foundAgain: CounterMetric;
  readonly late: CounterMetric;
  readonly wrong: CounterMetric;
  readonly doubled: CounterMetric;
  readonly wrongCounts: CounterMetric;
  readonly partial: CounterMetric;
  readonly queryFailures: CounterMetric;
  readonly querySeconds: HistogramMetric;
  readonly lostRatio: GaugeMetric;
  readonly lastCheck: GaugeMetric;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Makes the canary's metrics; `freshness` gives the age of the newest sample that could be read, in seconds. */
export function canaryMetrics(metrics: Metrics, freshness: () => number): CanaryMetrics {
  metrics.gauge(
    'skein_canary_freshness_seconds',
    'Age of the newest sample of the canary that could be read.',
    [],
    (gauge) => gauge.set(freshness()),
  );
  return { ...writeMetrics(metrics), ...findingMetrics(metrics), ...readMetrics(metrics) };
}

function writeMetrics(
  metrics: Metrics,
): Pick<CanaryMetrics, 'acknowledged' | 'dropped' | 'writeFailures' | 'writeSeconds' | 'lastWrite'> {
  const dropped = metrics.counter(
    'skein_canary_dropped_samples_total',
    'Samples given up because they were refused, or not acknowledged for ten minutes; they are not owed.',
    ['reason'],
  );
  for (const reason of ['refused', 'expired']) dropped.add(0, { reason });
  return {
    dropped,
    acknowledged: metrics.counter(
      'skein_canary_acknowledged_samples_total',
      'Samples the canary wrote that were answered with 2xx.',
    ),
    writeFailures: metrics.counter(
      'skein_canary_write_failures_total',
      'Write requests of the canary that failed, by HTTP status, or timeout, unavailable.',
      ['reason'],
    ),
    writeSeconds: metrics.histogram(
      'skein_canary_write_seconds',
      'Time of a write request of the canary.',
      SECONDS,
    ),
    lastWrite: metrics.gauge(
      'skein_canary_last_write_timestamp_seconds',
      'When a write of the canary was last acknowledged.',
    ),
  };
}

type FindingMetrics = 'checked' | 'lost' | 'foundAgain' | 'late' | 'wrong' | 'doubled' | 'wrongCounts';

function findingMetrics(metrics: Metrics): Pick<CanaryMetrics, FindingMetrics> {
  const checked = metrics.counter(
    'skein_canary_checked_samples_total',
    'Acknowledged samples looked for in whole answers, again and again.',
    ['window'],
  );
  const lost = metrics.counter(
    'skein_canary_lost_samples_total',
    'Acknowledged samples that a whole, strongly consistent answer lacked; each once.',
    ['window'],
  );
  for (const window of WINDOWS) {
    checked.add(0, { window });
    lost.add(0, { window });
  }
  return {
    checked,
    lost,
    foundAgain: metrics.counter(
      'skein_canary_found_again_samples_total',
      'Samples counted as lost that a later answer had.',
    ),
    late: metrics.counter(
      'skein_canary_late_samples_total',
      'Acknowledged samples older than canary.settle that only a strongly consistent answer had; each once.',
    ),
    wrong: metrics.counter(
      'skein_canary_wrong_samples_total',
      'Samples read with a value that was never written; each once.',
    ),
    doubled: metrics.counter(
      'skein_canary_doubled_samples_total',
      'Samples that were more than once in an answer; each once.',
    ),
    wrongCounts: metrics.counter(
      'skein_canary_wrong_counts_total',
      'Answers to sum(count_over_time()) above what was written or, when whole, below what was acknowledged.',
    ),
  };
}

type ReadMetrics = 'partial' | 'queryFailures' | 'querySeconds' | 'lostRatio' | 'lastCheck';

function readMetrics(metrics: Metrics): Pick<CanaryMetrics, ReadMetrics> {
  return {
    partial: metrics.counter(
      'skein_canary_partial_answers_total',
      'Answers that said they were not whole; what they lacked is not counted as lost.',
    ),
    queryFailures: metrics.counter(
      'skein_canary_query_failures_total',
      'Queries of the canary that failed, by HTTP status, or timeout, unavailable, corrupt, too_large.',
      ['reason'],
    ),
    querySeconds: metrics.histogram(
      'skein_canary_query_seconds',
      'Time of a query of the canary: raw samples, a count, the newest time.',
      SECONDS,
      ['query'],
    ),
    lostRatio: metrics.gauge(
      'skein_canary_lost_ratio',
      'Part of the samples acknowledged in the last two minutes that is lost, from the last whole answer.',
    ),
    lastCheck: metrics.gauge(
      'skein_canary_last_check_timestamp_seconds',
      'When the last two minutes could last be read whole.',
    ),
  };
}
