// Goes over all buckets of a native histogram, the zero bucket among them, up or down. Bounds are reckoned only where they are asked
// for. After AllBucketIterator and AllReverseBucketIterator of Prometheus model/histogram/float_histogram.go.

import type { BucketList } from './bucket-list.ts';
import type { FloatHistogram } from './float-histogram.ts';
import { exponentialBound } from './histogram-buckets.ts';

type Side = 'negative' | 'zero' | 'positive';
const UP: readonly Side[] = ['negative', 'zero', 'positive'];
const DOWN: readonly Side[] = ['positive', 'zero', 'negative'];

/** Stands on one bucket at a time; start() begins anew, with any histogram. */
export class BucketCursor {
  /** Observations of the bucket it stands on. */
  observations = 0;
  #histogram: FloatHistogram;
  #order: readonly Side[] = UP;
  #place = -1;
  #at = 0;
  #step = 1;

  constructor(histogram: FloatHistogram) {
    this.#histogram = histogram;
  }

  /** Stands before the lowest bucket, or above the highest one to go down. */
  start(histogram: FloatHistogram, descending = false): this {
    this.#histogram = histogram;
    this.#order = descending ? DOWN : UP;
    this.#place = -1;
    this.observations = 0;
    this.#enter();
    return this;
  }

  /** Goes on to the next bucket, with or without observations; false behind the last one. */
  next(): boolean {
    while (this.#place < UP.length) {
      const side = this.#order[this.#place];
      if (side === 'zero') {
        if (this.#at === 0 && this.#histogram.zeroCount > 0) {
          this.#at = 1;
          this.observations = this.#histogram.zeroCount;
          return true;
        }
      } else {
        const list = this.#list;
        this.#at += this.#step;
        if (this.#at >= 0 && this.#at < list.count) {
          this.observations = list.values[this.#at]!;
          return true;
        }
      }
      this.#enter();
    }
    return false;
  }

  // Stands before the first bucket of the next side. Negative buckets are numbered downwards.
  #enter(): void {
    this.#place++;
    const side = this.#order[this.#place];
    this.#step = (side === 'negative') === (this.#order === UP) ? -1 : 1;
    this.#at = side === 'zero' ? 0 : this.#step > 0 ? -1 : this.#list.count;
  }

  get #list(): BucketList {
    const { positive, negative } = this.#histogram;
    return this.#order[this.#place] === 'negative' ? negative : positive;
  }

  /** Lower bound of the bucket; a bucket that the zero bucket covers in part begins where that ends. */
  get lower(): number {
    const { zeroThreshold } = this.#histogram;
    const side = this.#order[this.#place];
    if (side === 'zero') return -zeroThreshold;
    const number = this.#list.numbers[this.#at]!;
    if (side === 'negative') return -boundOf(this.#histogram, number);
    const bound = boundOf(this.#histogram, number - 1);
    return bound > 0 && bound < zeroThreshold ? zeroThreshold : bound;
  }

  /** Upper bound of the bucket. */
  get upper(): number {
    const { zeroThreshold } = this.#histogram;
    const side = this.#order[this.#place];
    if (side === 'zero') return zeroThreshold;
    const number = this.#list.numbers[this.#at]!;
    if (side === 'positive') return boundOf(this.#histogram, number);
    const bound = -boundOf(this.#histogram, number - 1);
    return bound < 0 && bound > -zeroThreshold ? -zeroThreshold : bound;
  }
}

/** The upper bound of bucket `number` of a histogram's positive side. */
export function boundOf(histogram: FloatHistogram, number: number): number {
  if (!histogram.isCustom) return exponentialBound(number, histogram.schema);
  if (number < 0) return Number.NEGATIVE_INFINITY;
  return histogram.bounds[number] ?? Number.POSITIVE_INFINITY;
}

/** The share of a bucket's width that lies below `value`, which is strictly inside it; on a logarithmic scale unless `linear`. */
export function shareBelow(lower: number, upper: number, value: number, linear: boolean): number {
  if (linear) return (value - lower) / (upper - lower);
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  const logValue = Math.log2(Math.abs(value));
  if (value > 0) return (logValue - logLower) / (logUpper - logLower);
  return 1 - (logValue - logUpper) / (logLower - logUpper);
}
