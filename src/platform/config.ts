// The configuration: one table of settings with unit, default, limits and reason. config-reader.ts reads it.

import { ENABLE_FEATURE } from './query-features.ts';
import { bytes, duration, flag, integer, list, map, type Setting, text } from './settings.ts';

/** Roles a process can have. */
export const ROLES = ['receiver', 'shard', 'querier', 'canary'] as const;
/** Roles of a process that names none. */
export const DEFAULT_ROLES: readonly Role[] = ['receiver', 'shard', 'querier'];
/** Name of a role. */
export type Role = (typeof ROLES)[number];

const HTTP_URL = { pattern: /^(https?:\/\/\S+)?$/, allowed: 'http://HOST:PORT/PATH' };
const HOST_PORT = { pattern: /^.*:\d{1,5}$/, allowed: 'HOST:PORT' };

/** The configuration with every value filled in: durations in ms, sizes in bytes. Frozen. */
export interface Config {
  readonly process: {
    readonly listen: string;
    readonly data: string;
    readonly roles: readonly string[];
    readonly zone: string;
    readonly advertise: string;
    readonly log_level: string;
    readonly drain_timeout: number;
    readonly rehearsal: boolean;
  };
  readonly cluster: {
    readonly name: string;
    readonly partitions: number;
    readonly standbys: number;
    readonly external_labels: Readonly<Record<string, string>>;
    readonly replica_labels: readonly string[];
    readonly clock_slack: number;
  };
  readonly embedded: {
    readonly partitions: number;
    readonly threads: number;
    readonly log_bytes_max: number;
  };
  readonly nats: {
    readonly servers: readonly string[];
    readonly replicas: number;
    readonly user: string;
    readonly password: string;
    readonly token: string;
    readonly log_bytes_max: number;
    readonly lease_ttl: number;
  };
  readonly s3: {
    readonly endpoint: string;
    readonly bucket: string;
    readonly access_key: string;
    readonly secret_key: string;
    readonly region: string;
    readonly prefix: string;
    readonly insecure: boolean;
    readonly create_bucket: boolean;
    readonly timeout: number;
  };
  readonly receiver: {
    readonly linger: number;
    readonly frame_bytes: number;
    readonly buffer_bytes_max: number;
    readonly publish_timeout: number;
    readonly body_bytes_max: number;
    readonly bodies_bytes_max: number;
    readonly epoch: number;
    readonly future_tolerance: number;
  };
  readonly shard: {
    readonly out_of_order_window: number;
    readonly stale_after: number;
    readonly snapshot_interval: number;
    readonly snapshot_log_bytes: number;
    readonly series_max: number;
    readonly cache_bytes_max: number;
    readonly exemplars_max: number;
    readonly local_block_retention: number;
  };
  readonly query: {
    readonly enable_feature: readonly string[];
    readonly timeout: number;
    readonly lookback_delta: number;
    readonly default_step: number;
    readonly samples_max: number;
    readonly series_max: number;
    readonly memory_bytes_max: number;
    readonly process_memory_bytes_max: number;
    readonly concurrency_max: number;
    readonly tenant_concurrency_max: number;
    readonly tenant_queue_max: number;
    readonly light_samples_max: number;
    readonly log_queries_longer_than: number;
    readonly owner_wait: number;
    readonly hedge_after: number;
    readonly partial_response: boolean;
    readonly text_bytes_max: number;
  };
  readonly canary: {
    readonly enabled: boolean;
    readonly write_url: string;
    readonly query_url: string;
    readonly tenant: string;
    readonly series: number;
    readonly interval: number;
    readonly settle: number;
    readonly memory: number;
    readonly timeout: number;
  };
  readonly limits: {
    readonly label_name_bytes_max: number;
    readonly label_value_bytes_max: number;
    readonly labels_max: number;
    readonly request_series_max: number;
    readonly request_samples_max: number;
    readonly histogram_buckets_max: number;
    readonly tenants_max: number;
    readonly metadata_max: number;
    readonly http_connections_max: number;
    readonly http_read_timeout: number;
    readonly http_write_timeout: number;
  };
}

/** Every setting, by section and key. docs/limits.md is generated from it. */
export const SETTINGS: {
  readonly [S in keyof Config]: { readonly [K in keyof Config[S]]: Setting<Config[S][K]> };
} = {
  process: {
    listen: text(
      '127.0.0.1:9095',
      'One HTTP address for all roles of the process; 9095 stands beside a Prometheus on 9090.',
      HOST_PORT,
    ),
    data: text('./data', 'Folder of everything the process keeps on disk.'),
    roles: list(
      [],
      'Roles of this process; receiver, shard and querier when empty.',
      `a list of ${ROLES.join(', ')}`,
      ROLES,
    ),
    zone: text('', 'Failure domain of the process: standbys are placed in another one.'),
    advertise: text(
      '',
      'HOST:PORT other processes and people reach this process at; the listen address when empty.',
    ),
    log_level: text('info', 'Least weight of log lines.', {
      pattern: /^(debug|info|warn|error)$/,
      allowed: 'one of debug, info, warn, error',
    }),
    drain_timeout: duration(
      '2m',
      'Longest wait for requests under way when stopping, as Thanos --http-grace-period.',
    ),
    rehearsal: flag(
      true,
      'After the start the process answers made-up queries to itself for some seconds, so that its code is compiled when users come.',
    ),
  },
  cluster: {
    name: text('skein', 'Prefix of every subject, stream and bucket of this cluster.', {
      pattern: /^[A-Za-z0-9_-]+$/,
      allowed: 'letters, digits, "_" and "-"',
    }),
    partitions: integer(8, 'Number of partitions of a new cluster; fixed in its record afterwards.', {
      min: 1,
      max: 1024,
      powerOfTwo: true,
    }),
    standbys: integer(
      1,
      'Processes that follow a partition besides the one that leads it and answer for it when that one is gone; each costs as much memory and CPU.',
      { min: 0, max: 4 },
    ),
    external_labels: map(
      {},
      'Labels of every block, as Prometheus external_labels.',
      'a map of label names to values',
    ),
    replica_labels: list(
      [],
      'Labels that tell replicas of one HA pair apart; left out of the partition hash.',
      'a list of label names',
    ),
    clock_slack: duration(
      '1m',
      'How far the clocks of processes may be apart: what an epoch defines stays in the log that much longer than its frames may come.',
    ),
  },
  embedded: {
    partitions: integer(2, 'Partitions of a new embedded instance: one process gains nothing from more.', {
      min: 1,
      max: 64,
      powerOfTwo: true,
    }),
    threads: integer(
      0,
      'Threads that partitions are spread over, the main thread among them; 0: one per core, at most one per partition.',
      { max: 64 },
    ),
    log_bytes_max: bytes('8GiB', 'Disk one partition log may take before writes are refused with 503.', {
      min: '16MiB',
    }),
  },
  nats: {
    servers: list([], 'NATS servers, host:port; empty means embedded mode.', 'a list of host:port'),
    replicas: integer(1, 'Copies of each log and directory bucket; 3 survives the loss of a server.', {
      min: 1,
      max: 5,
    }),
    user: text('', 'NATS user.'),
    password: text('', 'NATS password.', { secret: true }),
    token: text('', 'NATS token.', { secret: true }),
    log_bytes_max: bytes('4GiB', 'Bytes one partition log may hold before writes are refused with 503.', {
      min: '16MiB',
    }),
    lease_ttl: duration(
      '15s',
      'Life of a lease or announcement that is not renewed; a JetStream leader change takes 5-9 s.',
      { min: '1s' },
    ),
  },
  s3: {
    endpoint: text('', 'host:port of the S3 service; empty means a local folder.'),
    bucket: text('skein', 'Bucket of the blocks.', {
      pattern: /^.{3,63}$/,
      allowed: 'a name of 3 to 63 characters',
    }),
    access_key: text('', 'S3 access key.', { secret: true }),
    secret_key: text('', 'S3 secret key.', { secret: true }),
    region: text('us-east-1', 'S3 region.'),
    prefix: text('', 'Key prefix inside the bucket.'),
    insecure: flag(false, 'Plain HTTP instead of TLS.'),
    create_bucket: flag(false, 'Create the bucket when it is missing.'),
    timeout: duration('30s', 'Longest wait for one S3 request before it is tried again.', { min: '1s' }),
  },
  receiver: {
    linger: duration('5ms', 'Time a frame waits for more requests to share its publish.', { max: '1s' }),
    frame_bytes: bytes('128KiB', 'Frame size at which a publish does not wait any longer.', {
      min: '4KiB',
      max: '512KiB',
    }),
    buffer_bytes_max: bytes(
      '256MiB',
      'Unacknowledged frames held through a log outage before requests get 503.',
      { min: '1MiB' },
    ),
    publish_timeout: duration(
      '15s',
      'Longest wait for the log before requests get 503: a JetStream leader change takes 5-9 s, senders wait 30 s.',
      { min: '100ms' },
    ),
    body_bytes_max: bytes('32MiB', 'Largest decoded request body, as Prometheus.', { min: '64KiB' }),
    bodies_bytes_max: bytes(
      '128MiB',
      'Compressed request bodies in memory at once before requests get 503: slow senders cannot fill it up.',
      { min: '1MiB' },
    ),
    epoch: duration(
      '5m',
      'Time after which a writer defines its series again, so that the log can be trimmed.',
      { min: '1s' },
    ),
    future_tolerance: duration('10m', 'How far ahead of the clock a sample may be, as Prometheus.'),
  },
  shard: {
    stale_after: duration(
      '3s',
      'A replica that cannot say that it has applied what its log held this long ago looks again before it answers, and says what it may lack.',
    ),
    out_of_order_window: duration(
      '1h',
      'How much older than the newest sample of its partition a sample may be.',
    ),
    snapshot_interval: duration('2m', 'Time between head snapshots: bounds the replay after a crash.', {
      min: '1s',
    }),
    snapshot_log_bytes: bytes('256MiB', 'Log bytes applied after which a snapshot is taken early.', {
      min: '1MiB',
    }),
    series_max: integer(
      10_000_000,
      'Active series of one tenant in one partition; more are refused and counted.',
      { min: 1 },
    ),
    cache_bytes_max: bytes('128MiB', 'Cache of block bytes per process.', { min: '1MiB' }),
    exemplars_max: integer(100_000, 'Exemplars one tenant keeps per partition.', {}),
    local_block_retention: duration('0s', 'Time a block stays on local disk after its upload.'),
  },
  query: {
    enable_feature: ENABLE_FEATURE,
    timeout: duration('2m', 'Longest time a query may take, as Prometheus --query.timeout.', { min: '1s' }),
    lookback_delta: duration(
      '5m',
      'How old a sample may be and still count, as Prometheus --query.lookback-delta.',
      { min: '1ms' },
    ),
    default_step: duration('1m', 'Step of a subquery that names none, as Prometheus evaluation_interval.', {
      min: '1ms',
    }),
    samples_max: integer(
      50_000_000,
      'Samples one query may hold in memory, as Prometheus --query.max-samples.',
      { min: 1 },
    ),
    series_max: integer(5_000_000, 'Series one query may touch.', { min: 1 }),
    memory_bytes_max: bytes('1GiB', 'Working memory of one query.', { min: '1MiB' }),
    process_memory_bytes_max: bytes(
      '0B',
      'Memory of all queries of a process, its shards and answers that wait for their readers included; one that would take more gets 503. An eighth is for queries that need no more than 1 MiB. 0 = half of what the heap may grow to.',
    ),
    concurrency_max: integer(
      20,
      'Queries a process evaluates at once, as Prometheus --query.max-concurrency; others wait, tenants take turns.',
      {
        min: 1,
      },
    ),
    tenant_concurrency_max: integer(
      0,
      'Queries of one tenant evaluated at once; less than concurrency_max keeps places free for the others. 0 = concurrency_max.',
      {},
    ),
    tenant_queue_max: integer(
      100,
      'Queries of one tenant waiting for their turn before new ones get 429, as Mimir max_outstanding_requests_per_tenant.',
      { min: 1 },
    ),
    light_samples_max: integer(
      100_000,
      'A query that finds all places taken is tried beside them, and waits only if it is not light: its series times its steps (a hundred at least) come to more than this in a partition. Some milliseconds of work. 0 = all wait.',
      {},
    ),
    log_queries_longer_than: duration(
      '0s',
      'Queries that took longer, and all that failed, are logged as Prometheus does; named as in Thanos and Mimir. 0s = off.',
    ),
    owner_wait: duration(
      '20s',
      'How long a query waits for a partition without an owner before its answer is partial: longer than nats.lease_ttl.',
    ),
    hedge_after: duration(
      '2s',
      'Time without a first frame after which the standby of a partition is asked too, for at most one request in ten.',
      { min: '10ms' },
    ),
    partial_response: flag(
      true,
      'Answer with a warning when a partition is missing, as Thanos; false makes it an error.',
    ),
    text_bytes_max: bytes('128KiB', 'Longest query text.', { min: '1KiB' }),
  },
  canary: {
    enabled: flag(false, 'Adds the canary role to the roles of this process.'),
    write_url: text(
      '',
      'Where the canary writes, by remote write 1.0; /api/v1/write here when empty.',
      HTTP_URL,
    ),
    query_url: text(
      '',
      'Where it reads, as the URL of a Grafana data source of type Prometheus; this process when empty.',
      HTTP_URL,
    ),
    tenant: text('canary', 'Tenant its series belong to: apart from those of users.', {
      pattern: /^[A-Za-z0-9!_.*'()-]{1,150}$/,
      allowed: "1 to 150 letters, digits and !-_.*'()",
    }),
    series: integer(100, 'Series it writes: enough to be in every partition and to see a loss of 1 %.', {
      min: 1,
      max: 1000,
    }),
    interval: duration('5s', 'Time between two samples of a series, and between two readings.', {
      min: '1s',
      max: '1m',
    }),
    settle: duration('10s', 'Time after which what was acknowledged must be readable.', {
      min: '1s',
      max: '1m',
    }),
    memory: duration(
      '26h',
      'How long it remembers what was acknowledged and reads it again; less than the retention of its tenant, more than the life of a block before it is compacted.',
      { min: '10m', max: '7d' },
    ),
    timeout: duration(
      '30s',
      'Longest wait for the answer to a write or a query: longer than query.owner_wait.',
      { min: '1s' },
    ),
  },
  limits: {
    label_name_bytes_max: integer(1024, 'Longest label name.', { min: 1 }),
    label_value_bytes_max: integer(65_536, 'Longest label value.', { min: 1 }),
    labels_max: integer(128, 'Most labels of one series.', { min: 1 }),
    request_series_max: integer(500_000, 'Most series entries of one write request.', { min: 1 }),
    request_samples_max: integer(5_000_000, 'Most samples of one write request.', { min: 1 }),
    histogram_buckets_max: integer(
      10_000,
      'Most spans, buckets of a side and bounds of one native histogram.',
      {
        min: 1,
      },
    ),
    tenants_max: integer(10_000, 'Most tenants a process serves.', { min: 1 }),
    metadata_max: integer(100_000, 'Metrics whose type, help and unit are kept per tenant.', { min: 1 }),
    http_connections_max: integer(512, 'Connections at once, as Prometheus --web.max-connections.', {
      min: 1,
    }),
    http_read_timeout: duration(
      '5m',
      'Longest time a request may take to arrive, as Prometheus --web.read-timeout; slower ones get 408.',
      { min: '1s' },
    ),
    http_write_timeout: duration('5m', 'Longest time a reader may take for an answer to a query.', {
      min: '1s',
    }),
  },
};
