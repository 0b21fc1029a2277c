// Native histograms in step batches: a cell of a batch that is a histogram is a row of columns that the batch brings along. Only a
// selector that is the whole query gives them; what else meets histograms refuses (no-histograms.ts).

import { HistogramColumns } from '../../model/histogram.ts';
import type { QueryBudget } from '../budget.ts';
import type { BatchHistograms, StepBatch } from '../source.ts';

/** Collects the histograms of a batch cell by cell. */
export class HistogramCells {
  readonly columns: HistogramColumns = new HistogramColumns();
  readonly rows: Int32Array;
  readonly #budget: QueryBudget;
  #held = 0;

  constructor(cells: number, budget: QueryBudget) {
    this.rows = new Int32Array(cells).fill(-1);
    this.#budget = budget;
    budget.holdBytes(4 * cells);
  }

  /**
   * Fills cells [cell, cell + length) from `from` on: `rows` has the row of each in `source`, -1 for none. Memory is the query's until
   * it ends.
   */
  fill(cell: number, rows: Int32Array, source: HistogramColumns): void {
    let last = -1;
    let copy = -1;
    for (const [i, row] of rows.entries()) {
      if (row < 0) continue;
      // The same sample at several steps is kept once.
      if (row !== last) copy = this.columns.copyRow(source, row);
      last = row;
      this.rows[cell + i] = copy;
    }
    const { bytes } = this.columns;
    if (bytes > this.#held) this.#budget.holdBytes(bytes - this.#held);
    this.#held = Math.max(this.#held, bytes);
  }

  /** What a batch of so many cells brings along. */
  take(cells: number): BatchHistograms {
    return { columns: this.columns, rows: this.rows.subarray(0, cells) };
  }
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
