// A cluster for tests: nats-servers, MinIO, every role in its own process; and ways to wait for it and to look into it.

import { rawRequest } from '../helpers/raw-http.ts';
import {
  type MinioServer,
  type NatsServer,
  startMinio,
  startNats,
  startNatsCluster,
} from '../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { bodyV1, series, V1, writeHeaders } from './write-cases.ts';

/** How many of each there are at first. */
export interface ClusterSize {
  /** One nats-server, or three that keep three copies of everything. */
  readonly nats: 1 | 3;
  readonly receivers: number;
  readonly shards: number;
  readonly queriers: number;
  /** Where a single nats-server keeps the logs. */
  readonly natsStore?: string;
}

/** A running cluster. */
export interface Cluster {
  readonly nats: readonly NatsServer[];
  readonly minio: MinioServer;
  readonly receivers: SkeinServer[];
  readonly shards: SkeinServer[];
  readonly queriers: SkeinServer[];
  /** Starts one more process, by default as important as the others. */
  add(role: 'receiver' | 'shard' | 'querier', niceness?: number): Promise<SkeinServer>;
  dispose(): Promise<void>;
}

/** Starts servers and processes; `flags` go to every process. */
export async function startCluster(size: ClusterSize, flags: readonly string[] = []): Promise<Cluster> {
  const [nats, minio] = await Promise.all([
    size.nats === 1
      ? startNats(size.natsStore === undefined ? {} : { store: size.natsStore }).then((server) => [server])
      : startNatsCluster().then(({ servers }) => servers),
    startMinio(),
  ]);
  const common = [
    ...['--nats.servers', nats.map(({ url }) => url).join(','), '--nats.replicas', String(size.nats)],
    ...['--nats.log_bytes_max', '256MiB'],
    ...['--s3.endpoint', `127.0.0.1:${minio.port}`, '--s3.insecure', 'true', '--s3.create_bucket', 'true'],
    ...['--s3.access_key', minio.accessKey, '--s3.secret_key', minio.secretKey],
    ...flags,
  ];
  const groups = { receiver: [], shard: [], querier: [] } as Record<string, SkeinServer[]>;
  const cluster: Cluster = {
    nats,
    minio,
    receivers: groups['receiver']!,
    shards: groups['shard']!,
    queriers: groups['querier']!,
    async add(role, niceness) {
      const server = await startSkein(['--roles', role, ...common], niceness);
      groups[role]!.push(server);
      return server;
    },
    async dispose() {
      await Promise.all(Object.values(groups).flatMap((group) => group.map((server) => server.dispose())));
      await Promise.all([...nats, minio].map((server) => server.dispose()));
    },
  };
  try {
    // One after another as far as the first of each kind: the cluster is made once.
    for (const [role, count] of [
      ['shard', size.shards],
      ['receiver', size.receivers],
      ['querier', size.queriers],
    ] as const)
      await Promise.all(Array.from({ length: count }, () => cluster.add(role)));
  } catch (error) {
    await cluster.dispose();
    throw error;
  }
  return cluster;
}

/** How long `work` took, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return Math.round(performance.now() - began);
}

/** Waits until `check` is true; fails after `ms` with what `detail` says. */
export async function until(
  ms: number,
  check: () => Promise<boolean>,
  detail: () => unknown = () => '',
): Promise<number> {
  const began = performance.now();
  while (!(await check().catch(() => false))) {
    if (performance.now() - began > ms) throw new Error(`not within ${ms} ms: ${String(detail())}`);
    await sleep(50);
  }
  return Math.round(performance.now() - began);
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Writes the same samples for series 0 to `count` - 1 of a metric; fails when they are not taken. */
export async function writeSeries(
  receiver: SkeinServer,
  name: string,
  count: number,
  samples: readonly (readonly [timestamp: number, value: number])[],
): Promise<void> {
  const labels = (i: number): [string, string][] => [
    ['__name__', name],
    ['i', String(i)],
  ];
  const { status, body } = await rawRequest(receiver.url, {
    method: 'POST',
    path: '/api/v1/write',
    headers: writeHeaders(V1),
    body: bodyV1(...Array.from({ length: count }, (_, i) => series(labels(i), samples))),
  });
  if (status !== 204) throw new Error(`the write was answered with ${status}: ${body}`);
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data?: {
    readonly result: readonly { readonly metric: object; readonly value: [number, string] }[];
  };
}

/** An instant query at `time` (s); its status and body. */
export async function instant(
  server: SkeinServer,
  query: string,
  time: number,
): Promise<{ status: number; answer: Answer }> {
  const path = `/api/v1/query?query=${encodeURIComponent(query)}&time=${time}`;
  const { status, body } = await rawRequest(server.url, { path, signal: AbortSignal.timeout(60_000) });
  return { status, answer: JSON.parse(body.toString()) as Answer };
}

/** Value of a query with one series, or what went wrong as text. */
export async function scalarOf(server: SkeinServer, query: string, time: number): Promise<number | string> {
  const { status, answer } = await instant(server, query, time);
  if (status !== 200) return `${status}: ${answer.error}`;
  if (answer.warnings) return `warnings: ${answer.warnings.join('; ')}`;
  return Number(answer.data?.result[0]?.value[1] ?? 'NaN');
}

/** Partitions of a process by its metrics: applied sequences by partition. */
export async function gauges(server: SkeinServer, name: string): Promise<Map<string, number>> {
  const { body } = await rawRequest(server.url, { path: '/metrics' });
  const found = new Map<string, number>();
  for (const match of body.toString().matchAll(new RegExp(`^${name}\\{partition="(\\d+)"\\} (\\S+)$`, 'gm')))
    found.set(match[1]!, Number(match[2]));
  return found;
}

/** Partitions of a cluster, and replicas of each, unless flags say otherwise. */
export const PARTITIONS = 8;
export const REPLICAS = 2;

/** Waits until every partition has its replicas and no more, and every shard process its share of them, give or take two. */
export function settled(cluster: Cluster, msMax: number): Promise<number> {
  const least = Math.floor((PARTITIONS * REPLICAS) / cluster.shards.length) - 2;
  let held: number[] = [];
  return until(
    msMax,
    async () => {
      const found = cluster.shards.map((server) => gauges(server, 'skein_shard_applied_sequence'));
      held = (await Promise.all(found)).map((partitions) => partitions.size);
      const total = held.reduce((sum, replicas) => sum + replicas, 0);
      return total === PARTITIONS * REPLICAS && held.every((replicas) => replicas >= least);
    },
    () => held,
  );
}

/** Half of these times (ms) are no longer than `p50`, 99 of 100 no longer than `p99`; rounded, 0 of none. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How times are spread. */
export function spread(times: readonly number[]): Spread {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Shows what was measured when SKEIN_TEST_REPORT=1. */
export function report(what: string, facts: object): void {
  if (process.env['SKEIN_TEST_REPORT'] === '1') console.log(what, JSON.stringify(facts));
}
