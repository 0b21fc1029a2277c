// A cluster whose every connection can be disturbed: three nats-servers, MinIO, every role twice or more as processes on loopback,
// each process with links of its own to every server.

import { type MinioServer, type NatsCluster, startMinio, startNatsCluster } from '../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { mountSmallDisk, type SmallDisk } from '../helpers/small-disk.ts';
import { type Link, openLink } from './link.ts';

/** What a process does. */
export type ChaosRole = 'receiver' | 'shard' | 'querier';

/** A process with its connections. */
export interface ChaosProcess {
  readonly role: ChaosRole;
  readonly server: SkeinServer;
  /** To each nats-server. */
  readonly nats: readonly Link[];
  readonly minio: Link;
  /** The small file system its data lies on, where one could be made. */
  readonly disk: SmallDisk | undefined;
}

/** Everything that runs. */
export interface ChaosCluster {
  readonly nats: NatsCluster;
  readonly minio: MinioServer;
  readonly processes: readonly ChaosProcess[];
  of(role: ChaosRole): readonly ChaosProcess[];
  dispose(): Promise<void>;
}

const COUNTS: Readonly<Record<ChaosRole, number>> = { shard: 3, receiver: 2, querier: 2 };
const DISK_MEBIBYTES = 192;

/** Starts it; `flags` go to every process. */
export async function startChaosCluster(flags: readonly string[] = []): Promise<ChaosCluster> {
  const [nats, minio] = await Promise.all([startNatsCluster(), startMinio()]);
  const processes: ChaosProcess[] = [];
  const undo: (() => Promise<void>)[] = [() => nats.dispose(), () => minio.dispose()];
  const dispose = async (): Promise<void> => {
    await Promise.all(processes.map(({ server }) => server.dispose()));
    for (const step of undo.reverse()) await step();
  };
  const start = async (role: ChaosRole): Promise<void> => {
    const links = await Promise.all(nats.servers.map((server) => openLink(server.port)));
    const toMinio = await openLink(minio.port);
    for (const link of [...links, toMinio]) undo.push(() => link.close());
    const mounted = role === 'shard' ? mountSmallDisk(DISK_MEBIBYTES) : undefined;
    const disk = mounted === undefined || 'missing' in mounted ? undefined : mounted;
    if (disk !== undefined) undo.push(async () => disk.remove());
    const server = await startSkein([
      ...['--roles', role],
      ...['--nats.servers', links.map((link) => `nats://127.0.0.1:${link.port}`).join(',')],
      ...['--nats.replicas', '3', '--nats.log_bytes_max', '256MiB'],
      ...[
        '--s3.endpoint',
        `127.0.0.1:${toMinio.port}`,
        '--s3.insecure',
        'true',
        '--s3.create_bucket',
        'true',
      ],
      ...['--s3.access_key', minio.accessKey, '--s3.secret_key', minio.secretKey],
      ...(disk === undefined ? [] : ['--data', `${disk.folder}/data`]),
      ...flags,
    ]);
    processes.push({ role, server, nats: links, minio: toMinio, disk });
  };
  try {
    for (const role of Object.keys(COUNTS) as ChaosRole[])
      await Promise.all(Array.from({ length: COUNTS[role] }, () => start(role)));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { nats, minio, processes, of: (role) => processes.filter((one) => one.role === role), dispose };
}
