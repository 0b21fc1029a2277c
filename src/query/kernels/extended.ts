// Kernels of Prometheus's extended range selectors (3.x, promql-extended-range-selectors): windows reach a lookback beyond their
// borders. `anchored` takes the last sample at or before the window's start as its first value; `smoothed` interpolates the
// values at both borders. After promql/functions.go (extendedRate) and engine.go (extendFloats, smoothSeries).

import type { SampleColumns } from '../../model/samples.ts';
import type { SelectJob } from './select.ts';
import type { RangeKernel, WindowJob } from './window.ts';

/** How an extended selector treats the borders of its window. */
export type Extension = 'anchored' | 'smoothed';

/** rate, increase and delta over extended windows; `job.from`/`to` hold the widened windows. */
export function extendedRateKernel(func: string, extension: Extension): RangeKernel {
  const isCounter = func !== 'delta';
  const divide = func === 'rate';
  return (job) => {
    let end = job.end;
    for (let i = 0; i < job.steps; i++, end += job.step) {
      const result = change(job, i, end, { isCounter, smoothed: extension === 'smoothed' });
      job.present[job.offset + i] = result === undefined ? 0 : 1;
      if (result !== undefined) job.output[job.offset + i] = divide ? result / (job.range / 1000) : result;
    }
  };
}

function change(
  job: WindowJob,
  step: number,
  end: number,
  how: { readonly isCounter: boolean; readonly smoothed: boolean },
): number | undefined {
  const { timestamps, values } = job;
  const range = { start: end - job.range, end };
  const edges = windowEdges(job, step, range, how.smoothed);
  if (edges === undefined) return undefined;
  let { first, last } = edges;
  if (how.smoothed && timestamps[first]! > end) return undefined;
  const { left, right } = borders(job, { ...edges, from: job.from[step]! }, range, how);
  let result = right - left;
  if (!how.isCounter) return result;
  if (timestamps[first]! <= range.start) first++;
  if (timestamps[last]! >= end) last--;
  // Resets at the borders are in the interpolated values already; these are the ones inside.
  let correction = 0;
  let before = left;
  for (let k = first; k <= last; k++) {
    if (values[k]! < before) correction += before;
    before = values[k]!;
  }
  if (right < before) correction += before;
  result += correction;
  return result;
}

/** Values at both ends of a window whose samples begin at `from` and of which `first` and `last` are looked at. */
function borders(
  job: Pick<WindowJob, 'timestamps' | 'values'>,
  { first, last, from }: { first: number; last: number; from: number },
  { start, end }: { start: number; end: number },
  how: { readonly isCounter: boolean; readonly smoothed: boolean },
): { left: number; right: number } {
  const { timestamps, values } = job;
  const isBefore = how.smoothed && timestamps[first]! < start;
  const isBehind = how.smoothed && last > from && timestamps[last]! > end;
  return {
    left: borderValue(job, isBefore ? first : -1, start, how.isCounter) ?? values[first]!,
    right: borderValue(job, isBehind ? last - 1 : -1, end, how.isCounter) ?? values[last]!,
  };
}

/**
 * The samples of an extended range as they are shown by themselves: those between its ends, with the values at both; undefined when
 * none comes after the start. `columns` holds a lookback more than the range on each side that is looked at.
 */
export function extendedSamples(
  { timestamps, values, count }: Pick<SampleColumns, 'timestamps' | 'values' | 'count'>,
  range: { readonly start: number; readonly end: number },
  smoothed: boolean,
): { timestamps: Float64Array; values: Float64Array } | undefined {
  const job = { timestamps, values, from: Int32Array.of(0), to: Int32Array.of(count) };
  const edges = windowEdges(job, 0, range, smoothed);
  if (edges === undefined) return undefined;
  const { left, right } = borders(job, { ...edges, from: 0 }, range, { isCounter: false, smoothed });
  let { first, last } = edges;
  if (timestamps[first]! <= range.start) first++;
  if (timestamps[last]! >= range.end) last--;
  const inside = Math.max(0, last - first + 1);
  const shown = { timestamps: new Float64Array(inside + 2), values: new Float64Array(inside + 2) };
  shown.timestamps.set(timestamps.subarray(first, first + inside), 1);
  shown.values.set(values.subarray(first, first + inside), 1);
  shown.timestamps[0] = range.start;
  shown.values[0] = left;
  shown.timestamps[inside + 1] = range.end;
  shown.values[inside + 1] = right;
  return shown;
}

/** First and last sample an extended window looks at; undefined when it has none after its start. */
function windowEdges(
  job: Pick<WindowJob, 'timestamps' | 'from' | 'to'>,
  step: number,
  { start, end }: { start: number; end: number },
  smoothed: boolean,
): { first: number; last: number } | undefined {
  const { timestamps, from, to } = job;
  if (to[step]! === from[step]!) return undefined;
  let last = to[step]! - 1;
  let after = from[step]!;
  while (after < last && timestamps[after]! <= start) after++;
  const first = Math.max(from[step]!, after - 1);
  if (smoothed) {
    let at = from[step]!;
    while (at < last && timestamps[at]! < end) at++;
    last = at;
  }
  return timestamps[last]! <= start ? undefined : { first, last };
}

// The value at `time` on the line from sample `index` to the next; undefined for index -1.
function borderValue(
  { timestamps, values }: { timestamps: Float64Array; values: Float64Array },
  index: number,
  time: number,
  isCounter: boolean,
): number | undefined {
  if (index < 0) return undefined;
  const next = values[index + 1]!;
  // After a reset a counter has risen from zero.
  const value = isCounter && next < values[index]! ? 0 : values[index]!;
  const share = time - timestamps[index]!;
  return value + ((next - value) * share) / (timestamps[index + 1]! - timestamps[index]!);
}

/** resets and changes over anchored windows: the anchor, the last sample at or before the start, counts as the first. */
export function anchoredCountKernel(func: string): RangeKernel {
  const isResets = func === 'resets';
  return ({ timestamps, values, from, to, steps, step, range, output, present, offset, ...job }) => {
    let end = job.end;
    for (let i = 0; i < steps; i++, end += step) {
      let first = from[i]!;
      while (first + 1 < to[i]! && timestamps[first + 1]! <= end - range) first++;
      const there = to[i]! > from[i]! && timestamps[to[i]! - 1]! > end - range;
      present[offset + i] = there ? 1 : 0;
      let count = 0;
      for (let k = first + 1; k < to[i]!; k++) {
        const [before, now] = [values[k - 1]!, values[k]!];
        if (isResets ? now < before : now !== before && !(Number.isNaN(now) && Number.isNaN(before))) count++;
      }
      output[offset + i] = count;
    }
  };
}

/** Fills one row of a smoothed instant selector: interpolated between its neighbours, or the last value when none follows. */
export function selectSmoothed(columns: SampleColumns, job: SelectJob): number {
  const { timestamps, values, count } = columns;
  const { output, present, offset, steps, step, lookback } = job;
  let time = job.reference;
  let next = 0;
  let found = 0;
  for (let i = 0; i < steps; i++, time += step) {
    while (next < count && timestamps[next]! < time) next++;
    present[offset + i] = 0;
    const exact = next < count && timestamps[next] === time;
    const hasBefore = next > 0 && timestamps[next - 1]! > time - lookback;
    if (!exact && !hasBefore) continue;
    const hasAfter = next < count && timestamps[next]! <= time + lookback;
    let value = exact ? values[next]! : values[next - 1]!;
    if (!exact && hasAfter) value = borderValue(columns, next - 1, time, false) ?? value;
    output[offset + i] = value;
    present[offset + i] = 1;
    found++;
  }
  return found;
}
