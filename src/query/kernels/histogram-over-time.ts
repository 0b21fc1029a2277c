// sum_over_time and avg_over_time of native histograms, and the running sums and means that aggregations share with them: compensated,
// and means no sums any more from where those overflow. After Prometheus promql/functions.go (funcAvgOverTime, funcSumOverTime).

import { FloatHistogram } from '../../model/float-histogram.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import { addCompensated, BOUNDS_RECONCILED, INCOMPATIBLE } from '../../model/histogram-sum.ts';
import type { HistogramKernel } from './histogram-rate.ts';

/** A sum or mean of histograms on its way; one object for one result. */
export class HistogramTotal {
  /** Histograms in it; 0 before the first. */
  count = 0;
  /** The sum, or the mean once `isMean`; what rounding lost is in its rests. */
  readonly value: FloatHistogram = new FloatHistogram();
  isMean = false;
  /** Hints seen: 1 a reset, 2 no reset. */
  hints = 0;
  /** Exponential and custom buckets have met: there is no total. Whoever adds sets it. */
  isIncompatible = false;
  #accounted = 0;

  /** Begins anew. */
  clear(): void {
    this.count = this.hints = 0;
    this.isMean = this.isIncompatible = false;
  }

  /** Adds a histogram to a sum. Returns bits of histogram-sum.ts. */
  addToSum(histogram: FloatHistogram): number {
    this.#see(histogram.hint);
    if (this.count++ > 0) return addCompensated(this.value, histogram);
    this.value.copy(histogram);
    return 0;
  }

  /** Adds a histogram to a mean, with `scratch` for memory. Returns bits of histogram-sum.ts. */
  addToMean(histogram: FloatHistogram, scratch: FloatHistogram): number {
    this.#see(histogram.hint);
    const count = ++this.count;
    if (count === 1) {
      this.value.copy(histogram);
      return 0;
    }
    if (!this.isMean) {
      scratch.copy(this.value);
      const said = addCompensated(this.value, histogram);
      if ((said & INCOMPATIBLE) !== 0 || !this.value.hasOverflow()) return said;
      this.isMean = true;
      this.value.copy(scratch).divide(count - 1);
    }
    this.value.scale((count - 1) / count);
    return addCompensated(this.value, scratch.copy(histogram).divide(count));
  }

  /** Adds the total of others. Returns bits of histogram-sum.ts. */
  merge(other: HistogramTotal, isSum: boolean, scratch: FloatHistogram): number {
    const before = this.count;
    const all = before + other.count;
    this.hints |= other.hints;
    this.count = all;
    if (before === 0) {
      this.value.copy(other.value);
      this.isMean = other.isMean;
      return 0;
    }
    if (!this.isMean && !other.isMean) {
      scratch.copy(this.value);
      const said = addCompensated(this.value, other.value);
      if (isSum || (said & INCOMPATIBLE) !== 0 || !this.value.hasOverflow()) return said;
      this.value.copy(scratch);
    }
    if (!this.isMean) this.value.divide(before);
    this.isMean = true;
    this.value.scale(before / all);
    scratch.copy(other.value).divide(other.isMean ? 1 : other.count);
    return addCompensated(this.value, scratch.scale(other.count / all));
  }

  /** Bytes of memory taken since it was asked last. */
  grown(): number {
    const { bytes } = this.value;
    const more = Math.max(0, bytes - this.#accounted);
    this.#accounted += more;
    return more;
  }

  #see(hint: number): void {
    if (hint === RESET_HINT.reset) this.hints |= 1;
    if (hint === RESET_HINT.noReset) this.hints |= 2;
  }

  /** Whether some histograms were known to be resets and others not to be. */
  get isCollision(): boolean {
    return this.hints === 3;
  }

  /** Ends a sum. */
  sum(): FloatHistogram {
    return this.value.settle();
  }

  /** Ends a mean. */
  mean(): FloatHistogram {
    return this.isMean ? this.value.settle() : this.value.divide(this.count).settle();
  }
}

/** sum_over_time and avg_over_time. */
export function totalOfHistograms(func: string): HistogramKernel {
  const isSum = func === 'sum_over_time';
  const total = new HistogramTotal();
  const one = new FloatHistogram();
  const scratch = new FloatHistogram();
  return (samples, { first, last }, result, note) => {
    total.clear();
    let said = 0;
    for (let k = first; k <= last; k++) {
      samples.load(k, one);
      said |= isSum ? total.addToSum(one) : total.addToMean(one, scratch);
      if ((said & INCOMPATIBLE) === 0) continue;
      note('mixed-buckets');
      return false;
    }
    if (total.isCollision) note('collision');
    if ((said & BOUNDS_RECONCILED) !== 0) note('reconciled-aggregation');
    result.copy(isSum ? total.sum() : total.mean());
    return true;
  };
}
