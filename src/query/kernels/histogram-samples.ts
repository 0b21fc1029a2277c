// The native histograms of one series as range kernels see them: windows of indexes, and for each whether the counter began anew with
// it, found out once however many windows it is in.

import { FloatHistogram } from '../../model/float-histogram.ts';
import { CUSTOM_BUCKETS_SCHEMA, type HistogramColumns, RESET_HINT } from '../../model/histogram.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import type { SampleColumns } from '../../model/samples.ts';
import { overlapsBefore, startedAnew } from './start-times.ts';

/** What kernels have to say of histograms beside their results. */
export type HistogramNote =
  | 'mixed'
  | 'mixed-buckets'
  | 'not-counter'
  | 'not-gauge'
  | 'ignored'
  | 'overlap'
  | 'collision'
  | 'reconciled-addition'
  | 'reconciled-subtraction'
  | 'reconciled-aggregation';

/** Takes a note, of the series at hand. */
export type TakeNote = (note: HistogramNote) => void;

/** Histograms of one series in time order. */
export class HistogramSamples {
  count = 0;
  timestamps: Float64Array = new Float64Array(16);
  /** When the counters started, ms; undefined where it is not known or not wanted. */
  starts: Float64Array | undefined;
  #rows: Int32Array = new Int32Array(16);
  #columns: HistogramColumns | undefined;
  /** Per histogram whether it is a reset: 0 not known yet, 1 no, 2 yes. */
  #resets: Uint8Array = new Uint8Array(16);
  readonly #now: FloatHistogram = new FloatHistogram();
  readonly #before: FloatHistogram = new FloatHistogram();

  /** Takes the histograms of a series, borrowed; staleness markers are gone already. */
  take(samples: SampleColumns, withStarts: boolean): void {
    const { histograms, rows, timestamps, starts, count } = samples;
    this.count = 0;
    this.#columns = histograms;
    this.starts = withStarts && starts !== undefined ? new Float64Array(count) : undefined;
    if (count > this.#rows.length) {
      this.#rows = new Int32Array(count);
      this.timestamps = new Float64Array(count);
      this.#resets = new Uint8Array(count);
    }
    for (let i = 0; i < count; i++) {
      if (rows[i]! < 0) continue;
      const at = this.count++;
      this.#rows[at] = rows[i]!;
      this.timestamps[at] = timestamps[i]!;
      this.#resets[at] = 0;
      if (this.starts !== undefined) this.starts[at] = starts![i]!;
    }
  }

  /** Loads a histogram. */
  load(index: number, target: FloatHistogram): FloatHistogram {
    return target.load({ columns: this.#columns!, row: this.#rows[index]! });
  }

  /** A histogram's row of the columns given. */
  rowAt(index: number): number {
    return this.#rows[index]!;
  }

  /** Its hint. */
  hintAt(index: number): number {
    return this.#columns!.hints[this.#rows[index]!]!;
  }

  /** Its schema. */
  schemaAt(index: number): number {
    return this.#columns!.schemas[this.#rows[index]!]!;
  }

  /** Its count. */
  countAt(index: number): number {
    return this.#columns!.counts[this.#rows[index]!]!;
  }

  /** Whether it has custom buckets. */
  isCustomAt(index: number): boolean {
    return this.schemaAt(index) === CUSTOM_BUCKETS_SCHEMA;
  }

  /** Whether it is of a gauge. */
  isGaugeAt(index: number): boolean {
    return this.hintAt(index) === RESET_HINT.gauge;
  }

  /** Whether the counter began anew between a histogram and the one before it. */
  isReset(index: number): boolean {
    if (this.#resets[index] === 0) {
      const isReset =
        this.startsAnew(index) ||
        detectReset(this.load(index, this.#now), this.load(index - 1, this.#before));
      this.#resets[index] = isReset ? 2 : 1;
    }
    return this.#resets[index] === 2;
  }

  /** Whether its start time says that the counter began anew since the one before. */
  startsAnew(index: number): boolean {
    const { timestamps, starts } = this;
    return starts !== undefined && startedAnew(timestamps, starts, index);
  }

  /** Whether it claims to have started inside what the one before covers. */
  overlaps(index: number): boolean {
    const { timestamps, starts } = this;
    return starts !== undefined && overlapsBefore(timestamps, starts, index);
  }
}
