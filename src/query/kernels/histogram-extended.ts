// Extended range selectors over native histograms: as extended.ts does it for floats. After Prometheus promql/functions.go
// (extendedHistogramRate) and engine.go (smoothSeries).

import { FloatHistogram } from '../../model/float-histogram.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import type { Extension } from './extended.ts';
import { add, type HistogramKernel, type HistogramWindow, subtract } from './histogram-rate.ts';
import type { HistogramSamples, TakeNote } from './histogram-samples.ts';

/** rate, increase and delta over extended windows; windows are the widened ones. */
export function extendedRateOfHistograms(func: string, extension: Extension): HistogramKernel {
  const change = new ExtendedChange(func !== 'delta', extension === 'smoothed');
  const isRate = func === 'rate';
  return (samples, window, result, note) => {
    if (!change.compute(samples, window, result, note)) return false;
    if (isRate) result.divide(window.range / 1000);
    result.hint = RESET_HINT.gauge;
    result.compact();
    return true;
  };
}

class ExtendedChange {
  readonly #isCounter: boolean;
  readonly #isSmoothed: boolean;
  readonly #left = new FloatHistogram();
  readonly #right = new FloatHistogram();
  readonly #before = new FloatHistogram();
  readonly #now = new FloatHistogram();
  readonly #correction = new FloatHistogram();
  #isCorrected = false;

  constructor(isCounter: boolean, isSmoothed: boolean) {
    this.#isCounter = isCounter;
    this.#isSmoothed = isSmoothed;
  }

  compute(
    samples: HistogramSamples,
    window: HistogramWindow,
    result: FloatHistogram,
    note: TakeNote,
  ): boolean {
    const edges = this.#edges(samples, window);
    if (edges === undefined || !this.#check(samples, edges, note)) return false;
    const { first, last } = edges;
    const { timestamps } = samples;
    const start = window.end - window.range;
    const interpolation = { isCounter: this.#isCounter, scratch: this.#now, note };
    const isLeftBetween = this.#isSmoothed && timestamps[first]! < start;
    const isRightBetween = this.#isSmoothed && last > window.first && timestamps[last]! > window.end;
    if (!isLeftBetween) samples.load(first, this.#left);
    else if (!interpolate(samples, { before: first, time: start }, this.#left, interpolation)) return false;
    const right = { before: last - 1, time: window.end };
    if (!isRightBetween) samples.load(last, this.#right);
    else if (!interpolate(samples, right, this.#right, interpolation)) return false;
    const isGauge = this.#left.hint === RESET_HINT.gauge && this.#right.hint === RESET_HINT.gauge;
    if (!this.#isCounter && !isGauge) note('not-gauge');
    if (!subtract(result.copy(this.#right), this.#left, note)) return false;
    if (!this.#isCounter) return true;
    if (!this.#correct(samples, { ...edges, start }, note)) return false;
    return !this.#isCorrected || add(result, this.#correction, note);
  }

  // First and last histogram that count; undefined when there is none after the window's start.
  #edges(
    { timestamps }: HistogramSamples,
    window: HistogramWindow,
  ): { first: number; last: number } | undefined {
    const start = window.end - window.range;
    let { last } = window;
    let after = window.first;
    while (after < last && timestamps[after]! <= start) after++;
    const first = Math.max(window.first, after - 1);
    if (this.#isSmoothed) {
      let at = window.first;
      while (at < last && timestamps[at]! < window.end) at++;
      last = at;
      if (timestamps[first]! > window.end) return undefined;
    }
    return timestamps[last]! <= start ? undefined : { first, last };
  }

  #check(
    samples: HistogramSamples,
    { first, last }: { first: number; last: number },
    note: TakeNote,
  ): boolean {
    for (let k = first; k <= last; k++) {
      if (samples.isCustomAt(k) !== samples.isCustomAt(first)) {
        note('mixed-buckets');
        return false;
      }
      if (this.#isCounter && samples.isGaugeAt(k)) note('not-counter');
    }
    return true;
  }

  // Sums up what was lost in resets between the borders; those that the borders are interpolated over are in them already.
  #correct(
    samples: HistogramSamples,
    { first: left, last: right, start }: { first: number; last: number; start: number },
    note: TakeNote,
  ): boolean {
    this.#isCorrected = false;
    let first = left + 1;
    this.#before.copy(this.#left);
    const isBetween = this.#isSmoothed && samples.timestamps[left]! < start;
    if (isBetween && samples.isReset(left + 1)) samples.load(first++, this.#before);
    if (first > right) return true;
    for (let k = first; k < right; k++) {
      if (detectReset(samples.load(k, this.#now), this.#before) && !this.#addLost(note)) return false;
      this.#before.copy(this.#now);
    }
    return !detectReset(this.#right, this.#before) || this.#addLost(note);
  }

  #addLost(note: TakeNote): boolean {
    if (this.#isCorrected) return add(this.#correction, this.#before, note);
    this.#correction.copy(this.#before);
    this.#isCorrected = true;
    return true;
  }
}

/** How to interpolate: a counter that was reset rises from zero. */
interface Interpolation {
  readonly isCounter: boolean;
  readonly scratch: FloatHistogram;
  readonly note: TakeNote;
}

// The histogram at `time` on the line from histogram `before` to the next one; false when these cannot be combined.
function interpolate(
  samples: HistogramSamples,
  { before, time }: { before: number; time: number },
  result: FloatHistogram,
  { isCounter, scratch, note }: Interpolation,
): boolean {
  const from = samples.timestamps[before]!;
  const to = samples.timestamps[before + 1]!;
  samples.load(time === from ? before : before + 1, result);
  if (time === from || time === to) return true;
  const share = (time - from) / (to - from);
  samples.load(before, scratch);
  if (isCounter && detectReset(result, scratch)) {
    result.scale(share);
    return true;
  }
  return subtract(result, scratch, note) && add(result.scale(share), scratch, note);
}

/** A smoothed instant selector at one time: `first` to `last` are the histograms around it; false where it has none. */
export function smoothedHistogram(
  samples: HistogramSamples,
  { first, last, end: time }: HistogramWindow,
  result: FloatHistogram,
  scratch: FloatHistogram,
  note: TakeNote,
): boolean {
  const { timestamps } = samples;
  let after = first;
  while (after <= last && timestamps[after]! < time) after++;
  if (after <= last && timestamps[after] === time) {
    samples.load(after, result);
    return true;
  }
  if (after === first) return false;
  if (after > last) {
    // Nothing follows: the last one stands, but what it says of the one before it does not.
    samples.load(last, result).hint = RESET_HINT.unknown;
    return true;
  }
  if (samples.isCustomAt(after) !== samples.isCustomAt(after - 1)) {
    note('mixed-buckets');
    return false;
  }
  const isCounter = !(samples.isGaugeAt(after) && samples.isGaugeAt(after - 1));
  return interpolate(samples, { before: after - 1, time }, result, { isCounter, scratch, note });
}
