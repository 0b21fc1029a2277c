// Functions over instant vectors, by PromQL name. Those of one sample work in the batch they are given and leave joining of
// series that became equal to the caller (mergeEqualSeries), because they also run on parts of a vector; the others want the
// whole vector, join themselves and pause now and then.

import { InvariantError, invariant } from '../../model/errors.ts';
import { NO_LABELS } from '../../model/labels.ts';
import { clampRows, mapValues, NUMBER_FUNCTIONS, roundRows } from '../kernels/elementwise.ts';
import { type StepBatch, type StepRange, stepCount } from '../source.ts';
import { DATE_FUNCTIONS } from './date-functions.ts';
import {
  type FunctionArgument,
  type FunctionContext,
  scalarArgument,
  stringArguments,
  vectorArgument,
} from './functions.ts';
import { histogramFraction, histogramQuantile, histogramQuantiles } from './histogram-quantile.ts';
import { joinLabels, replaceLabel } from './label-functions.ts';
import { sortByLabels, sortByValue } from './sort.ts';
import { dropNames } from './step-batch.ts';

export type { FunctionArgument, FunctionContext } from './functions.ts';

/** Applies a function of one sample, of the time or of a scalar; takes its vector argument over. */
export function applySampleFunction(
  name: string,
  args: readonly FunctionArgument[],
  grid: StepRange,
): StepBatch {
  const ofNumber = NUMBER_FUNCTIONS[name];
  if (ofNumber !== undefined) return mapSamples(vectorArgument(args, 0), ofNumber);
  const ofDate = DATE_FUNCTIONS[name];
  if (ofDate !== undefined)
    return args.length === 0 ? mapTimes(grid, ofDate) : mapSamples(vectorArgument(args, 0), ofDate);
  switch (name) {
    case 'round':
      return round(vectorArgument(args, 0), scalarArgument(args, 1));
    case 'clamp':
      return clamp(vectorArgument(args, 0), scalarArgument(args, 1), scalarArgument(args, 2));
    case 'clamp_min':
      return clamp(vectorArgument(args, 0), scalarArgument(args, 1), undefined);
    case 'clamp_max':
      return clamp(vectorArgument(args, 0), undefined, scalarArgument(args, 1));
    case 'vector':
      return oneSeries(requiredScalar(args, 0).slice());
    default:
      throw new InvariantError(`no function ${name} over instant vectors`);
  }
}

/** Applies any function; takes its vector argument over. `execution` errors as Prometheus words them. */
export async function applyVectorFunction(
  name: string,
  args: readonly FunctionArgument[],
  grid: StepRange,
  context: FunctionContext,
): Promise<StepBatch> {
  const { pause } = context;
  switch (name) {
    case 'sort':
    case 'sort_desc':
      return sortByValue(vectorArgument(args, 0), name === 'sort_desc', pause);
    case 'sort_by_label':
    case 'sort_by_label_desc': {
      const order = { names: stringArguments(args, 1), descending: name === 'sort_by_label_desc' };
      return sortByLabels(vectorArgument(args, 0), order, pause);
    }
    case 'label_replace': {
      const [target = '', template = '', source = '', pattern = ''] = stringArguments(args, 1);
      return replaceLabel(vectorArgument(args, 0), { target, template, source, pattern }, pause);
    }
    case 'label_join': {
      const [target = '', separator = '', ...sources] = stringArguments(args, 1);
      return joinLabels(vectorArgument(args, 0), { target, separator, sources }, pause);
    }
    case 'histogram_quantile':
      return histogramQuantile(requiredScalar(args, 0), vectorArgument(args, 1), grid, context);
    case 'histogram_fraction': {
      const limits = { lower: requiredScalar(args, 0), upper: requiredScalar(args, 1) };
      return histogramFraction(limits, vectorArgument(args, 2), context);
    }
    case 'histogram_quantiles': {
      const [label = ''] = stringArguments(args.slice(1, 2), 0);
      const quantiles = args.slice(2).map((_, i) => requiredScalar(args, i + 2));
      return histogramQuantiles({ label, quantiles }, vectorArgument(args, 0), grid, context);
    }
    default:
      return applySampleFunction(name, args, grid);
  }
}

/** Whether applyVectorFunction knows the function. */
export function isVectorFunction(name: string): boolean {
  return name in NUMBER_FUNCTIONS || name in DATE_FUNCTIONS || OTHER_FUNCTIONS.has(name);
}

const OTHER_FUNCTIONS: ReadonlySet<string> = new Set([
  'round',
  'clamp',
  'clamp_min',
  'clamp_max',
  'vector',
  'sort',
  'sort_desc',
  'sort_by_label',
  'sort_by_label_desc',
  'label_replace',
  'label_join',
  'histogram_quantile',
  'histogram_fraction',
  'histogram_quantiles',
]);

// Those that look at labels alone, and those of histograms.
const HISTOGRAM_FUNCTIONS: ReadonlySet<string> = new Set([
  'sort_by_label',
  'sort_by_label_desc',
  'label_replace',
  'label_join',
  'histogram_quantile',
  'histogram_fraction',
  'histogram_quantiles',
]);

/** Whether a function has anything for native histograms; others never see them. */
export function takesHistograms(name: string): boolean {
  return HISTOGRAM_FUNCTIONS.has(name);
}

function requiredScalar(args: readonly FunctionArgument[], index: number): Float64Array {
  const values = scalarArgument(args, index);
  invariant(values !== undefined, `argument ${index} is missing`);
  return values;
}

function mapSamples(batch: StepBatch, map: (value: number) => number): StepBatch {
  mapValues(batch.values, batch.labels.length * batch.steps, map);
  return dropNames(batch);
}

function mapTimes(grid: StepRange, map: (value: number) => number): StepBatch {
  const values = new Float64Array(stepCount(grid));
  for (let i = 0; i < values.length; i++) values[i] = map(Math.trunc((grid.start + i * grid.step) / 1000));
  return oneSeries(values);
}

function oneSeries(values: Float64Array): StepBatch {
  const steps = values.length;
  return { labels: [NO_LABELS], steps, values, present: new Uint8Array(steps).fill(1) };
}

function round(batch: StepBatch, nearest: Float64Array | undefined): StepBatch {
  roundRows(batch.values, batch.labels.length, nearest ?? new Float64Array(batch.steps).fill(1));
  return dropNames(batch);
}

function clamp(batch: StepBatch, min: Float64Array | undefined, max: Float64Array | undefined): StepBatch {
  const { steps, values, present, labels } = batch;
  clampRows(values, present, labels.length, {
    min: min ?? new Float64Array(steps).fill(-Infinity),
    max: max ?? new Float64Array(steps).fill(Infinity),
  });
  return dropNames(batch);
}

/** scalar(): the value of the only series present at each step, NaN where there is none or more than one. */
export function scalarOf({ labels, steps, values, present }: StepBatch): Float64Array {
  const out = new Float64Array(steps).fill(Number.NaN);
  for (let i = 0; i < steps; i++) {
    let found = -1;
    let count = 0;
    for (let row = 0; row < labels.length && count < 2; row++) {
      if (present[row * steps + i] === 0) continue;
      found = row;
      count++;
    }
    if (count === 1) out[i] = values[found * steps + i]!;
  }
  return out;
}
