// Test helper: shards over the in-process bus, log and directory, with a virtual clock; a writer that fills the log as a receiver does.

import type { World } from '../../../src/actors/actor.ts';
import { fragmentRunner } from '../../../src/actors/querier/fragments.ts';
import { INGEST_DEFAULTS } from '../../../src/actors/receiver/ingest/config.ts';
import { createIngestor, type WriteProtocol } from '../../../src/actors/receiver/ingest/ingestor.ts';
import { type ActorRef, startActor } from '../../../src/actors/runtime.ts';
import type { ShardMessages } from '../../../src/actors/shard/messages.ts';
import { shard } from '../../../src/actors/shard/shard.ts';
import type { Bus } from '../../../src/bus/bus.ts';
import type { Directory } from '../../../src/bus/directory.ts';
import type { DurableLog } from '../../../src/bus/durable-log.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { openLocalDirectory } from '../../../src/bus/local/local-directory.ts';
import { openLocalLogs } from '../../../src/bus/local/local-log.ts';
import { callMany, type ReplyOf } from '../../../src/bus/rpc.ts';
import { replicaSubject, shardSubject } from '../../../src/bus/subjects.ts';
import { decodeEnvelope } from '../../../src/codec/envelope.ts';
import { createHasher } from '../../../src/codec/hash.ts';
import { encodeWriteRequest } from '../../../src/codec/proto/remote-write.ts';
import { DomainError } from '../../../src/model/errors.ts';
import type { Refusal } from '../../../src/model/refusal.ts';
import type { Clock } from '../../../src/platform/clock.ts';
import { readConfig } from '../../../src/platform/config-reader.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { createMetrics } from '../../../src/platform/metrics.ts';
import { seededRandom } from '../../../src/platform/random.ts';
import { createEngine, type Engine } from '../../../src/query/engine.ts';
import type { RawColumns } from '../../../src/query/source.ts';
import { blockCaches } from '../../../src/storage/block/block-reader.ts';
import { memoryStore } from '../../../src/storage/objects/memory.ts';
import type { ObjectStore } from '../../../src/storage/objects/object-store.ts';
import { createMemoryDisk, type MemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock, settle, type VirtualClock } from '../../helpers/virtual-clock.ts';
import { oneBatch } from '../../query/ordered-series.ts';

const hasher = await createHasher();
const TENANT = 't';

/** Called before an object is put by process `id`; the put waits for it. */
type PutHook = (key: string, id: string, bytes: Uint8Array) => Promise<void> | void;

/** A process that may hold the partition. */
export interface RigProcess {
  readonly shard: ActorRef<ShardMessages>;
  /** Ends it as kill -9 does: nothing of it runs or is heard of any more; its disk stays. */
  kill(): Promise<void>;
  /** Stops it in the middle of what it does, as SIGSTOP does; it goes on with the returned function. */
  freeze(): () => void;
  /** Its network to the directory is gone for good. */
  cutOff(): void;
  /** Reports it sent. */
  reports(): number;
}

/** What a test of shards works with. */
export interface ShardRig {
  readonly clock: VirtualClock;
  readonly objects: ObjectStore;
  /** What goes wrong with the bucket: it is away, an operation on a key is held up or fails, folders are missing from listings. */
  readonly bucket: { away: boolean; onPut: PutHook; readonly unlisted: Set<string> };
  readonly directory: Directory;
  readonly wal: DurableLog;
  /** Starts the shard in a process and tells it its rank, 0 when left out. Its disk may be one used before. */
  start(id: string, disk: MemoryDisk, rank?: number): Promise<ActorRef<ShardMessages>>;
  /** As start, to be ended in bad ways or with settings of its own. */
  launch(
    id: string,
    disk: MemoryDisk,
    rank?: number,
    flags?: Readonly<Record<string, string>>,
  ): Promise<RigProcess>;
  /** Keeps new messages of the log from every process until the returned function is called. */
  holdLog(): () => void;
  /** Changes what processes read of message `sequence`, so many times; the log itself stays as it is. */
  garble(sequence: number, times: number): void;
  /** Writes one sample of each of two series at every time, durably; the value is the time in seconds. */
  write(times: readonly number[]): Promise<void>;
  /** Takes a plain remote-write request in as a receiver does, and puts what comes of it into the log; returns its complaints. */
  writeRequest(protocol: WriteProtocol, body: Uint8Array): Promise<readonly string[]>;
  /** Raw samples of a range selector at `timeMs`; a partial answer is an error. */
  askRaw(query: string, timeMs: number): Promise<readonly RawColumns[]>;
  /** Values of an instant query at `timeMs`, in the order of its series; a partial answer is an error. */
  ask(query: string, timeMs: number): Promise<number[]>;
  /** As ask, of the replica of one process, with the warnings of a partial answer. */
  askReplica(
    id: string,
    query: string,
    timeMs: number,
    strong?: boolean,
  ): Promise<{ values: number[]; warnings: string[] }>;
  /** Label names of the last day before `timeMs` as one replica lists them, and what it says it lacks. */
  listNames(id: string, timeMs: number): Promise<{ texts: string[]; lacks: string[] }>;
  /** What one replica refused. */
  refusals(id: string): Promise<readonly Refusal[]>;
  /** Whether anybody answers for the partition. */
  answers(): Promise<boolean>;
  /** Lets virtual time pass until `work` is done. */
  driven<T>(work: Promise<T>): Promise<T>;
}

/** One partition, its log and bucket, and processes that may hold it. */
export async function openShardRig(): Promise<ShardRig> {
  const clock = createVirtualClock();
  const bus = createLocalBus({ clock });
  const log = silentLogger();
  const logs = await openLocalLogs({ disk: createMemoryDisk(), clock, log, bytesMax: 1 << 30 });
  await logs.create(0);
  const directory = await openLocalDirectory({ disk: createMemoryDisk(), clock });
  const objects = memoryStore(clock);
  const bucket: ShardRig['bucket'] = { away: false, onPut: () => {}, unlisted: new Set() };
  const held: Held = { until: undefined, garbled: 0, timesLeft: 0 };
  const wal = await logs.open(0);
  const ingestor = createIngestor(
    { ...INGEST_DEFAULTS, partitions: 1, epochMs: 10_000 },
    { hasher, random: seededRandom(5) },
  );
  const caches = blockCaches({
    pageBytesMax: 1 << 20,
    postingsBytesMax: 1 << 20,
    tableBytesMax: 1 << 20,
    headerBytesMax: 1 << 20,
  });
  const engine = (over: Bus, partialResponse: boolean, strong = false): Engine =>
    createEngine({
      lookbackMs: 300_000,
      defaultStepMs: 60_000,
      limits: { samplesMax: 1e9, seriesMax: 1e6, memoryBytesMax: 1 << 30 },
      clock,
      fragments: fragmentRunner({
        ...{ bus: over, clock, prefix: 'skein', partitions: 1, ownerWaitMs: 1000 },
        ...{ partialResponse, strong, tenant: TENANT },
      }),
    });
  const instant = async (
    asked: Engine,
    query: string,
    timeMs: number,
  ): Promise<{ values: number[]; warnings: string[] }> => {
    const { value, annotations } = await driven(
      clock,
      asked.instant({ query, timeMs, signal: new AbortController().signal }),
    );
    if (value.type !== 'vector') throw new Error(`${query} gives a ${value.type}`);
    return { values: [...oneBatch(value.series).values], warnings: annotations.map((note) => note.text) };
  };
  const writeRequest: ShardRig['writeRequest'] = async (protocol, body) => {
    const request = { tenant: TENANT, protocol, body, now: clock.now(), newest: () => undefined };
    const { errors } = ingestor.ingest(request);
    const writer = ingestor.writer(TENANT, 0)!;
    for (let frame = writer.take(); frame; frame = writer.take()) {
      await driven(clock, wal.append(frame.bytes));
      writer.acknowledge(frame.serial);
    }
    return errors;
  };
  const launch: ShardRig['launch'] = async (id, disk, rank = 0, flags = {}) => {
    const config = readConfig({ environment: {}, flags: { 'receiver.epoch': '10s', ...flags } });
    const own = { bus: bus.share(), directory: directory.share(), clock: stoppableClock(clock) };
    let reports = 0;
    const counted: Bus = {
      ...own.bus,
      publish(subject, payload) {
        if (subject.endsWith('.report')) reports++;
        own.bus.publish(subject, payload);
      },
    };
    const world: World = {
      ...own,
      bus: counted,
      identity: { id, zone: '', version: '1', address: id },
      cluster: { id: 'c', prefix: 'skein', partitions: 1 },
      logs: { ...logs, open: async (partition) => heldLog(await logs.open(partition), held) },
      objects: faultyStore(objects, bucket, id, own.clock),
      random: seededRandom(1),
      disk,
      metrics: createMetrics({ withProcess: false }),
      log,
    };
    const actor = await driven(clock, startActor(shard, { config, partition: 0, caches }, world));
    await driven(clock, actor.ask('place', { rank }));
    return {
      shard: actor,
      async kill() {
        own.clock.stop();
        own.directory.cutOff();
        await driven(clock, own.bus.close());
      },
      freeze: () => own.clock.stop(),
      cutOff: () => own.directory.cutOff(),
      reports: () => reports,
    };
  };

  return {
    clock,
    objects,
    bucket,
    directory,
    wal,
    launch,
    start: async (id, disk, rank) => (await launch(id, disk, rank)).shard,
    holdLog() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.until = promise;
      return resolve;
    },
    garble(sequence, times) {
      held.garbled = sequence;
      held.timesLeft = times;
    },
    async write(times) {
      const body = encodeWriteRequest({
        timeseries: ['a', 'b'].map((name) => ({
          labels: [
            { name: '__name__', value: 'm' },
            { name: 'i', value: name },
          ],
          samples: times.map((timestamp) => ({ timestamp, value: timestamp / 1000 })),
          exemplars: [],
          histograms: [],
        })),
        metadata: [],
      });
      await writeRequest('v1', body);
    },
    writeRequest,
    async askRaw(query, timeMs) {
      const signal = new AbortController().signal;
      const { value } = await driven(clock, engine(bus, false).instant({ query, timeMs, signal }));
      if (value.type !== 'raw-matrix') throw new Error(`${query} gives a ${value.type}`);
      return value.series;
    },
    ask: async (query, timeMs) => (await instant(engine(bus, false), query, timeMs)).values,
    askReplica(id, query, timeMs, strong) {
      const own = (subject: string): string => subject.replace('skein.shard.0.', `skein.replica.0.${id}.`);
      const over: Bus = {
        ...bus,
        requestMany: (subject, payload, options) => bus.requestMany(own(subject), payload, options),
      };
      return instant(engine(over, true, strong), query, timeMs);
    },
    async listNames(id, timeMs) {
      const heard = { texts: [] as string[], lacks: [] as string[] };
      const range = { start: timeMs - 86_400_000, end: timeMs };
      const subject = replicaSubject('skein', 0, id, 'series');
      const query = { tenant: TENANT, what: 'names', name: '', matcherSets: [], limit: 0, ...range } as const;
      const work = async (): Promise<void> => {
        for await (const frame of callMany(bus, 'shard.series', subject, query)) {
          const reply = decodeEnvelope<ReplyOf<'shard.series'>>(frame);
          if ('texts' in reply) heard.texts.push(...reply.texts);
          if ('lacks' in reply) heard.lacks.push(...reply.lacks);
        }
      };
      await driven(clock, work());
      return heard;
    },
    async refusals(id) {
      const heard: Refusal[] = [];
      const subject = replicaSubject('skein', 0, id, 'refusals');
      const work = async (): Promise<void> => {
        for await (const frame of callMany(bus, 'shard.refusals', subject, { tenant: TENANT }))
          heard.push(...decodeEnvelope<ReplyOf<'shard.refusals'>>(frame).refusals);
      };
      await driven(clock, work());
      return heard;
    },
    async answers() {
      const frames = callMany(bus, 'shard.metadata', shardSubject('skein', 0, 'metadata'), {
        tenant: TENANT,
        metric: '',
        limit: 0,
      });
      return driven(
        clock,
        (async () => {
          for await (const _frame of frames) return true;
          return true;
        })().catch(() => false),
      );
    },
    driven: (work) => driven(clock, work),
  };
}

interface Held {
  until: Promise<void> | undefined;
  /** Sequence of the message that is read wrong, and how often it still is. */
  garbled: number;
  timesLeft: number;
}

function heldLog(log: DurableLog, held: Held): DurableLog {
  return {
    ...log,
    append: (payload) => log.append(payload),
    bounds: () => log.bounds(),
    trim: (first) => log.trim(first),
    async *read(from, signal) {
      for await (const batch of log.read(from, signal)) {
        await held.until;
        yield batch.map((message) => {
          if (message.sequence !== held.garbled || held.timesLeft-- <= 0) return message;
          return { ...message, payload: message.payload.map((byte, i) => (i === 40 ? byte ^ 1 : byte)) };
        });
      }
    },
  };
}

interface StoppableClock extends Clock {
  /** Whether it stands still. */
  stopped(): boolean;
  /** From now on no timer of it fires; what is due fires when the returned function is called. */
  stop(): () => void;
}

function stoppableClock(clock: Clock): StoppableClock {
  let stopped = false;
  const due: (() => void)[] = [];
  const later = (run: () => void) => (): void => {
    if (stopped) due.push(run);
    else run();
  };
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (delayMs, run) => clock.after(delayMs, later(run)),
    every: (periodMs, run) => clock.every(periodMs, later(run)),
    stopped: () => stopped,
    stop() {
      stopped = true;
      return () => {
        stopped = false;
        for (const run of due.splice(0)) run();
      };
    },
  };
}

// The bucket as one process has it. A process that stands still hears of nothing.
function faultyStore(
  objects: ObjectStore,
  bucket: ShardRig['bucket'],
  id: string,
  clock: StoppableClock,
): ObjectStore {
  const check = async (): Promise<void> => {
    while (clock.stopped()) await new Promise<void>((resolve) => void clock.after(1, resolve));
    if (bucket.away) throw new DomainError('unavailable', 'cannot reach the bucket: it is away');
  };
  const each = async function* <T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    await check();
    yield* items;
  };
  return {
    ...objects,
    async put(key, bytes, signal) {
      await check();
      await bucket.onPut(key, id, bytes);
      await check();
      await objects.put(key, bytes, signal);
    },
    async get(key, signal) {
      await check();
      return objects.get(key, signal);
    },
    async getRange(key, offset, length, signal) {
      await check();
      return objects.getRange(key, offset, length, signal);
    },
    async stat(key) {
      await check();
      return objects.stat(key);
    },
    list: (prefix) => each(objects.list(prefix)),
    async *folders(prefix) {
      for await (const folder of each(objects.folders(prefix)))
        if (!bucket.unlisted.has(folder.slice(0, -1))) yield folder;
    },
  };
}

/** Lets virtual time pass until `work` is done. */
async function driven<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let done = false;
  const watched = work.finally(() => {
    done = true;
  });
  watched.catch(() => {});
  for (let turn = 0; turn < 20_000 && !done; turn++) {
    await settle();
    if (!done) await clock.advance(1);
  }
  return watched;
}
