// A query that waits for its turn or runs, as others are told of it.

/** Facts of a query at one moment. */
export interface ActiveQuery {
  /** Unlike that of any other query of the cluster; begins with the id of its process. */
  readonly id: string;
  /** Id of the process that answers it. */
  readonly process: string;
  readonly tenant: string;
  readonly query: string;
  /** By the path it was asked at. */
  readonly kind: 'query' | 'query_range';
  /** First and last time asked for, ms. */
  readonly start: number;
  readonly end: number;
  /** ms; 0 for an instant query. */
  readonly step: number;
  readonly state: 'queued' | 'running';
  /** Since when there has been the query, wall time in ms, and how long that was ago. */
  readonly since: number;
  readonly ageMs: number;
  /** Samples read so far; those of a shard count once it has answered. */
  readonly samples: number;
  /** Working memory in the process that answers it. */
  readonly memoryBytes: number;
}
