// Kernels of rate, increase, irate and resets that know when each counter started (Prometheus's feature use-start-timestamps): a
// new start time is a reset even when the value did not fall, and a counter that started inside the window started from 0 then.
// After Prometheus 3.14, promql/functions.go (extrapolatedRate, isStartTimestampReset). Start time 0 means unknown.

import { distanceAtEnd, distanceAtStart, type RangeKernel, type WindowJob } from './window.ts';

/** Extrapolates up to the window's border when it is nearer than this many average sample distances. */
const BORDER_FACTOR = 1.1;

/** Kernels by function; they take the place of the plain ones where samples have start times. */
export const START_TIME_KERNELS: ReadonlyMap<string, RangeKernel> = new Map<string, RangeKernel>([
  ['rate', (job) => changes(job, true)],
  ['increase', (job) => changes(job, false)],
  ['irate', lastChange],
  ['resets', countResets],
]);

/** Whether the counter started anew between sample `k - 1` and sample `k`, as its start time tells. */
function startsAnew({ timestamps, starts }: WindowJob, k: number): boolean {
  return startedAnew(timestamps, starts!, k);
}

/** As startsAnew, of columns. */
export function startedAnew(timestamps: Float64Array, starts: Float64Array, k: number): boolean {
  const start = starts[k]!;
  const before = timestamps[k - 1]!;
  // Unknown, not before its own sample, or before the previous one: it tells nothing.
  if (start === 0 || start >= timestamps[k]! || start < before) return false;
  if (start > before) return true;
  // Right at the previous sample: a delta, or a cumulative counter whose first start was not known.
  const previous = starts[k - 1]!;
  return previous !== 0 && previous < before;
}

/** Whether sample `k` claims to have started inside what the previous one covers. */
export function overlapsBefore(timestamps: Float64Array, starts: Float64Array, k: number): boolean {
  const start = starts[k]!;
  return start !== 0 && start < timestamps[k - 1]! && start !== starts[k - 1]!;
}

function changes(job: WindowJob, isRate: boolean): void {
  const { from, to, steps, output, present, offset, range } = job;
  let end = job.end;
  for (let i = 0; i < steps; i++, end += job.step) {
    const first = from[i]!;
    const last = to[i]! - 1;
    const increase = last < first ? Number.NaN : increaseBetween(job, first, last);
    const factor =
      last < first ? 0 : extrapolation(job, { first, last, end, increase, firstValue: job.values[first]! });
    present[offset + i] = factor === 0 ? 0 : 1;
    if (factor === 0) continue;
    const total = startsInside(job, first, end) ? increase + job.values[first]! : increase;
    output[offset + i] = total * (isRate ? factor / (range / 1000) : factor);
  }
}

function increaseBetween(job: WindowJob, first: number, last: number): number {
  const { values } = job;
  let result = values[last]! - values[first]!;
  for (let k = first + 1; k <= last; k++) {
    if (overlapsBefore(job.timestamps, job.starts!, k)) job.overlapSeen = true;
    if (values[k]! < values[k - 1]! || startsAnew(job, k)) result += values[k - 1]!;
  }
  return result;
}

/** Samples of a counter with the times it started at, where those are known, seen through a window of `range` ms. */
export interface StartedSamples {
  readonly timestamps: Float64Array;
  readonly starts: Float64Array | undefined;
  readonly range: number;
  /** As of a WindowJob. */
  readonly unevenMs: number;
}

/** Whether the first sample's counter started inside the window that ends at `end`, which is left-open. */
export function startsInside(
  { timestamps, starts, range }: Omit<StartedSamples, 'unevenMs'>,
  first: number,
  end: number,
): boolean {
  const start = starts?.[first] ?? 0;
  return start !== 0 && start > end - range && start < timestamps[first]!;
}

/** What a counter did in a window: by how much it grew from the value at its first sample on. */
export interface Growth {
  readonly first: number;
  readonly last: number;
  readonly end: number;
  readonly increase: number;
  /** A gauge, which may be below 0, has none. */
  readonly firstValue: number | undefined;
}

/** By how much an increase grows from the time between samples to the window; 0 where nothing can be said. */
export function extrapolation(
  job: StartedSamples,
  { first, last, end, increase, firstValue }: Growth,
): number {
  const { timestamps, starts, range, unevenMs } = job;
  const firstTime = timestamps[first]!;
  const lastTime = timestamps[last]!;
  let sampled = (lastTime - firstTime) / 1000;
  const average = last > first ? sampled / (last - first) : 0;
  const isUneven = unevenMs > 0 && last > first;
  const before = isUneven ? distanceAtStart(timestamps, first, average * 1000, unevenMs) / 1000 : average;
  const after = isUneven ? distanceAtEnd(timestamps, last, average * 1000, unevenMs) / 1000 : average;
  let toStart = 0;
  let toEnd = (end - lastTime) / 1000;
  if (startsInside(job, first, end)) sampled = (lastTime - starts![first]!) / 1000;
  else if (last === first) return 0;
  else {
    toStart = (firstTime - (end - range)) / 1000;
    if (toStart >= before * BORDER_FACTOR) toStart = before / 2;
    // A counter is never negative: its zero point is the farthest it can have started.
    if (firstValue !== undefined && increase > 0 && firstValue >= 0) {
      const toZero = sampled * (firstValue / increase);
      if (toZero < toStart) toStart = toZero;
    }
  }
  if (toEnd >= after * BORDER_FACTOR) toEnd = after / 2;
  return sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled;
}

function lastChange(job: WindowJob): void {
  const { timestamps, values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    const last = to[i]! - 1;
    const interval = last > from[i]! ? timestamps[last]! - timestamps[last - 1]! : 0;
    present[offset + i] = interval === 0 ? 0 : 1;
    if (interval === 0) continue;
    const isReset = values[last]! < values[last - 1]! || startsAnew(job, last);
    output[offset + i] = (isReset ? values[last]! : values[last]! - values[last - 1]!) / (interval / 1000);
  }
}

function countResets(job: WindowJob): void {
  const { values, from, to, steps, output, present, offset } = job;
  for (let i = 0; i < steps; i++) {
    let count = 0;
    for (let k = from[i]! + 1; k < to[i]!; k++)
      if (values[k]! < values[k - 1]! || startsAnew(job, k)) count++;
    output[offset + i] = count;
    present[offset + i] = to[i]! > from[i]! ? 1 : 0;
  }
}
