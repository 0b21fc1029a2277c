// Random series: counters with resets, gauges, classic and native histograms of every kind, series that mix them, info metrics, names in
// UTF-8; with gaps, staleness markers, NaN and infinities, times off the grid, and start timestamps. Data begins at time 0, so that
// what fails can be written down in promqltest's language as it is.

import { EXPONENTIAL_SCHEMA_MIN } from '../../../src/model/histogram.ts';
import { bucketsOf } from '../../../src/model/histogram-buckets.ts';
import type { HistogramRow } from '../../../src/model/histogram-equality.ts';
import { type HistogramSequence, histogramSequence } from '../../helpers/histogram-sequences.ts';
import { staleMarker, type WrittenSample, type WrittenSeries } from '../../helpers/write-requests.ts';
import type { FuzzRandom } from './random.ts';

/** From the first to the last sample, ms. */
export const DATA_MS = 1_800_000;

/** Names of metrics by what they are, as the expressions want them. */
export const METRICS = {
  counter: ['hits_total', 'bytes_total'],
  gauge: ['temp', 'load', 'flag'],
  odd: ['weird', 'vägen.längd'],
  bucket: ['lat_bucket', 'size_bucket'],
  native: ['nh', 'nf', 'ncb', 'few'],
  mixed: ['mix'],
  info: ['target_info', 'build_info'],
} as const;

const JOBS = ['a', 'b'];
const INSTANCES = ['0', '1', '2'];
// No denormals: Go's logarithm does not know them on every processor.
const ODD_VALUES = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1e308,
  -3e-308,
  3e-308,
  2 ** 53,
];
const BOUNDS = [
  ['0.1', '0.5', '1', '5', '+Inf'],
  ['-5', '0', '2.5', '1e3', '+Inf'],
  ['1', '10', '100'],
  ['1', '1.0', '2', 'x', '+Inf'],
];

/** The series of a run. */
export function makeSeries(random: FuzzRandom, hasStarts: boolean): WrittenSeries[] {
  const maker = new SeriesMaker(random, hasStarts);
  return [...maker.floats(), ...maker.classic(), ...maker.native(), ...maker.infos()].filter(
    ({ samples }) => samples.length > 0,
  );
}

class SeriesMaker {
  readonly #random: FuzzRandom;
  readonly #hasStarts: boolean;

  constructor(random: FuzzRandom, hasStarts: boolean) {
    this.#random = random;
    this.#hasStarts = hasStarts;
  }

  /** Counters, gauges and series of odd values. */
  floats(): WrittenSeries[] {
    const random = this.#random;
    const out: WrittenSeries[] = [];
    for (const job of JOBS)
      for (const instance of INSTANCES) {
        const target = [
          ['job', job],
          ['instance', instance],
        ] as const;
        for (const code of ['200', '500']) {
          const labels = [['__name__', 'hits_total'], ...target, ['code', code]] as const;
          out.push(this.#series(labels, this.#counter([0, 1, 7, 2.5][random.below(4)]!)));
        }
        out.push(this.#series([['__name__', 'bytes_total'], ...target], this.#counter(1e6)));
        out.push(this.#series([['__name__', 'temp'], ...target], this.#gauge(random.pick([10, 0.001, 1e9]))));
        out.push(this.#series([['__name__', 'load'], ...target], this.#gauge(3)));
        if (random.once(2)) out.push(this.#series([['__name__', 'flag'], ...target], () => random.below(2)));
        if (random.once(2)) out.push(this.#series([['__name__', 'weird'], ...target], this.#odd()));
      }
    for (const key of ['x', 'y.ä'])
      out.push(
        this.#series(
          [
            ['__name__', 'vägen.längd'],
            ['job', 'a'],
            ['größe', key],
          ],
          this.#gauge(5),
        ),
      );
    return out;
  }

  /** Classic histograms, some of them malformed. */
  classic(): WrittenSeries[] {
    const random = this.#random;
    const out: WrittenSeries[] = [];
    for (const name of METRICS.bucket)
      for (const instance of INSTANCES) {
        const bounds = random.pick(BOUNDS);
        const target = [
          ['job', 'a'],
          ['instance', instance],
        ] as const;
        const isBroken = random.once(5);
        const rates = bounds.map(() => random.below(4));
        bounds.forEach((le, i) => {
          const rate = isBroken ? rates[i]! : rates.slice(0, i + 1).reduce((sum, rate) => sum + rate, 0);
          const labels = [['__name__', name], ...target, ['le', le]] as const;
          out.push(this.#series(labels, (index) => index * rate, isBroken));
        });
      }
    return out;
  }

  /** Native histograms of one schema each and of changing ones, custom buckets, and series of floats and histograms. */
  native(): WrittenSeries[] {
    const random = this.#random;
    const out: WrittenSeries[] = [];
    for (const job of JOBS)
      for (const instance of INSTANCES) {
        const target = [
          ['job', job],
          ['instance', instance],
        ] as const;
        for (const [name, wanted] of [
          ['nh', (seed: HistogramSequence) => !seed.isFloat && !isCustom(seed)],
          ['nf', (seed: HistogramSequence) => seed.isFloat && !isCustom(seed)],
          ['ncb', isCustom],
        ] as const)
          if (!random.once(4))
            out.push(this.#series([['__name__', name], ...target], this.#histograms(wanted, random.once(2))));
        if (job === 'a') out.push(this.#series([['__name__', 'mix'], ...target], this.#mixed()));
        if (job === 'b')
          out.push(
            this.#series(
              [['__name__', 'few'], ...target],
              this.#histograms(() => true, false),
            ),
          );
      }
    return out;
  }

  /** Info metrics: one of a target at a time, versions following each other. */
  infos(): WrittenSeries[] {
    const random = this.#random;
    const out: WrittenSeries[] = [];
    for (const job of JOBS)
      for (const instance of INSTANCES) {
        const target = [
          ['job', job],
          ['instance', instance],
        ] as const;
        const change = random.below(120);
        const old = this.#series(
          [['__name__', 'target_info'], ...target, ['version', '1'], ['größe', 'l']],
          () => 1,
        );
        const young = this.#series([['__name__', 'target_info'], ...target, ['version', '2']], () => 1);
        const at = change * 15_000;
        out.push({ ...old, samples: old.samples.filter(({ time }) => time < at) });
        out.push({ ...young, samples: young.samples.filter(({ time }) => time >= at) });
        if (random.once(2))
          out.push(
            this.#series(
              [['__name__', 'build_info'], ...target, ['branch', random.pick(['main', 'old'])]],
              () => 1,
            ),
          );
      }
    return out;
  }

  // A sample every 15 s, some of them off the grid, with gaps and staleness markers.
  #series(
    labels: WrittenSeries['labels'],
    valueAt: (index: number) => number | HistogramRow | undefined,
    isGapless = false,
  ): WrittenSeries {
    const random = this.#random;
    const samples: WrittenSample[] = [];
    const step = random.pick([15_000, 15_000, 15_000, 30_000, 60_000]);
    const phase = random.pick([0, 0, 0, 1, 7_000]);
    const isUneven = random.once(4);
    const isHoley = !isGapless && random.once(3);
    const startsAt = random.once(4) ? random.below(600_000) : 0;
    const endsAt = random.once(4) ? DATA_MS - random.below(900_000) : DATA_MS;
    let start = random.once(3) ? -random.below(100_000) : 0;
    let before: number | HistogramRow | undefined;
    let gap = 0;
    for (let index = 0; index * step <= DATA_MS; index++) {
      const time = index * step + phase + (isUneven ? random.below(3_000) : 0);
      const value = valueAt(index);
      if (this.#hasStarts && isReset(before, value))
        start = time - random.below(random.pick([step, 3 * step]));
      before = value;
      if (value === undefined || time < startsAt || time > endsAt) continue;
      if (isHoley && random.once(25)) gap = random.pick([1, 1, 3, 30]);
      if (gap-- > 0) {
        if (random.once(3)) samples.push({ time, value: staleMarker() });
        continue;
      }
      samples.push({ time, value, ...(this.#hasStarts && start !== 0 ? { start } : {}) });
    }
    return { labels, samples };
  }

  #counter(rate: number): () => number {
    const random = this.#random;
    let value = random.below(100);
    const isResetting = random.once(2);
    return () => {
      value = isResetting && random.once(20) ? random.below(5) : value + rate * random.below(10);
      return value;
    };
  }

  #gauge(scale: number): () => number {
    const random = this.#random;
    const isConstant = random.once(6);
    const centre = random.below(5) - 2;
    return () => (isConstant ? centre * scale : (centre + random.below(2_000) / 1_000 - 1) * scale);
  }

  #odd(): () => number {
    const random = this.#random;
    return () => (random.once(3) ? random.pick(ODD_VALUES) : random.below(100) / 8);
  }

  #histograms(
    wanted: (sequence: HistogramSequence) => boolean,
    isTame: boolean,
  ): (index: number) => HistogramRow | undefined {
    const { histograms, times } = this.#sequence(wanted);
    // A tame series says each thing several times.
    const every = isTame ? 4 : 1;
    return (index) => ({ columns: histograms, row: Math.floor(index / every) % times.length });
  }

  #sequence(wanted: (sequence: HistogramSequence) => boolean): HistogramSequence {
    for (;;) {
      const sequence = histogramSequence(1 + this.#random.below(100_000));
      if (wanted(sequence) && isWellFormed(sequence)) return sequence;
    }
  }

  #mixed(): (index: number) => number | HistogramRow | undefined {
    const random = this.#random;
    const histogram = this.#histograms(() => true, false);
    const gauge = this.#gauge(5);
    let isFloat = random.once(2);
    return (index) => {
      if (random.once(12)) isFloat = !isFloat;
      return isFloat ? gauge() : histogram(index);
    };
  }
}

function isCustom({ histograms }: HistogramSequence): boolean {
  return histograms.schemas.slice(0, histograms.count).some((schema) => schema < -4);
}

// Whether no bucket with observations stands within the zero bucket.
function isWellFormed({ histograms: columns }: HistogramSequence): boolean {
  for (let row = 0; row < columns.count; row++) {
    const zero = columns.zeroThresholds[row]!;
    const within = bucketsOf({ columns, row }).some(
      ({ lower, upper, observations }) =>
        observations > 0 && lower !== -upper && Math.min(Math.abs(lower), Math.abs(upper)) < zero,
    );
    if (within && columns.schemas[row]! >= EXPONENTIAL_SCHEMA_MIN) return false;
  }
  return true;
}

function isReset(
  before: WrittenSample['value'] | undefined,
  value: WrittenSample['value'] | undefined,
): boolean {
  return typeof before === 'number' && typeof value === 'number' && value < before;
}
