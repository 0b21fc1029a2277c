// The cluster's record: what was fixed when the cluster was made. Reading it tells a new process where it is; making it makes
// the logs first, so that a record without its logs can only mean a loss.

import type { Directory } from './bus/directory.ts';
import type { DurableLogs } from './bus/durable-log.ts';
import { CLUSTER_KEY } from './bus/subjects.ts';
import { decodeEnvelope, encodeEnvelope } from './codec/envelope.ts';
import { asDomainError, DomainError } from './model/errors.ts';
import { type Random, randomHex } from './platform/random.ts';

const VERSION = 1;

/** What never changes by itself. */
export interface ClusterRecord {
  readonly version: 1;
  /** Random name of this making of the cluster: what a data folder keeps of another one is of no use here. */
  readonly id: string;
  readonly partitions: number;
}

/** Reads the record, or makes the logs and the record of a new cluster. Two processes starting at once agree on one. */
export async function joinCluster(
  directory: Directory,
  logs: DurableLogs,
  partitions: number,
  random: Random,
): Promise<ClusterRecord> {
  for (;;) {
    const entry = await directory.read(CLUSTER_KEY);
    if (entry) return readable(decodeEnvelope<ClusterRecord>(entry.value));
    for (let partition = 0; partition < partitions; partition++) await logs.create(partition);
    try {
      await directory.write(
        CLUSTER_KEY,
        encodeEnvelope({ version: VERSION, id: randomHex(random, 8), partitions } satisfies ClusterRecord),
        0,
      );
    } catch (error) {
      // Somebody else made it in the meantime: theirs counts.
      if (asDomainError(error).code !== 'conflict') throw error;
    }
  }
}

// Unknown fields are a newer version's business; another version number says that the rest changed too.
function readable(record: ClusterRecord): ClusterRecord {
  const { version } = record as { readonly version: number };
  if (version === VERSION) return record;
  throw new DomainError(
    'config',
    `cannot join this cluster: its record has version ${version}, this Skein knows ${VERSION}; use the version that the other processes run`,
  );
}
