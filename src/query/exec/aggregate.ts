// sum, avg, count, min, max, group, stddev and stdvar: one state cell per group and step. Makes every other aggregation too.

import type { Annotations } from '../../model/annotations.ts';
import { invariant } from '../../model/errors.ts';
import { type Labels, labelsKey } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import {
  countKernel,
  groupKernel,
  maxKernel,
  minKernel,
  standardDeviationKernel,
  varianceKernel,
} from '../kernels/aggregate.ts';
import {
  freeGroups,
  type GroupColumns,
  type GroupKernel,
  groupColumns,
  growGroups,
  type RowCells,
} from '../kernels/group-columns.ts';
import { averageKernel, sumKernel } from '../kernels/kahan.ts';
import type { AggregateOperator } from '../parse/ast.ts';
import { type StepBatch, type StepRange, stepCount } from '../source.ts';
import { decodeGroups, encodeGroups, type PartialShape } from './aggregate-partial.ts';
import { LimitRatio, Selection } from './aggregate-select.ts';
import { CountValues, Quantile } from './aggregate-values.ts';
import { type Aggregation, type AggregationSpec, OPERATOR_NUMBERS, StateMemory } from './aggregation.ts';
import { GroupTable } from './grouping.ts';
import { HistogramAggregation, withoutHistograms } from './histograms/aggregate-histograms.ts';

export type { Aggregation, AggregationSpec } from './aggregation.ts';

/** Opens an aggregation over a grid; `execution` errors for parameters that Prometheus refuses. */
export function createAggregation(spec: AggregationSpec, grid: StepRange): Aggregation {
  const steps = stepCount(grid);
  const columns = (kernel: GroupKernel): Aggregation => new ColumnAggregation(spec, steps, kernel);
  switch (spec.op) {
    case 'sum':
      return new HistogramAggregation(columns(sumKernel), spec, steps);
    case 'avg':
      return new HistogramAggregation(columns(averageKernel), spec, steps);
    case 'count':
      return columns(countKernel);
    case 'group':
      return columns(groupKernel);
    case 'min':
      return withoutHistograms(columns(minKernel), spec);
    case 'max':
      return withoutHistograms(columns(maxKernel), spec);
    case 'stddev':
      return withoutHistograms(columns(standardDeviationKernel), spec);
    case 'stdvar':
      return withoutHistograms(columns(varianceKernel), spec);
    case 'topk':
    case 'bottomk':
      return withoutHistograms(new Selection(spec, steps), spec);
    case 'quantile':
      return withoutHistograms(new Quantile(spec, steps), spec);
    case 'limitk':
      return new Selection(spec, steps);
    case 'limit_ratio':
      return new LimitRatio(spec, steps);
    case 'count_values':
      return new CountValues(spec, steps);
  }
}

/** Whether states of parts merge into the state of the whole; a quantile needs every value in one place. */
export function distributes(op: AggregateOperator): boolean {
  return op !== 'quantile';
}

class ColumnAggregation implements Aggregation {
  readonly #kernel: GroupKernel;
  readonly #shape: PartialShape;
  readonly #table: GroupTable;
  readonly #state: GroupColumns;
  readonly #memory: StateMemory;
  // Groups met in partial states, by their labels: these carry no series to group anew.
  readonly #known = new Map<string, number>();

  constructor(spec: AggregationSpec, steps: number, kernel: GroupKernel) {
    this.#kernel = kernel;
    this.#shape = { operator: OPERATOR_NUMBERS[spec.op], steps, columns: kernel.columns };
    this.#table = new GroupTable(spec);
    this.#state = groupColumns(kernel.columns, steps, 0);
    this.#memory = new StateMemory(spec.budget);
  }

  add(batch: StepBatch): void {
    const { labels, steps, values, present } = batch;
    invariant(steps === this.#state.steps, `batch of ${steps} steps in a grid of ${this.#state.steps}`);
    const row: RowCells = { values, present, from: 0 };
    for (let i = 0; i < labels.length; i++) {
      const group = this.#table.groupOf(labels[i]!);
      this.#reserve(group + 1);
      row.from = i * steps;
      this.#kernel.add(this.#state, group * steps, row);
    }
  }

  async encodePartial(pause: Pause): Promise<readonly Uint8Array[]> {
    await pause();
    const bytes = encodeGroups(this.#shape, this.#table.labels, this.#state);
    freeGroups(this.#state);
    this.#memory.release();
    return [bytes];
  }

  addPartial(bytes: Uint8Array): void {
    decodeGroups(bytes, this.#shape, (labels, cells) => {
      const group = this.#groupOfPartial(labels);
      this.#kernel.merge(this.#state, group * this.#state.steps, cells);
    });
  }

  #groupOfPartial(labels: Labels): number {
    const key = labelsKey(labels);
    let group = this.#known.get(key);
    if (group === undefined) {
      group = this.#table.groupOf(labels);
      this.#known.set(key, group);
      this.#reserve(group + 1);
    }
    return group;
  }

  #reserve(groups: number): void {
    const { capacity, steps } = this.#state;
    if (groups <= capacity) return;
    const wanted = Math.max(4, groups, capacity * 2);
    this.#memory.hold((wanted - capacity) * steps * (1 + 8 * this.#kernel.columns));
    growGroups(this.#state, wanted);
  }

  async finish(_annotations: Annotations, pause: Pause): Promise<StepBatch> {
    const { steps, seen } = this.#state;
    const kept: number[] = [];
    for (let group = 0; group < this.#table.labels.length; group++)
      if (seen.subarray(group * steps, (group + 1) * steps).includes(1)) kept.push(group);
    const values = new Float64Array(kept.length * steps);
    const present = new Uint8Array(kept.length * steps);
    const atOnce = rowsBetweenPauses(steps);
    for (let i = 0; i < kept.length; i++) {
      if (i % atOnce === 0) await pause();
      const base = kept[i]! * steps;
      present.set(seen.subarray(base, base + steps), i * steps);
      this.#kernel.finish(this.#state, base, values.subarray(i * steps, (i + 1) * steps));
    }
    freeGroups(this.#state);
    this.#memory.release();
    return { labels: kept.map((group) => this.#table.labels[group]!), steps, values, present };
  }
}
