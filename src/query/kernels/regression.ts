// Kernels of deriv, predict_linear (least squares with compensated sums) and double_exponential_smoothing, after Prometheus
// 3.14, promql/functions.go.

import { formatFixed } from '../../codec/float-text.ts';
import { DomainError } from '../../model/errors.ts';
import type { RangeKernel } from './window.ts';

/** deriv(): slope per second of the least-squares line. */
export const derivKernel: RangeKernel = (job) => {
  const { timestamps, values, from, to, steps, output, present, offset } = job;
  const line = { slope: 0, intercept: 0 };
  for (let i = 0; i < steps; i++) {
    const there = to[i]! - from[i]! >= 2;
    present[offset + i] = there ? 1 : 0;
    if (!there) continue;
    // The first sample's time as origin keeps the sums small and therefore exact.
    fitLine({ timestamps, values, start: from[i]!, end: to[i]!, origin: timestamps[from[i]!]! }, line);
    output[offset + i] = line.slope;
  }
};

/** predict_linear(): the line's value `seconds[i]` after the step's evaluation time. */
export const predictLinearKernel: RangeKernel = (job, seconds) => {
  const { timestamps, values, from, to, steps, output, present, offset } = job;
  const line = { slope: 0, intercept: 0 };
  for (let i = 0; i < steps; i++) {
    const there = to[i]! - from[i]! >= 2;
    present[offset + i] = there ? 1 : 0;
    if (!there) continue;
    const origin = job.evalStart + i * job.evalStep;
    fitLine({ timestamps, values, start: from[i]!, end: to[i]!, origin }, line);
    output[offset + i] = line.slope * seconds[i]! + line.intercept;
  }
};

interface LineInput {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly start: number;
  readonly end: number;
  readonly origin: number;
}

function fitLine(input: LineInput, line: { slope: number; intercept: number }): void {
  const { timestamps, values, start, end, origin } = input;
  const count = end - start;
  const initial = values[start]!;
  let constant = true;
  const x = { sum: 0, rest: 0 };
  const y = { sum: 0, rest: 0 };
  const xy = { sum: 0, rest: 0 };
  const xx = { sum: 0, rest: 0 };
  for (let k = start; k < end; k++) {
    const value = values[k]!;
    if (constant && k > start && value !== initial) constant = false;
    const time = (timestamps[k]! - origin) / 1000;
    addCompensated(x, time);
    addCompensated(y, value);
    addCompensated(xy, time * value);
    addCompensated(xx, time * time);
  }
  if (constant) {
    const infinite = initial === Infinity || initial === -Infinity;
    line.slope = infinite ? Number.NaN : 0;
    line.intercept = infinite ? Number.NaN : initial;
    return;
  }
  const sumX = x.sum + x.rest;
  const sumY = y.sum + y.rest;
  const covariance = xy.sum + xy.rest - (sumX * sumY) / count;
  const variance = xx.sum + xx.rest - (sumX * sumX) / count;
  line.slope = covariance / variance;
  line.intercept = sumY / count - (line.slope * sumX) / count;
}

function addCompensated(into: { sum: number; rest: number }, value: number): void {
  const next = into.sum + value;
  if (next === Infinity || next === -Infinity) into.rest = 0;
  else if (Math.abs(into.sum) >= Math.abs(value)) into.rest += into.sum - next + value;
  else into.rest += value - next + into.sum;
  into.sum = next;
}

/** double_exponential_smoothing(): smoothing and trend factor per step, both between 0 and 1. */
export const smoothingKernel: RangeKernel = (job, smoothing, trends) => {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const start = from[i]!;
    const end = to[i]!;
    if (end === start) {
      present[offset + i] = 0;
      continue;
    }
    const factor = checkedFactor(smoothing[i]!, 'smoothing');
    const trend = checkedFactor(trends[i]!, 'trend');
    present[offset + i] = end - start >= 2 ? 1 : 0;
    if (end - start < 2) continue;
    let before = 0;
    let smooth = values[start]!;
    let slope = values[start + 1]! - values[start]!;
    for (let k = start + 1; k < end; k++) {
      if (k > start + 1) slope = trend * (smooth - before) + (1 - trend) * slope;
      const next = factor * values[k]! + (1 - factor) * (smooth + slope);
      before = smooth;
      smooth = next;
    }
    output[offset + i] = smooth;
  }
};

function checkedFactor(value: number, name: 'smoothing' | 'trend'): number {
  const short = name === 'smoothing' ? 'sf' : 'tf';
  if (value <= 0 || value >= 1)
    throw new DomainError(
      'execution',
      `invalid ${name} factor. Expected: 0 < ${short} < 1, got: ${formatFixed(value, 6)}`,
    );
  return value;
}
