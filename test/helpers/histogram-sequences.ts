// Seeded sequences of native histograms: counters and gauges, integer and float, exponential and custom buckets, with resets, new and
// vanishing buckets, changes of schema, zero threshold and bounds, staleness markers, hints. All from integers, so that the same
// sequences could be made elsewhere: test/codec/data holds what Prometheus's own encoder makes of them.

import { CUSTOM_BUCKETS_SCHEMA, HistogramColumns, RESET_HINT } from '../../src/model/histogram.ts';
import { STALE_NAN_HIGH, STALE_NAN_LOW } from '../../src/model/samples.ts';

/** Numbers of a xorshift generator. */
export class SeededNumbers {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 2_654_435_761) + 1) >>> 0 || 1;
    for (let i = 0; i < 5; i++) this.next();
  }

  /** The next 32 bits. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** An integer from 0 to n - 1. */
  pick(n: number): number {
    return this.next() % n;
  }
}

/** One series' histograms, as columns. */
export interface HistogramSequence {
  readonly isFloat: boolean;
  readonly histograms: HistogramColumns;
  readonly times: number[];
  /** Start timestamps, 0 where unknown. */
  readonly starts: number[];
  /** Where a new chunk is to begin in any case. */
  readonly cuts: boolean[];
}

const THRESHOLDS = [0, 2 ** -128, 0.001, 1, 2 ** -243, 3, 2 ** 10, 2 ** -244, 2 ** 11];

/** The sequence of a seed. */
export function histogramSequence(seed: number): HistogramSequence {
  const numbers = new SeededNumbers(seed);
  const generator = new Generator(numbers);
  const out: HistogramSequence = {
    isFloat: generator.isFloat,
    histograms: new HistogramColumns(),
    times: [],
    starts: [],
    cuts: [],
  };
  for (let left = 5 + numbers.pick(60); left > 0; left--) generator.addTo(out);
  return out;
}

class Generator {
  readonly isFloat: boolean;
  readonly #numbers: SeededNumbers;
  readonly #isCustom: boolean;
  readonly #divisor: number;
  #isGauge: boolean;
  #schema = CUSTOM_BUCKETS_SCHEMA;
  #zeroThreshold = 0;
  #bounds: number[] = [];
  #positive = new Map<number, number>();
  readonly #negative = new Map<number, number>();
  #zeroCount = 0;
  #time: number;
  #start = 0;

  constructor(numbers: SeededNumbers) {
    this.#numbers = numbers;
    this.isFloat = numbers.pick(2) === 0;
    this.#isGauge = numbers.pick(4) === 0;
    this.#divisor = this.isFloat ? [1, 8, 1000][numbers.pick(3)]! : 1;
    this.#isCustom = numbers.pick(4) === 0;
    if (this.#isCustom) this.#newBounds();
    else {
      this.#schema = numbers.pick(13) - 4;
      this.#zeroThreshold = THRESHOLDS[numbers.pick(THRESHOLDS.length)]!;
    }
    this.#time = 1_700_000_000_000 + numbers.pick(1_000_000);
    if (numbers.pick(10) === 0) this.#time = -5000;
  }

  addTo({ histograms, times, starts, cuts }: HistogramSequence): void {
    const numbers = this.#numbers;
    const event = numbers.pick(48);
    this.#time += 15_000;
    if (numbers.pick(3) === 0) this.#time += numbers.pick(2001) - 1000;
    if (event === 10) this.#time += numbers.pick(2 ** 30);
    const start = numbers.pick(12);
    if (start === 0) this.#start = this.#time - numbers.pick(20_000);
    else if (start === 1) this.#start = 0;
    cuts.push(numbers.pick(30) === 0);
    times.push(this.#time);
    starts.push(this.#start);
    const row = histograms.begin();
    histograms.floats[row] = this.isFloat ? 1 : 0;
    if (event === 0) histograms.setSum(row, STALE_NAN_LOW, STALE_NAN_HIGH);
    else {
      this.#change(event);
      this.#observe();
      this.#write(histograms, row, event);
    }
  }

  #change(event: number): void {
    const numbers = this.#numbers;
    const sides = [this.#positive, this.#negative];
    if (event === 1 && !this.#isGauge) {
      for (const side of sides) for (const bucket of side.keys()) side.set(bucket, 0);
      this.#zeroCount = 0;
    }
    if (event === 2 && !this.#isCustom) this.#schema = numbers.pick(13) - 4;
    if (event === 3 && !this.#isCustom) this.#zeroThreshold = THRESHOLDS[numbers.pick(THRESHOLDS.length)]!;
    if (event === 5 && this.#isCustom) this.#newBounds();
    if (event === 6)
      for (const side of sides) for (const [bucket, count] of side) if (count === 0) side.delete(bucket);
    if (event === 7) this.#isGauge = !this.#isGauge;
  }

  #newBounds(): void {
    const count = 1 + this.#numbers.pick(6);
    const style = this.#numbers.pick(4);
    const bound = [
      (i: number) => (i + 1) * 0.25,
      (i: number) => (i + 1) / 7,
      (i: number) => -3 + i * 2,
      (i: number) => (i + 1) * 12345.678,
    ][style]!;
    this.#bounds = Array.from({ length: count }, (_, i) => bound(i));
    this.#positive = new Map();
  }

  #observe(): void {
    const numbers = this.#numbers;
    for (let left = numbers.pick(5); left > 0; left--) {
      const bucket = this.#isCustom ? numbers.pick(this.#bounds.length + 1) : numbers.pick(20) - 5;
      let more = numbers.pick(50);
      if (numbers.pick(20) === 0) more = numbers.pick(2 ** 30);
      const side = !this.#isCustom && numbers.pick(3) === 0 ? this.#negative : this.#positive;
      side.set(bucket, this.#isGauge ? more : (side.get(bucket) ?? 0) + more);
    }
    if (this.#isCustom) return;
    if (this.#isGauge) this.#zeroCount = numbers.pick(20);
    else this.#zeroCount += numbers.pick(5);
  }

  #write(histograms: HistogramColumns, row: number, event: number): void {
    const numbers = this.#numbers;
    const sum = (numbers.pick(100_000) - 50_000) / this.#divisor;
    histograms.sums[row] = event === 9 ? Number.POSITIVE_INFINITY : sum;
    if (event === 8) histograms.setSum(row, 1, 0x7ff80000);
    histograms.hints[row] = this.#isGauge
      ? RESET_HINT.gauge
      : event === 4
        ? RESET_HINT.reset
        : numbers.pick(3) === 0
          ? RESET_HINT.noReset
          : RESET_HINT.unknown;
    histograms.schemas[row] = this.#schema;
    histograms.zeroThresholds[row] = this.#zeroThreshold;
    const observed =
      this.#side(histograms, this.#positive, false) + this.#side(histograms, this.#negative, true);
    histograms.zeroCounts[row] = this.#zeroCount / this.#divisor;
    histograms.counts[row] = (observed + this.#zeroCount) / this.#divisor;
    if (this.#isCustom) for (const bound of this.#bounds) histograms.addBound(bound);
  }

  // Adds a side's spans and buckets in one of several shapes; returns its observations.
  #side(histograms: HistogramColumns, side: Map<number, number>, negative: boolean): number {
    const gap = this.#numbers.pick(3);
    const isSplit = this.#numbers.pick(8) === 0;
    const spans: [offset: number, length: number][] = [];
    let next = 0;
    let observed = 0;
    for (const bucket of [...side.keys()].sort((a, b) => a - b)) {
      const distance = bucket - next;
      const last = spans.at(-1);
      if (last !== undefined && distance <= gap) {
        for (let i = 0; i < distance; i++) histograms.addBucket(0, negative);
        last[1] += distance + 1;
      } else if (last !== undefined && isSplit) spans.push([distance, 0], [0, 1]);
      else spans.push([distance, 1]);
      observed += side.get(bucket)!;
      histograms.addBucket(side.get(bucket)! / this.#divisor, negative);
      next = bucket + 1;
    }
    for (const [offset, length] of spans) histograms.addSpan(offset, length, negative);
    return observed;
  }
}
