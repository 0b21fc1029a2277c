// Whether a counter was reset between two native histograms: some count is smaller than it was, or buckets are laid out so that it
// could not have grown out of the other (Prometheus model/histogram/float_histogram.go, DetectReset).

import { BucketList, coarser } from './bucket-list.ts';
import type { FloatHistogram } from './float-histogram.ts';
import { RESET_HINT } from './histogram.ts';
import { exponentialBound } from './histogram-buckets.ts';
import { commonBounds, joinInto, sameBounds, widerZeroBucket } from './histogram-sum.ts';

/** Whether `current` began anew after `previous`. A hint of `current` decides. */
export function detectReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  if (current.hint === RESET_HINT.reset) return true;
  if (current.hint === RESET_HINT.noReset) return false;
  if (current.count < previous.count) return true;
  if (current.isCustom) {
    if (!previous.isCustom) return true;
    if (!sameBounds(current.bounds, previous.bounds)) return customReset(current, previous);
  }
  // A finer resolution or a narrower zero bucket come with a reset only.
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true;
  const zero = widerZeroBucket(previous, current.zeroThreshold);
  if (zero.threshold !== current.zeroThreshold || current.zeroCount < zero.count) return true;
  const { schema, zeroThreshold: threshold } = current;
  const shift = previous.schema - schema;
  const from = { threshold: current.isCustom ? 0 : threshold, schema, shift };
  return (
    sideReset(current.positive, previous.positive, from) ||
    sideReset(current.negative, previous.negative, from)
  );
}

// Whether a bucket above the zero bucket has fewer observations than before.
function sideReset(
  current: BucketList,
  previous: BucketList,
  { threshold, schema, shift }: { threshold: number; schema: number; shift: number },
): boolean {
  let at = 0;
  let isAbove = threshold === 0;
  for (let i = 0; i < previous.count; ) {
    const number = coarser(previous.numbers[i]!, shift);
    let observations = 0;
    for (; i < previous.count && coarser(previous.numbers[i]!, shift) === number; i++)
      observations += previous.values[i]!;
    isAbove ||= exponentialBound(number, schema) > threshold;
    if (!isAbove) continue;
    while (at < current.count && current.numbers[at]! < number) at++;
    const isThere = at < current.count && current.numbers[at] === number;
    if (isThere ? current.values[at]! < observations : observations !== 0) return true;
  }
  return false;
}

function customReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  const bounds = commonBounds(current.bounds, previous.bounds);
  const now = emptyBuckets(bounds.length + 1);
  const before = emptyBuckets(bounds.length + 1);
  joinInto(now, current, { bounds, sign: 1 });
  joinInto(before, previous, { bounds, sign: 1 });
  for (let i = 0; i <= bounds.length; i++) if (now.values[i]! < before.values[i]!) return true;
  return false;
}

function emptyBuckets(count: number): BucketList {
  const out = new BucketList();
  for (let number = 0; number < count; number++) out.push(number, 0);
  return out;
}
