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
import type { ShardMessages } from './actors/shard/messages.ts';
import { shard } from './actors/shard/shard.ts';
import { DEFAULT_TENANT } from './actors/tenant.ts';
import { createLocalBus } from './bus/local/local-bus.ts';
import { openLocalDirectory } from './bus/local/local-directory.ts';
import { openLocalLogs } from './bus/local/local-log.ts';
import { joinCluster } from './cluster-record.ts';
import { encodeSnappy } from './codec/snappy.ts';
import { invariant } from './model/errors.ts';
import { sleep } from './platform/clock.ts';
import type { Config } from './platform/config.ts';
import type { Disk } from './platform/disk.ts';
import { silentLogger } from './platform/log.ts';
import { MemoryPool } from './platform/memory.ts';
import { createMetrics } from './platform/metrics.ts';
import { SCRAPE_MS, SPAN_MS, scriptUntil, writeRequestAt } from './rehearsal-script.ts';
import { META_FILE } from './storage/block/block-meta.ts';
import { blockCaches } from './storage/block/block-reader.ts';
import { folderStore } from './storage/objects/folder.ts';
import type { ObjectStore } from './storage/objects/object-store.ts';

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
/** Within SPAN_MS: two of each partition or more. */
const BLOCKS_MIN: number = 2 * PARTITIONS;
/** Ticks until then: one gets the lease, one cuts; more only where the disk is slow. */
const TICKS_MAX = 500;
const TICK_MS = 20;
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
    const { shards, writes, reads } = await startActors(config, world, undo);
    const end = Math.floor(world.clock.now() / SCRAPE_MS) * SCRAPE_MS;
    await writeUntil(end, writes, options.signal);
    await cutBlocks(shards, world, options.signal);
    const url = await openEdge(reads, options, undo);
    const { signal } = options;
    // Browsers take compressed answers, others do not.
    const ask = (path: string, round: number): Promise<Response> =>
      fetch(url + path, { signal, headers: { 'accept-encoding': round % 2 === 0 ? 'identity' : 'gzip' } });
    return await play(ask, scriptUntil(end), options);
  } finally {
    for (const step of undo.reverse()) await step();
    await disk.remove('');
  }
}

async function startActors(
  config: Config,
  world: World,
  undo: (() => Promise<void>)[],
): Promise<{
  shards: ActorRef<ShardMessages>[];
  writes: ActorRef<ReceiverMessages>;
  reads: ActorRef<QuerierMessages>;
}> {
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
  const shards: ActorRef<ShardMessages>[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++)
    shards.push(await start(startActor(shard, { config, partition, caches }, world, `shard-${partition}`)));
  return {
    shards,
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
    const body = encodeSnappy(writeRequestAt(at));
    const reply = await writes.ask('write', { tenant: DEFAULT_TENANT, protocol: 'v1', body });
    invariant(reply.status === 204, `a rehearsal's write is refused: ${reply.text}`);
    signal.throwIfAborted();
  }
}

// There is no placer: the shards are told that they lead, and are not waited for to tick by themselves.
async function cutBlocks(
  shards: readonly ActorRef<ShardMessages>[],
  { objects, clock }: World,
  signal: AbortSignal,
): Promise<void> {
  for (const actor of shards) await actor.ask('place', { rank: 0 });
  for (let ticks = 0; (await countBlocks(objects)) < BLOCKS_MIN; ticks++) {
    invariant(ticks < TICKS_MAX, 'a rehearsal cannot go on: no blocks are cut');
    for (const actor of shards) await actor.ask('tick', undefined);
    await sleep(clock, TICK_MS, signal);
  }
}

async function countBlocks(objects: ObjectStore): Promise<number> {
  let count = 0;
  for await (const { key } of objects.list('')) if (key.endsWith(`/${META_FILE}`)) count++;
  return count;
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

async function play(
  ask: (path: string, round: number) => Promise<Response>,
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
      const response = await ask(path, round);
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
