// What can go wrong, as a table: each fault begins, lasts, and is healed. Which one comes when is drawn from the seed.

import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { Random } from '../../src/platform/random.ts';
import { rawRequest } from '../helpers/raw-http.ts';
import type { ChaosCluster, ChaosProcess, ChaosRole } from './chaos-cluster.ts';

/** A fault under way. */
export interface Begun {
  /** Whom it hit. */
  readonly victim: string;
  heal(): Promise<void>;
}

/** A kind of fault. */
export interface Fault {
  readonly name: string;
  /** How long it lasts, seconds: at least, and at most. */
  readonly seconds: readonly [number, number];
  /** Begins it; undefined where it cannot be done on this machine. */
  begin(cluster: ChaosCluster, random: Random): Promise<Begun | undefined>;
}

const one = <T>(items: readonly T[], random: Random): T => items[random.integer(items.length)]!;

function killed(role: ChaosRole): Fault {
  return {
    name: `kill -9 a ${role}`,
    seconds: [1, 8],
    async begin(cluster, random) {
      const { server } = one(cluster.of(role), random);
      await server.kill();
      return { victim: server.name, heal: () => server.start() };
    },
  };
}

function held(role: ChaosRole): Fault {
  return {
    name: `SIGSTOP a ${role}`,
    seconds: [2, 30],
    async begin(cluster, random) {
      const { server } = one(cluster.of(role), random);
      await server.pause();
      return { victim: server.name, heal: () => server.resume() };
    },
  };
}

function linked(
  name: string,
  role: ChaosRole | undefined,
  seconds: readonly [number, number],
  disturb: (process: ChaosProcess) => void,
): Fault {
  return {
    name,
    seconds,
    async begin(cluster, random) {
      const process = one(role === undefined ? cluster.processes : cluster.of(role), random);
      disturb(process);
      return {
        victim: process.server.name,
        async heal() {
          for (const link of [...process.nats, process.minio]) link.heal();
        },
      };
    },
  };
}

/** All kinds. */
export const FAULTS: readonly Fault[] = [
  killed('receiver'),
  killed('shard'),
  killed('querier'),
  held('receiver'),
  held('shard'),
  {
    name: 'SIGTERM a shard, start it again',
    seconds: [0, 2],
    async begin(cluster, random) {
      const { server } = one(cluster.of('shard'), random);
      await server.stop();
      return { victim: server.name, heal: () => server.start() };
    },
  },
  {
    name: 'kill -9 a NATS server',
    seconds: [1, 10],
    async begin({ nats }, random) {
      const server = one(nats.servers, random);
      await server.kill();
      return { victim: server.name, heal: () => server.start() };
    },
  },
  {
    name: 'kill -9 the NATS meta leader',
    seconds: [1, 10],
    async begin({ nats }) {
      const server = nats.named(await metaLeader(nats));
      await server.kill();
      return { victim: server.name, heal: () => server.start() };
    },
  },
  {
    name: 'a byte of the log flipped on one NATS server',
    seconds: [0, 1],
    async begin({ nats }, random) {
      const server = one(nats.servers, random);
      await server.kill();
      const victim = flipByte(server.folder, random);
      return { victim: `${server.name} ${victim}`, heal: () => server.start() };
    },
  },
  linked('cut a process off NATS', undefined, [1, 25], ({ nats }) => {
    for (const link of nats) link.cut();
  }),
  linked('NATS connections of a process hang', undefined, [1, 25], ({ nats }) => {
    for (const link of nats) link.still();
  }),
  linked('slow NATS connections of a process', undefined, [5, 15], ({ nats }) => {
    for (const link of nats) link.slow(50, 4_000_000);
  }),
  linked('cut a shard off S3', 'shard', [5, 25], ({ minio }) => minio.cut()),
  linked('slow S3 for a shard', 'shard', [5, 15], ({ minio }) => minio.slow(200, 1_000_000)),
  {
    name: 'restart MinIO',
    seconds: [1, 20],
    async begin({ minio }) {
      await minio.kill();
      return { victim: minio.name, heal: () => minio.start() };
    },
  },
  {
    name: "a shard's disk is full",
    seconds: [5, 20],
    async begin(cluster, random) {
      const { server, disk } = one(cluster.of('shard'), random);
      if (disk === undefined) return undefined;
      disk.fill();
      return { victim: server.name, heal: async () => disk.free() };
    },
  },
];

async function metaLeader(nats: ChaosCluster['nats']): Promise<string> {
  for (const server of nats.servers) {
    const answer = await rawRequest(server.monitorUrl, { path: '/jsz' }).catch(() => undefined);
    const leader =
      answer &&
      (JSON.parse(answer.body.toString()) as { meta_cluster?: { leader?: string } }).meta_cluster?.leader;
    if (leader) return leader;
  }
  return nats.servers[0]!.name;
}

// Flips a byte in the middle of some block of some partition's stream.
function flipByte(folder: string | undefined, random: Random): string {
  if (folder === undefined) return '(nothing: in a container)';
  const blocks = (readdirSync(folder, { recursive: true }) as string[])
    .filter((file) => file.endsWith('.blk') && file.includes('streams/') && !file.includes('KV_'))
    .map((file) => path.join(folder, file))
    .filter((file) => statSync(file).size > 1000);
  if (blocks.length === 0) return '(nothing: no block yet)';
  const file = one(blocks, random);
  const at = random.integer(statSync(file).size);
  const descriptor = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, at);
  byte[0]! ^= 1 << random.integer(8);
  writeSync(descriptor, byte, 0, 1, at);
  closeSync(descriptor);
  return `${path.relative(folder, file)} at ${at}`;
}
