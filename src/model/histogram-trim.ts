// The trim operators: a native histogram without the observations above (`</`) or below (`>/`) a limit. What a cut bucket keeps is
// interpolated; count and sum are reckoned anew from the buckets when any of them changes. After Prometheus
// model/histogram/float_histogram.go (TrimBuckets).

import { boundOf, shareBelow } from './bucket-cursor.ts';
import type { BucketList } from './bucket-list.ts';
import { COUNT, type FloatHistogram, SUM, ZERO_COUNT } from './float-histogram.ts';

/** Keeps what was observed below `limit` (`keepsBelow`) or above it; works in the histogram. */
export function trimHistogram(histogram: FloatHistogram, limit: number, keepsBelow: boolean): void {
  const sum: TrimSum = { count: 0, sum: 0, isTrimmed: false };
  const hasPositive = trimSide(histogram, true, { limit, keepsBelow }, sum);
  const hasNegative = trimSide(histogram, false, { limit, keepsBelow }, sum);
  if (histogram.zeroCount > 0)
    trimZeroBucket(histogram, { limit, keepsBelow, hasPositive, hasNegative }, sum);
  if (!sum.isTrimmed) return;
  histogram.totals[COUNT] = sum.count;
  histogram.totals[SUM] = sum.sum;
  histogram.compact();
}

interface Limit {
  readonly limit: number;
  readonly keepsBelow: boolean;
}

interface TrimSum {
  count: number;
  sum: number;
  isTrimmed: boolean;
}

/** A bucket on the way through. */
interface TrimBucket {
  readonly lower: number;
  readonly upper: number;
  readonly observations: number;
  /** Of the positive side. */
  readonly isPositive: boolean;
  readonly isCustom: boolean;
}

/** What is kept of a bucket and where its middle is. */
interface Kept {
  readonly observations: number;
  readonly middle: number;
}

// Trims one side; whether it has observations at all.
function trimSide(
  histogram: FloatHistogram,
  isPositive: boolean,
  { limit, keepsBelow }: Limit,
  sum: TrimSum,
): boolean {
  const list: BucketList = isPositive ? histogram.positive : histogram.negative;
  const { isCustom } = histogram;
  let any = false;
  for (let i = 0; i < list.count; i++) {
    const observations = list.values[i]!;
    if (observations === 0) continue;
    any = true;
    const number = list.numbers[i]!;
    const [outer, inner] = [boundOf(histogram, number), boundOf(histogram, number - 1)];
    const [lower, upper] = isPositive ? [inner, outer] : [-outer, -inner];
    const bucket: TrimBucket = { lower, upper, observations, isPositive, isCustom };
    const isInside = keepsBelow ? upper <= limit : lower >= limit;
    const isCut = keepsBelow ? lower < limit : upper > limit;
    if (!isInside && !isCut) {
      list.values[i] = 0;
      sum.isTrimmed = true;
      continue;
    }
    const kept = isInside
      ? { observations, middle: middleOf(bucket, lower, upper) }
      : cutBucket(bucket, { limit, keepsBelow });
    sum.count += kept.observations;
    sum.sum += kept.middle * kept.observations;
    if (kept.observations === observations) continue;
    list.values[i] = kept.observations;
    sum.isTrimmed = true;
  }
  return any;
}

function cutBucket(bucket: TrimBucket, { limit, keepsBelow }: Limit): Kept {
  const { lower, upper, observations, isCustom } = bucket;
  if (lower === Number.NEGATIVE_INFINITY) return cutLowest(bucket, { limit, keepsBelow });
  // What an unbounded bucket holds above or below the limit is not known: it goes, unless it lies beyond the limit as a whole.
  if (upper === Number.POSITIVE_INFINITY)
    return !keepsBelow && limit >= lower
      ? { observations, middle: limit }
      : { observations: 0, middle: finiteOr0(lower) };
  const below = observations * shareBelow(lower, upper, limit, isCustom);
  return keepsBelow
    ? { observations: below, middle: middleOf(bucket, lower, limit) }
    : { observations: observations - below, middle: middleOf(bucket, limit, upper) };
}

// The custom bucket without a lower bound: with a positive upper one it is taken to begin at 0.
function cutLowest({ upper, observations }: TrimBucket, { limit, keepsBelow }: Limit): Kept {
  const isBounded = upper !== Number.POSITIVE_INFINITY;
  if (keepsBelow) {
    if (limit > 0 && upper > 0 && isBounded)
      return { observations: (observations * limit) / upper, middle: limit / 2 };
    return upper <= 0 ? { observations, middle: limit } : { observations: 0, middle: finiteOr0(upper) };
  }
  if (limit === Number.NEGATIVE_INFINITY) return { observations, middle: 0 };
  if (limit >= 0 && upper > limit && isBounded)
    return { observations: observations * (1 - limit / upper), middle: (limit + upper) / 2 };
  return { observations: 0, middle: finiteOr0(upper) };
}

function finiteOr0(value: number): number {
  return Math.abs(value) === Number.POSITIVE_INFINITY ? 0 : value;
}

// The middle of a part of a bucket: geometric in exponential ones.
function middleOf({ isPositive, isCustom }: TrimBucket, lower: number, upper: number): number {
  if (lower === finiteOr0(lower) && upper === finiteOr0(upper)) {
    if (isCustom) return (lower + upper) / 2;
    const middle = Math.sqrt(Math.abs(lower * upper));
    return isPositive ? middle : -middle;
  }
  if (lower === finiteOr0(lower)) return lower;
  if (upper !== finiteOr0(upper)) return 0;
  return upper > 0 ? upper / 2 : upper;
}

function trimZeroBucket(
  histogram: FloatHistogram,
  {
    limit,
    keepsBelow,
    hasPositive,
    hasNegative,
  }: Limit & { readonly hasPositive: boolean; readonly hasNegative: boolean },
  sum: TrimSum,
): void {
  const observations = histogram.zeroCount;
  const threshold = histogram.zeroThreshold;
  const upper = hasNegative && !hasPositive ? 0 : threshold;
  const lower = hasPositive && !hasNegative ? 0 : -threshold;
  let [from, to] = keepsBelow ? [lower, Math.min(limit, upper)] : [Math.max(limit, lower), upper];
  let kept = observations;
  if (keepsBelow ? limit <= lower : limit >= upper && limit > lower) {
    kept = from = to = 0;
  } else if (!(keepsBelow ? limit >= upper : limit <= lower))
    kept = observations * ((to - from) / (upper - lower));
  if (kept !== observations) {
    histogram.totals[ZERO_COUNT] = kept;
    sum.isTrimmed = true;
  }
  sum.sum += ((from + to) / 2) * kept;
  sum.count += kept;
}
