// Quantiles: of plain values, and of classic histogram buckets (Prometheus promql/quantile.go). Scratch arrays belong to the
// caller and are reordered or rewritten.

/** Relative difference below which two bucket counts are taken for equal: rounding of sums, not observations. */
const SMALL_DELTA = 1e-12;
const MIN_NORMAL = 2.2250738585072014e-308;

/**
 * The q-quantile of the first `count` of `values`, interpolated between neighbours; NaN counts as the smallest value.
 * NaN without values or for q NaN, -Inf for q < 0, +Inf for q > 1. O(count); reorders `values`.
 */
export function quantileOf(q: number, values: Float64Array, count: number): number {
  if (count === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const nans = moveNaNsToEnd(values, count);
  const numbers = count - nans;
  const rank = q * (count - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(count - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  const low = lower < nans ? Number.NaN : selectNth(values, numbers, lower - nans);
  // Behind the lower neighbour nothing is smaller, so the upper one is the least of the rest.
  const high = upper === lower ? low : upper < nans ? Number.NaN : leastFrom(values, upper - nans, numbers);
  return low * (1 - weight) + high * weight;
}

function moveNaNsToEnd(values: Float64Array, count: number): number {
  let end = count;
  for (let i = 0; i < end; ) {
    if (Number.isNaN(values[i]!)) values[i] = values[--end]!;
    else i++;
  }
  return count - end;
}

function leastFrom(values: Float64Array, start: number, end: number): number {
  let least = values[start]!;
  for (let i = start + 1; i < end; i++) if (values[i]! < least) least = values[i]!;
  return least;
}

/** Puts the value of rank `nth` (from 0) to its place and returns it; smaller ones stand before it. No NaN among them. */
export function selectNth(values: Float64Array, count: number, nth: number): number {
  let low = 0;
  let high = count - 1;
  while (high - low > 12) {
    const pivot = medianOfThree(values[low]!, values[(low + high) >> 1]!, values[high]!);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const held = values[i]!;
      values[i++] = values[j]!;
      values[j--] = held;
    }
    if (nth <= j) high = j;
    else if (nth >= i) low = i;
    else return values[nth]!;
  }
  for (let i = low + 1; i <= high; i++) {
    const value = values[i]!;
    let j = i - 1;
    for (; j >= low && values[j]! > value; j--) values[j + 1] = values[j]!;
    values[j + 1] = value;
  }
  return values[nth]!;
}

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

/** What had to be straightened over many histograms; step indices, NaN-free. */
export interface Straightening {
  /** Histograms whose counts fell somewhere. */
  count: number;
  stepFirst: number;
  stepLast: number;
  boundMin: number;
  boundMax: number;
  /** Largest fall between two neighbouring buckets. */
  fallMax: number;
}

/** No straightening yet. */
export function noStraightening(): Straightening {
  return {
    count: 0,
    stepFirst: Infinity,
    stepLast: -Infinity,
    boundMin: Infinity,
    boundMax: -Infinity,
    fallMax: 0,
  };
}

/** A classic histogram at one step: `bounds` ascending, counts cumulative, both of length `count`. */
export interface Buckets {
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
  count: number;
}

/** Merges buckets of equal bounds in place: their counts add up. */
export function coalesceBuckets(buckets: Buckets): void {
  const { bounds, counts } = buckets;
  let last = 0;
  for (let i = 1; i < buckets.count; i++) {
    if (bounds[i] === bounds[last]) {
      counts[last]! += counts[i]!;
    } else {
      last++;
      bounds[last] = bounds[i]!;
      counts[last] = counts[i]!;
    }
  }
  buckets.count = Math.min(buckets.count, last + 1);
}

/**
 * histogram_quantile of at least one bucket, sorted by bound: -Inf for q < 0, +Inf for q > 1, NaN for q NaN, without a +Inf
 * bucket, with fewer than two buckets or without observations. Rewrites the buckets (equal bounds merged, counts made
 * monotonic); falls of the counts are noted in `noted` for `step`.
 */
export function bucketQuantile(q: number, buckets: Buckets, noted: Straightening, step: number): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const { bounds, counts } = buckets;
  if (bounds[buckets.count - 1] !== Infinity) return Number.NaN;
  coalesceBuckets(buckets);
  straighten(buckets, noted, step);
  const last = buckets.count - 1;
  if (last < 1) return Number.NaN;
  const observations = counts[last]!;
  if (observations === 0) return Number.NaN;
  let rank = q * observations;
  const found = firstAtLeast(counts, last, rank);
  if (found === last) return bounds[last - 1]!;
  if (found === 0 && bounds[0]! <= 0) return bounds[0]!;
  let start = 0;
  let inside = counts[found]!;
  if (found > 0) {
    start = bounds[found - 1]!;
    inside -= counts[found - 1]!;
    rank -= counts[found - 1]!;
  }
  return start + (bounds[found]! - start) * (rank / inside);
}

// The same probes as Go's sort.Search, so that NaN counts lead to the same bucket.
function firstAtLeast(counts: Float64Array, end: number, rank: number): number {
  let low = 0;
  let high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (counts[middle]! >= rank) high = middle;
    else low = middle + 1;
  }
  return low;
}

function straighten({ bounds, counts, count }: Buckets, noted: Straightening, step: number): void {
  let fell = false;
  let before = counts[0]!;
  for (let i = 1; i < count; i++) {
    const current = counts[i]!;
    if (current === before) continue;
    if (nearlyEqual(before, current)) {
      counts[i] = before;
    } else if (current < before) {
      counts[i] = before;
      fell = true;
      noted.boundMin = Math.min(noted.boundMin, bounds[i]!);
      noted.boundMax = Math.max(noted.boundMax, bounds[i]!);
      noted.fallMax = Math.max(noted.fallMax, before - current);
    } else before = current;
  }
  if (!fell) return;
  noted.count++;
  noted.stepFirst = Math.min(noted.stepFirst, step);
  noted.stepLast = Math.max(noted.stepLast, step);
}

function nearlyEqual(a: number, b: number): boolean {
  if (Number.isNaN(a)) return Number.isNaN(b);
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < SMALL_DELTA * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA;
}

/**
 * histogram_fraction of at least one bucket, sorted by bound: the share of observations between two values, interpolated
 * linearly. NaN without a +Inf bucket, without observations or for a NaN limit. Merges equal bounds in place.
 */
export function bucketFraction(lower: number, upper: number, buckets: Buckets): number {
  const { bounds, counts } = buckets;
  if (bounds[buckets.count - 1] !== Infinity) return Number.NaN;
  coalesceBuckets(buckets);
  const observations = counts[buckets.count - 1]!;
  if (observations === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  return (rankOf(upper, buckets) - rankOf(lower, buckets)) / observations;
}

// Observations below `limit`. Buckets with an infinite end add nothing from their inside.
function rankOf(limit: number, { bounds, counts, count }: Buckets): number {
  const observations = counts[count - 1]!;
  let below = 0;
  for (let i = 0; i < count; i++) {
    const start = i > 0 ? bounds[i - 1]! : bounds[0]! <= 0 ? -Infinity : 0;
    const end = bounds[i]!;
    if (start >= limit) return Math.min(below, observations);
    if (end > limit) {
      const inside =
        start === -Infinity ? counts[i]! : below + ((counts[i]! - below) * (limit - start)) / (end - start);
      return Math.min(inside, observations);
    }
    below = counts[i]!;
  }
  return observations;
}
