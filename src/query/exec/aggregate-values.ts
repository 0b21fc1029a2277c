// Aggregations that look at every value: quantile, which keeps all samples of a group until the end, and count_values, which
// makes one series per group and distinct value.

import { formatFloat } from '../../codec/float-text.ts';
import { floatHistogramText } from '../../codec/histogram-text.ts';
import type { Annotations } from '../../model/annotations.ts';
import { DomainError, InvariantError, invariant } from '../../model/errors.ts';
import { type Labels, labelsKey, labelsWith } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import type { RowCells } from '../kernels/group-columns.ts';
import { quantileOf } from '../kernels/quantile.ts';
import { goQuote } from '../parse/go-text.ts';
import type { StepBatch } from '../source.ts';
import {
  type Aggregation,
  type AggregationSpec,
  OPERATOR_NUMBERS,
  parameterRange,
  StateMemory,
  warnQuantile,
} from './aggregation.ts';
import { GroupTable } from './grouping.ts';
import { histogramOfCell } from './histograms/histogram-cells.ts';
import { hasNameNote, noteNameKept } from './name-note.ts';
import { decodeSeries, encodeSeries, RowList } from './row-list.ts';

/** quantile: keeps its input; every value of a group is needed in one place. */
export class Quantile implements Aggregation {
  readonly #spec: AggregationSpec;
  readonly #steps: number;
  readonly #wanted: Float64Array;
  readonly #table: GroupTable;
  readonly #groups: RowCells[][] = [];
  readonly #memory: StateMemory;

  constructor(spec: AggregationSpec, steps: number) {
    invariant(spec.paramValues?.length === steps, 'quantile takes one parameter per step');
    this.#spec = spec;
    this.#steps = steps;
    this.#wanted = spec.paramValues;
    this.#table = new GroupTable(spec);
    this.#memory = new StateMemory(spec.budget);
  }

  add(batch: StepBatch): void {
    const { labels, steps, values, present } = batch;
    this.#memory.hold(labels.length * steps * 9);
    for (let row = 0; row < labels.length; row++) {
      const group = this.#table.groupOf(labels[row]!);
      const rows = (this.#groups[group] ??= []);
      rows.push({ values, present, from: row * steps });
    }
  }

  async encodePartial(_pause: Pause): Promise<readonly Uint8Array[]> {
    throw new InvariantError('quantile does not distribute');
  }

  addPartial(_bytes: Uint8Array): void {
    throw new InvariantError('quantile does not distribute');
  }

  async finish(annotations: Annotations, pause: Pause): Promise<StepBatch> {
    this.#warn(annotations);
    const rows = new RowList(this.#steps, new StateMemory(this.#spec.budget));
    const scratch = new Float64Array(this.#groups.reduce((most, group) => Math.max(most, group.length), 0));
    for (const [group, series] of this.#groups.entries()) {
      const target = rows.open(this.#table.labels[group]!) * this.#steps;
      const atOnce = rowsBetweenPauses(series.length);
      for (let i = 0; i < this.#steps; i++) {
        if (i % atOnce === 0) await pause();
        const count = gather(series, i, scratch);
        if (count === 0) continue;
        rows.values[target + i] = quantileOf(this.#wanted[i]!, scratch, count);
        rows.present[target + i] = 1;
      }
    }
    this.#memory.release();
    return rows.take();
  }

  #warn(annotations: Annotations): void {
    const { min, max } = parameterRange(this.#wanted);
    if (Number.isNaN(max)) warnQuantile(annotations, max, this.#spec.where);
    if (max > 1) warnQuantile(annotations, max, this.#spec.where);
    if (min < 0) warnQuantile(annotations, min, this.#spec.where);
  }
}

// The values of all series present at a step.
function gather(series: readonly RowCells[], step: number, target: Float64Array): number {
  let count = 0;
  for (let n = 0; n < series.length; n++) {
    const { values, present, from } = series[n]!;
    if (present[from + step] === 1) target[count++] = values[from + step]!;
  }
  return count;
}

/** count_values: the value becomes the label `paramText`, printed as Go does. */
export class CountValues implements Aggregation {
  readonly #label: string;
  /** Whether the grouping lets the value's label through; `without (label)` drops it again. */
  readonly #shown: boolean;
  readonly #table: GroupTable;
  readonly #rows: RowList;
  readonly #rowOf = new Map<string, number>();
  /** Row of each value of each group; -0 stands apart as text, so it never gets in here. */
  readonly #rowOfValue: Map<number, number>[] = [];

  constructor(spec: AggregationSpec, steps: number) {
    const label = spec.paramText ?? '';
    // U+FFFD is what malformed UTF-8 has become on the way here.
    if (label === '' || !label.isWellFormed() || label.includes('\ufffd'))
      throw new DomainError('execution', `invalid label name ${goQuote(label)}`);
    this.#label = label;
    const { without, grouping } = spec;
    this.#shown = !without || !(grouping.includes(label) || label === '__name__');
    const others = grouping.filter((name) => name !== label);
    this.#table = new GroupTable({ without, grouping: without ? [...others, label] : others });
    this.#rows = new RowList(steps, new StateMemory(spec.budget));
  }

  add(batch: StepBatch): void {
    const { labels, steps, values, present } = batch;
    for (let row = 0; row < labels.length; row++) {
      const group = this.#table.groupOf(labels[row]!);
      const known = (this.#rowOfValue[group] ??= new Map());
      const from = row * steps;
      let lastValue = Number.NaN;
      let lastRow = -1;
      for (let i = 0; i < steps; i++) {
        if (present[from + i] === 0) continue;
        const histogram = histogramOfCell(batch, from + i);
        if (histogram !== undefined) {
          this.#count(this.#rowOfText(group, floatHistogramText(histogram)) * steps + i, 1);
          continue;
        }
        const value = values[from + i]!;
        // Values often stay; zeros may differ in sign.
        if (value !== lastValue || value === 0) {
          lastRow = this.#rowOfSample(group, known, value);
          lastValue = value;
        }
        this.#count(lastRow * steps + i, 1);
      }
    }
  }

  #rowOfSample(group: number, known: Map<number, number>, value: number): number {
    if (Object.is(value, -0)) return this.#rowOfText(group, '-0');
    let row = known.get(value);
    if (row === undefined) {
      row = this.#rowOfText(group, formatFloat(value));
      known.set(value, row);
    }
    return row;
  }

  #rowOfText(group: number, text: string): number {
    const ofGroup = this.#table.labels[group]!;
    // Counts of groups by name have it, even where it was to go.
    const labels = hasNameNote(ofGroup) ? noteNameKept(ofGroup) : ofGroup;
    return this.#rowOfLabels(this.#shown ? labelsWith(labels, this.#label, text) : labels);
  }

  #rowOfLabels(labels: Labels): number {
    const key = labelsKey(labels);
    let row = this.#rowOf.get(key);
    if (row === undefined) {
      row = this.#rows.open(labels);
      this.#rowOf.set(key, row);
    }
    return row;
  }

  #count(cell: number, more: number): void {
    this.#rows.values[cell]! += more;
    this.#rows.present[cell] = 1;
  }

  async encodePartial(_pause: Pause): Promise<readonly Uint8Array[]> {
    return [encodeSeries(OPERATOR_NUMBERS.count_values, this.#rows.take())];
  }

  addPartial(bytes: Uint8Array): void {
    const { steps } = this.#rows;
    decodeSeries(OPERATOR_NUMBERS.count_values, bytes, steps, ({ labels, values, present }) => {
      const target = this.#rowOfLabels(labels[0]!) * steps;
      for (let i = 0; i < steps; i++) if (present[i] === 1) this.#count(target + i, values[i]!);
    });
  }

  async finish(_annotations: Annotations, _pause: Pause): Promise<StepBatch> {
    return this.#rows.take();
  }
}
