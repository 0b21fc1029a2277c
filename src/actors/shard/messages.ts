// What a shard is asked inside its process, besides the requests that arrive over the bus, and what it tells of itself.

/** How a shard stands, for the placer. */
export interface ShardStatus {
  readonly partition: number;
  /** Last log message applied. */
  readonly applied: number;
  /** Whether this process holds the partition's lease. */
  readonly owner: boolean;
}

/** Message kinds of a shard. */
export type ShardMessages = {
  /** Every second: lease, report, cut, snapshot, trim. */
  tick: { request: undefined; reply: undefined };
  /** This process's place among the partition's owners as the placement is now: 0 leads; undefined when it belongs elsewhere. */
  place: { request: { readonly rank: number | undefined }; reply: undefined };
  status: { request: undefined; reply: ShardStatus };
  /** Another process has caught up and asks for the lease. */
  handover: { request: { readonly to: string }; reply: { readonly released: boolean } };
};

/** What a replica of a partition tells in the directory. */
export interface ReplicaFacts {
  readonly partition: number;
  readonly process: string;
  readonly lifecycle: string;
  readonly applied: number;
  /** Messages of the log not applied yet. */
  readonly lag: number;
  readonly series: number;
  readonly blocks: number;
  /** End of the newest block, ms; 0 without one. */
  readonly lastBlockEnd: number;
  /** Whether it holds the lease. */
  readonly leads: boolean;
  readonly logBytes: number;
  /** False while the bucket has not told of the partition's blocks: answers about old data are partial. */
  readonly blocksKnown: boolean;
}
