// What the engine needs from outside. Where data lies (a shard: head and blocks; a test: memory) is a SeriesSource; where
// it does not (a querier) the engine sends fragments of its plan through a FragmentRunner and merges what comes back.

import type { AggregateView } from '../codec/aggregate-chunk.ts';
import type { Annotation } from '../model/annotations.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { SampleColumns, SampleKernels } from '../model/samples.ts';
import type { QueryBudget } from './budget.ts';
import type { OperatorTree } from './operator-tree.ts';

/** Which series and samples are wanted. Times in ms, both included (`start` is already moved by lookback or range). */
export interface SelectRequest {
  readonly matchers: readonly Matcher[];
  readonly start: number;
  readonly end: number;
  /** What the windows of downsampled data are to say; averages when absent. */
  readonly aggregate?: AggregateView;
  /** The coarsest data that are wanted where there are finer ones, ms; raw ones when absent. Where there are none, others will do. */
  readonly maxResolutionMs?: number;
  /** Of an instant selector: how long it shows a sample, ms, so that none of a longer window's is missed. */
  readonly lookbackMs?: number;
}

/**
 * A batch of series, each with its samples ready to be decoded without waiting. Owned by the consumer until it asks for the
 * next batch.
 */
export interface SeriesBatch {
  readonly labels: readonly Labels[];
  /** With `aggregate: 'count'`: values are numbers of samples, some of more than one. */
  readonly isCounted?: boolean;
  /** Where samples of several resolutions stand side by side: the coarsest of them, ms. */
  readonly unevenMs?: number;
  /**
   * Decodes the samples of series `index` with start <= t <= end into `target` (count is reset first; it grows as needed) in
   * time order, one per timestamp, staleness markers included with their bits.
   */
  read(index: number, start: number, end: number, target: SampleColumns): void;
}

/** Where series are read from. */
export interface SeriesSource {
  /** Series that match, sorted by labels within and across batches when `request` is small enough to matter to nobody. */
  select(request: SelectRequest, budget: QueryBudget): AsyncIterable<SeriesBatch>;
  /** Kernels for columns to read into, where there are any. */
  readonly kernels?: SampleKernels | undefined;
}

/** The evaluation grid: start, start+step, ... <= end; an instant query has start = end and step 0 (one step). */
export interface StepRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  /**
   * How often samples seen on this grid count as queryable, 1 when absent: 0 below a subquery (whose steps are counted as the function
   * over it sees them), the number of steps below what is evaluated once for all of them.
   */
  readonly weight?: number;
}

/** Number of steps of a grid. */
export function stepCount(range: StepRange): number {
  return range.step === 0 ? 1 : Math.floor((range.end - range.start) / range.step) + 1;
}

/**
 * Series over the step grid: value of series s at step i is values[s * steps + i], there only where present[...] is 1.
 * Owned by whoever receives it.
 */
export interface StepBatch {
  readonly labels: readonly Labels[];
  readonly steps: number;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** Where some values are native histograms. Shared between batches: neither columns nor rows are changed any more. */
  readonly histograms?: BatchHistograms | undefined;
}

/** Series of some batches in an order of their own: series i is row rows[i] of batches[partOf[i]]. */
export interface OrderedSeries {
  readonly batches: readonly StepBatch[];
  readonly partOf: Uint32Array;
  readonly rows: Uint32Array;
}

/** The native histograms of a batch: cell c (values[c] is its sum) is row rows[c] of `columns`, a float where that is -1. */
export interface BatchHistograms {
  readonly columns: HistogramColumns;
  readonly rows: Int32Array;
}

/** One series with the samples a range selector found, raw and in time order. */
export interface RawColumns {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** Where some samples are native histograms: the row of each, -1 for a float. */
  readonly histograms?: BatchHistograms | undefined;
}

/**
 * One partition's answer to a fragment: step batches, mergeable aggregation states or raw series (by the fragment's root), then
 * its notes and what it read.
 */
export type FragmentReply =
  | { readonly kind: 'batch'; readonly batch: StepBatch }
  | { readonly kind: 'partial'; readonly bytes: Uint8Array }
  | { readonly kind: 'raw'; readonly series: readonly RawColumns[] }
  | {
      readonly kind: 'statistics';
      readonly samplesRead: number;
      readonly samplesQueryable: number;
      readonly seriesSeen: number;
    }
  | { readonly kind: 'notes'; readonly notes: readonly Annotation[] }
  /** At the end, when the fragment asks for it. */
  | { readonly kind: 'analysis'; readonly operator: OperatorTree };

/** Runs a fragment (plan bytes) on every partition and hands back their answers as they come. */
export interface FragmentRunner {
  run(fragment: Uint8Array, budget: QueryBudget): AsyncIterable<FragmentReply>;
}
