// A growing list of series rows over one grid, and its way over the wire in the form of aggregation states.

import type { FloatHistogram } from '../../model/float-histogram.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { RowCells } from '../kernels/group-columns.ts';
import type { BatchHistograms, StepBatch } from '../source.ts';
import { decodeGroups, encodeGroups } from './aggregate-partial.ts';
import type { StateMemory } from './aggregation.ts';
import { HistogramCells } from './histograms/histogram-cells.ts';

/** Rows that are copied in one by one and taken out as one batch. */
export class RowList {
  readonly steps: number;
  /** Values and presence of all rows, row r from r * steps on; replaced when they grow. */
  values: Float64Array;
  present: Uint8Array;
  readonly labels: Labels[] = [];
  #histograms: HistogramCells | undefined;
  readonly #memory: StateMemory;

  constructor(steps: number, memory: StateMemory) {
    this.steps = steps;
    this.values = new Float64Array(0);
    this.present = new Uint8Array(0);
    this.#memory = memory;
  }

  /** Opens a row without samples; returns its number. */
  open(labels: Labels): number {
    const row = this.labels.length;
    this.labels.push(labels);
    const cells = (row + 1) * this.steps;
    if (cells > this.present.length) this.#grow(Math.max(cells, 2 * this.present.length));
    return row;
  }

  #grow(cells: number): void {
    this.#memory.hold((cells - this.present.length) * 9);
    const values = new Float64Array(cells);
    values.set(this.values);
    this.values = values;
    const present = new Uint8Array(cells);
    present.set(this.present);
    this.present = present;
  }

  /** Adds a copy of a row. */
  push(labels: Labels, { values, present, from }: RowCells, histograms?: BatchHistograms): void {
    const target = this.open(labels) * this.steps;
    this.values.set(values.subarray(from, from + this.steps), target);
    this.present.set(present.subarray(from, from + this.steps), target);
    if (histograms === undefined) return;
    const rows = histograms.rows.subarray(from, from + this.steps);
    for (let i = 0; i < rows.length; i++)
      if (rows[i]! >= 0) this.histogram(target + i, histograms.columns, rows[i]!);
  }

  /** Makes a cell a copy of a histogram. */
  histogram(cell: number, columns: HistogramColumns, row: number): void {
    this.#histograms ??= new HistogramCells(this.#memory);
    this.#histograms.set(cell, columns, row);
  }

  /** Makes a cell a histogram that was computed. */
  computedHistogram(cell: number, histogram: FloatHistogram): void {
    this.#histograms ??= new HistogramCells(this.#memory);
    this.#histograms.put(cell, histogram);
  }

  /** All rows as a batch; the list is used up. */
  take(): StepBatch {
    const cells = this.labels.length * this.steps;
    this.#memory.release();
    const { labels, steps } = this;
    return {
      labels,
      steps,
      values: this.values.subarray(0, cells),
      present: this.present.subarray(0, cells),
      histograms: this.#histograms?.take(cells),
    };
  }
}

/** Encodes series as a state of one column under the operator's number. */
export function encodeSeries(operator: number, { labels, steps, values, present }: StepBatch): Uint8Array {
  const state = { steps, seen: present, columns: [values], capacity: labels.length };
  return encodeGroups({ operator, steps, columns: 1 }, labels, state);
}

/** Decodes encodeSeries and hands on each series as a batch of one, borrowed until `take` returns. */
export function decodeSeries(
  operator: number,
  bytes: Uint8Array,
  steps: number,
  take: (batch: StepBatch) => void,
): void {
  decodeGroups(bytes, { operator, steps, columns: 1 }, (labels, { columns, seen }) =>
    take({ labels: [labels], steps, values: columns[0]!, present: seen }),
  );
}
