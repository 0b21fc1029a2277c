// What function operators share: the form of their arguments and what they may say besides the result.

import type { Annotations } from '../../model/annotations.ts';
import { invariant } from '../../model/errors.ts';
import type { Pause } from '../../model/pause.ts';
import type { StepBatch } from '../source.ts';

/** An evaluated argument; scalars have one value per step. */
export type FunctionArgument =
  | { readonly kind: 'vector'; readonly batch: StepBatch }
  | { readonly kind: 'scalar'; readonly values: Float64Array }
  | { readonly kind: 'string'; readonly value: string };

/** Where a function's notes go, and how it gives way to others. */
export interface FunctionContext {
  readonly annotations: Annotations;
  readonly pause: Pause;
  /** `line:col` of each argument. */
  readonly wheres: readonly string[];
  /** Whether notes on a histogram name its metric, as Prometheus's do under promql-delayed-name-removal. */
  readonly showNames?: boolean;
}

/** The vector at `index`, which the parser has checked to be one. */
export function vectorArgument(args: readonly FunctionArgument[], index: number): StepBatch {
  const arg = args[index];
  invariant(arg?.kind === 'vector', `argument ${index} is ${arg?.kind}, not a vector`);
  return arg.batch;
}

/** The scalar at `index`; undefined when the call has no such argument. */
export function scalarArgument(args: readonly FunctionArgument[], index: number): Float64Array | undefined {
  const arg = args[index];
  if (arg === undefined) return undefined;
  invariant(arg.kind === 'scalar', `argument ${index} is ${arg.kind}, not a scalar`);
  return arg.values;
}

/** The strings from `index` on. */
export function stringArguments(args: readonly FunctionArgument[], index: number): string[] {
  return args.slice(index).map((arg, i) => {
    invariant(arg.kind === 'string', `argument ${index + i} is ${arg.kind}, not a string`);
    return arg.value;
  });
}
