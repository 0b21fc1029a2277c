// Builds the real worlds: embedded (everything in this process, on local disk) and cluster (NATS and S3). Only composition
// roots and the simulator choose what stands behind a port.

import type { ProcessIdentity, World } from './actors/actor.ts';
import { createLocalBus, type LocalBus } from './bus/local/local-bus.ts';
import { openLocalDirectory } from './bus/local/local-directory.ts';
import { openLocalLogs } from './bus/local/local-log.ts';
import { joinCluster } from './cluster-record.ts';
import { type Kernels, openKernels } from './kernels/kernels.ts';
import type { Links } from './links.ts';
import { asDomainError, DomainError } from './model/errors.ts';
import { realClock } from './platform/clock.ts';
import type { Config } from './platform/config.ts';
import { coreCount } from './platform/cores.ts';
import { realDisk } from './platform/disk.ts';
import { readKernelsFile } from './platform/kernels-file.ts';
import type { Logger } from './platform/log.ts';
import { heapBytesMax, MemoryPool } from './platform/memory.ts';
import { createMetrics, type Metrics } from './platform/metrics.ts';
import { randomHex, realRandom } from './platform/random.ts';
import { realTurns } from './platform/turns.ts';
import { folderStore } from './storage/objects/folder.ts';
import type { ObjectStore } from './storage/objects/object-store.ts';

/** A world and the way to end it. */
export interface OpenWorld {
  readonly world: World;
  /** Threads that hold partitions, the main one among them. */
  readonly threads: number;
  /** The bus of an embedded process, which worker threads share. */
  readonly hub: LocalBus | undefined;
  readonly close: () => Promise<void>;
}

const ID_FILE = 'process-id';

/** Whether the configuration means one process without servers. */
export function isEmbedded(config: Config): boolean {
  return config.nats.servers.length === 0;
}

/** Opens the world the configuration asks for. `address` is where this process's HTTP is reached. */
export async function openWorld(
  config: Config,
  version: string,
  address: string,
  log: Logger,
): Promise<OpenWorld> {
  const clock = realClock();
  const random = realRandom();
  const disk = realDisk(config.process.data);
  const metrics = createMetrics({ withProcess: true });
  const embedded = isEmbedded(config);
  const links = embedded
    ? await localLinks(config, clock, disk, log)
    : await clusterLinks(config, clock, log);
  const record = await joinCluster(
    links.directory,
    links.logs,
    embedded ? config.embedded.partitions : config.cluster.partitions,
    random,
  );
  const threads = shardThreads(config, record.partitions);
  const identity: ProcessIdentity = {
    id: await processId(disk, random),
    zone: config.process.zone,
    version,
    address,
  };
  const cluster = { id: record.id, prefix: config.cluster.name, partitions: record.partitions };
  const objects = await openObjects(config, disk, clock, log);
  const world: World = {
    identity,
    cluster,
    bus: links.bus,
    logs: links.logs,
    directory: links.directory,
    objects,
    clock,
    random,
    disk,
    metrics,
    memory: queryMemory(config, metrics, threads),
    kernels: queryKernels(log),
    turns: realTurns(),
    log: log.with({ process: identity.id }),
  };
  return { world, threads, hub: links.hub, close: links.close };
}

/** Threads that hold partitions, the main one among them: only an embedded process has more than that one. */
export function shardThreads(config: Config, partitions: number): number {
  if (!isEmbedded(config)) return 1;
  const { threads } = config.embedded;
  return Math.min(partitions, threads === 0 ? coreCount() : threads);
}

/** The working memory of the queries of one of `threads` threads; together half of a heap, where nothing else is set. */
export function queryMemory({ query }: Config, metrics: Metrics, threads: number): MemoryPool {
  const bytes = query.process_memory_bytes_max;
  const refused = metrics.counter(
    'skein_query_memory_refused_total',
    'How often a query wanted more memory than was left, and ended with an error.',
  );
  const pool = new MemoryPool(
    'query.process_memory_bytes_max',
    Math.floor((bytes === 0 ? heapBytesMax() / 2 : bytes) / threads),
    () => refused.add(),
  );
  const watch = (name: string, help: string, read: () => number): void => {
    metrics.gauge(name, help, [], (gauge) => gauge.set(read()));
  };
  watch(
    'skein_query_memory_bytes',
    'Memory that the queries of this process hold, its shards and answers on their way included.',
    () => pool.held,
  );
  watch('skein_query_memory_bytes_max', 'What they may hold.', () => pool.bytesMax);
  watch('skein_query_memory_bytes_peak', 'The most they ever held.', () => pool.peak);
  return pool;
}

/** The WebAssembly kernels of one thread; undefined where they were not compiled. */
export function queryKernels(log: Logger): Kernels | undefined {
  const wasm = readKernelsFile();
  if (wasm !== undefined) return openKernels(wasm);
  log.warn(
    'queries run without WebAssembly, which is slower: build/kernels.wasm is not there; npm run prepare makes it',
  );
  return undefined;
}

// A process keeps its name with its data folder: started again, it gets the partitions whose snapshots it has.
async function processId(disk: World['disk'], random: World['random']): Promise<string> {
  const kept = await disk.readFile(ID_FILE).catch((error: unknown) => {
    if (asDomainError(error).code === 'not_found') return undefined;
    throw error;
  });
  const text = kept === undefined ? '' : Buffer.from(kept).toString('utf8').trim();
  if (/^[0-9a-f]{12}$/.test(text)) return text;
  const id = randomHex(random, 6);
  await disk.writeFile(ID_FILE, Buffer.from(`${id}\n`));
  return id;
}

async function localLinks(
  config: Config,
  clock: World['clock'],
  disk: World['disk'],
  log: Logger,
): Promise<Links> {
  const bus = createLocalBus({ clock });
  const logs = await openLocalLogs({
    disk: disk.within('log'),
    clock,
    log,
    bytesMax: config.embedded.log_bytes_max,
  });
  const directory = await openLocalDirectory({ disk: disk.within('directory'), clock });
  return {
    bus,
    hub: bus,
    logs,
    directory,
    async close() {
      await bus.close();
      await directory.close();
      await logs.close();
    },
  };
}

// Loaded where they are wanted: an embedded process without NATS and S3 is ready sooner and 50 MiB smaller.
async function clusterLinks(config: Config, clock: World['clock'], log: Logger): Promise<Links> {
  const { natsLinks } = await import('./nats-links.ts');
  return natsLinks(config, clock, log);
}

/** The object store of a process, or of one of its threads. */
export async function openObjects(
  config: Config,
  disk: World['disk'],
  clock: World['clock'],
  log: Logger,
): Promise<ObjectStore> {
  const { s3 } = config;
  if (s3.endpoint === '') {
    if (!isEmbedded(config))
      throw new DomainError(
        'config',
        'a cluster needs an object store: set s3.endpoint (host:port), s3.bucket, s3.access_key and s3.secret_key',
      );
    return folderStore(disk.within('bucket'));
  }
  const { minioStore } = await import('./storage/objects/minio.ts');
  const [endPoint = '', port] = s3.endpoint.split(':');
  return minioStore({
    endPoint,
    port: Number(port ?? (s3.insecure ? 80 : 443)),
    useSSL: !s3.insecure,
    accessKey: s3.access_key,
    secretKey: s3.secret_key,
    bucket: s3.bucket,
    region: s3.region,
    prefix: s3.prefix,
    createBucket: s3.create_bucket,
    timeoutMs: s3.timeout,
    clock,
    log,
  });
}
