// histogram_quantile, histogram_quantiles and histogram_fraction. Series of floats that differ only in `le` are the buckets of one
// classic histogram: steps are computed from the buckets present at them. Native histograms stand for themselves.

import { formatGeneral, formatSignificant } from '../../codec/float-text.ts';
import { type Labels, labelsKey, labelsWith, labelValue, METRIC_NAME } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import { nativeFraction, nativeQuantile } from '../kernels/histogram-quantile.ts';
import {
  type Buckets,
  bucketFraction,
  bucketQuantile,
  noStraightening,
  type Straightening,
} from '../kernels/quantile.ts';
import { goQuote } from '../parse/go-text.ts';
import type { StepBatch, StepRange } from '../source.ts';
import { inform, warn, warnQuantile } from './aggregation.ts';
import { utcText } from './date-functions.ts';
import type { FunctionContext } from './functions.ts';
import {
  mapNative,
  type NativeFunction,
  type NativeSplit,
  noteNan,
  splitNative,
} from './histograms/native-rows.ts';
import { concatBatches, dropNames, mergeEqualSeries, rowHasSteps } from './step-batch.ts';

const BUCKET_LABEL = 'le';

/** The buckets of one histogram, by bound. */
interface HistogramRows {
  readonly labels: Labels;
  /** What had to be straightened; one for all histograms of a name that notes show. */
  readonly noted: Straightening;
  readonly rows: { readonly bound: number; readonly row: number }[];
}

/** histogram_quantile(quantiles, batch); argument 0 is the quantile, 1 the vector. */
export async function histogramQuantile(
  quantiles: Float64Array,
  batch: StepBatch,
  grid: StepRange,
  context: FunctionContext,
): Promise<StepBatch> {
  const [quantileWhere, vectorWhere] = context.wheres;
  warnQuantiles(quantiles, context, quantileWhere);
  const { histograms, noted, floats, native } = await groupBuckets(batch, context, vectorWhere);
  const classic = await mapHistograms({ histograms, batch: floats }, context.pause, (buckets, step, index) =>
    bucketQuantile(quantiles[step]!, buckets, histograms[index]!.noted, step),
  );
  noteStraightening(noted, { grid, context, where: vectorWhere });
  const compute: NativeFunction = (histogram, cursor, step, result) =>
    nativeQuantile(quantiles[step]!, histogram, cursor, result);
  const natives = await computeNative(native, compute, context, vectorWhere);
  return joined([...natives, classic], context.pause);
}

/** histogram_quantiles(batch, label, quantiles...): one series per quantile, which its label names. */
export async function histogramQuantiles(
  { label, quantiles }: { label: string; quantiles: readonly Float64Array[] },
  batch: StepBatch,
  grid: StepRange,
  context: FunctionContext,
): Promise<StepBatch> {
  const { wheres } = context;
  for (const [i, values] of quantiles.entries()) warnQuantiles(values, context, wheres[i + 2]);
  const { histograms, noted, floats, native } = await groupBuckets(batch, context, wheres[0]);
  // Scalars may change from step to step: each distinct quantile of an argument is a series of its own.
  const wanted = quantiles.flatMap((values) =>
    [...new Set(values)].map((quantile) => ({ values, quantile })),
  );
  const rows = wanted.flatMap(({ quantile }) =>
    histograms.map((one) => ({ ...one, labels: labelsWith(one.labels, label, quantileText(quantile)) })),
  );
  const classic = await mapHistograms(
    { histograms: rows, batch: floats },
    context.pause,
    (buckets, step, index) => {
      const { values, quantile } = wanted[Math.floor(index / histograms.length)]!;
      return Object.is(values[step], quantile)
        ? bucketQuantile(quantile, buckets, rows[index]!.noted, step)
        : undefined;
    },
  );
  noteStraightening(noted, { grid, context, where: wheres[0] });
  const results: StepBatch[] = [classic];
  for (const { values, quantile } of wanted) {
    const compute: NativeFunction = (histogram, cursor, _step, result) =>
      nativeQuantile(quantile, histogram, cursor, result);
    const there = native && atSteps(native, values, quantile);
    for (const part of await computeNative(there, compute, context, wheres[0])) {
      const labels = part.labels.map((series) => labelsWith(series, label, quantileText(quantile)));
      results.push({ ...part, labels });
    }
  }
  return joined(results, context.pause);
}

/** histogram_fraction(lower, upper, batch); argument 2 is the vector. */
export async function histogramFraction(
  { lower, upper }: { lower: Float64Array; upper: Float64Array },
  batch: StepBatch,
  context: FunctionContext,
): Promise<StepBatch> {
  const { histograms, floats, native } = await groupBuckets(batch, context, context.wheres[2]);
  const classic = await mapHistograms({ histograms, batch: floats }, context.pause, (buckets, step) =>
    bucketFraction(lower[step]!, upper[step]!, buckets),
  );
  const compute: NativeFunction = (histogram, cursor, step, result) =>
    nativeFraction({ lower: lower[step]!, upper: upper[step]! }, histogram, cursor, result);
  const natives = await computeNative(native, compute, context, context.wheres[2]);
  return joined([...natives, classic], context.pause);
}

async function joined(results: readonly StepBatch[], pause: Pause): Promise<StepBatch> {
  return mergeEqualSeries(dropNames(await concatBatches(results, results[0]!.steps, pause)), pause);
}

async function computeNative(
  native: StepBatch | undefined,
  compute: NativeFunction,
  context: FunctionContext,
  where: string | undefined,
): Promise<StepBatch[]> {
  if (native === undefined) return [];
  return [await mapNative(native, context.pause, compute, noteNan(context, where))];
}

// A vector at the steps where a scalar has a value.
function atSteps(batch: StepBatch, values: Float64Array, value: number): StepBatch {
  const present = batch.present.slice();
  for (let cell = 0; cell < present.length; cell++)
    if (!Object.is(values[cell % batch.steps], value)) present[cell] = 0;
  return { ...batch, present };
}

function warnQuantiles(
  quantiles: Float64Array,
  { annotations }: FunctionContext,
  where: string | undefined,
): void {
  for (const value of new Set(quantiles))
    if (!(value >= 0 && value <= 1)) warnQuantile(annotations, value, where);
}

/** Histograms of a vector, and the straightenings of the classic ones by the name that notes show ('' for none). */
interface GroupedBuckets extends NativeSplit {
  readonly histograms: HistogramRows[];
  readonly noted: ReadonlyMap<string, Straightening>;
}

// Groups series into histograms; a series whose `le` is no number is left out with a warning.
async function groupBuckets(
  batch: StepBatch,
  context: FunctionContext,
  where: string | undefined,
): Promise<GroupedBuckets> {
  const atOnce = rowsBetweenPauses(0);
  const { floats, native } = splitNative(batch);
  const histograms = new Map<string, HistogramRows>();
  const noted = new Map<string, Straightening>();
  for (let row = 0; row < batch.labels.length; row++) {
    if (row % atOnce === 0) await context.pause();
    const series = batch.labels[row]!;
    if (!rowHasSteps(floats, row)) continue;
    const name = context.showNames === true ? labelValue(series, METRIC_NAME) : '';
    const text = labelValue(series, BUCKET_LABEL);
    const bound = parseBound(text);
    if (bound === undefined) {
      const warning = `bucket label "le" is missing or has a malformed value of ${goQuote(text)}`;
      warn(context.annotations, warning + nameText(name), where);
      continue;
    }
    const labels = labelsWith(series, BUCKET_LABEL, '');
    const key = labelsKey(labels);
    let histogram = histograms.get(key);
    if (histogram === undefined) {
      const ofName = noted.get(name) ?? noStraightening();
      noted.set(name, ofName);
      histogram = { labels, noted: ofName, rows: [] };
      histograms.set(key, histogram);
    }
    histogram.rows.push({ bound, row });
  }
  for (const { rows } of histograms.values())
    rows.sort((a, b) => (a.bound < b.bound ? -1 : a.bound > b.bound ? 1 : 0));
  if (native !== undefined) dropConflicts({ floats, native }, histograms, context, where);
  return { histograms: [...histograms.values()], noted, floats, native };
}

// Where a native and a classic histogram have the same labels at one step, neither counts.
function dropConflicts(
  { floats, native }: { readonly floats: StepBatch; readonly native: StepBatch },
  histograms: ReadonlyMap<string, HistogramRows>,
  context: FunctionContext,
  where: string | undefined,
): void {
  const { steps } = native;
  for (const [row, labels] of native.labels.entries()) {
    const classic = histograms.get(labelsKey(labels));
    if (classic === undefined) continue;
    for (let step = 0; step < steps; step++) {
      const cell = row * steps + step;
      const isClassic = classic.rows.some(({ row: bucket }) => floats.present[bucket * steps + step] === 1);
      if (native.present[cell] === 0 || !isClassic) continue;
      native.present[cell] = 0;
      for (const { row: bucket } of classic.rows) floats.present[bucket * steps + step] = 0;
      const name = context.showNames === true ? labelValue(labels, METRIC_NAME) : '';
      warn(
        context.annotations,
        `vector contains a mix of classic and native histograms${nameText(name)}`,
        where,
      );
    }
  }
}

function nameText(name: string): string {
  return name === '' ? '' : ` for metric name ${goQuote(name)}`;
}

/** A decimal, as Go's ParseFloat reads it, or infinity by any of its names; undefined for anything else. */
function parseBound(text: string): number | undefined {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  if (/^[+]?inf(?:inity)?$/i.test(text)) return Infinity;
  if (/^-inf(?:inity)?$/i.test(text)) return -Infinity;
  return /^nan$/i.test(text) ? Number.NaN : undefined;
}

// One result row per histogram, at the steps where it has a bucket and `compute` gives a value.
async function mapHistograms(
  { histograms, batch }: { histograms: readonly HistogramRows[]; batch: StepBatch },
  pause: Pause,
  compute: (buckets: Buckets, step: number, index: number) => number | undefined,
): Promise<StepBatch> {
  const { steps } = batch;
  const values = new Float64Array(histograms.length * steps);
  const present = new Uint8Array(histograms.length * steps);
  const most = histograms.reduce((size, { rows }) => Math.max(size, rows.length), 0);
  const buckets: Buckets = { bounds: new Float64Array(most), counts: new Float64Array(most), count: 0 };
  const atOnce = rowsBetweenPauses(most * steps);
  for (const [index, { rows }] of histograms.entries()) {
    if (index % atOnce === 0) await pause();
    for (let step = 0; step < steps; step++) {
      gatherBuckets(rows, batch, step, buckets);
      const value = buckets.count === 0 ? undefined : compute(buckets, step, index);
      if (value === undefined) continue;
      values[index * steps + step] = value;
      present[index * steps + step] = 1;
    }
  }
  return { labels: histograms.map(({ labels }) => labels), steps, values, present };
}

function gatherBuckets(
  rows: HistogramRows['rows'],
  { steps, values, present }: StepBatch,
  step: number,
  target: Buckets,
): void {
  let count = 0;
  for (let i = 0; i < rows.length; i++) {
    const { row, bound } = rows[i]!;
    const cell = row * steps + step;
    if (present[cell] === 0) continue;
    target.bounds[count] = bound;
    target.counts[count++] = values[cell]!;
  }
  target.count = count;
}

function noteStraightening(
  noted: ReadonlyMap<string, Straightening>,
  { grid, context, where }: { grid: StepRange; context: FunctionContext; where: string | undefined },
): void {
  const timeOf = (step: number): string => utcText(grid.start + step * grid.step);
  for (const [name, { count, stepFirst, stepLast, boundMin, boundMax, fallMax }] of noted) {
    if (count === 0) continue;
    const text =
      'input to histogram_quantile needed to be fixed for monotonicity (see ' +
      'https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)' +
      `${nameText(name)}, from buckets ${formatGeneral(boundMin)} to ${formatGeneral(boundMax)}, ` +
      `with a max diff of ${formatSignificant(fallMax, 2)}, over ${count} samples ` +
      `from ${timeOf(stepFirst)} to ${timeOf(stepLast)}`;
    inform(context.annotations, text, where);
  }
}

// OpenMetrics writes floats with a point or an exponent.
function quantileText(value: number): string {
  const text = formatGeneral(value === 0 ? 0 : value);
  return Number.isFinite(value) && !/[e.]/.test(text) ? `${text}.0` : text;
}
