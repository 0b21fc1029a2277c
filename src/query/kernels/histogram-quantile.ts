// Quantiles, fractions and variances of native histograms: what lies inside a bucket is interpolated, linearly in custom buckets and
// in the zero bucket, on a logarithmic scale in the others. After Prometheus promql/quantile.go (HistogramQuantile,
// HistogramFraction) and functions.go (histogramVariance).

import { type BucketCursor, shareBelow } from '../../model/bucket-cursor.ts';
import { compensatedAdd } from '../../model/bucket-list.ts';
import type { FloatHistogram } from '../../model/float-histogram.ts';

/** What NaN observations, which are in no bucket, did to a result. */
export type NanNote = 'none' | 'nan-result' | 'skewed' | 'excluded';

/** A result and what is to be said of it; used again by whoever asks. */
export interface NativeResult {
  value: number;
  note: NanNote;
}

/** The value that a share `quantile` of the observations does not exceed. */
export function nativeQuantile(
  quantile: number,
  histogram: FloatHistogram,
  cursor: BucketCursor,
  result: NativeResult,
): void {
  result.note = 'none';
  if (quantile < 0) result.value = Number.NEGATIVE_INFINITY;
  else if (quantile > 1) result.value = Number.POSITIVE_INFINITY;
  else if (histogram.count === 0 || Number.isNaN(quantile)) result.value = Number.NaN;
  else result.value = inside(quantile, histogram, cursor, result);
}

function inside(
  quantile: number,
  histogram: FloatHistogram,
  cursor: BucketCursor,
  result: NativeResult,
): number {
  const hasNan = Number.isNaN(histogram.sum);
  // From the nearer end, unless NaN observations make the upper one uncertain.
  const upwards = hasNan || quantile < 0.5;
  const rank = (upwards ? quantile : 1 - quantile) * histogram.count;
  let seen = 0;
  let found = 0;
  let lower = 0;
  let upper = 0;
  cursor.start(histogram, !upwards);
  while (cursor.next()) {
    if (cursor.observations === 0) continue;
    found = cursor.observations;
    lower = cursor.lower;
    upper = cursor.upper;
    seen += found;
    if (seen >= rank) break;
  }
  if (histogram.isCustom) {
    if (lower === Number.NEGATIVE_INFINITY) {
      if (upper <= 0) return upper;
      lower = 0;
    } else if (upper === Number.POSITIVE_INFINITY) return lower;
  } else if (lower < 0 && upper > 0) [lower, upper] = zeroBounds(histogram, lower, upper);
  seen = Math.min(seen, histogram.count);
  if (seen < rank) {
    if (hasNan) result.note = 'nan-result';
    return hasNan ? Number.NaN : upper;
  }
  const before = upwards ? rank - (seen - found) : seen - rank;
  if (hasNan) {
    while (cursor.next()) seen += cursor.observations;
    if (seen < histogram.count) result.note = 'skewed';
  }
  return between(before / found, lower, upper, histogram.isCustom);
}

// The zero bucket of a histogram with observations on one side only has none on the other.
function zeroBounds({ positive, negative }: FloatHistogram, lower: number, upper: number): [number, number] {
  if (negative.count === 0 && positive.count > 0) return [0, upper];
  return positive.count === 0 && negative.count > 0 ? [lower, 0] : [lower, upper];
}

function between(share: number, lower: number, upper: number, isCustom: boolean): number {
  if (isCustom || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * share;
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * share);
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - share)));
}

/** The share of observations between `lower` and `upper`. */
export function nativeFraction(
  { lower, upper }: { readonly lower: number; readonly upper: number },
  histogram: FloatHistogram,
  cursor: BucketCursor,
  result: NativeResult,
): void {
  result.note = 'none';
  const { count } = histogram;
  if (count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) {
    result.value = Number.NaN;
    return;
  }
  if (lower >= upper) {
    result.value = 0;
    return;
  }
  let within = count;
  if (Number.isNaN(histogram.sum)) {
    within = 0;
    cursor.start(histogram);
    while (cursor.next()) within += cursor.observations;
    if (within < count) result.note = 'excluded';
  }
  const below = Math.min(rankOf(lower, histogram, cursor) ?? within, within);
  const upTo = Math.min(rankOf(upper, histogram, cursor) ?? within, within);
  result.value = (upTo - below) / count;
}

// How many observations lie below a value; undefined when it is above all buckets.
function rankOf(value: number, histogram: FloatHistogram, cursor: BucketCursor): number | undefined {
  let rank = 0;
  cursor.start(histogram);
  while (cursor.next()) {
    let { lower, upper } = cursor;
    const { observations } = cursor;
    const isZero = lower <= 0 && upper >= 0;
    if (isZero) [lower, upper] = zeroBounds(histogram, lower, upper);
    if (lower >= value) return rank;
    if (upper > value) {
      const linear = histogram.isCustom || isZero;
      if (linear && lower === Number.NEGATIVE_INFINITY) return observations;
      return rank + observations * shareBelow(lower, upper, value, linear);
    }
    rank += observations;
  }
  return undefined;
}

/** The variance, each bucket's observations taken to be at its middle. */
export function nativeVariance(histogram: FloatHistogram, cursor: BucketCursor): number {
  const { count } = histogram;
  const mean = histogram.sum / count;
  const sum = new Float64Array(1);
  const rest = new Float64Array(1);
  cursor.start(histogram);
  while (cursor.next()) {
    const { observations } = cursor;
    if (observations === 0) continue;
    const delta = middle(cursor.lower, cursor.upper, histogram.isCustom) - mean;
    compensatedAdd(sum, rest, 0, observations * delta * delta);
  }
  return (sum[0]! + rest[0]!) / count;
}

function middle(lower: number, upper: number, isCustom: boolean): number {
  if (isCustom) return (upper + lower) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  const geometric = Math.sqrt(upper * lower);
  return upper < 0 ? -geometric : geometric;
}
