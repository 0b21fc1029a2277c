// State of a receiver: the ingestor, a publisher per (tenant, partition), and the newest sample known of each.

import type { Service, Unsubscribe } from '../../bus/bus.ts';
import type { PartitionReport } from '../../bus/contract.ts';
import type { DurableLog } from '../../bus/durable-log.ts';
import { everyPartitionEvent } from '../../bus/subjects.ts';
import { decodeEnvelope } from '../../codec/envelope.ts';
import { createHasher } from '../../codec/hash.ts';
import { SnappyTarget } from '../../codec/snappy.ts';
import { sleep } from '../../platform/clock.ts';
import type { Config } from '../../platform/config.ts';
import type { CounterMetric, GaugeMetric, HistogramMetric, Metrics } from '../../platform/metrics.ts';
import type { ActorContext } from '../actor.ts';
import { announceService } from '../service.ts';
import { INGEST_DEFAULTS } from './ingest/config.ts';
import { createIngestor, type Ingestor } from './ingest/ingestor.ts';
import type { PartitionWriter } from './ingest/partition-writer.ts';
import type { ReceiverMessages } from './messages.ts';
import { Publisher, type PublisherOptions } from './publisher.ts';

/** The context of a receiver. */
export type ReceiverContext = ActorContext<ReceiverMessages>;

/** What a receiver holds. */
export interface ReceiverState {
  readonly config: Config;
  readonly ingestor: Ingestor;
  readonly target: SnappyTarget;
  readonly publishers: Map<PartitionWriter, Publisher>;
  readonly logs: (Promise<DurableLog> | undefined)[];
  /** Newest sample (ms) by `tenant/partition`, as shards report it and as acknowledged here. */
  readonly newest: Map<string, number>;
  readonly metrics: ReceiverMetrics;
  readonly publisherOptions: PublisherOptions;
  readonly unsubscribe: Unsubscribe;
  /** Shows the receiver to `nats micro ls`. */
  readonly service: Service;
  /** Frames in memory that are not acknowledged yet. */
  readonly unacknowledged: { bytes: number };
}

/** What a receiver counts. */
export interface ReceiverMetrics {
  readonly samples: CounterMetric;
  readonly histograms: CounterMetric;
  readonly exemplars: CounterMetric;
  readonly rejected: CounterMetric;
  readonly seconds: HistogramMetric;
  readonly bodyBytes: CounterMetric;
  readonly unacknowledged: GaugeMetric;
}

/** Opens a receiver. Logs are opened on first use. */
export async function openReceiver(config: Config, context: ReceiverContext): Promise<ReceiverState> {
  const { receiver, limits, shard, cluster } = config;
  const ingestor = createIngestor(
    {
      ...INGEST_DEFAULTS,
      partitions: context.cluster.partitions,
      replicaLabels: cluster.replica_labels,
      outOfOrderWindowMs: shard.out_of_order_window,
      futureMs: receiver.future_tolerance,
      seriesMax: limits.request_series_max,
      samplesMax: limits.request_samples_max,
      histogramBucketsMax: limits.histogram_buckets_max,
      labelsMax: limits.labels_max,
      labelNameBytesMax: limits.label_name_bytes_max,
      labelValueBytesMax: limits.label_value_bytes_max,
      frameBytesMax: Math.min(2 * receiver.frame_bytes, context.logs.payloadBytesMax),
      epochMs: receiver.epoch,
      tenantsMax: limits.tenants_max,
    },
    { hasher: await createHasher(), random: context.random },
  );
  const unacknowledged = { bytes: 0 };
  const metrics = receiverMetrics(context.metrics);
  const newest = new Map<string, number>();
  const unsubscribe = context.bus.subscribe(
    everyPartitionEvent(context.cluster.prefix, 'report'),
    (payload) => {
      const report = decodeEnvelope<PartitionReport>(payload);
      for (const { tenant, maxTime } of report.tenants) raise(newest, tenant, report.partition, maxTime);
    },
  );
  return {
    config,
    ingestor,
    target: new SnappyTarget(),
    publishers: new Map(),
    logs: new Array(context.cluster.partitions).fill(undefined),
    newest,
    metrics,
    unsubscribe,
    service: await announceService(
      context,
      'receiver',
      'Takes remote write in and puts frames into the logs',
    ),
    unacknowledged,
    publisherOptions: {
      clock: context.clock,
      lingerMs: receiver.linger,
      frameBytes: receiver.frame_bytes,
      inFlightMax: IN_FLIGHT_MAX,
      timeoutMs: receiver.publish_timeout,
      account: (bytes) => {
        unacknowledged.bytes += bytes;
        metrics.unacknowledged.set(unacknowledged.bytes);
      },
    },
  };
}

// 16 publishes saturate a log (spikes of JetStream and of fsync group commit alike); more only adds latency.
const IN_FLIGHT_MAX = 16;

/** Raises the newest sample known of a tenant's partition. */
export function raise(newest: Map<string, number>, tenant: string, partition: number, time: number): void {
  const key = `${partition}/${tenant}`;
  if (time > (newest.get(key) ?? Number.NEGATIVE_INFINITY)) newest.set(key, time);
}

/** The newest sample known of a tenant's partition. */
export function newestOf(
  newest: ReadonlyMap<string, number>,
  tenant: string,
  partition: number,
): number | undefined {
  return newest.get(`${partition}/${tenant}`);
}

/** The publisher of a writer, made on first use. */
export function publisherOf(
  state: ReceiverState,
  writer: PartitionWriter,
  context: ReceiverContext,
): Publisher {
  const found = state.publishers.get(writer);
  if (found) return found;
  const made = new Publisher(writer, () => logOf(state, writer.partition, context), state.publisherOptions);
  state.publishers.set(writer, made);
  return made;
}

// Opened once for all writers of the partition; a log that cannot be opened is tried again when it is next asked for.
function logOf(state: ReceiverState, partition: number, context: ReceiverContext): Promise<DurableLog> {
  const known = state.logs[partition];
  if (known !== undefined) return known;
  const log = context.logs.open(partition);
  state.logs[partition] = log;
  log.catch(() => {
    state.logs[partition] = undefined;
  });
  return log;
}

function receiverMetrics(metrics: Metrics): ReceiverMetrics {
  return {
    samples: metrics.counter('skein_receiver_samples_total', 'Samples acknowledged.', ['tenant']),
    histograms: metrics.counter('skein_receiver_histograms_total', 'Native histograms acknowledged.', [
      'tenant',
    ]),
    exemplars: metrics.counter('skein_receiver_exemplars_total', 'Exemplars acknowledged.', ['tenant']),
    rejected: metrics.counter(
      'skein_receiver_rejected_total',
      'Samples, exemplars and metadata refused before the log, by reason.',
      ['tenant', 'reason'],
    ),
    seconds: metrics.histogram(
      'skein_receiver_request_seconds',
      'Time from a whole body to the answer.',
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    ),
    bodyBytes: metrics.counter('skein_receiver_body_bytes_total', 'Compressed bytes of write requests.'),
    unacknowledged: metrics.gauge(
      'skein_receiver_unacknowledged_bytes',
      'Frames in memory that the log has not acknowledged.',
    ),
  };
}

/** Flushes what waits and lets what is on its way end. */
export async function closeReceiver(state: ReceiverState, context: ReceiverContext): Promise<void> {
  await state.unsubscribe();
  await state.service.stop();
  for (const publisher of state.publishers.values()) publisher.flush();
  const giveUp = context.clock.monotonic() + state.config.receiver.publish_timeout;
  while (
    [...state.publishers.values()].some((publisher) => !publisher.idle) &&
    context.clock.monotonic() < giveUp
  )
    await sleep(context.clock, 10);
}
