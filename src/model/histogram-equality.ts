// Whether two histograms say the same, whatever spans they say it with.

import { CUSTOM_BUCKETS_SCHEMA, type HistogramColumns } from './histogram.ts';

/** A row of histograms. */
export interface HistogramRow {
  readonly columns: HistogramColumns;
  readonly row: number;
}

/**
 * Whether two histograms are equal in kind (integer or float), schema, zero bucket, bounds, counts and the bits of their sums. Buckets
 * without observations may be there or not; hints do not count. Two staleness markers are equal.
 */
export function histogramsEqual(a: HistogramRow, b: HistogramRow): boolean {
  return (
    a.columns.floats[a.row] === b.columns.floats[b.row] && numbersEqual(a, b) && bucketsEqual(a, b, false)
  );
}

/** As histogramsEqual, whatever the kinds, but buckets without observations have to be there in both or in neither (as in PromQL). */
export function histogramsIdentical(a: HistogramRow, b: HistogramRow): boolean {
  return numbersEqual(a, b) && bucketsEqual(a, b, true);
}

function numbersEqual(a: HistogramRow, b: HistogramRow): boolean {
  return (
    a.columns.schemas[a.row] === b.columns.schemas[b.row] &&
    a.columns.zeroThresholds[a.row] === b.columns.zeroThresholds[b.row] &&
    a.columns.sumBits[2 * a.row] === b.columns.sumBits[2 * b.row] &&
    a.columns.sumBits[2 * a.row + 1] === b.columns.sumBits[2 * b.row + 1] &&
    Object.is(a.columns.counts[a.row], b.columns.counts[b.row]) &&
    Object.is(a.columns.zeroCounts[a.row], b.columns.zeroCounts[b.row]) &&
    boundsEqual(a, b)
  );
}

function bucketsEqual(a: HistogramRow, b: HistogramRow, withEmpty: boolean): boolean {
  return [false, true].every((negative) =>
    sidesEqual(new BucketWalk(a, negative, withEmpty), new BucketWalk(b, negative, withEmpty)),
  );
}

function boundsEqual(a: HistogramRow, b: HistogramRow): boolean {
  if (a.columns.schemas[a.row] !== CUSTOM_BUCKETS_SCHEMA) return true;
  const [from, to] = [a.columns.boundStarts[a.row]!, a.columns.boundStarts[a.row + 1]!];
  const other = b.columns.boundStarts[b.row]!;
  if (to - from !== b.columns.boundStarts[b.row + 1]! - other) return false;
  for (let i = from; i < to; i++)
    if (a.columns.bounds[i] !== b.columns.bounds[other + i - from]) return false;
  return true;
}

function sidesEqual(a: BucketWalk, b: BucketWalk): boolean {
  for (;;) {
    const more = a.next();
    if (more !== b.next()) return false;
    if (!more) return true;
    if (a.number !== b.number || !Object.is(a.observations, b.observations)) return false;
  }
}

/** Goes over the buckets of one side, those without observations only when they are wanted. */
class BucketWalk {
  /** Number and observations of the bucket at hand. */
  number = 0;
  observations = 0;
  readonly #columns: HistogramColumns;
  readonly #withEmpty: boolean;
  readonly #spanEnd: number;
  #span: number;
  #left = 0;
  #bucket: number;
  #next = 0;

  constructor({ columns, row }: HistogramRow, negative: boolean, withEmpty: boolean) {
    this.#columns = columns;
    this.#withEmpty = withEmpty;
    this.#span = negative ? columns.negativeSpanStarts[row]! : columns.spanStarts[row]!;
    this.#spanEnd = negative ? columns.spanStarts[row + 1]! : columns.negativeSpanStarts[row]!;
    this.#bucket = negative ? columns.negativeBucketStarts[row]! : columns.bucketStarts[row]!;
  }

  next(): boolean {
    const { spans, buckets } = this.#columns;
    for (;;) {
      while (this.#left === 0) {
        if (this.#span === this.#spanEnd) return false;
        this.#next += spans[this.#span]!;
        this.#left = spans[this.#span + 1]!;
        this.#span += 2;
      }
      this.#left--;
      this.number = this.#next++;
      this.observations = buckets[this.#bucket++]!;
      if (this.observations !== 0 || this.#withEmpty) return true;
    }
  }
}
