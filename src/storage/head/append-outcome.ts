// What a head takes, and what it says became of it.

import type { HistogramColumns } from '../../model/histogram.ts';

/** What became of samples; `append` adds to the counters. */
export interface AppendOutcome {
  /** Accepted in order. */
  appended: number;
  /** Accepted out of order. */
  outOfOrder: number;
  /** Of the accepted: older than what has been cut already; they make an additional block. */
  late: number;
  /** Same time and same bits as a sample that is there: nothing to do. */
  duplicates: number;
  /** Same time as a sample that is there, another value: refused. */
  conflicts: number;
  /** Older than the out-of-order window, or out of order with a window of 0: refused. */
  tooOld: number;
  /** Of no series: refused by seriesFor (limit), or removed. */
  unknown: number;
}

/** An outcome with all counters 0. */
export function appendOutcome(): AppendOutcome {
  return { appended: 0, outOfOrder: 0, late: 0, duplicates: 0, conflicts: 0, tooOld: 0, unknown: 0 };
}

/** Native histograms to append: row r of `columns` is of series refs[r] at timestamps[r]. Borrowed. */
export interface HistogramBatch {
  readonly columns: HistogramColumns;
  readonly refs: Uint32Array;
  readonly timestamps: Float64Array;
  /** Histograms before this time (ms) are passed over. */
  readonly floor: number;
  /** Time of the newest sample before the batch, floats of the same batch left out of account, ms. */
  readonly newest: number;
}
