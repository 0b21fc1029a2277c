// A stage: a world of its own for actors of a process that play to nobody (rehearsal.ts), in a folder of its own, with shards in all threads
// of the process as in earnest.

import type { World } from './actors/actor.ts';
import { createLocalBus } from './bus/local/local-bus.ts';
import { openLocalDirectory } from './bus/local/local-directory.ts';
import { openLocalLogs } from './bus/local/local-log.ts';
import { joinCluster } from './cluster-record.ts';
import type { Threads } from './embedded-threads.ts';
import type { Config } from './platform/config.ts';
import { type Disk, realDisk } from './platform/disk.ts';
import { silentLogger } from './platform/log.ts';
import { MemoryPool } from './platform/memory.ts';
import { createMetrics } from './platform/metrics.ts';
import { type LaunchShard, shardLauncher } from './roles.ts';
import { folderStore } from './storage/objects/folder.ts';
import type { ObjectStore } from './storage/objects/object-store.ts';
import { queryKernels } from './world.ts';

/** Name of its folder in the process's data folder. */
export const STAGE_FOLDER = 'rehearsal';
const PARTITIONS_MIN = 2;
const NAME = 'rehearsal';

/** What the actors on a stage in a folder keep for themselves. */
export function stageData(disk: Disk): Disk {
  return disk.within('data');
}

/** The bucket of a stage in a folder. */
export function stageObjects(disk: Disk): ObjectStore {
  return folderStore(disk.within('bucket'));
}

/** What a stage is made of. */
export interface StageOptions {
  readonly config: Config;
  readonly version: string;
  /** Holds everything of it, on the machine's disk. */
  readonly folder: string;
  /** Where its shards live besides this thread. */
  readonly threads?: Pick<Threads, 'count' | 'openStage'> | undefined;
  readonly world: Pick<World, 'clock' | 'random'>;
}

/** Opens a stage; what ends it is added to `undo`, to be done backwards. */
export async function openStage(
  { config, folder, threads, world: { clock, random }, version }: StageOptions,
  undo: (() => Promise<void>)[],
): Promise<{ world: World; launchShard: LaunchShard }> {
  const disk = realDisk(folder);
  const log = silentLogger();
  const bytesMax = config.embedded.log_bytes_max;
  const logs = await openLocalLogs({ disk: disk.within('log'), clock, log, bytesMax });
  undo.push(() => logs.close());
  const directory = await openLocalDirectory({ disk: disk.within('directory'), clock });
  undo.push(() => directory.close());
  const bus = createLocalBus({ clock });
  undo.push(() => bus.close());
  const count = threads?.count ?? 1;
  const { id, partitions } = await joinCluster(directory, logs, Math.max(PARTITIONS_MIN, count), random);
  const world: World = {
    identity: { id: NAME, zone: '', version, address: NAME },
    cluster: { id, prefix: NAME, partitions },
    bus,
    logs,
    directory,
    objects: stageObjects(disk),
    clock,
    random,
    disk: stageData(disk),
    metrics: createMetrics({ withProcess: false }),
    memory: new MemoryPool('query.process_memory_bytes_max', config.query.memory_bytes_max),
    kernels: queryKernels(log),
    log,
  };
  if (threads === undefined) return { world, launchShard: shardLauncher(config, world, count) };
  const { launchShard, close } = await threads.openStage(world, bus, folder);
  undo.push(close);
  return { world, launchShard };
}
