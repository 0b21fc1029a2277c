// Windows of native histograms: count, sum and counter, all as float histograms, into aggregate chunks. Within a chunk all have the
// lowest resolution of the batch. Where Thanos would lose windows or panic (a zero threshold that grows, custom bounds that differ, a
// float counter that rounding makes smaller) another chunk begins.
//
// So it does at a reset: a window with a reset in its midst ends with what the counter had become before it, and the next chunk says
// that it begins with one. Nothing that was observed is counted twice or not at all, whatever reads on from there: the raw samples, the next
// chunk or the next block. (Thanos takes resets out of the counter and begins every chunk with the raw value; that looks like
// a reset again where there had been one before.)

import { FloatPart, HistogramPart } from '../../codec/aggregate-chunk-writer.ts';
import type { Chunk } from '../../codec/chunk.ts';
import { FloatHistogram } from '../../model/float-histogram.ts';
import { HistogramColumns, RESET_HINT } from '../../model/histogram.ts';
import type { HistogramRow } from '../../model/histogram-equality.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import { addHistogram } from '../../model/histogram-sum.ts';
import { aggregateChunk } from './float-windows.ts';

/** A counter of histograms, sample after sample. */
export class HistogramCounter {
  /** What it has become since its last reset. */
  readonly #total = new FloatHistogram();
  /** What it had become before the resets of the window at hand. */
  readonly #lost = new FloatHistogram();
  readonly #previous = new FloatHistogram();
  readonly #current = new FloatHistogram();
  #isEmpty = true;
  #opens = true;
  #opensAnew = false;
  #resets = 0;
  #schema = 0;

  /** The histograms that follow become one chunk with this resolution. */
  begin(schema: number): void {
    this.#schema = schema;
  }

  /** Whether the counter was reset in the midst of the window at hand. */
  get wasReset(): boolean {
    return this.#resets > 0;
  }

  /** Whether the first histogram of the window at hand follows a reset. */
  get opensAnew(): boolean {
    return this.#opensAnew;
  }

  /** What is said of the window at hand. Borrowed until `open`. */
  get value(): FloatHistogram {
    return this.#resets > 0 ? this.#lost : this.#total;
  }

  /** Begins the next window. */
  open(): void {
    this.#resets = 0;
    this.#opens = true;
  }

  /** Takes the next histogram. */
  add(row: HistogramRow): void {
    const current = this.#current.load(row);
    current.bounds = current.bounds.slice();
    const isReset =
      !this.#isEmpty && current.hint !== RESET_HINT.gauge && detectReset(current, this.#previous);
    if (this.#opens) this.#opensAnew = isReset;
    else if (isReset) {
      if (this.#resets++ === 0) this.#lost.copy(this.#total);
      else addHistogram(this.#lost, this.#total);
    }
    atSchema(this.#total.copy(current), this.#schema);
    this.#previous.copy(current);
    this.#isEmpty = false;
    this.#opens = false;
  }
}

/** Histograms of one window added up. */
export class HistogramSum {
  readonly total: FloatHistogram = new FloatHistogram();
  readonly #current = new FloatHistogram();
  #isEmpty = true;

  /** Begins the next window. */
  open(): void {
    this.#isEmpty = true;
  }

  /** Adds a histogram in the resolution of `schema`. */
  add(row: HistogramRow, schema: number): void {
    const current = atSchema(this.#current.load(row), schema);
    if (this.#isEmpty) {
      this.total.copy(current);
      this.total.bounds = current.bounds.slice();
    } else addHistogram(this.total, current);
    this.#isEmpty = false;
  }
}

function atSchema(histogram: FloatHistogram, schema: number): FloatHistogram {
  return histogram.schema > schema ? histogram.reduce(schema) : histogram;
}

/** A window that is full. */
export interface HistogramWindow {
  readonly time: number;
  readonly count: number;
  readonly sum: HistogramSum;
  readonly counter: HistogramCounter;
  readonly isGauge: boolean;
}

/** Windows of one run of histograms on their way into chunks. */
export class HistogramChunks {
  readonly #out: Chunk[];
  readonly #rows = new HistogramColumns(2);
  #count = new FloatPart();
  #sum = new HistogramPart();
  #counter = new HistogramPart();
  #minTime = 0;
  #maxTime = 0;
  #followsReset = false;

  constructor(out: Chunk[]) {
    this.#out = out;
  }

  /** Appends a window. */
  append({ time, count, sum, counter, isGauge }: HistogramWindow): void {
    if (counter.opensAnew) {
      this.finish();
      this.#followsReset = true;
    }
    const rows = this.#rows;
    rows.clear();
    // A window's sum may be smaller than the one before: as a gauge it may follow it all the same.
    sum.total.hint = RESET_HINT.gauge;
    const ofCounter = this.#followsReset ? RESET_HINT.reset : RESET_HINT.unknown;
    counter.value.hint = isGauge ? RESET_HINT.gauge : ofCounter;
    const sumRow = sum.total.store(rows);
    const counterRow = counter.value.store(rows);
    if (!this.#sum.fits(rows, sumRow) || !this.#counter.fits(rows, counterRow)) this.finish();
    if (this.#count.count === 0) this.#minTime = time;
    this.#maxTime = time;
    this.#count.append(time, count);
    this.#sum.append(time, rows, sumRow);
    this.#counter.append(time, rows, counterRow);
    this.#followsReset = counter.wasReset;
    if (counter.wasReset) this.finish();
  }

  /** Ends the chunk being written. */
  finish(): void {
    if (this.#count.count === 0) return;
    const parts = { count: this.#count, sum: this.#sum, counter: this.#counter };
    this.#out.push(aggregateChunk(parts, this.#minTime, this.#maxTime));
    this.#count = new FloatPart();
    this.#sum = new HistogramPart();
    this.#counter = new HistogramPart();
  }
}
