// A cluster whose every connection can be disturbed: three nats-servers, MinIO, every role twice or more as processes on loopback,
// each process with links of its own to every server.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type MinioServer, type NatsCluster, startMinio, startNatsCluster } from '../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
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
  readonly mount: string | undefined;
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
const MOUNT_BYTES = '192m';

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
    const mount = role === 'shard' ? smallDisk() : undefined;
    if (mount !== undefined) undo.push(async () => removeDisk(mount));
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
      ...(mount === undefined ? [] : ['--data', `${mount}/data`]),
      ...flags,
    ]);
    processes.push({ role, server, nats: links, minio: toMinio, mount });
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

// A file system that can be filled without hurting the machine; undefined where mounting is not allowed.
function smallDisk(): string | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), 'skein-chaos-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${MOUNT_BYTES}`, 'tmpfs', folder], { stdio: 'pipe' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
}

function removeDisk(folder: string): void {
  execFileSync('umount', [folder], { stdio: 'pipe' });
  rmSync(folder, { recursive: true, force: true });
}
