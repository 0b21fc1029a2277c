// Every function of PromQL 3.14 with its signature: one row per signature, since most functions share a few.

import type { ValueType } from './ast.ts';

/** A function's signature. */
export interface FunctionSignature {
  readonly name: string;
  /** Types of the arguments; of a variadic function the last one is optional and repeats. */
  readonly args: readonly ValueType[];
  /** 0: exactly `args`; n: `args.length - 1` up to n more; -1: no upper bound. */
  readonly variadic: number;
  readonly returns: ValueType;
  /** Needs the option `experimentalFunctions`. */
  readonly experimental: boolean;
}

interface Row {
  readonly names: string;
  readonly args: readonly ValueType[];
  readonly variadic?: number;
  readonly returns?: ValueType;
  readonly experimental?: boolean;
}

const ROWS: readonly Row[] = [
  {
    names:
      'abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh sort ' +
      'sort_desc sqrt tan tanh timestamp histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum',
    args: ['vector'],
  },
  {
    names:
      'absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate ' +
      'last_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time ' +
      'sum_over_time',
    args: ['matrix'],
  },
  {
    names: 'mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time',
    args: ['matrix'],
    experimental: true,
  },
  {
    names: 'day_of_month day_of_week day_of_year days_in_month hour minute month year',
    args: ['vector'],
    variadic: 1,
  },
  { names: 'pi time', args: [], returns: 'scalar' },
  { names: 'end range start step', args: [], returns: 'scalar', experimental: true },
  { names: 'max_of min_of', args: ['scalar', 'scalar'], returns: 'scalar', experimental: true },
  { names: 'start_timestamp', args: ['vector'], experimental: true },
  { names: 'scalar', args: ['vector'], returns: 'scalar' },
  { names: 'vector', args: ['scalar'] },
  { names: 'clamp', args: ['vector', 'scalar', 'scalar'] },
  { names: 'clamp_max clamp_min', args: ['vector', 'scalar'] },
  { names: 'round', args: ['vector', 'scalar'], variadic: 1 },
  { names: 'quantile_over_time', args: ['scalar', 'matrix'] },
  { names: 'predict_linear', args: ['matrix', 'scalar'] },
  { names: 'double_exponential_smoothing', args: ['matrix', 'scalar', 'scalar'], experimental: true },
  { names: 'histogram_fraction', args: ['scalar', 'scalar', 'vector'] },
  { names: 'histogram_quantile', args: ['scalar', 'vector'] },
  {
    names: 'histogram_quantiles',
    args: ['vector', 'string', 'scalar', 'scalar'],
    variadic: 9,
    experimental: true,
  },
  { names: 'info', args: ['vector', 'vector'], variadic: 1, experimental: true },
  { names: 'label_join', args: ['vector', 'string', 'string', 'string'], variadic: -1 },
  { names: 'label_replace', args: ['vector', 'string', 'string', 'string', 'string'] },
  {
    names: 'sort_by_label sort_by_label_desc',
    args: ['vector', 'string'],
    variadic: -1,
    experimental: true,
  },
];

/** All 90 functions by name. */
export const FUNCTIONS: ReadonlyMap<string, FunctionSignature> = new Map(
  ROWS.flatMap(({ names, args, variadic = 0, returns = 'vector', experimental = false }) =>
    names.split(' ').map((name) => [name, { name, args, variadic, returns, experimental }] as const),
  ),
);
