// A rehearsal: a miniature Skein of this process's own actors takes made-up series, cuts a block and answers the usual kinds of
// queries over and over, over HTTP as ever, in the background of the first seconds, so that V8 has compiled those paths before anybody
// waits for them. Without it the first dashboards after a restart run two to three times slower (docs/performance.md). It has a bus, a
// log, a bucket and metrics of its own; nothing of it is seen outside but a port of the loopback and a folder, both gone when it ends.

import type { World } from './actors/actor.ts';
import { openHttpApp } from './actors/http-app.ts';
import { querierRoutes } from './actors/querier/http.ts';
import type { QuerierMessages } from './actors/querier/messages.ts';
import { querier } from './actors/querier/querier.ts';
import type { ReceiverMessages } from './actors/receiver/messages.ts';
import { receiver } from './actors/receiver/receiver.ts';
import { type ActorRef, startActor } from './actors/runtime.ts';
import { shard } from './actors/shard/shard.ts';
import { DEFAULT_TENANT } from './actors/tenant.ts';
import { createLocalBus } from './bus/local/local-bus.ts';
import { openLocalDirectory } from './bus/local/local-directory.ts';
import { openLocalLogs } from './bus/local/local-log.ts';
import { joinCluster } from './cluster-record.ts';
import { encodeWriteRequest } from './codec/proto/remote-write.ts';
import { encodeSnappy } from './codec/snappy.ts';
import { invariant } from './model/errors.ts';
import { sleep } from './platform/clock.ts';
import type { Config } from './platform/config.ts';
import type { Disk } from './platform/disk.ts';
import { silentLogger } from './platform/log.ts';
import { MemoryPool } from './platform/memory.ts';
import { createMetrics } from './platform/metrics.ts';
import { blockCaches } from './storage/block/block-reader.ts';
import { folderStore } from './storage/objects/folder.ts';

/** What a rehearsal borrows of its process. */
export interface RehearsalOptions {
  readonly config: Config;
  readonly version: string;
  /** A folder of its own. */
  readonly disk: Disk;
  readonly world: Pick<World, 'clock' | 'random'>;
  /** How often everything is asked in each performance; ROUNDS when absent. */
  readonly rounds?: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** How it went: requests answered, and how long the first and the last round of all took, ms. */
export interface RehearsalOutcome {
  readonly requests: number;
  readonly firstRoundMs: number;
  readonly lastRoundMs: number;
}

/**
 * How often the stage is built anew. V8 ties compiled code to the very functions and objects it has seen; code that has seen two of
 * each does not fall back to the slow path when the process's own come.
 */
const PERFORMANCES = 2;
const PARTITIONS = 2;
const NAME = 'rehearsal';
const API = '/api/v1';
const MINUTE_MS = 60_000;
/** Time between two samples of a series. */
const SCRAPE_MS = 2 * MINUTE_MS;
/** Samples come this much late at most, never by the same time. */
const JITTER_MS = 300;
/** Enough time for one block to be cut and some to stay in the head. */
const SPAN_MS: number = 5 * 60 * MINUTE_MS;
/** Enough series for the ways that only larger sets take. */
const INSTANCES = 48;
const BUCKETS = ['0.1', '1', '+Inf'];
/** In each performance; after these a round takes about a fifth of the very first, and more bring little. */
const ROUNDS = 5;
/** Shortest pause after a request; it is as long as the request was, so that the process's real work goes first. */
const PAUSE_MS_MIN = 1;
const CACHE_BYTES: number = 1 << 20;

/** Runs a rehearsal to its end; what it leaves on disk is removed even when it fails. */
export async function rehearse(options: RehearsalOptions): Promise<RehearsalOutcome> {
  const outcomes: RehearsalOutcome[] = [];
  for (let n = 0; n < PERFORMANCES; n++) outcomes.push(await perform(options));
  return {
    requests: outcomes.reduce((sum, { requests }) => sum + requests, 0),
    firstRoundMs: outcomes[0]!.firstRoundMs,
    lastRoundMs: outcomes.at(-1)!.lastRoundMs,
  };
}

async function perform(options: RehearsalOptions): Promise<RehearsalOutcome> {
  const { disk, config } = options;
  await disk.remove('');
  const { world, close } = await openStage(options);
  const undo: (() => Promise<void>)[] = [close];
  try {
    const { writes, reads } = await startActors(config, world, undo);
    const end = Math.floor(world.clock.now() / SCRAPE_MS) * SCRAPE_MS;
    await writeUntil(end, writes, options.signal);
    const url = await openEdge(reads, options, undo);
    const { signal } = options;
    return await play((path) => fetch(url + path, { signal }), scriptUntil(end), options);
  } finally {
    for (const step of undo.reverse()) await step();
    await disk.remove('');
  }
}

async function startActors(
  config: Config,
  world: World,
  undo: (() => Promise<void>)[],
): Promise<{ writes: ActorRef<ReceiverMessages>; reads: ActorRef<QuerierMessages> }> {
  const start = async <A extends { stop(): Promise<void> }>(starting: Promise<A>): Promise<A> => {
    const actor = await starting;
    undo.push(() => actor.stop());
    return actor;
  };
  const caches = blockCaches({
    pageBytesMax: CACHE_BYTES,
    postingsBytesMax: CACHE_BYTES,
    tableBytesMax: CACHE_BYTES,
    headerBytesMax: CACHE_BYTES,
  });
  for (let partition = 0; partition < PARTITIONS; partition++)
    await start(startActor(shard, { config, partition, caches }, world, `shard-${partition}`));
  return {
    writes: await start(startActor(receiver, config, world)),
    reads: await start(startActor(querier, config, world)),
  };
}

async function writeUntil(
  end: number,
  writes: ActorRef<ReceiverMessages>,
  signal: AbortSignal,
): Promise<void> {
  for (let at = end - SPAN_MS; at <= end; at += SCRAPE_MS) {
    const body = encodeSnappy(encodeWriteRequest({ timeseries: samplesAt(at), metadata: [] }));
    const reply = await writes.ask('write', { tenant: DEFAULT_TENANT, protocol: 'v1', body });
    invariant(reply.status === 204, `a rehearsal's write is refused: ${reply.text}`);
    signal.throwIfAborted();
  }
}

// Where the queries are asked: the address of the API.
async function openEdge(
  actor: ActorRef<QuerierMessages>,
  { config, version, world: { clock } }: RehearsalOptions,
  undo: (() => Promise<void>)[],
): Promise<string> {
  const limits = { connectionsMax: 2, readTimeoutMs: config.limits.http_read_timeout };
  const http = await openHttpApp('127.0.0.1:0', limits, clock);
  undo.push(() => http.server.stop(0));
  const app = querierRoutes({
    actor,
    config,
    clock,
    version,
    startedMs: clock.now(),
    flags: {},
    hostname: '',
    folder: '',
  });
  http.mount([{ path: API, app }]);
  return `http://${http.server.address}${API}`;
}

async function openStage({ config, disk, world, version }: RehearsalOptions): Promise<{
  world: World;
  close: () => Promise<void>;
}> {
  const { clock, random } = world;
  const log = silentLogger();
  const bus = createLocalBus({ clock });
  const bytesMax = config.embedded.log_bytes_max;
  const logs = await openLocalLogs({ disk: disk.within('log'), clock, log, bytesMax });
  const directory = await openLocalDirectory({ disk: disk.within('directory'), clock });
  const { id, partitions } = await joinCluster(directory, logs, PARTITIONS, random);
  return {
    world: {
      identity: { id: NAME, zone: '', version, address: NAME },
      cluster: { id, prefix: NAME, partitions },
      bus,
      logs,
      directory,
      objects: folderStore(disk.within('bucket')),
      clock,
      random,
      disk: disk.within('data'),
      metrics: createMetrics({ withProcess: false }),
      memory: new MemoryPool('query.process_memory_bytes_max', config.query.memory_bytes_max),
      log,
    },
    async close() {
      await bus.close();
      await directory.close();
      await logs.close();
    },
  };
}

type Series = Parameters<typeof encodeWriteRequest>[0]['timeseries'][number];

// Of each instance counters, one of which starts again now and then, gauges with no, two and many decimals, and a classic histogram.
function samplesAt(scrape: number): Series[] {
  const series: Series[] = [];
  const minutes = scrape / MINUTE_MS;
  for (let i = 0; i < INSTANCES; i++) {
    const target = { instance: `host-${i}:9100`, job: `job-${i % 3}` };
    const timestamp = scrape - ((minutes * 7919 + i * 104_729) % JITTER_MS);
    const wave = Math.sin(minutes + i);
    const add = (name: string, more: Record<string, string>, value: number): void => {
      const pairs = Object.entries({ __name__: `rehearsal_${name}`, ...target, ...more });
      const labels = pairs.map(([name, value]) => ({ name, value }));
      series.push({ labels, samples: [{ timestamp, value }], exemplars: [], histograms: [] });
    };
    add('total', { code: '200' }, (minutes * (i + 1)) % 100_000);
    add('bytes', {}, i % 2 === 0 ? Math.round(wave * 1e9) : wave * 1e6);
    add('load', {}, i === 0 ? Number.NaN : Math.round(wave * 100) / 100);
    for (const [n, le] of BUCKETS.entries()) add('seconds_bucket', { le }, minutes * (n + 1) * (i + 1));
  }
  return series;
}

const EXPRESSIONS: readonly string[] = [
  'rehearsal_bytes{instance="host-1:9100"}',
  'rehearsal_load{instance="host-2:9100"}',
  '{__name__=~"rehearsal_.+"}',
  'absent(rehearsal_bytes{job="none"})',
  'rehearsal_bytes{instance=~"host-1.*", job!="job-2"} / 1024',
  'rate(rehearsal_total{instance="host-1:9100",code="200"}[5m])',
  'sum by (job) (rate(rehearsal_total[5m]))',
  'sum by (job) (rehearsal_load) / sum by (job) (rehearsal_bytes{job=~"job-.*|other"})',
  'sum(rate(rehearsal_total{code=~"5.."}[5m])) / sum(rate(rehearsal_total[5m]))',
  'histogram_quantile(0.9, sum by (le, job) (rate(rehearsal_seconds_bucket[5m])))',
  'topk(3, rehearsal_bytes)',
  'rehearsal_bytes / on (instance) group_left (code) rehearsal_total',
  'count by (__name__) ({job="job-1"})',
  'max_over_time(rehearsal_bytes[10m])',
  'max_over_time(sum(rehearsal_bytes)[10m:1m])',
  'predict_linear(rehearsal_bytes[10m], 3600) > 0',
  'increase(rehearsal_total[10m])',
  'quantile by (job) (0.9, rehearsal_bytes)',
  'avg by (instance) (rehearsal_bytes) or up',
];

// Requests of one round: every expression now, over the head, and over head and block; and the lists.
function scriptUntil(endMs: number): string[] {
  const end = endMs / 1000;
  const within = (hours: number): string => `start=${end - hours * 3600}&end=${end}`;
  const paths: string[] = [];
  for (const expression of EXPRESSIONS) {
    const query = `query=${encodeURIComponent(expression)}`;
    paths.push(`/query?${query}&time=${end}`);
    paths.push(`/query_range?${query}&${within(1)}&step=60`);
    paths.push(`/query_range?${query}&${within(5)}&step=300`);
  }
  const matches = ['rehearsal_bytes{job="job-1"}', 'rehearsal_total{job=~"job-1|job-2"}'].map(
    (selector) => `match[]=${encodeURIComponent(selector)}`,
  );
  for (const hours of [1, 5])
    for (const path of ['/labels', '/label/instance/values', '/label/__name__/values']) {
      paths.push(`${path}?${within(hours)}`);
      for (const match of matches) paths.push(`${path}?${within(hours)}&${match}`);
    }
  for (const hours of [1, 5]) for (const match of matches) paths.push(`/series?${within(hours)}&${match}`);
  return paths;
}

async function play(
  ask: (path: string) => Promise<Response>,
  paths: readonly string[],
  { world, signal, rounds = ROUNDS }: RehearsalOptions,
): Promise<RehearsalOutcome> {
  let requests = 0;
  let firstRoundMs = 0;
  let lastRoundMs = 0;
  for (let round = 0; round < rounds; round++) {
    lastRoundMs = 0;
    for (const path of paths) {
      signal.throwIfAborted();
      const began = world.clock.monotonic();
      const response = await ask(path);
      const text = await response.text();
      const took = world.clock.monotonic() - began;
      lastRoundMs += took;
      invariant(response.status === 200, `a rehearsal's request ${path} is refused: ${text}`);
      requests++;
      await sleep(world.clock, Math.max(PAUSE_MS_MIN, took), signal);
    }
    if (round === 0) firstRoundMs = lastRoundMs;
  }
  return { requests, firstRoundMs, lastRoundMs };
}
