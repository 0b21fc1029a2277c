// Instant selectors over a series source: decode a series' columns once, look up every step.

import { DomainError } from '../../model/errors.ts';
import { sampleColumns } from '../../model/samples.ts';
import { selectInstants } from '../kernels/select.ts';
import { namesUnique } from '../plan/names.ts';
import type { SelectNode } from '../plan/nodes.ts';
import {
  type SelectRequest,
  type SeriesBatch,
  type StepBatch,
  type StepRange,
  stepCount,
} from '../source.ts';
import { type ExecContext, lastStep } from './context.ts';
import { Rows } from './rows.ts';
import { DistinctLabels, dropMetadataLabels } from './step-batch.ts';

/** Samples a leaf's columns start with; they grow to what the longest series needs. */
export const COLUMNS_START = 512;

/** Streams an instant selector's series. */
export async function* streamSelect(
  node: SelectNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const steps = stepCount(grid);
  const { budget, lookbackMs } = context;
  const reference = (node.at ?? grid.start) - node.offsetMs;
  const step = node.at === undefined ? grid.step : 0;
  const start = reference - lookbackMs + 1;
  const end = (node.at ?? lastStep(grid)) - node.offsetMs;
  const columns = sampleColumns(COLUMNS_START);
  const rows = new Rows(steps, budget);
  const distinct = node.timestamps && !namesUnique(node) ? new DistinctLabels() : undefined;
  const job = {
    reference,
    step,
    steps,
    lookback: lookbackMs,
    output: rows.values,
    present: rows.present,
    offset: 0,
  };
  for await (const batch of readSeries({ matchers: node.matchers, start, end }, context)) {
    for (let i = 0; i < batch.labels.length; i++) {
      rows.open(batch.labels.length - i);
      batch.read(i, start, end, columns);
      budget.samplesRead += columns.count;
      job.output = rows.values;
      job.present = rows.present;
      job.offset = rows.offset;
      if (selectInstants(columns, job, node.timestamps) === 0) continue;
      const labels = node.timestamps ? dropMetadataLabels(batch.labels[i]!) : batch.labels[i]!;
      distinct?.add(labels);
      if (rows.keep(labels)) {
        const full = rows.take();
        if (full !== undefined) yield full;
      }
    }
    const rest = rows.take();
    if (rest !== undefined) yield rest;
  }
}

/** Batches of series from the source, counted, with a chance for others to run between them. */
export async function* readSeries(request: SelectRequest, context: ExecContext): AsyncGenerator<SeriesBatch> {
  const { source, budget } = context;
  if (source === undefined)
    throw new DomainError('internal', 'cannot read series: this process has no series source');
  budget.check();
  for await (const batch of source.select(request, budget)) {
    budget.addSeries(batch.labels.length);
    yield batch;
    const pause = budget.breathe();
    if (pause !== undefined) await pause;
  }
}
