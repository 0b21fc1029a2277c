// topk, bottomk, limitk and limit_ratio: aggregations that hand on some of their input series, step by step.
//
// Prometheus keeps whichever of equal values its series order happens to favour. Here equal values are ranked by labels, so
// that an answer depends neither on the order in which shards answer nor on how series are spread over them; limitk takes the
// first series by labels. NaN ranks behind every number.

import { formatGeneral } from '../../codec/float-text.ts';
import type { Hasher } from '../../codec/hash.ts';
import type { Annotations } from '../../model/annotations.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import type { BatchHistograms, StepBatch } from '../source.ts';
import {
  type Aggregation,
  type AggregationSpec,
  OPERATOR_NUMBERS,
  parameterRange,
  StateMemory,
  selectionCounts,
  warn,
} from './aggregation.ts';
import { GroupTable } from './grouping.ts';
import { HistogramCells } from './histograms/histogram-cells.ts';
import { decodeMixedSeries, encodeMixedSeries, isMixedSeries } from './histograms/series-codec.ts';
import { hasNameNote } from './name-note.ts';
import { decodeSeries, encodeSeries, RowList } from './row-list.ts';
import { CELL_BYTES } from './step-batch.ts';

/** What looking up a selected row costs, in cells of a batch. */
const SELECTED_CELLS = 8;

/** The best series of one group: per step a binary heap with the worst candidate at its root. */
interface Heaps {
  /** Candidates per step. */
  readonly counts: Int32Array;
  /** Values and the rows they belong to; step i's heap starts at i * capacity. */
  values: Float64Array;
  rows: Int32Array;
  capacity: number;
}

/** topk, bottomk and limitk. */
export class Selection implements Aggregation {
  readonly #op: AggregationSpec['op'];
  /** 1: greater is better; -1: less is better; 0: values do not count. */
  readonly #sign: number;
  readonly #steps: number;
  readonly #limits: Int32Array;
  readonly #table: GroupTable;
  readonly #groups: Heaps[] = [];
  readonly #memory: StateMemory;
  /** Labels of every row that was a candidate. */
  readonly #labels: Labels[] = [];
  /** Native histograms of the rows that have any (of limitk alone). */
  readonly #histograms = new Map<number, BatchHistograms>();
  #lastColumns: HistogramColumns | undefined;
  // Ties are mostly between the same two rows, step after step.
  #tieFirst = -1;
  #tieSecond = -1;
  #tieOrder = 0;

  constructor(spec: AggregationSpec, steps: number) {
    invariant(spec.paramValues?.length === steps, `${spec.op} takes one parameter per step`);
    this.#op = spec.op;
    this.#sign = spec.op === 'topk' ? 1 : spec.op === 'bottomk' ? -1 : 0;
    this.#steps = steps;
    this.#limits = selectionCounts(spec.paramValues);
    this.#table = new GroupTable(spec);
    this.#memory = new StateMemory(spec.budget);
  }

  add(batch: StepBatch): void {
    invariant(batch.steps === this.#steps, `batch of ${batch.steps} steps in a grid of ${this.#steps}`);
    for (let i = 0; i < batch.labels.length; i++) {
      const labels = batch.labels[i]!;
      const row = this.#labels.length;
      this.#labels.push(labels);
      const group = this.#table.groupOf(labels);
      const heaps = (this.#groups[group] ??= this.#newHeaps());
      if (!this.#offer(heaps, row, batch, i * this.#steps)) this.#forget(row);
      else if (batch.histograms !== undefined) this.#keepHistograms(row, batch, i);
    }
  }

  // Kept until the end, whether or not other rows take their place.
  #keepHistograms(row: number, batch: StepBatch, index: number): void {
    const histograms = histogramsOfRow(batch, index);
    if (histograms.columns !== this.#lastColumns) this.#memory.hold(histograms.columns.bytes);
    this.#lastColumns = histograms.columns;
    this.#memory.hold(histograms.rows.byteLength);
    this.#histograms.set(row, histograms);
  }

  #newHeaps(): Heaps {
    this.#memory.hold(this.#steps * 16);
    const steps = this.#steps;
    return {
      counts: new Int32Array(steps),
      values: new Float64Array(steps),
      rows: new Int32Array(steps),
      capacity: 1,
    };
  }

  #forget(row: number): void {
    this.#labels.length = row;
    this.#tieFirst = -1;
  }

  // Offers one row at each of its steps; whether it was taken anywhere.
  #offer(heaps: Heaps, row: number, { values, present }: StepBatch, from: number): boolean {
    const limits = this.#limits;
    const { counts } = heaps;
    let taken = false;
    for (let i = 0; i < this.#steps; i++) {
      const limit = limits[i]!;
      if (present[from + i] === 0 || limit === 0) continue;
      const value = values[from + i]!;
      const count = counts[i]!;
      if (count < limit) {
        if (count === heaps.capacity) this.#grow(heaps);
        counts[i] = count + 1;
        this.#siftUp(heaps, { base: i * heaps.capacity, at: count, value, row });
        taken = true;
        continue;
      }
      const base = i * heaps.capacity;
      if (!this.#isWorse(heaps.values[base]!, heaps.rows[base]!, value, row)) continue;
      this.#siftDown(heaps, { base, at: 0, value, row }, count);
      taken = true;
    }
    return taken;
  }

  #grow(heaps: Heaps): void {
    const { capacity, values, rows } = heaps;
    const grown = capacity * 2;
    this.#memory.hold(this.#steps * capacity * 12);
    heaps.values = new Float64Array(this.#steps * grown);
    heaps.rows = new Int32Array(this.#steps * grown);
    for (let i = 0; i < this.#steps; i++) {
      heaps.values.set(values.subarray(i * capacity, (i + 1) * capacity), i * grown);
      heaps.rows.set(rows.subarray(i * capacity, (i + 1) * capacity), i * grown);
    }
    heaps.capacity = grown;
  }

  #isWorse(a: number, rowA: number, b: number, rowB: number): boolean {
    if (this.#sign !== 0 && a !== b) {
      if (a < b) return this.#sign > 0;
      if (a > b) return this.#sign < 0;
      if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a);
    }
    if (rowA !== this.#tieFirst || rowB !== this.#tieSecond) {
      this.#tieFirst = rowA;
      this.#tieSecond = rowB;
      this.#tieOrder = compareLabels(this.#labels[rowA]!, this.#labels[rowB]!);
    }
    return this.#tieOrder > 0;
  }

  #siftUp({ values, rows }: Heaps, { base, at, value, row }: HeapEntry): void {
    let hole = at;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.#isWorse(value, row, values[base + parent]!, rows[base + parent]!)) break;
      values[base + hole] = values[base + parent]!;
      rows[base + hole] = rows[base + parent]!;
      hole = parent;
    }
    values[base + hole] = value;
    rows[base + hole] = row;
  }

  #siftDown({ values, rows }: Heaps, { base, at, value, row }: HeapEntry, count: number): void {
    let hole = at;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= count) break;
      const right = base + child + 1;
      if (
        child + 1 < count &&
        this.#isWorse(values[right]!, rows[right]!, values[right - 1]!, rows[right - 1]!)
      )
        child++;
      if (!this.#isWorse(values[base + child]!, rows[base + child]!, value, row)) break;
      values[base + hole] = values[base + child]!;
      rows[base + hole] = rows[base + child]!;
      hole = child;
    }
    values[base + hole] = value;
    rows[base + hole] = row;
  }

  async encodePartial(pause: Pause): Promise<readonly Uint8Array[]> {
    const result = await this.#result(pause);
    if (result.histograms !== undefined) return encodeMixedSeries(result);
    return [encodeSeries(OPERATOR_NUMBERS[this.#op], result)];
  }

  addPartial(bytes: Uint8Array): void {
    if (isMixedSeries(bytes)) this.add(decodeMixedSeries(bytes, this.#steps));
    else decodeSeries(OPERATOR_NUMBERS[this.#op], bytes, this.#steps, (batch) => this.add(batch));
  }

  async finish(_annotations: Annotations, pause: Pause): Promise<StepBatch> {
    return this.#result(pause);
  }

  async #result(pause: Pause): Promise<StepBatch> {
    const steps = this.#steps;
    const rows: number[] = [];
    for (const heaps of this.#groups) {
      await pause();
      for (const row of await this.#selectedRows(heaps, pause)) rows.push(row);
    }
    this.#memory.hold(rows.length * steps * CELL_BYTES);
    const values = new Float64Array(rows.length * steps);
    const present = new Uint8Array(rows.length * steps);
    const places = new Map(rows.map((row, place) => [row, place]));
    for (const heaps of this.#groups) {
      const atOnce = rowsBetweenPauses(SELECTED_CELLS * heaps.capacity);
      for (let i = 0; i < steps; i++) {
        if (i % atOnce === 0) await pause();
        const base = i * heaps.capacity;
        for (let n = 0; n < heaps.counts[i]!; n++) {
          const cell = places.get(heaps.rows[base + n]!)! * steps + i;
          values[cell] = heaps.values[base + n]!;
          present[cell] = 1;
        }
      }
    }
    const labels = rows.map((row) => this.#labels[row]!);
    const histograms = this.#resultHistograms(rows);
    this.#memory.release();
    return { labels, steps, values, present, histograms };
  }

  #resultHistograms(rows: readonly number[]): BatchHistograms | undefined {
    if (this.#histograms.size === 0) return undefined;
    const steps = this.#steps;
    const cells = new HistogramCells(this.#memory);
    for (const [place, row] of rows.entries()) {
      const histograms = this.#histograms.get(row);
      if (histograms !== undefined) cells.fill(place * steps, histograms.rows, histograms.columns);
    }
    return cells.take(rows.length * steps);
  }

  // Rows of a group that any step selects; best first when there is but one step.
  async #selectedRows({ counts, values, rows, capacity }: Heaps, pause: Pause): Promise<Iterable<number>> {
    if (this.#steps === 1) {
      const order = Array.from({ length: counts[0]! }, (_, n) => n);
      order.sort((a, b) => (this.#isWorse(values[a]!, rows[a]!, values[b]!, rows[b]!) ? 1 : -1));
      return order.map((n) => rows[n]!);
    }
    const selected = new Set<number>();
    const atOnce = rowsBetweenPauses(SELECTED_CELLS * capacity);
    for (let i = 0; i < this.#steps; i++) {
      if (i % atOnce === 0) await pause();
      for (let n = 0; n < counts[i]!; n++) selected.add(rows[i * capacity + n]!);
    }
    return selected;
  }
}

function histogramsOfRow({ histograms, steps }: StepBatch, row: number): BatchHistograms {
  invariant(histograms !== undefined, 'a batch without histograms');
  return { columns: histograms.columns, rows: histograms.rows.subarray(row * steps, (row + 1) * steps) };
}

interface HeapEntry {
  readonly base: number;
  readonly at: number;
  readonly value: number;
  readonly row: number;
}

/** limit_ratio: series whose hash falls into the wanted share; every process takes the same ones. */
export class LimitRatio implements Aggregation {
  readonly #spec: AggregationSpec;
  readonly #ratios: Float64Array;
  readonly #hasher: Hasher;
  readonly #rows: RowList;

  constructor(spec: AggregationSpec, steps: number) {
    invariant(spec.paramValues?.length === steps, `${spec.op} takes one parameter per step`);
    invariant(spec.hasher !== undefined, 'limit_ratio needs a hasher');
    this.#spec = spec;
    this.#ratios = spec.paramValues;
    this.#hasher = spec.hasher;
    this.#rows = new RowList(steps, new StateMemory(spec.budget));
    const { min, max } = parameterRange(spec.paramValues);
    if (Number.isNaN(min) || Number.isNaN(max)) throw new DomainError('execution', 'Ratio value is NaN');
  }

  add(batch: StepBatch): void {
    const { labels, steps, values, present, histograms } = batch;
    const ratios = this.#ratios;
    for (let row = 0; row < labels.length; row++) {
      const offset = sampleOffset(this.#hasher, labels[row]!);
      const from = row * steps;
      let any = 0;
      for (let i = 0; i < steps; i++) {
        const ratio = ratios[i]!;
        const inside = ratio > 0 ? offset < ratio : ratio < 0 && offset >= 1 + Math.max(-1, ratio);
        if (!inside) present[from + i] = 0;
        any |= present[from + i]!;
      }
      if (any === 1) this.#rows.push(labels[row]!, { values, present, from }, histograms);
    }
  }

  async encodePartial(_pause: Pause): Promise<readonly Uint8Array[]> {
    const batch = this.#rows.take();
    if (batch.histograms !== undefined) return encodeMixedSeries(batch);
    return [encodeSeries(OPERATOR_NUMBERS.limit_ratio, batch)];
  }

  addPartial(bytes: Uint8Array): void {
    const { steps } = this.#rows;
    if (isMixedSeries(bytes)) this.add(decodeMixedSeries(bytes, steps));
    else decodeSeries(OPERATOR_NUMBERS.limit_ratio, bytes, steps, (batch) => this.add(batch));
  }

  async finish(annotations: Annotations, _pause: Pause): Promise<StepBatch> {
    const { min, max } = parameterRange(this.#ratios);
    const { where } = this.#spec;
    const text = 'ratio value should be between -1 and 1, got';
    if (max > 1) warn(annotations, `${text} ${formatGeneral(max)}, capping to 1`, where);
    if (min < -1) warn(annotations, `${text} ${formatGeneral(min)}, capping to -1`, where);
    return this.#rows.take();
  }
}

const encoder = new TextEncoder();

/**
 * Where a label set stands between 0 and 1: xxh64 of the set as Prometheus's default build keeps it (each text behind its
 * length: one byte, or 255 and three bytes little-endian), by 2^64 (promql/engine.go, HashRatioSampler).
 */
export function sampleOffset(hasher: Hasher, labels: Labels): number {
  const bytes: number[] = [];
  for (const text of hasNameNote(labels) ? labels.slice(2) : labels) {
    const encoded = encoder.encode(text);
    const { length } = encoded;
    if (length < 255) bytes.push(length);
    else bytes.push(255, length & 255, (length >> 8) & 255, (length >> 16) & 255);
    for (const byte of encoded) bytes.push(byte);
  }
  const { high, low } = hasher.hash64(Uint8Array.from(bytes));
  return (high * 2 ** 32 + low) / 2 ** 64;
}
