// Instant selectors over a series source: decode a series' columns once, look up every step.

import { DomainError } from '../../model/errors.ts';
import { type Labels, labelValue, METRIC_NAME } from '../../model/labels.ts';
import { kernelColumns, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { selectSmoothed } from '../kernels/extended.ts';
import type { HistogramNote } from '../kernels/histogram-samples.ts';
import { type SelectJob, selectInstants, selectRows, selectStarts } from '../kernels/select.ts';
import { dropStale } from '../kernels/window.ts';
import { namesUnique } from '../plan/names.ts';
import type { RangeSelectNode, SelectNode } from '../plan/nodes.ts';
import {
  type BatchHistograms,
  type SelectRequest,
  type SeriesBatch,
  type StepBatch,
  type StepRange,
  stepCount,
} from '../source.ts';
import { type ExecContext, lastStep } from './context.ts';
import { noteHistogram } from './histograms/notes.ts';
import { samplesBeyondCells } from './histograms/sample-counts.ts';
import { smoothHistograms } from './histograms/smoothed-select.ts';
import { dropBuckets } from './histograms/totals-only.ts';
import { dropMetadataLabels, noteName } from './name-note.ts';
import { Rows } from './rows.ts';
import { DistinctLabels } from './step-batch.ts';

/** Samples a leaf's columns start with; they grow to what the longest series needs. */
export const COLUMNS_START = 512;

/** Series between two looks at the time. */
const SERIES_BETWEEN_LOOKS = 32;

/** Streams an instant selector's series; `borrowed` batches are good until the next is asked for. */
export async function* streamSelect(
  node: SelectNode,
  grid: StepRange,
  context: ExecContext,
  borrowed: boolean,
): AsyncGenerator<StepBatch> {
  const steps = stepCount(grid);
  const { budget, lookbackMs } = context;
  if (node.starts && context.startTimes !== true) return;
  const reference = (node.at ?? grid.start) - node.offsetMs;
  const step = node.at === undefined ? grid.step : 0;
  const start = reference - lookbackMs + 1;
  const end = (node.at ?? lastStep(grid)) - node.offsetMs + (node.smoothed ? lookbackMs : 0);
  const rows = new Rows(steps, budget, borrowed);
  const scan: Scan = {
    node,
    context,
    rows,
    columns: leafColumns(context),
    job: {
      reference,
      step,
      steps,
      lookback: lookbackMs,
      output: rows.values,
      present: rows.present,
      offset: 0,
    },
    distinct: node.timestamps && !namesUnique(node) ? new DistinctLabels() : undefined,
    start,
    end,
    weight: grid.weight ?? 1,
    next: 0,
  };
  const request = { matchers: node.matchers, start, end, lookbackMs, ...viewOf(node) };
  for await (const batch of readSeries(request, context)) {
    scan.next = 0;
    while (scan.next < batch.labels.length) {
      const part = selectSome(scan, batch);
      if (part !== undefined) yield part;
      const pause = budget.breathe();
      if (pause !== undefined) await pause;
    }
    const rest = rows.take();
    if (rest !== undefined) yield rest;
  }
  rows.close();
}

/** The state of one selector: reused columns and the rows they fill; `next` is the next series of the batch. */
interface Scan {
  readonly node: SelectNode;
  readonly context: ExecContext;
  readonly rows: Rows;
  readonly columns: SampleColumns;
  readonly job: SelectJob;
  readonly distinct: DistinctLabels | undefined;
  readonly start: number;
  readonly end: number;
  /** As the grid's. */
  readonly weight: number;
  next: number;
}

// Looks up series of a batch until the chunk is full, the batch is done or others want to compute, too. A plain function: loops inside generators are slow.
function selectSome(scan: Scan, batch: SeriesBatch): StepBatch | undefined {
  const { rows, columns, job, distinct, start, end } = scan;
  const { timestamps, keepNames = false, starts = false, smoothed } = scan.node;
  while (scan.next < batch.labels.length) {
    const index = scan.next++;
    rows.open(batch.labels.length - index);
    batch.read(index, start, end, columns);
    job.output = rows.values;
    job.present = rows.present;
    job.offset = rows.offset;
    const own = batch.labels[index]!;
    if (columns.histograms !== undefined) openHistograms(scan);
    const found = smoothed
      ? smooth(scan, own)
      : starts
        ? selectStarts(columns, job)
        : selectInstants(columns, job, timestamps);
    if (found === 0) continue;
    countSeen(scan, found);
    if (columns.histograms !== undefined && !timestamps && !smoothed)
      showHistograms(scan, { rows: selectRows(columns, job), columns: columns.histograms });
    const noted = scan.context.delayedNames === true ? noteName(own) : own;
    const labels = timestamps && !keepNames ? dropMetadataLabels(noted) : noted;
    distinct?.add(labels);
    if (rows.keep(labels)) return rows.take();
    if (scan.next % SERIES_BETWEEN_LOOKS === 0 && scan.context.budget.isDue) return undefined;
  }
  return rows.take();
}

function openHistograms({ node, columns, job }: Scan): void {
  if (node.totalsOnly === true) dropBuckets(columns);
  if (node.timestamps && node.keepNames && selectRows(columns, job).some((row) => row >= 0))
    throw new DomainError('execution', 'info sample should be float');
}

function countSeen({ context: { budget }, weight }: Scan, samples: number): void {
  budget.countSamples(samples, samples * weight);
}

// Cells of the row at hand that are histograms count as more than one sample.
function showHistograms(scan: Scan, histograms: BatchHistograms): void {
  scan.rows.histograms(histograms.rows, histograms.columns);
  countSeen(scan, samplesBeyondCells(histograms, scan.job.steps));
}

function smooth(scan: Scan, labels: Labels): number {
  const { columns, job, node, context } = scan;
  if (columns.histograms === undefined) {
    dropStale(columns);
    return selectSmoothed(columns, job);
  }
  const metric = labelValue(labels, METRIC_NAME);
  const note = (text: HistogramNote): void =>
    noteHistogram(context.annotations, text, { metric, where: node.where });
  const smoothed = smoothHistograms(columns, job, note);
  showHistograms(scan, smoothed);
  return smoothed.found;
}

/** Empty columns for a leaf, which reads a series and uses it without waiting, or detaches them before it waits. */
export function leafColumns({ source }: ExecContext): SampleColumns {
  return source?.kernels === undefined ? sampleColumns(COLUMNS_START) : kernelColumns(source.kernels);
}

/** What a selector wants of downsampled data. */
export function viewOf({ aggregate }: SelectNode | RangeSelectNode): Pick<SelectRequest, 'aggregate'> {
  return aggregate === undefined ? {} : { aggregate };
}

/** Batches of series from the source, counted; stops when the query is canceled. */
export async function* readSeries(wanted: SelectRequest, context: ExecContext): AsyncGenerator<SeriesBatch> {
  const { source, budget, maxResolutionMs } = context;
  const request = maxResolutionMs === undefined ? wanted : { maxResolutionMs, ...wanted };
  if (source === undefined)
    throw new DomainError('internal', 'cannot read series: this process has no series source');
  // Finding series is work, too.
  await budget.pause();
  for await (const batch of source.select(request, budget)) {
    budget.addSeries(batch.labels.length);
    yield batch;
    budget.check();
  }
}
