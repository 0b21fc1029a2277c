// The contract of aggregations: series stream in batch by batch, or as states that other processes computed; what stays in
// memory grows with groups and steps, not with series.

import { formatGeneral } from '../../codec/float-text.ts';
import type { Hasher } from '../../codec/hash.ts';
import type { Annotations } from '../../model/annotations.ts';
import { DomainError } from '../../model/errors.ts';
import type { Pause } from '../../model/pause.ts';
import type { QueryBudget } from '../budget.ts';
import type { AggregateOperator } from '../parse/ast.ts';
import type { StepBatch } from '../source.ts';

/** An aggregation to run. */
export interface AggregationSpec {
  readonly op: AggregateOperator;
  readonly grouping: readonly string[];
  readonly without: boolean;
  /** One number per step: quantile, topk, bottomk, limitk, limit_ratio. */
  readonly paramValues?: Float64Array;
  /** The label of count_values. */
  readonly paramText?: string;
  /** `line:col` of the parameter, for notes. */
  readonly where?: string;
  /** `line:col` of what notes on native histograms point at. */
  readonly histogramWhere?: string | undefined;
  /** Where notes go that arise while series are added, if anybody wants them. */
  readonly annotations?: Annotations;
  /** Needed by limit_ratio alone. */
  readonly hasher?: Hasher;
  /** Where the state's memory is accounted for until finish(). */
  readonly budget?: QueryBudget;
}

/** A running aggregation: add() and addPartial() in any order and number, then either encodePartial() or finish(). */
export interface Aggregation {
  /** Adds the series of a batch, which now belongs to the aggregation. */
  add(batch: StepBatch): void;
  /** The state so far in pieces for addPartial() of an equal aggregation elsewhere. Only where distributes(op) says so. */
  encodePartial(pause: Pause): Promise<readonly Uint8Array[]>;
  /** Adds a state from elsewhere; `corrupt` when the bytes are not one of this operator and grid. */
  addPartial(bytes: Uint8Array): void;
  /**
   * The result: one series per group, or the selected series. With one step, rows stand in the order of the answer: group
   * after group, topk and bottomk best first. The aggregation is used up.
   */
  finish(annotations: Annotations, pause: Pause): Promise<StepBatch>;
}

/** Accounts for state memory; forgets it all at once. */
export class StateMemory {
  readonly #budget: QueryBudget | undefined;
  #bytes = 0;

  constructor(budget: QueryBudget | undefined) {
    this.#budget = budget;
  }

  /** Takes `bytes` more; `execution` error past the query's limit. */
  hold(bytes: number): void {
    this.#budget?.holdBytes(bytes);
    this.#bytes += bytes;
  }

  /** Gives everything back. */
  release(): void {
    this.#budget?.releaseBytes(this.#bytes);
    this.#bytes = 0;
  }
}

/** Numbers written into Prometheus's order of operators; part of the partial state's bytes, only ever appended to. */
export const OPERATOR_NUMBERS: Readonly<Record<AggregateOperator, number>> = {
  sum: 0,
  avg: 1,
  count: 2,
  min: 3,
  max: 4,
  group: 5,
  stddev: 6,
  stdvar: 7,
  topk: 8,
  bottomk: 9,
  count_values: 10,
  quantile: 11,
  limitk: 12,
  limit_ratio: 13,
};

/** Smallest and largest of the parameter over all steps; both NaN as soon as one step is. */
export function parameterRange(values: Float64Array): { min: number; max: number } {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return { min, max };
}

const INT64_MAX = 2 ** 63 - 1024;
const INT64_MIN = -(2 ** 63);

/** How many series each step selects; all 0 when nothing is. `execution` errors of Prometheus for NaN and overflow. */
export function selectionCounts(values: Float64Array): Int32Array {
  const counts = new Int32Array(values.length);
  const { min, max } = parameterRange(values);
  if (max < 1) return counts;
  if (Number.isNaN(max)) throw new DomainError('execution', 'Parameter value is NaN');
  if (min <= INT64_MIN)
    throw new DomainError('execution', `Scalar value ${formatGeneral(min)} underflows int64`);
  if (max >= INT64_MAX)
    throw new DomainError('execution', `Scalar value ${formatGeneral(max)} overflows int64`);
  for (let i = 0; i < values.length; i++)
    counts[i] = Math.max(0, Math.min(0x7fffffff, Math.trunc(values[i]!)));
  return counts;
}

/** Adds a warning in Prometheus's form: prefix, text, place. */
export function warn(annotations: Annotations, text: string, where: string | undefined): void {
  annotations.add({ level: 'warning', text: `PromQL warning: ${text}${placeText(where)}` });
}

/** Adds an info in Prometheus's form: prefix, text, place. */
export function inform(annotations: Annotations, text: string, where: string | undefined): void {
  annotations.add({ level: 'info', text: `PromQL info: ${text}${placeText(where)}` });
}

/** ` (line:col)`, or nothing where there is no place. */
export function placeText(where: string | undefined): string {
  return where === undefined || where === '' ? '' : ` (${where})`;
}

/** Warns of a quantile outside 0..1. */
export function warnQuantile(annotations: Annotations, value: number, where: string | undefined): void {
  warn(annotations, `quantile value should be between 0 and 1, got ${formatGeneral(value)}`, where);
}
