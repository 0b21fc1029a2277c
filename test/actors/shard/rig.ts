// Test helper: shards over the in-process bus, log and directory, with a virtual clock; a writer that fills the log as a receiver does.

import type { World } from '../../../src/actors/actor.ts';
import { fragmentRunner } from '../../../src/actors/querier/fragments.ts';
import { INGEST_DEFAULTS } from '../../../src/actors/receiver/ingest/config.ts';
import { createIngestor } from '../../../src/actors/receiver/ingest/ingestor.ts';
import { type ActorRef, startActor } from '../../../src/actors/runtime.ts';
import type { ShardMessages } from '../../../src/actors/shard/messages.ts';
import { shard } from '../../../src/actors/shard/shard.ts';
import type { Directory } from '../../../src/bus/directory.ts';
import type { DurableLog } from '../../../src/bus/durable-log.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { openLocalDirectory } from '../../../src/bus/local/local-directory.ts';
import { openLocalLogs } from '../../../src/bus/local/local-log.ts';
import { callMany } from '../../../src/bus/rpc.ts';
import { shardSubject } from '../../../src/bus/subjects.ts';
import { createHasher } from '../../../src/codec/hash.ts';
import { encodeWriteRequest } from '../../../src/codec/proto/remote-write.ts';
import { readConfig } from '../../../src/platform/config.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { createMetrics } from '../../../src/platform/metrics.ts';
import { seededRandom } from '../../../src/platform/random.ts';
import { createEngine } from '../../../src/query/engine.ts';
import { blockCaches } from '../../../src/storage/block/block-reader.ts';
import { memoryStore } from '../../../src/storage/objects/memory.ts';
import type { ObjectStore } from '../../../src/storage/objects/object-store.ts';
import { createMemoryDisk, type MemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock, settle, type VirtualClock } from '../../helpers/virtual-clock.ts';

const hasher = await createHasher();
const TENANT = 't';

/** What a test of shards works with. */
export interface ShardRig {
  readonly clock: VirtualClock;
  readonly objects: ObjectStore;
  readonly directory: Directory;
  readonly wal: DurableLog;
  /** Starts the shard in a process and tells it its rank, 0 when left out. Its disk may be one used before. */
  start(id: string, disk: MemoryDisk, rank?: number): Promise<ActorRef<ShardMessages>>;
  /** Writes one sample of each of two series at every time, durably; the value is the time in seconds. */
  write(times: readonly number[]): Promise<void>;
  /** Values of an instant query at `timeMs`, in the order of its series. */
  ask(query: string, timeMs: number): Promise<number[]>;
  /** Whether anybody answers for the partition. */
  answers(): Promise<boolean>;
  /** Lets virtual time pass until `work` is done. */
  driven<T>(work: Promise<T>): Promise<T>;
}

/** One partition, its log and bucket, and processes that may hold it. */
export async function openShardRig(): Promise<ShardRig> {
  const clock = createVirtualClock();
  const config = readConfig({ environment: {}, flags: { 'receiver.epoch': '10s' } });
  const bus = createLocalBus({ clock });
  const log = silentLogger();
  const logs = await openLocalLogs({ disk: createMemoryDisk(), clock, log, bytesMax: 1 << 30 });
  await logs.create(0);
  const directory = await openLocalDirectory({ disk: createMemoryDisk(), clock });
  const objects = memoryStore(clock);
  const wal = await logs.open(0);
  const ingestor = createIngestor(
    { ...INGEST_DEFAULTS, partitions: 1, epochMs: 10_000 },
    { hasher, random: seededRandom(5) },
  );

  const world = (id: string, disk: MemoryDisk): World => ({
    identity: { id, zone: '', version: '1', address: id },
    cluster: { id: 'c', prefix: 'skein', partitions: 1 },
    bus,
    logs,
    directory,
    objects,
    clock,
    random: seededRandom(1),
    disk,
    metrics: createMetrics({ withProcess: false }),
    log,
  });
  const caches = blockCaches({
    pageBytesMax: 1 << 20,
    postingsBytesMax: 1 << 20,
    tableBytesMax: 1 << 20,
    headerBytesMax: 1 << 20,
  });
  const fanout = { bus, clock, prefix: 'skein', partitions: 1, ownerWaitMs: 1000 };
  const engine = createEngine({
    lookbackMs: 300_000,
    defaultStepMs: 60_000,
    limits: { samplesMax: 1e9, seriesMax: 1e6, memoryBytesMax: 1 << 30 },
    clock,
    fragments: fragmentRunner({ ...fanout, partialResponse: false, strong: false, tenant: TENANT }),
  });

  return {
    clock,
    objects,
    directory,
    wal,
    async start(id, disk, rank = 0) {
      const actor = await driven(clock, startActor(shard, { config, partition: 0, caches }, world(id, disk)));
      await driven(clock, actor.ask('place', { rank }));
      return actor;
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
      ingestor.ingest({ tenant: TENANT, protocol: 'v1', body, now: clock.now(), newest: () => undefined });
      const writer = ingestor.writer(TENANT, 0)!;
      for (let frame = writer.take(); frame; frame = writer.take()) {
        await driven(clock, wal.append(frame.bytes));
        writer.acknowledge(frame.serial);
      }
    },
    async ask(query, timeMs) {
      const { value } = await driven(
        clock,
        engine.instant({ query, timeMs, signal: new AbortController().signal }),
      );
      if (value.type !== 'vector') throw new Error(`${query} gives a ${value.type}`);
      return [...value.batch.values];
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
