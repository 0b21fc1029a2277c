// Windows of range functions over one series' columns. A window of a step is left-open: (end - range, end], as in
// Prometheus 3.x; its samples are the index range from[i] .. to[i] (excluded). Kernels then see indexes, never times twice.

import { type SampleColumns, STALE_NAN_HIGH, STALE_NAN_LOW } from '../../model/samples.ts';

/**
 * Work of a range kernel: one series, all steps. `timestamps` (ms) and `values` are borrowed columns; `from`/`to` hold the
 * window of each of `steps` steps; the window of step i ends at `end + i * step` (`step` 0 when the window stands still) and is
 * `range` wide. Results go to `output`/`present` at `offset + i`; `evalStart + i * evalStep` is the time the step is evaluated at.
 */
export interface WindowJob {
  timestamps: Float64Array;
  values: Float64Array;
  from: Int32Array;
  to: Int32Array;
  steps: number;
  end: number;
  step: number;
  range: number;
  evalStart: number;
  evalStep: number;
  output: Float64Array;
  present: Uint8Array;
  offset: number;
  /** Start times of the samples where they are known and wanted. */
  starts: Float64Array | undefined;
  /** Set by kernels that find a sample which started inside the one before. */
  overlapSeen: boolean;
  /** Where samples of several resolutions stand side by side: the coarsest of them, ms; else 0. */
  unevenMs: number;
  /** How far windows reach beyond their borders, ms: 0 but for extended selectors. */
  before: number;
  after: number;
}

/** A greater distance than this many windows is a gap. */
const UNEVEN_FACTOR = 1.1;

/** Computes a range function for every step of a job; `first` and `second` are its scalar arguments per step. */
export type RangeKernel = (job: WindowJob, first: Float64Array, second: Float64Array) => void;

/** Removes staleness markers in place, which range functions never see; returns the samples left. Bits of kept values stay. */
export function dropStale(columns: SampleColumns): number {
  const { bits, timestamps, starts, count } = columns;
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const low = bits[2 * i]!;
    const high = bits[2 * i + 1]!;
    if (high === STALE_NAN_HIGH && low === STALE_NAN_LOW) continue;
    if (kept !== i) {
      bits[2 * kept] = low;
      bits[2 * kept + 1] = high;
      timestamps[kept] = timestamps[i]!;
      if (starts !== undefined) starts[kept] = starts[i]!;
    }
    kept++;
  }
  columns.count = kept;
  return kept;
}

/** What windows are found from and where they go. */
export type WindowSearch = Pick<
  WindowJob,
  'timestamps' | 'from' | 'to' | 'steps' | 'end' | 'step' | 'range' | 'before' | 'after'
>;

/** Fills `from` and `to` of a job for `count` samples in time order. Cost O(samples + steps). */
export function findWindows(job: WindowSearch, count: number): void {
  const { timestamps, from, to, steps, step } = job;
  const range = job.range + job.before + job.after;
  let end = job.end + job.after;
  let low = 0;
  let high = 0;
  for (let i = 0; i < steps; i++) {
    while (high < count && timestamps[high]! <= end) high++;
    const open = end - range;
    while (low < high && timestamps[low]! <= open) low++;
    from[i] = low;
    to[i] = high;
    end += step;
  }
}

/**
 * How far apart samples are at the beginning of a window, ms, when they are `average` apart in all of it: further, where coarser ones
 * stand there than behind them. Two samples are in the window at least.
 */
export function distanceAtStart(
  timestamps: Float64Array,
  first: number,
  average: number,
  unevenMs: number,
): number {
  const at = first > 0 ? first : 1;
  const distance = timestamps[at]! - timestamps[at - 1]!;
  return distance > average && distance <= unevenMs * UNEVEN_FACTOR ? distance : average;
}

/** As distanceAtStart, at the window's end. */
export function distanceAtEnd(
  timestamps: Float64Array,
  last: number,
  average: number,
  unevenMs: number,
): number {
  const distance = timestamps[last]! - timestamps[last - 1]!;
  return distance > average && distance <= unevenMs * UNEVEN_FACTOR ? distance : average;
}

/** The step after the last of a slice from step `start` on whose windows hold about `samplesMax` samples together. */
export function sliceEnd({ from, to, steps }: WindowJob, start: number, samplesMax: number): number {
  let samples = 0;
  let i = start;
  while (i < steps && samples <= samplesMax) {
    samples += to[i]! - from[i]! + 1;
    i++;
  }
  return i;
}

/**
 * Steps `start` to `end` (excluded) of a job as a job of their own that begins at their first sample. Works in the windows of
 * `job`: each of its steps may be in one slice only.
 */
export function sliceOf(job: WindowJob, start: number, end: number): WindowJob {
  const from = job.from.subarray(start, end);
  const to = job.to.subarray(start, end);
  const base = from[0]!;
  for (let i = 0; i < from.length; i++) {
    from[i]! -= base;
    to[i]! -= base;
  }
  return {
    ...job,
    timestamps: job.timestamps.subarray(base),
    values: job.values.subarray(base),
    starts: job.starts?.subarray(base),
    overlapSeen: false,
    from,
    to,
    steps: end - start,
    end: job.end + start * job.step,
    evalStart: job.evalStart + start * job.evalStep,
    offset: job.offset + start,
  };
}

/** Copies the present steps of one row of a step batch into columns, floats all: a subquery's samples. Returns their number. */
export function columnsFromSteps(
  row: { values: Float64Array; present: Uint8Array; offset: number; steps: number },
  grid: { start: number; step: number },
  target: SampleColumns,
): number {
  let count = 0;
  for (let i = 0; i < row.steps; i++) {
    if (row.present[row.offset + i] === 0) continue;
    target.timestamps[count] = grid.start + i * grid.step;
    target.values[count] = row.values[row.offset + i]!;
    count++;
  }
  target.starts = undefined;
  target.histograms = undefined;
  target.count = count;
  return count;
}
