// Samples that were refused after they had been acknowledged: what a shard knows of them and a querier tells.

/** Why: older than the out-of-order window; another value is there for that time; the tenant has too many series. */
export type RefusalReason = 'too_old' | 'duplicate_timestamp' | 'series_limit';

/** All of one tenant and reason. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly samples: number;
  /** When the last of them was met, ms since the epoch. */
  readonly lastTime: number;
  /** Names the series, time and value of one of the last. */
  readonly lastError: string;
}
