// A counter read across chunks, raw ones and counter parts of aggregate chunks, as one that is never reset: what rate() and increase()
// need of downsampled series (Thanos pkg/compact/downsample, ApplyCounterResetsSeriesIterator). A counter part holds the first raw
// value, then per window the value as it would be without resets since, then the last raw value at the last window's time again.

/** The state of one series, to which samples are given in the order of chunks and, within each, of the chunk. */
export class CounterWalk {
  /** Time of the last sample that was taken, ms. */
  time: number = Number.NEGATIVE_INFINITY;
  /** The counter as if it had never been reset. */
  total = 0;
  /** The value the next one is compared with. */
  last = 0;
  #isEmpty = true;
  #other = Number.NaN;

  /**
   * Takes the next value; whether it makes a sample (`time`, `total`). One that is not later than the last sample makes none, but is
   * what the next one grew from: the last raw value of a part, or the part of a chunk that something else has told of.
   */
  next(time: number, value: number): boolean {
    if (Number.isNaN(value)) return false;
    if (this.#isEmpty) {
      this.#isEmpty = false;
      this.total = value;
    } else if (time <= this.time) {
      this.last = value;
      return false;
    } else {
      const isReset = value < this.last;
      if (isReset && value >= this.#other) this.total += value - this.#other;
      else this.total += isReset ? value : value - this.last;
    }
    this.time = time;
    this.last = value;
    this.#other = Number.NaN;
    return true;
  }

  /** Passes over a value that something else has told of: the next one is compared with it, and grows from it. */
  pass(time: number, value: number): void {
    if (Number.isNaN(value)) return;
    if (this.#isEmpty) this.total = value;
    this.#isEmpty = false;
    this.time = Math.max(this.time, time);
    this.last = value;
    this.#other = Number.NaN;
  }

  /**
   * Says that the last value may be larger than the raw one was by what `lost` resets took: a part was left before its end, and where
   * in it the resets were is not known.
   */
  leave(lost: number): void {
    if (lost > 0 && this.last >= lost) this.#other = this.last - lost;
  }
}
