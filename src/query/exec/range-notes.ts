// What range functions say besides their result: counters that do not look like one, start times that overlap, quantiles beyond 0..1.

import { type Labels, labelValue, METRIC_NAME } from '../../model/labels.ts';
import type { HistogramNote } from '../kernels/histogram-samples.ts';
import type { WindowJob } from '../kernels/window.ts';
import { goQuote } from '../parse/go-text.ts';
import type { RangeFunctionNode } from '../plan/nodes.ts';
import { inform, warnQuantile } from './aggregation.ts';
import type { ExecContext } from './context.ts';
import { noteHistogram } from './histograms/notes.ts';

/** The notes of one range function. */
export class RangeNotes {
  readonly #context: ExecContext;
  readonly #where: string;
  readonly #ofCounters: boolean;
  readonly #ofQuantiles: boolean;
  /** Steps whose quantile is beyond 0..1 and not told yet. */
  #odd: number[] | undefined;
  #lastName = '';

  constructor({ func, where }: RangeFunctionNode, context: ExecContext) {
    this.#context = context;
    this.#where = where;
    this.#ofCounters = func === 'rate' || func === 'increase';
    this.#ofQuantiles = func === 'quantile_over_time';
  }

  /** A series whose windows were computed, whether or not anything came of it. */
  computed(job: WindowJob, labels: Labels): void {
    if (!job.overlapSeen) return;
    job.overlapSeen = false;
    this.histogram('overlap', labels);
  }

  /** What is to be said of a series' native histograms. */
  histogram(note: HistogramNote, labels: Labels): void {
    const metric = labelValue(labels, METRIC_NAME);
    noteHistogram(this.#context.annotations, note, { metric, where: this.#where });
  }

  /** A series that has floats as a result, which stands in the job; `quantiles` is the function's first argument. */
  kept(labels: Labels, quantiles: Float64Array, job: WindowJob): void {
    if (this.#ofCounters) this.#counter(labels);
    if (this.#ofQuantiles) this.#quantiles(quantiles, job);
  }

  #counter(labels: Labels): void {
    const name = labelValue(labels, METRIC_NAME);
    if (name === '') return;
    if (this.#context.typeLabels === true) {
      this.#counterType(labels, name);
      return;
    }
    if (name === this.#lastName) return;
    this.#lastName = name;
    if (/(_total|_sum|_count|_bucket)$/.test(name)) return;
    const text = `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${goQuote(name)}`;
    inform(this.#context.annotations, text, this.#where);
  }

  #counterType(labels: Labels, name: string): void {
    const type = labelValue(labels, '__type__');
    if (type === 'counter' || type === 'histogram') return;
    const text =
      'metric might not be a counter, __type__ label is not set to "counter" or "histogram", ' +
      `got ${goQuote(type)}: ${goQuote(name)}`;
    inform(this.#context.annotations, text, this.#where);
  }

  #quantiles(quantiles: Float64Array, { present, offset }: WindowJob): void {
    this.#odd ??= oddSteps(quantiles);
    if (this.#odd.length === 0) return;
    this.#odd = this.#odd.filter((step) => {
      if (present[offset + step] === 0) return true;
      warnQuantile(this.#context.annotations, quantiles[step]!, this.#where);
      return false;
    });
  }
}

function oddSteps(quantiles: Float64Array): number[] {
  const steps: number[] = [];
  for (const [step, quantile] of quantiles.entries()) if (!(quantile >= 0 && quantile <= 1)) steps.push(step);
  return steps;
}
