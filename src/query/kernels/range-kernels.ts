// The table of range functions: what computes them, and whether they keep the metric name.

import {
  averageOverTime,
  countOverTime,
  deviationOverTime,
  firstOverTime,
  lastOverTime,
  madOverTime,
  maxOverTime,
  minOverTime,
  presentOverTime,
  quantileOverTime,
  sumOverTime,
  timeOfFirstOverTime,
  timeOfLastOverTime,
  timeOfMaxOverTime,
  timeOfMinOverTime,
  varianceOverTime,
} from './over-time.ts';
import {
  changesKernel,
  deltaKernel,
  ideltaKernel,
  increaseKernel,
  irateKernel,
  rateKernel,
  resetsKernel,
} from './rate.ts';
import { derivKernel, predictLinearKernel, smoothingKernel } from './regression.ts';
import type { RangeKernel } from './window.ts';

/** Kernel of every function that takes a range vector, by PromQL name; absent_over_time is planned as absent. */
export const RANGE_KERNELS: ReadonlyMap<string, RangeKernel> = new Map([
  ['rate', rateKernel],
  ['increase', increaseKernel],
  ['delta', deltaKernel],
  ['irate', irateKernel],
  ['idelta', ideltaKernel],
  ['resets', resetsKernel],
  ['changes', changesKernel],
  ['deriv', derivKernel],
  ['predict_linear', predictLinearKernel],
  ['double_exponential_smoothing', smoothingKernel],
  ['avg_over_time', averageOverTime],
  ['sum_over_time', sumOverTime],
  ['min_over_time', minOverTime],
  ['max_over_time', maxOverTime],
  ['count_over_time', countOverTime],
  ['last_over_time', lastOverTime],
  ['first_over_time', firstOverTime],
  ['present_over_time', presentOverTime],
  ['stddev_over_time', deviationOverTime],
  ['stdvar_over_time', varianceOverTime],
  ['quantile_over_time', quantileOverTime],
  ['mad_over_time', madOverTime],
  ['ts_of_first_over_time', timeOfFirstOverTime],
  ['ts_of_last_over_time', timeOfLastOverTime],
  ['ts_of_max_over_time', timeOfMaxOverTime],
  ['ts_of_min_over_time', timeOfMinOverTime],
]);

/** Whether a range function hands the metric name on: those that return one of the series' own samples. */
export function keepsMetricName(func: string): boolean {
  return func === 'last_over_time' || func === 'first_over_time';
}
