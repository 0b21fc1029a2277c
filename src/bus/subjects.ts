// Every subject of Skein: `<prefix>.<owner>[.<partition>].<verb>`. No other file spells one.

/** Subject of a message to the shard of one partition. */
export function shardSubject(prefix: string, partition: number, verb: string): string {
  return `${prefix}.shard.${partition}.${verb}`;
}

/** Subject of a message to one replica (one process) of a partition's shard. */
export function replicaSubject(prefix: string, partition: number, processId: string, verb: string): string {
  return `${prefix}.replica.${partition}.${processId}.${verb}`;
}

/** Subject of a message to the querier of one process. */
export function querierSubject(prefix: string, processId: string, verb: string): string {
  return `${prefix}.querier.${processId}.${verb}`;
}

/** Subject of an event about one partition. */
export function partitionEventSubject(prefix: string, partition: number, verb: string): string {
  return `${prefix}.partition.${partition}.${verb}`;
}

/** The wildcard that matches an event of every partition. */
export function everyPartitionEvent(prefix: string, verb: string): string {
  return `${prefix}.partition.*.${verb}`;
}

/** Subject of a message to a thread of this process; never leaves it. */
export function threadSubject(thread: number, verb: string): string {
  return `thread.${thread}.${verb}`;
}

/** Directory key of a process. */
export function memberKey(processId: string): string {
  return `member.${processId}`;
}

/** Directory key of a partition's lease. */
export function leaseKey(partition: number): string {
  return `lease.${partition}`;
}

/** Directory key under which a process tells how its replica of a partition stands. */
export function replicaKey(partition: number, processId: string): string {
  return `replica.${partition}.${processId}`;
}

/** Directory key of the cluster's record. */
export const CLUSTER_KEY = 'cluster';
