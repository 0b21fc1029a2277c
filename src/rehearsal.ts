// A rehearsal: a miniature Skein of this process's own actors takes made-up series, cuts a block and answers the usual kinds of
// queries over and over, over HTTP as ever, in the background of the first seconds, so that V8 has compiled those paths before anybody
// waits for them. Without it the first dashboards after a restart run two to three times slower (docs/performance.md). It has a bus, a
// log, a bucket and metrics of its own; nothing of it is seen outside but a port of the loopback and a folder, both gone when it ends. Worker
// threads take part, since each compiles for itself.

import type { World } from './actors/actor.ts';
import { openHttpApp } from './actors/http-app.ts';
import { querierRoutes } from './actors/querier/http.ts';
import type { QuerierMessages } from './actors/querier/messages.ts';
import { querier } from './actors/querier/querier.ts';
import type { ReceiverMessages } from './actors/receiver/messages.ts';
import { receiver } from './actors/receiver/receiver.ts';
import { type ActorRef, startActor } from './actors/runtime.ts';
import type { ShardMessages } from './actors/shard/messages.ts';
import { DEFAULT_TENANT } from './actors/tenant.ts';
import { encodeSnappy } from './codec/snappy.ts';
import { invariant } from './model/errors.ts';
import { sleep } from './platform/clock.ts';
import type { Config } from './platform/config.ts';
import { realDisk } from './platform/disk.ts';
import { SCRAPE_MS, SPAN_MS, scriptUntil, writeRequestAt } from './rehearsal-script.ts';
import type { LaunchShard } from './roles.ts';
import { openStage, type StageOptions } from './stage.ts';
import { META_FILE } from './storage/block/block-meta.ts';
import type { ObjectStore } from './storage/objects/object-store.ts';

/** What a rehearsal borrows of its process. */
export interface RehearsalOptions extends StageOptions {
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
const API = '/api/v1';
/** Blocks of each partition, or more, within SPAN_MS. */
const BLOCKS_MIN = 2;
/** Ticks until then: one gets the lease, one cuts; more only where the disk is slow. */
const TICKS_MAX = 500;
const TICK_MS = 20;
/** In each performance; after these a round takes about a fifth of the very first, and more bring little. */
const ROUNDS = 5;
/** Shortest pause after a request; it is as long as the request was, so that the process's real work goes first. */
const PAUSE_MS_MIN = 1;

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
  const disk = realDisk(options.folder);
  await disk.remove('');
  const undo: (() => Promise<void>)[] = [];
  try {
    const { world, launchShard } = await openStage(options, undo);
    const { shards, writes, reads } = await startActors(options.config, world, launchShard, undo);
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
  launchShard: LaunchShard,
  undo: (() => Promise<void>)[],
): Promise<{
  shards: ActorRef<ShardMessages>[];
  writes: ActorRef<ReceiverMessages>;
  reads: ActorRef<QuerierMessages>;
}> {
  const shards: ActorRef<ShardMessages>[] = [];
  for (let partition = 0; partition < world.cluster.partitions; partition++) {
    const { actor, started } = launchShard(partition);
    await started;
    undo.push(() => actor.stop());
    shards.push(actor);
  }
  const writes = await startActor(receiver, config, world);
  undo.push(() => writes.stop());
  const reads = await startActor(querier, config, world);
  undo.push(() => reads.stop());
  return { shards, writes, reads };
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
  const blocksMin = BLOCKS_MIN * shards.length;
  for (let ticks = 0; (await countBlocks(objects)) < blocksMin; ticks++) {
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
    processId: '',
    version,
    startedMs: clock.now(),
    flags: {},
    hostname: '',
    folder: '',
  });
  http.mount([{ path: API, app }]);
  return `http://${http.server.address}${API}`;
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
