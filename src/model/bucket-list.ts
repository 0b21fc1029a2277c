// One side of a histogram being computed: its buckets as ascending numbers with observations. Sums keep what rounding lost beside
// each of them (Neumaier's compensation, as util/kahansum of Prometheus), so that many additions lose nothing.

const NO_NUMBERS = new Int32Array(0);
const NO_VALUES = new Float64Array(0);
const LENGTH_MIN = 8;

/** Buckets that have a place; of each array only the first `count` cells count. */
export class BucketList {
  count = 0;
  numbers: Int32Array = NO_NUMBERS;
  values: Float64Array = NO_VALUES;
  /** What rounding lost of each value; 0 outside of compensated sums. */
  rests: Float64Array = NO_VALUES;

  /** Bytes of memory held. */
  get bytes(): number {
    return 20 * this.numbers.length;
  }

  /** Adds a bucket above all others. */
  push(number: number, value: number, rest = 0): void {
    const at = this.count;
    if (at === this.numbers.length) this.#reserve(Math.max(LENGTH_MIN, 2 * at));
    this.numbers[at] = number;
    this.values[at] = value;
    this.rests[at] = rest;
    this.count = at + 1;
  }

  /** Takes over a copy of another list. */
  copy(other: BucketList): void {
    const { count } = other;
    this.count = 0;
    if (count > this.numbers.length) this.#reserve(count);
    this.numbers.set(other.numbers.subarray(0, count));
    this.values.set(other.values.subarray(0, count));
    this.rests.set(other.rests.subarray(0, count));
    this.count = count;
  }

  /** Multiplies all observations. */
  scale(factor: number): void {
    for (let i = 0; i < this.count; i++) {
      this.values[i]! *= factor;
      this.rests[i]! *= factor;
    }
  }

  /** Divides all observations. */
  divide(divisor: number): void {
    for (let i = 0; i < this.count; i++) {
      this.values[i]! /= divisor;
      this.rests[i]! /= divisor;
    }
  }

  /** Adds to each value what rounding has lost of it. */
  settle(): void {
    for (let i = 0; i < this.count; i++) {
      this.values[i]! += this.rests[i]!;
      this.rests[i] = 0;
    }
  }

  /** Takes buckets without observations away. */
  compact(): void {
    this.#keep((i) => this.values[i] !== 0 || this.rests[i] !== 0);
  }

  /** Takes the first `count` buckets away. */
  dropFirst(count: number): void {
    if (count > 0) this.#keep((i) => i >= count);
  }

  #keep(isKept: (index: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (!isKept(i)) continue;
      this.numbers[kept] = this.numbers[i]!;
      this.values[kept] = this.values[i]!;
      this.rests[kept] = this.rests[i]!;
      kept++;
    }
    this.count = kept;
  }

  /** Whether an observation count is beyond what floats hold. */
  hasOverflow(): boolean {
    for (let i = 0; i < this.count; i++) if (isInfinite(this.values[i]!)) return true;
    return false;
  }

  /** Halves the resolution `shift` times; with `compensated` rounding is kept track of. */
  reduce(shift: number, compensated: boolean): void {
    const { numbers, values, rests } = this;
    let kept = -1;
    for (let i = 0; i < this.count; i++) {
      const number = coarser(numbers[i]!, shift);
      if (kept >= 0 && numbers[kept] === number) {
        const value = values[i]!;
        const rest = rests[i]!;
        if (!compensated) values[kept]! += value;
        else {
          compensatedAdd(values, rests, kept, value);
          compensatedAdd(values, rests, kept, rest);
        }
        continue;
      }
      kept++;
      numbers[kept] = number;
      values[kept] = values[i]!;
      rests[kept] = rests[i]!;
    }
    this.count = kept + 1;
  }

  /**
   * Adds the buckets of `other` from index `from` on, whose resolution is halved `shift` times for it; or takes them away, with
   * `sign` -1. With `compensated` what rounding loses is kept, also that of `other`.
   */
  merge(
    other: BucketList,
    { from, shift, sign, compensated }: { from: number; shift: number; sign: number; compensated: boolean },
  ): void {
    this.#openPlaces(other, from, shift);
    const { numbers, values, rests } = this;
    let at = 0;
    for (let i = from; i < other.count; ) {
      const number = coarser(other.numbers[i]!, shift);
      let value = other.values[i]!;
      let rest = other.rests[i]!;
      for (i++; i < other.count && coarser(other.numbers[i]!, shift) === number; i++) {
        if (!compensated) value += other.values[i]!;
        else {
          const sum = value + other.values[i]!;
          rest = isInfinite(sum) ? 0 : rest + lost(value, other.values[i]!, sum) + other.rests[i]!;
          value = sum;
        }
      }
      while (numbers[at]! < number) at++;
      if (!compensated) values[at]! += sign * value;
      else {
        compensatedAdd(values, rests, at, sign * value);
        if (rest !== 0) compensatedAdd(values, rests, at, sign * rest);
      }
    }
  }

  // Makes a place for every bucket of `other` that has none yet.
  #openPlaces(other: BucketList, from: number, shift: number): void {
    let missing = 0;
    let at = 0;
    let last: number | undefined;
    for (let i = from; i < other.count; i++) {
      const number = coarser(other.numbers[i]!, shift);
      if (number === last) continue;
      last = number;
      while (at < this.count && this.numbers[at]! < number) at++;
      if (at === this.count || this.numbers[at] !== number) missing++;
    }
    if (missing === 0) return;
    const old = this.count;
    const total = old + missing;
    if (total > this.numbers.length) this.#reserve(Math.max(total, 2 * this.numbers.length));
    const { numbers, values, rests } = this;
    // From the back, so that nothing is overwritten before it has moved.
    let write = total - 1;
    let mine = old - 1;
    for (let i = other.count - 1; i >= from && write > mine; ) {
      const number = coarser(other.numbers[i]!, shift);
      while (i >= from && coarser(other.numbers[i]!, shift) === number) i--;
      while (mine >= 0 && numbers[mine]! > number) {
        numbers[write] = numbers[mine]!;
        values[write] = values[mine]!;
        rests[write--] = rests[mine--]!;
      }
      if (mine >= 0 && numbers[mine] === number) continue;
      numbers[write] = number;
      values[write] = 0;
      rests[write--] = 0;
    }
    this.count = total;
  }

  #reserve(size: number): void {
    const { numbers, values, rests, count } = this;
    this.numbers = new Int32Array(size);
    this.values = new Float64Array(size);
    this.rests = new Float64Array(size);
    this.numbers.set(numbers.subarray(0, count));
    this.values.set(values.subarray(0, count));
    this.rests.set(rests.subarray(0, count));
  }
}

/** The number of the bucket that holds bucket `number` when the resolution is halved `shift` times. */
export function coarser(number: number, shift: number): number {
  return ((number - 1) >> shift) + 1;
}

/** Adds `more` to cell `at` of a column of sums; what rounding loses goes to the column of rests. */
export function compensatedAdd(sums: Float64Array, rests: Float64Array, at: number, more: number): void {
  const before = sums[at]!;
  const sum = before + more;
  rests[at] = isInfinite(sum) ? 0 : rests[at]! + lost(before, more, sum);
  sums[at] = sum;
}

// What rounding takes from a + b.
function lost(a: number, b: number, sum: number): number {
  return Math.abs(a) >= Math.abs(b) ? a - sum + b : b - sum + a;
}

function isInfinite(value: number): boolean {
  return Math.abs(value) === Number.POSITIVE_INFINITY;
}
