// Aggregations over vectors with native histograms, around the ones of floats: sum and avg keep totals of histograms beside them, the
// others that have nothing for histograms leave them out. A batch without histograms goes straight through.

import { Annotations } from '../../../model/annotations.ts';
import { FloatHistogram } from '../../../model/float-histogram.ts';
import { BOUNDS_RECONCILED, INCOMPATIBLE } from '../../../model/histogram-sum.ts';
import { type Labels, labelsKey, labelValue, METRIC_NAME } from '../../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../../model/pause.ts';
import { HistogramTotal } from '../../kernels/histogram-over-time.ts';
import type { StepBatch } from '../../source.ts';
import { type Aggregation, type AggregationSpec, StateMemory, warn } from '../aggregation.ts';
import { GroupTable } from '../grouping.ts';
import { RowList } from '../row-list.ts';
import { floatsOnly, histogramOfCell } from './histogram-cells.ts';
import { noteHistogram, noteIgnored } from './notes.ts';
import { decodeTotals, encodeTotals, isTotals, type TotalCells } from './totals-codec.ts';

/** An aggregation that leaves histograms out, with a note. */
export function withoutHistograms(inner: Aggregation, spec: AggregationSpec): Aggregation {
  const { op, annotations = new Annotations(), histogramWhere, paramValues } = spec;
  // Where topk and bottomk take nothing they look at nothing.
  const limits = op === 'quantile' ? undefined : paramValues;
  const looksAt = (step: number): boolean => limits === undefined || limits[step]! >= 1;
  return {
    add(batch) {
      const { histograms } = batch;
      if (histograms === undefined) {
        inner.add(batch);
        return;
      }
      const cells = batch.present.subarray(0, batch.labels.length * batch.steps);
      const { steps } = batch;
      if (
        cells.some((isThere, cell) => isThere === 1 && histograms.rows[cell]! >= 0 && looksAt(cell % steps))
      )
        noteIgnored(annotations, op, histogramWhere);
      inner.add(floatsOnly(batch));
    },
    encodePartial: (pause) => inner.encodePartial(pause),
    addPartial: (bytes) => inner.addPartial(bytes),
    finish: (notes, pause) => inner.finish(notes, pause),
  };
}

/** sum or avg of floats and of histograms; a group with both at one step has nothing there but a note. */
export class HistogramAggregation implements Aggregation {
  readonly #inner: Aggregation;
  readonly #spec: AggregationSpec;
  readonly #steps: number;
  readonly #totals: GroupTotals;

  constructor(inner: Aggregation, spec: AggregationSpec, steps: number) {
    this.#inner = inner;
    this.#spec = spec;
    this.#steps = steps;
    this.#totals = new GroupTotals(spec, steps);
  }

  add(batch: StepBatch): void {
    if (batch.histograms !== undefined) this.#totals.add(batch);
    this.#inner.add(floatsOnly(batch));
  }

  async encodePartial(pause: Pause): Promise<readonly Uint8Array[]> {
    const floats = await this.#inner.encodePartial(pause);
    return this.#totals.isEmpty ? floats : [...floats, ...this.#totals.encode()];
  }

  addPartial(bytes: Uint8Array): void {
    if (isTotals(bytes)) this.#totals.addEncoded(bytes);
    else this.#inner.addPartial(bytes);
  }

  async finish(annotations: Annotations, pause: Pause): Promise<StepBatch> {
    const floats = await this.#inner.finish(annotations, pause);
    if (this.#totals.isEmpty) return floats;
    const steps = this.#steps;
    const rows = new RowList(steps, new StateMemory(this.#spec.budget));
    const places = new Map<string, number>();
    for (const [row, labels] of floats.labels.entries()) {
      places.set(labelsKey(labels), row);
      rows.push(labels, { values: floats.values, present: floats.present, from: row * steps });
    }
    await this.#totals.finish(pause, (labels, step, total) => {
      const key = labelsKey(labels);
      const row = places.get(key) ?? rows.open(labels);
      places.set(key, row);
      const cell = row * steps + step;
      if (rows.present[cell] === 1) {
        rows.present[cell] = 0;
        const text = 'encountered a mix of histograms and floats for aggregation';
        warn(annotations, text, this.#spec.histogramWhere);
      } else if (total !== undefined) {
        rows.present[cell] = 1;
        rows.values[cell] = total.sum;
        rows.computedHistogram(cell, total);
      }
    });
    return rows.take();
  }
}

/** Totals of histograms, one per group and step. */
class GroupTotals {
  readonly #spec: AggregationSpec;
  readonly #annotations: Annotations;
  readonly #steps: number;
  readonly #table: GroupTable;
  readonly #memory: StateMemory;
  readonly #groups: TotalCells[] = [];
  readonly #known = new Map<string, number>();
  readonly #one = new FloatHistogram();
  readonly #scratch = new FloatHistogram();

  constructor(spec: AggregationSpec, steps: number) {
    this.#spec = spec;
    this.#steps = steps;
    this.#annotations = spec.annotations ?? new Annotations();
    this.#table = new GroupTable(spec);
    this.#memory = new StateMemory(spec.budget);
  }

  get isEmpty(): boolean {
    return this.#groups.length === 0;
  }

  add(batch: StepBatch): void {
    const { labels, steps, present } = batch;
    for (const [row, series] of labels.entries()) {
      for (let step = 0; step < steps; step++) {
        const cell = row * steps + step;
        const found = present[cell] === 1 ? histogramOfCell(batch, cell) : undefined;
        if (found === undefined) continue;
        const metric = labelValue(series, METRIC_NAME);
        const total = this.#total(this.#group(this.#table.groupOf(series), metric), step);
        if (total.isIncompatible) continue;
        this.#one.load(found);
        const isSum = this.#spec.op === 'sum';
        const said = isSum ? total.addToSum(this.#one) : total.addToMean(this.#one, this.#scratch);
        this.#say(total, said, metric);
      }
    }
  }

  #group(number: number, metric: string): TotalCells {
    const group = (this.#groups[number] ??= { metric, totals: [] });
    group.metric = metric;
    return group;
  }

  #total({ totals }: TotalCells, step: number): HistogramTotal {
    let total = totals[step];
    if (total === undefined) {
      total = new HistogramTotal();
      totals[step] = total;
    }
    return total;
  }

  #say(total: HistogramTotal, said: number, metric: string): void {
    const annotations = this.#annotations;
    const where = this.#spec.histogramWhere;
    this.#memory.hold(total.grown());
    if ((said & INCOMPATIBLE) !== 0) {
      total.isIncompatible = true;
      noteHistogram(annotations, 'mixed-buckets', { metric, where });
    }
    if ((said & BOUNDS_RECONCILED) !== 0)
      noteHistogram(annotations, 'reconciled-aggregation', { metric, where });
  }

  encode(): readonly Uint8Array[] {
    this.#memory.release();
    return encodeTotals(this.#spec.op, this.#steps, this.#table.labels, this.#groups);
  }

  addEncoded(bytes: Uint8Array): void {
    decodeTotals(bytes, this.#spec.op, this.#steps, (labels, { metric, totals }) => {
      const key = labelsKey(labels);
      const number = this.#known.get(key) ?? this.#table.groupOf(labels);
      this.#known.set(key, number);
      const group = this.#group(number, metric);
      for (const [step, other] of totals.entries()) {
        if (other === undefined) continue;
        const total = this.#total(group, step);
        if (total.isIncompatible || other.isIncompatible) total.isIncompatible = true;
        else this.#say(total, total.merge(other, this.#spec.op === 'sum', this.#scratch), metric);
      }
    });
  }

  /** Ends all totals and hands them on, undefined for what cannot be added. */
  async finish(
    pause: Pause,
    take: (labels: Labels, step: number, total: FloatHistogram | undefined) => void,
  ): Promise<void> {
    const { op, histogramWhere: where } = this.#spec;
    const annotations = this.#annotations;
    const atOnce = rowsBetweenPauses(16 * this.#steps);
    for (const [number, group] of this.#groups.entries()) {
      if (number % atOnce === 0) await pause();
      for (const [step, total] of (group?.totals ?? []).entries()) {
        if (total === undefined) continue;
        const result = op === 'sum' ? total.sum() : total.mean();
        take(this.#table.labels[number]!, step, total.isIncompatible ? undefined : result.compact());
        if (total.isCollision && !total.isIncompatible)
          noteHistogram(annotations, 'collision', { metric: '', where });
      }
    }
    this.#memory.release();
  }
}
