// Kernels of rate, increase, delta (extrapolated to the window's borders) and irate, idelta, resets, changes.
// Semantics and order of float operations follow Prometheus 3.14, promql/functions.go (extrapolatedRate, instantValue).

import { distanceAtEnd, distanceAtStart, type RangeKernel, type WindowJob } from './window.ts';

/** Extrapolates up to the window's border when it is nearer than this many average sample distances. */
const BORDER_FACTOR = 1.1;
/** A little more than one. */
const NEARLY = 1.000001;

/** rate(): per-second increase of a counter. */
export const rateKernel: RangeKernel = (job) => extrapolate(job, true, true);
/** increase(): increase of a counter over the window. */
export const increaseKernel: RangeKernel = (job) => extrapolate(job, true, false);
/** delta(): difference of a gauge over the window. */
export const deltaKernel: RangeKernel = (job) => extrapolate(job, false, false);

function extrapolate(job: WindowJob, isCounter: boolean, isRate: boolean): void {
  const { timestamps, values, from, to, steps, output, present, offset, range, step, unevenMs } = job;
  const rangeSeconds = range / 1000;
  // The next counter reset at or after an index is found by walking forward: windows only move forward.
  const resets = isCounter ? resetIndexes(values, steps === 0 ? 0 : to[steps - 1]!) : NO_RESETS;
  let resetLow = 0;
  let end = job.end;
  for (let i = 0; i < steps; i++, end += step) {
    const first = from[i]!;
    const last = to[i]! - 1;
    if (last <= first) {
      present[offset + i] = 0;
      continue;
    }
    let result = values[last]! - values[first]!;
    if (resets.length > 0) {
      while (resetLow < resets.length && resets[resetLow]! <= first) resetLow++;
      for (let r = resetLow; r < resets.length && resets[r]! <= last; r++) result += values[resets[r]! - 1]!;
    }
    const firstTime = timestamps[first]!;
    const lastTime = timestamps[last]!;
    const sampled = (lastTime - firstTime) / 1000;
    const average = sampled / (last - first);
    let before = average;
    let after = average;
    if (unevenMs > 0) {
      before = distanceAtStart(timestamps, first, average * 1000, unevenMs) / 1000;
      after = distanceAtEnd(timestamps, last, average * 1000, unevenMs) / 1000;
    }
    let toStart = (firstTime - (end - range)) / 1000;
    let toEnd = (end - lastTime) / 1000;
    if (toStart >= before * BORDER_FACTOR) toStart = before / 2;
    if (
      isCounter &&
      result > 0 &&
      values[first]! >= 0 &&
      sampled * values[first]! < result * toStart * NEARLY
    ) {
      // A counter is never negative: its zero point is the farthest it can have started. (The cheap comparison above, with
      // room for its rounding, spares the division where the zero point is far away.)
      const toZero = sampled * (values[first]! / result);
      if (toZero < toStart) toStart = toZero;
    }
    if (toEnd >= after * BORDER_FACTOR) toEnd = after / 2;
    let factor = 1;
    if (sampled !== 0) factor = (sampled + toStart + toEnd) / sampled;
    if (isRate) factor /= rangeSeconds;
    output[offset + i] = result * factor;
    present[offset + i] = 1;
  }
}

const NO_RESETS: readonly number[] = [];

// Indexes i with values[i] < values[i - 1]; almost always none, so that windows need not be scanned.
function resetIndexes(values: Float64Array, count: number): readonly number[] {
  let found: number[] | undefined;
  for (let i = 1; i < count; i++) {
    if (values[i]! < values[i - 1]!) {
      if (found === undefined) found = [i];
      else found.push(i);
    }
  }
  return found ?? NO_RESETS;
}

/** irate(): per-second increase between the last two samples of the window. */
export const irateKernel: RangeKernel = (job) => lastTwo(job, true);
/** idelta(): difference of the last two samples of the window. */
export const ideltaKernel: RangeKernel = (job) => lastTwo(job, false);

function lastTwo(job: WindowJob, isRate: boolean): void {
  const { timestamps, values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const last = to[i]! - 1;
    const before = last - 1;
    const interval = before >= from[i]! ? timestamps[last]! - timestamps[before]! : 0;
    if (interval === 0) {
      present[offset + i] = 0;
      continue;
    }
    let result = values[last]!;
    if (!isRate || !(result < values[before]!)) result -= values[before]!;
    output[offset + i] = isRate ? result / (interval / 1000) : result;
    present[offset + i] = 1;
  }
}

/** resets(): how often the value went down. */
export const resetsKernel: RangeKernel = (job) => {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const end = to[i]!;
    let count = 0;
    for (let k = from[i]! + 1; k < end; k++) if (values[k]! < values[k - 1]!) count++;
    output[offset + i] = count;
    present[offset + i] = end > from[i]! ? 1 : 0;
  }
};

/** changes(): how often the value changed; NaN after NaN is no change. */
export const changesKernel: RangeKernel = (job) => {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const end = to[i]!;
    let count = 0;
    for (let k = from[i]! + 1; k < end; k++) {
      const now = values[k]!;
      const before = values[k - 1]!;
      if (now !== before && !(Number.isNaN(now) && Number.isNaN(before))) count++;
    }
    output[offset + i] = count;
    present[offset + i] = end > from[i]! ? 1 : 0;
  }
};
