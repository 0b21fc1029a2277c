// A rehearsal: a miniature Skein of this process's own actors takes made-up series, cuts a block and answers the usual kinds of
// queries over and over, in the background of the first seconds, so that V8 has compiled those paths before anybody waits for
// them. Without it the first dashboards after a restart run two to three times slower (docs/performance.md). It has a bus, a
// log, a bucket and metrics of its own; nothing of it is seen outside but its folder, which is gone when it ends.

import type { World } from './actors/actor.ts';
import { querierRoutes } from './actors/querier/http.ts';
import { querier } from './actors/querier/querier.ts';
import { receiver } from './actors/receiver/receiver.ts';
import { startActor } from './actors/runtime.ts';
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
  /** How often everything is asked; ROUNDS when absent. */
  readonly rounds?: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** How it went: requests answered, and how long the first and the last round took, ms. */
export interface RehearsalOutcome {
  readonly requests: number;
  readonly firstRoundMs: number;
  readonly lastRoundMs: number;
}

const PARTITIONS = 2;
const NAME = 'rehearsal';
const MINUTE_MS = 60_000;
/** Enough time for one block to be cut and some to stay in the head. */
const SPAN_MS: number = 5 * 60 * MINUTE_MS;
const INSTANCES = 24;
const BUCKETS = ['0.1', '1', '+Inf'];
/** After these a round takes about a fifth of the first, and more bring little. */
const ROUNDS = 20;
/** Shortest pause after a request; it is as long as the request was, so that the process's real work goes first. */
const PAUSE_MS_MIN = 1;
const CACHE_BYTES: number = 1 << 20;

/** Runs a rehearsal to its end; what it leaves on disk is removed even when it fails. */
export async function rehearse(options: RehearsalOptions): Promise<RehearsalOutcome> {
  const { disk } = options;
  await disk.remove('');
  const { world, close } = await openStage(options);
  const actors: { stop(): Promise<void> }[] = [];
  const start = async <A extends { stop(): Promise<void> }>(starting: Promise<A>): Promise<A> => {
    const actor = await starting;
    actors.push(actor);
    return actor;
  };
  try {
    const { config } = options;
    const caches = blockCaches({
      pageBytesMax: CACHE_BYTES,
      postingsBytesMax: CACHE_BYTES,
      tableBytesMax: CACHE_BYTES,
      headerBytesMax: CACHE_BYTES,
    });
    for (let partition = 0; partition < PARTITIONS; partition++)
      await start(startActor(shard, { config, partition, caches }, world, `shard-${partition}`));
    const writes = await start(startActor(receiver, config, world));
    const reads = await start(startActor(querier, config, world));
    const end = Math.floor(world.clock.now() / MINUTE_MS) * MINUTE_MS;
    for (let at = end - SPAN_MS; at <= end; at += MINUTE_MS) {
      const body = encodeSnappy(encodeWriteRequest({ timeseries: samplesAt(at), metadata: [] }));
      const reply = await writes.ask('write', { tenant: DEFAULT_TENANT, protocol: 'v1', body });
      invariant(reply.status === 204, `a rehearsal's write is refused: ${reply.text}`);
      options.signal.throwIfAborted();
    }
    const app = querierRoutes({
      actor: reads,
      config,
      clock: world.clock,
      version: options.version,
      startedMs: end,
      flags: {},
      hostname: '',
      folder: '',
    });
    return await play((path) => app.fetch(new Request(`http://${NAME}${path}`)), scriptUntil(end), options);
  } finally {
    for (const actor of actors.reverse()) await actor.stop();
    await close();
    await disk.remove('');
  }
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

// A counter, a gauge and a classic histogram of each instance.
function samplesAt(timestamp: number): Series[] {
  const series: Series[] = [];
  const minutes = timestamp / MINUTE_MS;
  const add = (labels: Record<string, string>, value: number): void => {
    const pairs = Object.entries(labels).map(([name, value]) => ({ name, value }));
    series.push({ labels: pairs, samples: [{ timestamp, value }], exemplars: [], histograms: [] });
  };
  for (let i = 0; i < INSTANCES; i++) {
    const target = { instance: `host-${i}:9100`, job: `job-${i % 3}` };
    add({ __name__: 'rehearsal_total', ...target, code: '200' }, minutes * (i + 1));
    add({ __name__: 'rehearsal_bytes', ...target }, Math.sin(minutes + i) * 1e6 + i / 7);
    for (const [n, le] of BUCKETS.entries())
      add({ __name__: 'rehearsal_seconds_bucket', ...target, le }, minutes * (n + 1) * (i + 1));
  }
  return series;
}

const EXPRESSIONS: readonly string[] = [
  'rehearsal_bytes{instance="host-1:9100"}',
  'absent(rehearsal_bytes{job="none"})',
  'rehearsal_bytes{instance=~"host-1.*", job!="job-2"} / 1024',
  'sum by (job) (rate(rehearsal_total[5m]))',
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
  const match = `match[]=${encodeURIComponent('rehearsal_bytes{job="job-1"}')}`;
  for (const hours of [1, 5])
    for (const path of ['/labels', '/label/instance/values', '/label/__name__/values']) {
      paths.push(`${path}?${within(hours)}`);
      paths.push(`${path}?${within(hours)}&${match}`);
    }
  for (const hours of [1, 5]) paths.push(`/series?${within(hours)}&${match}`);
  return paths;
}

async function play(
  ask: (path: string) => Response | Promise<Response>,
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
