// Range functions over series that have native histograms, alone or among floats. Floats go through the kernels they always go
// through; what becomes of windows with histograms is each function's rule.

import { FloatHistogram } from '../../../model/float-histogram.ts';
import { HistogramColumns } from '../../../model/histogram.ts';
import type { Pause } from '../../../model/pause.ts';
import { type SampleColumns, sampleColumns } from '../../../model/samples.ts';
import type { Extension } from '../../kernels/extended.ts';
import { countChanges } from '../../kernels/histogram-counts.ts';
import { extendedRateOfHistograms } from '../../kernels/histogram-extended.ts';
import { totalOfHistograms } from '../../kernels/histogram-over-time.ts';
import {
  type HistogramKernel,
  type HistogramWindow,
  lastChangeOfHistograms,
  rateOfHistograms,
} from '../../kernels/histogram-rate.ts';
import { HistogramSamples, type TakeNote } from '../../kernels/histogram-samples.ts';
import { findWindows, type WindowJob } from '../../kernels/window.ts';
import { dropStale, keepFloats } from './split-columns.ts';

/**
 * What becomes of windows with histograms: `either` computes them unless floats are among them, `last-two` the same of the last two
 * samples, `floats` leaves them out, `every` counts them like floats, `edge` hands one of them on, `count` compares neighbours.
 */
type Rule = 'either' | 'last-two' | 'floats' | 'every' | 'edge' | 'count';

const RULES: Readonly<Record<string, Rule>> = {
  rate: 'either',
  increase: 'either',
  delta: 'either',
  sum_over_time: 'either',
  avg_over_time: 'either',
  irate: 'last-two',
  idelta: 'last-two',
  count_over_time: 'every',
  present_over_time: 'every',
  ts_of_first_over_time: 'every',
  ts_of_last_over_time: 'every',
  first_over_time: 'edge',
  last_over_time: 'edge',
  resets: 'count',
  changes: 'count',
};

/** Samples looked at between two pauses. */
const SAMPLES_BETWEEN_PAUSES = 4096;
const NO_WINDOW = new Int32Array(0);

/** A series on its way through a function. */
export interface MixedRow {
  /** Its samples; staleness markers go. */
  readonly columns: SampleColumns;
  /** Windows and where results go; its columns and windows are replaced. */
  readonly job: WindowJob;
  /** Whether start times are looked at. */
  readonly withStarts: boolean;
  /** Runs the function's kernel for floats over the job. */
  runFloats(job: WindowJob): void;
  readonly note: TakeNote;
  readonly pause: Pause;
}

/** A range function over histograms, with the memory it uses for series after series. */
export class RangeHistograms {
  /** Results of the series computed last: of each step the row of `columns`, -1 for a float. */
  rows: Int32Array = NO_WINDOW;
  columns: HistogramColumns = new HistogramColumns();
  readonly #func: string;
  readonly #rule: Rule;
  readonly #isAnchored: boolean;
  readonly #kernel: HistogramKernel;
  readonly #samples = new HistogramSamples();
  readonly #floats = sampleColumns(16);
  readonly #result = new FloatHistogram();
  readonly #results = new HistogramColumns();
  #places: Int32Array = NO_WINDOW;
  #from: Int32Array = NO_WINDOW;
  #to: Int32Array = NO_WINDOW;
  #looked = 0;

  constructor(func: string, extension: Extension | undefined) {
    this.#func = func;
    this.#rule = RULES[func] ?? 'floats';
    this.#isAnchored = extension === 'anchored';
    this.#kernel = kernelOf(func, extension);
  }

  /** Computes the row of a series. Returns whether any of its results is a float. */
  async compute(row: MixedRow): Promise<boolean> {
    const { columns, job } = row;
    dropStale(columns);
    const { steps } = job;
    if (this.rows.length !== steps) this.rows = new Int32Array(steps);
    this.rows.fill(-1);
    this.#results.clear();
    this.columns = this.#results;
    this.#samples.take(columns, row.withStarts);
    if (this.#rule === 'every' || this.#rule === 'edge') this.#all(row);
    else if (this.#rule === 'count') await this.#counts(row);
    else await this.#floatsAndHistograms(row);
    return this.#hasFloats(job);
  }

  #hasFloats({ present, offset, steps }: WindowJob): boolean {
    for (let i = 0; i < steps; i++) if (present[offset + i] === 1 && this.rows[i]! < 0) return true;
    return false;
  }

  // Samples of both kinds through the kernel of floats, which looks at their times alone or hands one of them on.
  #all({ columns, job, withStarts, runFloats }: MixedRow): void {
    look(job, columns, withStarts);
    runFloats(job);
    if (this.#rule === 'every' || columns.histograms === undefined) return;
    this.columns = columns.histograms;
    for (let i = 0; i < job.steps; i++) {
      if (job.present[job.offset + i] === 0) continue;
      const sample = this.#func === 'first_over_time' ? job.from[i]! : job.to[i]! - 1;
      this.rows[i] = columns.rows[sample]!;
    }
  }

  async #counts({ columns, job, withStarts, pause }: MixedRow): Promise<void> {
    look(job, columns, withStarts);
    if (this.#places.length < columns.count) this.#places = new Int32Array(columns.count);
    for (let k = 0, place = 0; k < columns.count; k++) this.#places[k] = columns.rows[k]! < 0 ? -1 : place++;
    const samples = { columns, histograms: this.#samples, places: this.#places };
    let end = job.end;
    for (let i = 0; i < job.steps; i++, end += job.step) {
      let first = job.from[i]!;
      const to = job.to[i]!;
      await this.#breathe(to - first, pause);
      let isThere = to > first;
      if (this.#isAnchored) {
        while (first + 1 < to && columns.timestamps[first + 1]! <= end - job.range) first++;
        isThere &&= columns.timestamps[to - 1]! > end - job.range;
      }
      job.present[job.offset + i] = isThere ? 1 : 0;
      job.output[job.offset + i] = countChanges(samples, [first, to], this.#func === 'resets');
    }
  }

  async #floatsAndHistograms({ columns, job, withStarts, runFloats, note, pause }: MixedRow): Promise<void> {
    if (this.#func === 'double_exponential_smoothing') {
      // Its factors are refused wherever there are samples, histograms too.
      look(job, columns, withStarts);
      runFloats(job);
    }
    keepFloats(columns, this.#floats);
    const { steps, offset } = job;
    look(job, this.#floats, withStarts);
    if (this.#floats.count > 0) runFloats(job);
    else job.present.fill(0, offset, offset + steps);
    if (this.#from.length !== steps) [this.#from, this.#to] = [new Int32Array(steps), new Int32Array(steps)];
    const { timestamps } = this.#samples;
    findWindows({ ...job, timestamps, from: this.#from, to: this.#to }, this.#samples.count);
    const { end, range, unevenMs } = job;
    const window: HistogramWindow = { first: 0, last: 0, end, range, unevenMs };
    for (let i = 0; i < steps; i++, window.end += job.step) {
      window.first = this.#from[i]!;
      window.last = this.#to[i]! - 1;
      if (window.last < window.first) continue;
      await this.#breathe(window.last - window.first + 1, pause);
      const outcome = this.#judge(job, i, window);
      if (outcome === 'ignored') note('ignored');
      if (outcome === 'ignored' || outcome === 'floats') continue;
      job.present[offset + i] = 0;
      if (outcome === 'mixed') note('mixed');
      else if (outcome === 'histograms' && this.#kernel(this.#samples, window, this.#result, note))
        this.#keep(job, i);
    }
  }

  // What a window with histograms comes to: `ignored` are its histograms, `floats` its result is that of its floats already.
  #judge(
    { from, to }: WindowJob,
    step: number,
    { first, last }: HistogramWindow,
  ): 'ignored' | 'floats' | 'mixed' | 'histograms' | 'nothing' {
    const floats = to[step]! - from[step]!;
    if (this.#rule === 'floats') return floats > 0 ? 'ignored' : 'nothing';
    if (this.#rule === 'either') return floats > 0 ? 'mixed' : 'histograms';
    const histograms = last - first + 1;
    if (floats + histograms < 2) return 'nothing';
    const times = this.#floats.timestamps;
    const timeOf = (index: number): number => this.#samples.timestamps[index]!;
    const floatLast = floats > 0 ? times[to[step]! - 1]! : Number.NEGATIVE_INFINITY;
    const floatBefore = floats > 1 ? times[to[step]! - 2]! : Number.NEGATIVE_INFINITY;
    if (floatBefore > timeOf(last)) return 'floats';
    if (histograms > 1 && timeOf(last - 1) > floatLast) return 'histograms';
    return 'mixed';
  }

  #keep({ output, present, offset }: WindowJob, step: number): void {
    this.rows[step] = this.#result.store(this.#results);
    output[offset + step] = this.#result.sum;
    present[offset + step] = 1;
  }

  async #breathe(samples: number, pause: Pause): Promise<void> {
    this.#looked += samples;
    if (this.#looked < SAMPLES_BETWEEN_PAUSES) return;
    this.#looked = 0;
    await pause();
  }
}

const noKernel: HistogramKernel = () => false;

function kernelOf(func: string, extension: Extension | undefined): HistogramKernel {
  switch (func) {
    case 'rate':
    case 'increase':
    case 'delta':
      return extension === undefined ? rateOfHistograms(func) : extendedRateOfHistograms(func, extension);
    case 'irate':
    case 'idelta':
      return lastChangeOfHistograms(func);
    case 'sum_over_time':
    case 'avg_over_time':
      return totalOfHistograms(func);
    default:
      return noKernel;
  }
}

// Points a job at columns and finds its windows.
function look(job: WindowJob, columns: SampleColumns, withStarts: boolean): void {
  job.timestamps = columns.timestamps;
  job.values = columns.values;
  job.starts = withStarts ? columns.starts : undefined;
  findWindows(job, columns.count);
}
