// Gathers what the status page shows: members, leases and replicas from the directory, actors of this process.

import { leaseKey } from '../bus/subjects.ts';
import { decodeEnvelope } from '../codec/envelope.ts';
import type { World } from './actor.ts';
import type { MemberFacts } from './placer/state.ts';
import type { ActorRef } from './runtime.ts';
import type { ReplicaFacts } from './shard/messages.ts';
import type { PartitionRow, StatusFacts } from './status-page.ts';

/** What the status says that no directory tells. */
export interface StatusOptions {
  readonly version: string;
  /** http://HOST:PORT of this process as the reader reached it. */
  readonly url: string;
  readonly standbys: number;
  readonly logBytesMax: number;
}

/** Reads the directory and asks the actors. */
export async function readStatus(
  world: World,
  actors: readonly ActorRef<never>[],
  { version, url, standbys, logBytesMax }: StatusOptions,
): Promise<StatusFacts> {
  const [members, leases, replicas] = await Promise.all([
    world.directory.list('member.'),
    world.directory.list('lease.'),
    world.directory.list('replica.'),
  ]);
  const owners = new Map(
    leases.map((entry) => [entry.key, decodeEnvelope<{ process: string }>(entry.value).process]),
  );
  const stand = replicas.map((entry) => decodeEnvelope<ReplicaFacts>(entry.value));
  const partitions: PartitionRow[] = [];
  for (let partition = 0; partition < world.cluster.partitions; partition++) {
    const owner = owners.get(leaseKey(partition));
    const replicas = stand.filter((facts) => facts.partition === partition);
    const replica = replicas.find((facts) => facts.process === owner);
    partitions.push({
      partition,
      owner,
      state: replica?.lifecycle ?? 'unknown',
      applied: replica?.applied,
      lag: replica?.lag,
      series: replica?.series,
      blocks: replica?.blocks,
      lastBlockEnd: replica?.lastBlockEnd,
      logBytes: replica?.logBytes,
      blocksKnown: replica?.blocksKnown,
      standbys: replicas
        .filter((facts) => facts.process !== owner)
        .map((facts) => ({ process: facts.process, state: facts.lifecycle, lag: facts.lag })),
    });
  }
  return {
    version,
    cluster: world.cluster.prefix,
    url,
    nowMs: world.clock.now(),
    standbys,
    logBytesMax,
    processes: members.map((entry) => {
      const facts = decodeEnvelope<MemberFacts>(entry.value);
      return { ...facts, here: facts.id === world.identity.id };
    }),
    partitions,
    // A shard that handed its partition over is stopped and done.
    actors: actors
      .filter((actor) => actor.lifecycle() !== 'stopped')
      .map((actor) => ({
        name: actor.name,
        lifecycle: actor.lifecycle(),
        waiting: actor.waiting(),
        lastError: actor.lastError(),
      })),
  };
}

/** Every process as a scrape target, in the format of Prometheus's http_sd. */
export async function scrapeTargets(
  world: World,
): Promise<{ targets: string[]; labels: Record<string, string> }[]> {
  const members = await world.directory.list('member.');
  return members.map((entry) => {
    const facts = decodeEnvelope<MemberFacts>(entry.value);
    return {
      targets: [facts.address],
      labels: { __meta_skein_roles: facts.roles.join('+'), __meta_skein_zone: facts.zone },
    };
  });
}
