// Rows under construction: series are evaluated one by one into a chunk of cells; rows without any present step are dropped,
// full chunks go on as step batches. Keeps a leaf's memory at one chunk however many series it reads.

import type { HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { QueryBudget } from '../budget.ts';
import type { StepBatch } from '../source.ts';
import { StateMemory } from './aggregation.ts';
import { HistogramCells } from './histograms/histogram-cells.ts';
import { CELL_BYTES } from './step-batch.ts';

/** Cells of one chunk: 32 Ki values are 256 KiB, which stays in the processor's cache. */
const CHUNK_CELLS = 32 * 1024;

/** A chunk of rows; the row being filled starts at `offset` of `values` and `present`. */
export class Rows {
  readonly steps: number;
  values: Float64Array;
  present: Uint8Array;
  offset = 0;
  #labels: Labels[] = [];
  #capacity = 0;
  #cells: HistogramCells | undefined;
  /** Of the chunk being filled, or of the one taken last, which its consumer may still look at. */
  readonly #memory: StateMemory;
  readonly #budget: QueryBudget;
  readonly #reuse: boolean;

  /** With `reuse` a batch taken is only good until the next open(). */
  constructor(steps: number, budget: QueryBudget, reuse = false) {
    this.steps = steps;
    this.#reuse = reuse;
    this.#budget = budget;
    this.#memory = new StateMemory(budget);
    this.values = new Float64Array(0);
    this.present = new Uint8Array(0);
  }

  /** Makes room for at least one more row; `expected` is how many are to come at most. */
  open(expected: number): void {
    if (this.#capacity > this.#labels.length) return;
    this.#budget.checkSamples(this.steps);
    this.#capacity = Math.max(1, Math.min(expected, Math.floor(CHUNK_CELLS / this.steps)));
    const cells = this.#capacity * this.steps;
    this.close();
    this.#memory.hold(cells * CELL_BYTES);
    this.offset = 0;
    // Kernels write the presence of every cell, so that old cells need no clearing.
    if (this.#reuse && this.values.length >= cells) return;
    this.values = new Float64Array(cells);
    this.present = new Uint8Array(cells);
  }

  /** Whether the row at `offset` has a present step. */
  hasSteps(): boolean {
    const end = this.offset + this.steps;
    for (let i = this.offset; i < end; i++) if (this.present[i] === 1) return true;
    return false;
  }

  /** Says which cells of the row at `offset` are histograms: rows of `source`, copied, -1 for the others. */
  histograms(rows: Int32Array, source: HistogramColumns): void {
    this.#cells ??= new HistogramCells(this.#memory);
    this.#cells.fill(this.offset, rows, source);
  }

  /** Keeps the row at `offset` under `labels`; without it the row is filled again. Returns whether the chunk is full. */
  keep(labels: Labels): boolean {
    this.#labels.push(labels);
    this.offset += this.steps;
    return this.#labels.length === this.#capacity;
  }

  /** Gives the memory of the chunk taken last back: its consumer is done with it. */
  close(): void {
    this.#memory.release();
  }

  /** The rows so far as a batch, or undefined when there are none; the chunk starts anew. */
  take(): StepBatch | undefined {
    const labels = this.#labels;
    this.#capacity = 0;
    this.#labels = [];
    const histograms = this.#cells?.take(labels.length * this.steps);
    this.#cells = undefined;
    if (labels.length === 0) return undefined;
    const cells = labels.length * this.steps;
    return {
      labels,
      steps: this.steps,
      values: this.values.subarray(0, cells),
      present: this.present.subarray(0, cells),
      ...(histograms === undefined ? {} : { histograms }),
    };
  }
}
