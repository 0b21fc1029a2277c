// A native histogram to compute with, whatever the kind of the one it was read from: observations are floats, spans are numbers of
// buckets. It is memory to be used again; results go to columns. After Prometheus model/histogram/float_histogram.go.

import { BucketList } from './bucket-list.ts';
import { CUSTOM_BUCKETS_SCHEMA, type HistogramColumns, RESET_HINT } from './histogram.ts';
import type { HistogramRow } from './histogram-equality.ts';

const NO_BOUNDS = new Float64Array(0);

/** Cells of FloatHistogram.totals and .rests. */
export const COUNT = 0;
export const SUM = 1;
export const ZERO_COUNT = 2;

/** A histogram being computed. */
export class FloatHistogram {
  schema = 0;
  /** A RESET_HINT. */
  hint: number = RESET_HINT.unknown;
  zeroThreshold = 0;
  /** Count, sum and zero count. */
  readonly totals: Float64Array = new Float64Array(3);
  /** What rounding lost of each of them in compensated sums. */
  readonly rests: Float64Array = new Float64Array(3);
  /** Upper bounds of custom buckets; replaced, never changed. */
  bounds: Float64Array = NO_BOUNDS;
  readonly positive: BucketList = new BucketList();
  readonly negative: BucketList = new BucketList();

  /** Bytes of memory held, about. */
  get bytes(): number {
    return 500 + this.positive.bytes + this.negative.bytes;
  }

  /** Observations. */
  get count(): number {
    return this.totals[COUNT]!;
  }

  /** Sum of what was observed. */
  get sum(): number {
    return this.totals[SUM]!;
  }

  /** Observations in the zero bucket. */
  get zeroCount(): number {
    return this.totals[ZERO_COUNT]!;
  }

  /** Whether the buckets have bounds of their own. */
  get isCustom(): boolean {
    return this.schema === CUSTOM_BUCKETS_SCHEMA;
  }

  /** Becomes an empty histogram with the layout of `like`. */
  clear(like: FloatHistogram): this {
    this.schema = like.schema;
    this.bounds = like.bounds;
    this.hint = RESET_HINT.unknown;
    this.zeroThreshold = 0;
    this.totals.fill(0);
    this.rests.fill(0);
    this.positive.count = this.negative.count = 0;
    return this;
  }

  /** Becomes the histogram of a row. Its bounds are borrowed from the columns. */
  load({ columns, row }: HistogramRow): this {
    this.schema = columns.schemas[row]!;
    this.hint = columns.hints[row]!;
    this.zeroThreshold = columns.zeroThresholds[row]!;
    this.totals[COUNT] = columns.counts[row]!;
    this.totals[SUM] = columns.sums[row]!;
    this.totals[ZERO_COUNT] = columns.zeroCounts[row]!;
    this.rests.fill(0);
    this.bounds = this.isCustom
      ? columns.bounds.subarray(columns.boundStarts[row], columns.boundStarts[row + 1])
      : NO_BOUNDS;
    loadSide(this.positive, columns, row, false);
    loadSide(this.negative, columns, row, true);
    return this;
  }

  /** Becomes a copy of another one. */
  copy(other: FloatHistogram): this {
    this.schema = other.schema;
    this.hint = other.hint;
    this.zeroThreshold = other.zeroThreshold;
    this.totals.set(other.totals);
    this.rests.set(other.rests);
    this.bounds = other.bounds;
    this.positive.copy(other.positive);
    this.negative.copy(other.negative);
    return this;
  }

  /** Appends itself to columns, without the rests; returns the row. */
  store(columns: HistogramColumns): number {
    const row = columns.begin();
    columns.schemas[row] = this.schema;
    columns.floats[row] = 1;
    columns.hints[row] = this.hint;
    columns.zeroThresholds[row] = this.zeroThreshold;
    columns.counts[row] = this.totals[COUNT]!;
    columns.sums[row] = this.totals[SUM]!;
    columns.zeroCounts[row] = this.totals[ZERO_COUNT]!;
    storeSide(this.positive, columns, false);
    storeSide(this.negative, columns, true);
    for (const bound of this.bounds) columns.addBound(bound);
    return row;
  }

  /** Multiplies everything; by a negative factor it becomes a gauge. */
  scale(factor: number): this {
    for (let i = 0; i < this.totals.length; i++) {
      this.totals[i]! *= factor;
      this.rests[i]! *= factor;
    }
    this.positive.scale(factor);
    this.negative.scale(factor);
    if (factor < 0) this.hint = RESET_HINT.gauge;
    return this;
  }

  /** Divides everything; by a negative divisor it becomes a gauge, by 0 it loses its buckets. */
  divide(divisor: number): this {
    for (let i = 0; i < this.totals.length; i++) {
      this.totals[i]! /= divisor;
      this.rests[i]! /= divisor;
    }
    if (divisor === 0) {
      this.positive.count = this.negative.count = 0;
      return this;
    }
    this.positive.divide(divisor);
    this.negative.divide(divisor);
    if (divisor < 0) this.hint = RESET_HINT.gauge;
    return this;
  }

  /** Adds to each number what rounding has lost of it. */
  settle(): this {
    for (let i = 0; i < this.totals.length; i++) this.totals[i]! += this.rests[i]!;
    this.rests.fill(0);
    this.positive.settle();
    this.negative.settle();
    return this;
  }

  /** Takes buckets without observations away. */
  compact(): this {
    this.positive.compact();
    this.negative.compact();
    return this;
  }

  /** Halves the resolution until it is that of `schema`, which is coarser or the same. */
  reduce(schema: number, compensated = false): this {
    const shift = this.schema - schema;
    if (shift === 0) return this;
    this.positive.reduce(shift, compensated);
    this.negative.reduce(shift, compensated);
    this.schema = schema;
    return this;
  }

  /** Whether a number is beyond what floats hold. */
  hasOverflow(): boolean {
    for (const total of this.totals) if (Math.abs(total) === Number.POSITIVE_INFINITY) return true;
    return this.positive.hasOverflow() || this.negative.hasOverflow();
  }
}

function loadSide(target: BucketList, columns: HistogramColumns, row: number, negative: boolean): void {
  const { spans, buckets } = columns;
  const end = negative ? columns.spanStarts[row + 1]! : columns.negativeSpanStarts[row]!;
  let bucket = negative ? columns.negativeBucketStarts[row]! : columns.bucketStarts[row]!;
  let number = 0;
  target.count = 0;
  for (
    let span = negative ? columns.negativeSpanStarts[row]! : columns.spanStarts[row]!;
    span < end;
    span += 2
  ) {
    number += spans[span]!;
    for (let left = spans[span + 1]!; left > 0; left--) target.push(number++, buckets[bucket++]!);
  }
}

function storeSide(
  { numbers, values, count }: BucketList,
  columns: HistogramColumns,
  negative: boolean,
): void {
  let next = 0;
  for (let i = 0; i < count; ) {
    const first = numbers[i]!;
    let length = 1;
    while (i + length < count && numbers[i + length] === first + length) length++;
    columns.addSpan(first - next, length, negative);
    next = first + length;
    i += length;
  }
  for (let i = 0; i < count; i++) columns.addBucket(values[i]!, negative);
}
