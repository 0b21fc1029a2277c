// Native histograms in step batches: a cell of a batch that is a histogram is a row of columns that the batch brings along.

import type { FloatHistogram } from '../../../model/float-histogram.ts';
import { HistogramColumns } from '../../../model/histogram.ts';
import type { HistogramRow } from '../../../model/histogram-equality.ts';
import type { BatchHistograms, StepBatch } from '../../source.ts';
import type { StateMemory } from '../aggregation.ts';

/** Collects the histograms of a batch cell by cell; grows with them. `memory` is given back by its owner. */
export class HistogramCells {
  readonly #columns = new HistogramColumns();
  #rows: Int32Array = new Int32Array(0);
  readonly #memory: StateMemory;
  #held = 0;
  // The same sample at several steps is kept once.
  #lastSource: HistogramColumns | undefined;
  #lastRow = -1;
  #lastCopy = -1;

  constructor(memory: StateMemory) {
    this.#memory = memory;
  }

  /** Makes a cell a copy of a row of `source`. */
  set(cell: number, source: HistogramColumns, row: number): void {
    if (source !== this.#lastSource || row !== this.#lastRow) {
      this.#lastSource = source;
      this.#lastRow = row;
      this.#lastCopy = this.#columns.copyRow(source, row);
      this.#account();
    }
    this.#grow(cell + 1);
    this.#rows[cell] = this.#lastCopy;
  }

  /** Makes a cell a histogram that was computed. */
  put(cell: number, histogram: FloatHistogram): void {
    const row = histogram.store(this.#columns);
    this.#account();
    this.#grow(cell + 1);
    this.#rows[cell] = row;
  }

  /** Fills the cells from `cell` on: `rows` has the row of each in `source`, whose rows may be others at the next call; -1 for none. */
  fill(cell: number, rows: Int32Array, source: HistogramColumns): void {
    this.#lastSource = undefined;
    for (let i = 0; i < rows.length; i++) if (rows[i]! >= 0) this.set(cell + i, source, rows[i]!);
    this.#lastSource = undefined;
  }

  #grow(cells: number): void {
    const { length } = this.#rows;
    if (cells <= length) return;
    const rows = new Int32Array(Math.max(cells, 2 * length)).fill(-1, length);
    rows.set(this.#rows);
    this.#rows = rows;
    this.#account();
  }

  #account(): void {
    const bytes = this.#columns.bytes + 4 * this.#rows.length;
    if (bytes > this.#held) this.#memory.hold(bytes - this.#held);
    this.#held = Math.max(this.#held, bytes);
  }

  /** What a batch of so many cells brings along. */
  take(cells: number): BatchHistograms {
    this.#grow(cells);
    return { columns: this.#columns, rows: this.#rows.subarray(0, cells) };
  }
}

/** The histogram of a cell; undefined for a float. Borrowed. */
export function histogramOfCell({ histograms }: StepBatch, cell: number): HistogramRow | undefined {
  const row = histograms?.rows[cell] ?? -1;
  return histograms === undefined || row < 0 ? undefined : { columns: histograms.columns, row };
}

/** The batch without its histograms: what knows floats only takes their cells for absent. Works in `present`. */
export function floatsOnly(batch: StepBatch): StepBatch {
  const { histograms, labels, steps, values, present } = batch;
  if (histograms === undefined) return batch;
  const cells = labels.length * steps;
  for (let i = 0; i < cells; i++) if (histograms.rows[i]! >= 0) present[i] = 0;
  return { labels, steps, values, present };
}

/** The batch with its histograms alone. Works in `present`. */
export function histogramsOnly(batch: StepBatch): StepBatch {
  const { histograms, labels, steps, present } = batch;
  const cells = labels.length * steps;
  for (let i = 0; i < cells; i++) if ((histograms?.rows[i] ?? -1) < 0) present[i] = 0;
  return batch;
}

/** The histograms of batches that are put one behind the other; undefined where none has any. */
export function concatHistograms(batches: readonly StepBatch[]): BatchHistograms | undefined {
  if (batches.every((batch) => batch.histograms === undefined)) return undefined;
  const columns = new HistogramColumns();
  const rows = new Int32Array(
    batches.reduce((sum, { labels, steps }) => sum + labels.length * steps, 0),
  ).fill(-1);
  let at = 0;
  for (const { histograms, labels, steps } of batches) {
    const cells = labels.length * steps;
    if (histograms !== undefined) {
      const first = columns.count;
      for (let row = 0; row < histograms.columns.count; row++) columns.copyRow(histograms.columns, row);
      for (let i = 0; i < cells; i++)
        if (histograms.rows[i]! >= 0) rows[at + i] = histograms.rows[i]! + first;
    }
    at += cells;
  }
  return { columns, rows };
}

/** The histograms of some series of a batch, in the order of `series`. */
export function takeHistograms(batch: StepBatch, series: readonly number[]): BatchHistograms | undefined {
  const { histograms, steps } = batch;
  if (histograms === undefined) return undefined;
  const rows = new Int32Array(series.length * steps);
  for (const [i, row] of series.entries())
    rows.set(histograms.rows.subarray(row * steps, (row + 1) * steps), i * steps);
  return { columns: histograms.columns, rows };
}
