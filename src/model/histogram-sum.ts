// Addition and subtraction of native histograms: resolutions, zero buckets and custom bounds that differ are brought to what both
// have first. After Prometheus model/histogram/float_histogram.go (Add, KahanAdd, Sub).

import { BucketList, compensatedAdd } from './bucket-list.ts';
import { COUNT, type FloatHistogram, SUM, ZERO_COUNT } from './float-histogram.ts';
import { RESET_HINT } from './histogram.ts';
import { exponentialBound } from './histogram-buckets.ts';

/** Bits of what is to be said of a sum: exponential and custom buckets cannot be added (nothing was changed) ... */
export const INCOMPATIBLE = 1;
/** ... one was known to be reset and the other not to be ... */
export const RESET_COLLISION = 2;
/** ... custom bounds that only one of them has were left out. */
export const BOUNDS_RECONCILED = 4;

/** Adds `other` to `target`. Returns bits of what is to be said of it. */
export function addHistogram(target: FloatHistogram, other: FloatHistogram): number {
  return combine(target, other, { sign: 1, compensated: false });
}

/** Adds `other` with its rests to `target` and keeps what rounding loses in the rests of `target`. */
export function addCompensated(target: FloatHistogram, other: FloatHistogram): number {
  return combine(target, other, { sign: 1, compensated: true });
}

/** Takes `other` away from `target`. */
export function subtractHistogram(target: FloatHistogram, other: FloatHistogram): number {
  return combine(target, other, { sign: -1, compensated: false });
}

interface Way {
  readonly sign: number;
  readonly compensated: boolean;
}

function combine(target: FloatHistogram, other: FloatHistogram, way: Way): number {
  if (target.isCustom !== other.isCustom) return INCOMPATIBLE;
  const collision = adjustHint(target, other.hint);
  const { sign, compensated } = way;
  const zero = target.isCustom ? NO_ZERO_BUCKET : reconcileZeroBuckets(target, other, compensated);
  addTotal(target, ZERO_COUNT, sign * zero.count, sign * zero.rest, compensated);
  addTotal(target, COUNT, sign * other.totals[COUNT]!, sign * other.rests[COUNT]!, compensated);
  addTotal(target, SUM, sign * other.totals[SUM]!, sign * other.rests[SUM]!, compensated);
  if (target.isCustom && !sameBounds(target.bounds, other.bounds)) {
    reconcileBounds(target, other, way);
    return collision | BOUNDS_RECONCILED;
  }
  if (other.schema < target.schema) target.reduce(other.schema, compensated);
  const shift = other.schema - target.schema;
  for (const [mine, others] of [
    [target.positive, other.positive],
    [target.negative, other.negative],
  ] as const) {
    const from = target.isCustom ? 0 : bucketsWithin(others, target.zeroThreshold, other.schema, shift);
    mine.merge(others, { from, shift, ...way });
  }
  return collision;
}

function addTotal(
  { totals, rests }: FloatHistogram,
  total: number,
  more: number,
  rest: number,
  compensated: boolean,
): void {
  if (!compensated) {
    totals[total]! += more;
    return;
  }
  compensatedAdd(totals, rests, total, more);
  if (rest !== 0) compensatedAdd(totals, rests, total, rest);
}

// A gauge stays one and makes a gauge; what is unknown of one is unknown of the sum.
function adjustHint(target: FloatHistogram, other: number): number {
  const { hint } = target;
  if (other === hint || hint === RESET_HINT.gauge) return 0;
  if (other === RESET_HINT.gauge) target.hint = other;
  else if (hint !== RESET_HINT.unknown) {
    target.hint = RESET_HINT.unknown;
    if (other !== RESET_HINT.unknown) return RESET_COLLISION;
  }
  return 0;
}

/** Whether custom bounds are the same. */
export function sameBounds(a: Float64Array, b: Float64Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** How many of the first buckets end within the zero bucket, in a resolution that is halved `shift` times. */
function bucketsWithin(
  { numbers, count }: BucketList,
  threshold: number,
  schema: number,
  shift: number,
): number {
  let i = 0;
  while (i < count && exponentialBound(((numbers[i]! - 1) >> shift) + 1, schema - shift) <= threshold) i++;
  return i;
}

interface ZeroBucket {
  readonly count: number;
  readonly rest: number;
  readonly threshold: number;
}

const NO_ZERO_BUCKET: ZeroBucket = { count: 0, rest: 0, threshold: 0 };

// Widens the zero bucket of `target` until one of the same width has room for both and ends inside no bucket that has observations;
// returns what `other` has in such a one.
function reconcileZeroBuckets(
  target: FloatHistogram,
  other: FloatHistogram,
  compensated: boolean,
): ZeroBucket {
  let zero: ZeroBucket = {
    count: other.zeroCount,
    rest: other.rests[ZERO_COUNT]!,
    threshold: other.zeroThreshold,
  };
  while (zero.threshold !== target.zeroThreshold) {
    if (target.zeroThreshold > zero.threshold) zero = widerZeroBucket(other, target.zeroThreshold);
    if (zero.threshold > target.zeroThreshold) {
      const wider = widerZeroBucket(target, zero.threshold);
      target.totals[ZERO_COUNT] = wider.count;
      target.rests[ZERO_COUNT] = compensated ? wider.rest : 0;
      target.zeroThreshold = wider.threshold;
      target.positive.dropFirst(bucketsReaching(target.positive, target.schema, wider.threshold));
      target.negative.dropFirst(bucketsReaching(target.negative, target.schema, wider.threshold));
      target.compact();
    }
  }
  return zero;
}

/** The zero bucket as it would be with a larger threshold, which grows to the end of a bucket with observations it would cut. */
export function widerZeroBucket(histogram: FloatHistogram, threshold: number): ZeroBucket {
  if (threshold === histogram.zeroThreshold)
    return { count: histogram.zeroCount, rest: histogram.rests[ZERO_COUNT]!, threshold };
  const sums = new Float64Array(1);
  const rests = new Float64Array(1);
  for (let wanted = threshold; ; ) {
    sums[0] = histogram.zeroCount;
    rests[0] = histogram.rests[ZERO_COUNT]!;
    const upper = takeIn(histogram.positive, { schema: histogram.schema, threshold: wanted, sums, rests });
    const outer = takeIn(histogram.negative, { schema: histogram.schema, threshold: upper, sums, rests });
    // When the negative side has widened it, the positive one is to be looked at again.
    if (outer === upper) return { count: sums[0]!, rest: rests[0]!, threshold: upper };
    wanted = outer;
  }
}

interface ZeroSum {
  readonly schema: number;
  readonly threshold: number;
  readonly sums: Float64Array;
  readonly rests: Float64Array;
}

// Adds the buckets of a side that begin below the threshold; returns the threshold they end at.
function takeIn(side: BucketList, { schema, threshold, sums, rests }: ZeroSum): number {
  const { numbers, values } = side;
  for (let i = 0; i < side.count; i++) {
    if (exponentialBound(numbers[i]! - 1, schema) >= threshold) return threshold;
    compensatedAdd(sums, rests, 0, values[i]!);
    compensatedAdd(sums, rests, 0, side.rests[i]!);
    const upper = exponentialBound(numbers[i]!, schema);
    if (upper > threshold) return values[i] === 0 ? threshold : upper;
  }
  return threshold;
}

function bucketsReaching({ numbers, count }: BucketList, schema: number, threshold: number): number {
  let i = 0;
  while (i < count && exponentialBound(numbers[i]! - 1, schema) < threshold) i++;
  return i;
}

// Adds histograms with different custom bounds: buckets are joined until only bounds that both have are left.
function reconcileBounds(target: FloatHistogram, other: FloatHistogram, { sign, compensated }: Way): void {
  const bounds = commonBounds(target.bounds, other.bounds);
  const sum = new BucketList();
  for (let number = 0; number <= bounds.length; number++) sum.push(number, 0);
  joinInto(sum, target, { bounds, sign: 1 });
  joinInto(sum, other, { bounds, sign });
  sum.compact();
  if (!compensated) sum.rests.fill(0);
  target.positive.copy(sum);
  target.bounds = bounds;
}

/** Bounds that both have. */
export function commonBounds(a: Float64Array, b: Float64Array): Float64Array {
  const out: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      out.push(a[i]!);
      i++;
      j++;
    } else if (a[i]! < b[j]!) i++;
    else j++;
  }
  return Float64Array.from(out);
}

/** Adds custom buckets to `sum`, which has one bucket for each of fewer `bounds` and the one above them. */
export function joinInto(
  sum: BucketList,
  { positive, bounds: own }: FloatHistogram,
  { bounds, sign }: { readonly bounds: Float64Array; readonly sign: number },
): void {
  let at = 0;
  for (let i = 0; i < positive.count; i++) {
    const upper = own[positive.numbers[i]!] ?? Number.POSITIVE_INFINITY;
    while (at < bounds.length && bounds[at]! < upper) at++;
    compensatedAdd(sum.values, sum.rests, at, sign * positive.values[i]!);
    compensatedAdd(sum.values, sum.rests, at, sign * positive.rests[i]!);
  }
}
