// rate, increase, delta, irate and idelta of native histograms. After Prometheus promql/functions.go (extrapolatedRate, histogramRate,
// instantValue).

import { FloatHistogram } from '../../model/float-histogram.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import {
  addHistogram,
  BOUNDS_RECONCILED,
  INCOMPATIBLE,
  subtractHistogram,
} from '../../model/histogram-sum.ts';
import type { HistogramSamples, TakeNote } from './histogram-samples.ts';
import { extrapolation, startsInside } from './start-times.ts';

/** A window of histograms: indexes `first` to `last`, both included; it ends at `end` and is `range` ms wide. */
export interface HistogramWindow {
  first: number;
  last: number;
  end: number;
  readonly range: number;
  /** As of a WindowJob. */
  readonly unevenMs: number;
}

/** Computes a function for one window into `result`; false where there is no result. */
export type HistogramKernel = (
  samples: HistogramSamples,
  window: HistogramWindow,
  result: FloatHistogram,
  note: TakeNote,
) => boolean;

/** rate, increase and delta. */
export function rateOfHistograms(func: string): HistogramKernel {
  const isCounter = func !== 'delta';
  const isRate = func === 'rate';
  const other = new FloatHistogram();
  return (samples, window, result, note) => {
    const { first, last, end, range, unevenMs } = window;
    const started = { timestamps: samples.timestamps, starts: samples.starts, range, unevenMs };
    const growth = { first, last, end, firstValue: isCounter ? samples.countAt(first) : undefined };
    const isInside = startsInside(started, first, end);
    if (first === last && !isInside) return false;
    if (first === last) samples.load(first, result);
    else if (!changeOf({ samples, window, result, other }, isCounter, note)) return false;
    const factor = extrapolation(started, { ...growth, increase: result.count });
    if (isInside && first < last && !add(result, samples.load(first, other), note)) return false;
    result.scale(isRate ? factor / (range / 1000) : factor);
    return true;
  };
}

interface Change {
  readonly samples: HistogramSamples;
  readonly window: HistogramWindow;
  readonly result: FloatHistogram;
  /** Memory for one more histogram. */
  readonly other: FloatHistogram;
}

// The difference between the last and the first histogram, with what was lost in resets.
function changeOf(change: Change, isCounter: boolean, note: TakeNote): boolean {
  const { samples, window, result, other } = change;
  const { first, last } = window;
  if (isCounter && hasGauge(samples, first, last)) note('not-counter');
  // A first histogram that the second one has nothing to do with counts as none, whatever its buckets.
  const isNew = isCounter && samples.isReset(first + 1);
  const start = isNew ? first + 1 : first;
  const isCustom = samples.isCustomAt(start);
  let schema = Math.min(samples.schemaAt(last), samples.schemaAt(start));
  let isMixed = samples.isCustomAt(last) !== isCustom;
  for (let k = first + 1; k < last && isCounter; k++) {
    schema = Math.min(schema, samples.schemaAt(k));
    isMixed ||= samples.isCustomAt(k) !== isCustom;
  }
  if (isMixed) {
    note('mixed-buckets');
    return false;
  }
  samples.load(last, result).reduce(schema);
  samples.load(start, other);
  if (!subtract(result, isNew ? other.clear(other) : other, note)) return false;
  if (isCounter && !addResets(change, isNew, note)) return false;
  if (!isCounter && !(samples.isGaugeAt(first) && samples.isGaugeAt(last))) note('not-gauge');
  result.hint = RESET_HINT.gauge;
  result.compact();
  return true;
}

function addResets({ samples, window, result, other }: Change, isNew: boolean, note: TakeNote): boolean {
  const { first, last } = window;
  for (let k = first + 1; k <= last; k++) {
    if (samples.overlaps(k)) note('overlap');
    // What came before a first histogram that does not count is nothing.
    if (k === first + 1 && isNew) continue;
    if (samples.isReset(k) && !add(result, samples.load(k - 1, other), note)) return false;
  }
  return true;
}

function hasGauge(samples: HistogramSamples, first: number, last: number): boolean {
  for (let k = first; k <= last; k++) if (samples.isGaugeAt(k)) return true;
  return false;
}

/** Adds a histogram and notes what is to be said of it; false when that cannot be done. */
export function add(target: FloatHistogram, other: FloatHistogram, note: TakeNote): boolean {
  return noted(addHistogram(target, other), 'reconciled-addition', note);
}

/** Takes a histogram away and notes what is to be said of it; false when that cannot be done. */
export function subtract(target: FloatHistogram, other: FloatHistogram, note: TakeNote): boolean {
  return noted(subtractHistogram(target, other), 'reconciled-subtraction', note);
}

function noted(
  said: number,
  reconciled: 'reconciled-addition' | 'reconciled-subtraction',
  note: TakeNote,
): boolean {
  if ((said & INCOMPATIBLE) !== 0) note('mixed-buckets');
  if ((said & BOUNDS_RECONCILED) !== 0) note(reconciled);
  return (said & INCOMPATIBLE) === 0;
}

/** irate and idelta: the last two histograms of the window. */
export function lastChangeOfHistograms(func: string): HistogramKernel {
  const isRate = func === 'irate';
  const before = new FloatHistogram();
  return (samples, { last }, result, note) => {
    const interval = samples.timestamps[last]! - samples.timestamps[last - 1]!;
    samples.load(last, result);
    samples.load(last - 1, before);
    const gauges = Number(samples.isGaugeAt(last)) + Number(samples.isGaugeAt(last - 1));
    if (isRate && gauges > 0) note('not-counter');
    if (!isRate && gauges < 2) note('not-gauge');
    const isReset = isRate && (samples.startsAnew(last) || detectReset(result, before));
    if (!isReset && !subtract(result, before, note)) return false;
    result.hint = RESET_HINT.gauge;
    result.compact();
    if (isRate) result.divide(interval / 1000);
    return true;
  };
}
