// Kernels of the *_over_time functions. Sums and means are compensated (Neumaier) exactly as Prometheus 3.14 does it
// (promql/functions.go, util/kahansum), each window anew: same digits, and as fast as sliding at usual window sizes.

import { invariant } from '../../model/errors.ts';
import type { RangeKernel, WindowJob } from './window.ts';

/** sum_over_time(). */
export const sumOverTime: RangeKernel = (job) => {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const end = to[i]!;
    let sum = 0;
    let rest = 0;
    for (let k = from[i]!; k < end; k++) {
      const value = values[k]!;
      const next = sum + value;
      if (next === Infinity || next === -Infinity) rest = 0;
      else if (Math.abs(sum) >= Math.abs(value)) rest += sum - next + value;
      else rest += value - next + sum;
      sum = next;
    }
    output[offset + i] = sum === Infinity || sum === -Infinity ? sum : sum + rest;
    present[offset + i] = end > from[i]! ? 1 : 0;
  }
};

/** avg_over_time(): sum / count, or an incremental mean once the sum would overflow. */
export const averageOverTime: RangeKernel = (job) => {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const start = from[i]!;
    const end = to[i]!;
    present[offset + i] = end > start ? 1 : 0;
    if (end > start) output[offset + i] = mean(values, start, end);
  }
};

function mean(values: Float64Array, start: number, end: number): number {
  let sum = values[start]!;
  let rest = 0;
  for (let k = start + 1; k < end; k++) {
    const value = values[k]!;
    const next = sum + value;
    if (next === Infinity || next === -Infinity)
      return incrementalMean(values, start, end, { at: k, sum, rest });
    if (Math.abs(sum) >= Math.abs(value)) rest += sum - next + value;
    else rest += value - next + sum;
    sum = next;
  }
  return sum / (end - start) + rest / (end - start);
}

function incrementalMean(
  values: Float64Array,
  start: number,
  end: number,
  state: { at: number; sum: number; rest: number },
): number {
  let average = state.sum / (state.at - start);
  let rest = state.rest / (state.at - start);
  for (let k = state.at; k < end; k++) {
    const count = k - start + 1;
    const share = (count - 1) / count;
    const value = values[k]! / count;
    const base = share * average;
    const next = base + value;
    rest *= share;
    if (next === Infinity || next === -Infinity) rest = 0;
    else if (Math.abs(base) >= Math.abs(value)) rest += base - next + value;
    else rest += value - next + base;
    average = next;
  }
  return average + rest;
}

/** count_over_time(). */
export const countOverTime: RangeKernel = (job) => {
  const { from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const count = to[i]! - from[i]!;
    output[offset + i] = count;
    present[offset + i] = count > 0 ? 1 : 0;
  }
};

/** present_over_time(). */
export const presentOverTime: RangeKernel = (job) => {
  const { from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    output[offset + i] = 1;
    present[offset + i] = to[i]! > from[i]! ? 1 : 0;
  }
};

/** last_over_time(). */
export const lastOverTime: RangeKernel = (job) => pick(job, job.values, { last: true, divisor: 1 });
/** first_over_time(). */
export const firstOverTime: RangeKernel = (job) => pick(job, job.values, { last: false, divisor: 1 });
/** ts_of_last_over_time(): seconds. */
export const timeOfLastOverTime: RangeKernel = (job) =>
  pick(job, job.timestamps, { last: true, divisor: 1000 });
/** ts_of_first_over_time(): seconds. */
export const timeOfFirstOverTime: RangeKernel = (job) =>
  pick(job, job.timestamps, { last: false, divisor: 1000 });

function pick(job: WindowJob, column: Float64Array, how: { last: boolean; divisor: number }): void {
  const { from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const there = to[i]! > from[i]!;
    present[offset + i] = there ? 1 : 0;
    if (there) output[offset + i] = column[how.last ? to[i]! - 1 : from[i]!]! / how.divisor;
  }
}

/** max_over_time(): NaN only when all are NaN. */
export const maxOverTime: RangeKernel = (job) => {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const end = to[i]!;
    let best = values[from[i]!]!;
    for (let k = from[i]! + 1; k < end; k++) if (values[k]! > best || Number.isNaN(best)) best = values[k]!;
    output[offset + i] = best;
    present[offset + i] = end > from[i]! ? 1 : 0;
  }
};

/** min_over_time(): NaN only when all are NaN. */
export const minOverTime: RangeKernel = (job) => {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const end = to[i]!;
    let best = values[from[i]!]!;
    for (let k = from[i]! + 1; k < end; k++) if (values[k]! < best || Number.isNaN(best)) best = values[k]!;
    output[offset + i] = best;
    present[offset + i] = end > from[i]! ? 1 : 0;
  }
};

/** ts_of_max_over_time(): time in seconds of the last sample that holds the maximum. */
export const timeOfMaxOverTime: RangeKernel = (job) => timeOfBest(job, 1);
/** ts_of_min_over_time(): time in seconds of the last sample that holds the minimum. */
export const timeOfMinOverTime: RangeKernel = (job) => timeOfBest(job, -1);

function timeOfBest(job: WindowJob, sign: 1 | -1): void {
  const { timestamps, values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const end = to[i]!;
    let at = from[i]!;
    let best = sign * values[at]!;
    for (let k = from[i]!; k < end; k++) {
      if (sign * values[k]! >= best || Number.isNaN(best)) {
        best = sign * values[k]!;
        at = k;
      }
    }
    output[offset + i] = timestamps[at]! / 1000;
    present[offset + i] = end > from[i]! ? 1 : 0;
  }
}

/** stdvar_over_time(): population variance, Welford with compensation. */
export const varianceOverTime: RangeKernel = (job) => variances(job, false);
/** stddev_over_time(). */
export const deviationOverTime: RangeKernel = (job) => variances(job, true);

function variances(job: WindowJob, root: boolean): void {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const there = to[i]! > from[i]!;
    present[offset + i] = there ? 1 : 0;
    if (!there) continue;
    const variance = varianceOf(values, from[i]!, to[i]!);
    output[offset + i] = root ? Math.sqrt(variance) : variance;
  }
}

function varianceOf(values: Float64Array, start: number, end: number): number {
  let average = 0;
  let averageRest = 0;
  let square = 0;
  let squareRest = 0;
  for (let k = start; k < end; k++) {
    const value = values[k]!;
    const delta = value - (average + averageRest);
    const share = delta / (k - start + 1);
    let next = average + share;
    if (next === Infinity || next === -Infinity) averageRest = 0;
    else if (Math.abs(average) >= Math.abs(share)) averageRest += average - next + share;
    else averageRest += share - next + average;
    average = next;
    const part = delta * (value - (average + averageRest));
    next = square + part;
    if (next === Infinity || next === -Infinity) squareRest = 0;
    else if (Math.abs(square) >= Math.abs(part)) squareRest += square - next + part;
    else squareRest += part - next + square;
    square = next;
  }
  return (square + squareRest) / (end - start);
}

/** quantile_over_time(); `quantiles` holds the wanted quantile per step. */
export const quantileOverTime: RangeKernel = (job, quantiles) => {
  const { values, from, to, steps, output, present, offset } = job;
  const scratch = new Float64Array(widest(job));
  for (let i = 0; i < steps; i++) {
    const count = to[i]! - from[i]!;
    present[offset + i] = count > 0 ? 1 : 0;
    if (count === 0) continue;
    const window = scratch.subarray(0, count);
    window.set(values.subarray(from[i]!, to[i]!));
    output[offset + i] = quantileInPlace(quantiles[i]!, window);
  }
};

/** mad_over_time(): median of the absolute distances from the median. */
export const madOverTime: RangeKernel = (job) => {
  const { values, from, to, steps, output, present, offset } = job;
  const scratch = new Float64Array(widest(job));
  for (let i = 0; i < steps; i++) {
    const count = to[i]! - from[i]!;
    present[offset + i] = count > 0 ? 1 : 0;
    if (count === 0) continue;
    const window = scratch.subarray(0, count);
    window.set(values.subarray(from[i]!, to[i]!));
    let broken = false;
    for (let k = 0; k < count; k++) if (Number.isNaN(window[k]!)) broken = true;
    const median = quantileInPlace(0.5, window);
    for (let k = 0; k < count; k++) window[k] = Math.abs(window[k]! - median);
    output[offset + i] = broken ? Number.NaN : quantileInPlace(0.5, window);
  }
};

function widest(job: WindowJob): number {
  let most = 0;
  for (let i = 0; i < job.steps; i++) most = Math.max(most, job.to[i]! - job.from[i]!);
  return most;
}

// Sorts `window`; NaN sorts first, as Prometheus's heap does.
function quantileInPlace(quantile: number, window: Float64Array): number {
  invariant(window.length > 0, 'quantile of an empty window');
  if (Number.isNaN(quantile)) return Number.NaN;
  if (quantile < 0) return -Infinity;
  if (quantile > 1) return Infinity;
  window.sort();
  let nans = 0;
  while (nans < window.length && Number.isNaN(window[window.length - 1 - nans]!)) nans++;
  const rank = quantile * (window.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(window.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  const low = lower < nans ? Number.NaN : window[lower - nans]!;
  const high = upper < nans ? Number.NaN : window[upper - nans]!;
  return low * (1 - weight) + high * weight;
}
