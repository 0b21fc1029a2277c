// Where the buckets of a native histogram lie: their bounds by schema and number, and all buckets of one in ascending order.

import { CUSTOM_BUCKETS_SCHEMA } from './histogram.ts';
import type { HistogramRow } from './histogram-equality.ts';

/** Bounds in [0.5, 1) of the finest schema, 8: those of coarser ones are among them. */
const FINEST = 8;
const FRACTIONS = 1 << FINEST;

// Prometheus's table (exponentialBounds of model/histogram/generic.go) lies so many steps of a float64 below the products of roots of
// two: a digit for each. Numbers of buckets mean the same bounds everywhere only when they are the same to the last bit.
const STEPS_BELOW =
  '0000000000000000000000000000000000000000000000000000000000000000' +
  '0000000000000000000000000000000000000000000000000000000000000000' +
  '1111111111111111111111111111111111111111111111221111111111111111' +
  '2222222222222222222222223333333322222222222222222222222222222222';

const EXPONENTIAL_BOUNDS: Float64Array = exponentialBounds();

function exponentialBounds(): Float64Array {
  const out = new Float64Array(FRACTIONS).fill(0.5);
  let root = 2;
  for (let bit = FRACTIONS / 2; bit >= 1; bit /= 2) {
    root = Math.sqrt(root);
    for (let i = 0; i < FRACTIONS; i++) if ((i & bit) !== 0) out[i]! *= root;
  }
  // All lie in [0.5, 1), where a step is 2^-53.
  for (let i = 0; i < FRACTIONS; i++) out[i]! -= Number(STEPS_BELOW[i]) * 2 ** -53;
  return out;
}

/** The upper bound of bucket `number` of an exponential schema (-4 to 8), above 0; of the negative side the lower one, negated. */
export function exponentialBound(number: number, schema: number): number {
  if (schema < 0) {
    const exponent = number * 2 ** -schema;
    return exponent === 1024 ? Number.MAX_VALUE : scaled(1, exponent);
  }
  const fractions = 1 << schema;
  const within = ((number % fractions) + fractions) % fractions;
  const fraction = EXPONENTIAL_BOUNDS[within << (FINEST - schema)]!;
  const exponent = Math.floor(number / fractions) + 1;
  // The bucket below the one for infinite observations ends at the largest number there is.
  return fraction === 0.5 && exponent === 1025 ? Number.MAX_VALUE : scaled(fraction, exponent);
}

// value * 2^exponent, rounded once.
function scaled(value: number, exponent: number): number {
  if (exponent > 1023) return value * 2 ** 1023 * 2 ** Math.min(1023, exponent - 1023);
  return exponent < -1022 ? value * 2 ** Math.max(-1074, exponent + 60) * 2 ** -60 : value * 2 ** exponent;
}

/** One bucket with its bounds. */
export interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly isLowerIncluded: boolean;
  readonly isUpperIncluded: boolean;
  readonly observations: number;
}

/** The buckets of a histogram that have observations, in ascending order; the zero bucket may lie over some of them. */
export function bucketsOf({ columns, row }: HistogramRow): Bucket[] {
  const { schemas, boundStarts, bounds, zeroThresholds, zeroCounts } = columns;
  if (schemas[row] === CUSTOM_BUCKETS_SCHEMA) {
    const own = bounds.subarray(boundStarts[row], boundStarts[row + 1]);
    return side({ columns, row }, false, (number, observations) => ({
      lower: number === 0 ? Number.NEGATIVE_INFINITY : own[number - 1]!,
      upper: number === own.length ? Number.POSITIVE_INFINITY : own[number]!,
      isLowerIncluded: number === 0,
      isUpperIncluded: true,
      observations,
    }));
  }
  const schema = schemas[row]!;
  const zero = zeroThresholds[row]!;
  const positive = side({ columns, row }, false, (number, observations) => ({
    lower: exponentialBound(number - 1, schema),
    upper: exponentialBound(number, schema),
    isLowerIncluded: false,
    isUpperIncluded: true,
    observations,
  }));
  const negative = side({ columns, row }, true, (number, observations) => ({
    lower: -exponentialBound(number, schema),
    upper: -exponentialBound(number - 1, schema),
    isLowerIncluded: true,
    isUpperIncluded: false,
    observations,
  }));
  const middle =
    zeroCounts[row] === 0
      ? []
      : [
          {
            lower: -zero,
            upper: zero,
            isLowerIncluded: true,
            isUpperIncluded: true,
            observations: zeroCounts[row]!,
          },
        ];
  return [...negative.reverse(), ...middle, ...positive];
}

function side(
  { columns, row }: HistogramRow,
  negative: boolean,
  bucket: (number: number, observations: number) => Bucket,
): Bucket[] {
  const { spans, buckets } = columns;
  const end = negative ? columns.spanStarts[row + 1]! : columns.negativeSpanStarts[row]!;
  let at = negative ? columns.negativeBucketStarts[row]! : columns.bucketStarts[row]!;
  const out: Bucket[] = [];
  let number = 0;
  for (
    let span = negative ? columns.negativeSpanStarts[row]! : columns.spanStarts[row]!;
    span < end;
    span += 2
  ) {
    number += spans[span]!;
    for (let left = spans[span + 1]!; left > 0; left--, number++, at++)
      if (buckets[at] !== 0) out.push(bucket(number, buckets[at]!));
  }
  return out;
}
