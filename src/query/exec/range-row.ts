// One series of a range function: its samples become columns once, the windows of all steps are found in one pass, then a kernel
// computes the row; in slices of its steps where that takes long. A series with native histograms takes a way of its own
// (histograms/range-histograms.ts).

import { DomainError } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { detachColumns, type SampleColumns, type SampleKernels } from '../../model/samples.ts';
import { anchoredCountKernel, type Extension, extendedRateKernel } from '../kernels/extended.ts';
import { sumOverTime } from '../kernels/over-time.ts';
import { keepsMetricName, RANGE_KERNELS } from '../kernels/range-kernels.ts';
import { START_TIME_KERNELS } from '../kernels/start-times.ts';
import {
  dropStale,
  findWindows,
  type RangeKernel,
  sliceEnd,
  sliceOf,
  type WindowJob,
} from '../kernels/window.ts';
import { namesUnique } from '../plan/names.ts';
import type { RangeFunctionNode, RangeSelectNode, SubqueryNode } from '../plan/nodes.ts';
import { type StepBatch, type StepRange, stepCount } from '../source.ts';
import type { ExecContext } from './context.ts';
import { RangeHistograms } from './histograms/range-histograms.ts';
import { samplesBefore } from './histograms/sample-counts.ts';
import { dropStale as dropStaleHistograms } from './histograms/split-columns.ts';
import { dropMetadataLabels } from './name-note.ts';
import { RangeNotes } from './range-notes.ts';
import type { Rows } from './rows.ts';
import { leafColumns } from './select.ts';
import { DistinctLabels } from './step-batch.ts';

/** Series between two looks at the deadline. */
const SERIES_BETWEEN_CHECKS = 64;
/** Samples that the windows of a series may hold together before they are computed in slices: some milliseconds' work. */
const SLICE_SAMPLES = 1 << 20;
const NO_ARGUMENT = new Float64Array(0);

/** The state of one range function: reused columns and windows, and the rows they fill. */
export interface RowState {
  readonly node: RangeFunctionNode;
  readonly kernel: RangeKernel;
  /** Takes its place where samples have start times, when those are looked at. */
  readonly startKernel: RangeKernel | undefined;
  /** Samples are numbers of samples: to count them is to add them up. */
  isCounted: boolean;
  readonly first: Float64Array;
  readonly second: Float64Array;
  readonly columns: SampleColumns;
  readonly job: WindowJob;
  /** Windows of its own, for what does not run in the kernels. */
  readonly windows: Pick<WindowJob, 'from' | 'to'>;
  readonly rows: Rows;
  readonly keepNames: boolean;
  readonly distinct: DistinctLabels | undefined;
  readonly context: ExecContext;
  readonly notes: RangeNotes;
  /** As the grid's. */
  readonly weight: number;
  /** Whether samples in the windows count as read: those of a subquery or of a shard's answer have been counted. */
  readonly reads: boolean;
  seen: number;
  /** Memory of `columns` as accounted for. */
  columnBytes: number;
  /** Labels of the series in `columns` when it is too much to compute at a stretch, or has native histograms. */
  heavy: Labels | undefined;
  readonly extension: Extension | undefined;
  /** Made when the first series with native histograms comes. */
  histograms: RangeHistograms | undefined;
}

/** What a range function is made from. */
export interface OpenRow {
  readonly node: RangeFunctionNode;
  readonly input: RangeSelectNode | SubqueryNode;
  readonly rows: Rows;
}

/** Opens the state; evaluates the scalar arguments. `execution` error for a function that is not known. */
export async function openRow(
  { node, input, rows }: OpenRow,
  grid: StepRange,
  context: ExecContext,
): Promise<RowState> {
  const extension = input.kind === 'range-select' ? input.extension : undefined;
  const kernel = kernelOf(node.func, extension);
  const startKernel = extension === undefined ? START_TIME_KERNELS.get(node.func) : undefined;
  if (kernel === undefined)
    throw new DomainError('execution', `cannot evaluate function ${node.func}: not supported`);
  const args: Float64Array[] = [];
  for (const arg of node.args) args.push(await context.scalar(arg, grid));
  const steps = stepCount(grid);
  const columns = leafColumns(context);
  const windows = { from: new Int32Array(steps), to: new Int32Array(steps) };
  const job: WindowJob = {
    timestamps: columns.timestamps,
    values: columns.values,
    ...windows,
    steps,
    end: (input.at ?? grid.start) - input.offsetMs,
    step: input.at === undefined ? grid.step : 0,
    range: input.rangeMs,
    evalStart: grid.start,
    evalStep: grid.step,
    output: rows.values,
    present: rows.present,
    offset: 0,
    starts: undefined,
    overlapSeen: false,
    unevenMs: 0,
    before: extension === undefined ? 0 : context.lookbackMs,
    after: extension === 'smoothed' ? context.lookbackMs : 0,
  };
  const keepNames = keepsMetricName(node.func);
  const [first = NO_ARGUMENT, second = NO_ARGUMENT] = args;
  return {
    node,
    kernel,
    startKernel: context.startTimes === true ? startKernel : undefined,
    isCounted: false,
    first,
    second,
    columns,
    job,
    windows,
    rows,
    keepNames,
    distinct: keepNames || namesUnique(node.input) ? undefined : new DistinctLabels(),
    context,
    notes: new RangeNotes(node, context),
    weight: grid.weight ?? 1,
    reads: node.input.kind === 'range-select',
    seen: 0,
    columnBytes: 0,
    heavy: undefined,
    extension,
    histograms: undefined,
  };
}

function kernelOf(func: string, extension: Extension | undefined): RangeKernel | undefined {
  if (extension === undefined) return RANGE_KERNELS.get(func);
  if (func === 'resets' || func === 'changes') return anchoredCountKernel(func);
  return extendedRateKernel(func, extension);
}

/**
 * Computes the row of the series in `columns`; returns a batch when the chunk is full. A series that is too much to compute at a
 * stretch is left as state.heavy for evaluateHeavy().
 */
export function evaluate(state: RowState, labels: Labels): StepBatch | undefined {
  const { columns, job } = state;
  if (++state.seen % SERIES_BETWEEN_CHECKS === 0) state.context.budget.check();
  if (columns.kernels === undefined && columns.timestamps.length * 16 > state.columnBytes)
    accountColumns(state);
  if (columns.count > SLICE_SAMPLES || columns.histograms !== undefined) return leave(state, labels);
  const count = openWindows(state);
  if (count === 0) return undefined;
  if (count * job.steps > SLICE_SAMPLES && sliceEnd(job, 0, SLICE_SAMPLES) < job.steps)
    return leave(state, labels);
  countWindows(state);
  if (columns.kernels === undefined || !runInKernels(state, columns.kernels)) runKernel(state, job, state);
  return keepRow(state, labels);
}

// Leaves the series for evaluateHeavy, which waits: the columns have to be its own.
function leave(state: RowState, labels: Labels): undefined {
  detachColumns(state.columns);
  state.job.from = state.windows.from;
  state.job.to = state.windows.to;
  state.heavy = labels;
}

// Points the job at the series in the columns, without staleness markers, at its row and windows; returns the samples left.
function openWindows({ columns, job, windows, rows, startKernel }: RowState): number {
  const { timestamps, values, kernels } = columns;
  job.timestamps = timestamps;
  job.values = values;
  job.starts = startKernel === undefined ? undefined : columns.starts;
  job.output = rows.values;
  job.present = rows.present;
  job.offset = rows.offset;
  if (kernels !== undefined && job.steps <= kernels.from.length) {
    job.from = kernels.from;
    job.to = kernels.to;
    const { before, after } = job;
    columns.count = kernels.findWindows(
      columns.count,
      job.steps,
      job.end + after,
      job.step,
      job.range + before + after,
    );
    return columns.count;
  }
  job.from = windows.from;
  job.to = windows.to;
  const count = dropStale(columns);
  if (count > 0) findWindows(job, count);
  return count;
}

// Whether the windows found in the kernels are computed there too: rate, increase and delta without start times, of samples that are as
// far apart at the ends of a window as within.
function runInKernels({ node, job, extension }: RowState, kernels: SampleKernels): boolean {
  const { func } = node;
  if (job.from !== kernels.from || job.starts !== undefined || job.unevenMs > 0) return false;
  if (extension !== undefined) return false;
  if (func !== 'rate' && func !== 'increase' && func !== 'delta') return false;
  const { steps, output, present, offset } = job;
  kernels.extrapolate(steps, job.end, job.step, job.range, func !== 'delta', func === 'rate');
  output.set(kernels.output.subarray(0, steps), offset);
  present.set(kernels.present.subarray(0, steps), offset);
  return true;
}

// Each step sees its whole window, and reads of it what the step before did not see.
function countWindows({ job, weight, reads, context: { budget } }: RowState, before?: Float64Array): void {
  const { from, to, steps } = job;
  let seen = 0;
  let read = 0;
  let last = 0;
  for (let i = 0; i < steps; i++) {
    const start = from[i]!;
    const end = to[i]!;
    const unread = Math.max(start, last);
    seen += before === undefined ? end - start : before[end]! - before[start]!;
    read += before === undefined ? end - unread : before[end]! - before[unread]!;
    last = end;
  }
  budget.countSamples(reads ? read : 0, seen * weight);
}

function accountColumns(state: RowState): void {
  const { budget } = state.context;
  const { timestamps, count, histograms } = state.columns;
  budget.checkSamples(count);
  const bytes = Math.max(state.columnBytes, timestamps.length * 16 + (histograms?.bytes ?? 0));
  budget.holdBytes(bytes - state.columnBytes);
  state.columnBytes = bytes;
}

/** Computes the row of a series that was left, with pauses; returns a batch when the chunk is full. */
export async function evaluateHeavy(state: RowState): Promise<StepBatch | undefined> {
  const { heavy: labels, job, first, second } = state;
  if (labels === undefined) return undefined;
  state.heavy = undefined;
  await state.context.budget.pause();
  if (state.columns.histograms !== undefined) return evaluateHistograms(state, labels);
  const count = openWindows(state);
  if (count === 0) return undefined;
  countWindows(state);
  await state.context.budget.pause();
  for (let start = 0, end = 0; start < job.steps; start = end) {
    await state.context.budget.pause();
    end = sliceEnd(job, start, SLICE_SAMPLES);
    const slice = sliceOf(job, start, end);
    runKernel(state, slice, { first: first.subarray(start, end), second: second.subarray(start, end) });
    job.overlapSeen ||= slice.overlapSeen;
  }
  return keepRow(state, labels);
}

function runKernel(
  { kernel, startKernel, isCounted }: RowState,
  job: WindowJob,
  { first, second }: { first: Float64Array; second: Float64Array },
): void {
  if (isCounted) sumOverTime(job, first, second);
  else if (job.starts === undefined || startKernel === undefined) kernel(job, first, second);
  else startKernel(job, first, second);
}

async function evaluateHistograms(state: RowState, labels: Labels): Promise<StepBatch | undefined> {
  const { columns, job, rows, notes, node } = state;
  accountColumns(state);
  dropStaleHistograms(columns);
  job.timestamps = columns.timestamps;
  findWindows(job, columns.count);
  countWindows(state, samplesBefore(columns));
  state.histograms ??= new RangeHistograms(node.func, state.extension);
  job.output = rows.values;
  job.present = rows.present;
  job.offset = rows.offset;
  const hasFloats = await state.histograms.compute({
    columns,
    job,
    withStarts: state.startKernel !== undefined,
    runFloats: (floats) => runKernel(state, floats, state),
    note: (note) => notes.histogram(note, labels),
    pause: state.context.budget.pause,
  });
  if (rows.hasSteps()) rows.histograms(state.histograms.rows, state.histograms.columns);
  return keepRow(state, labels, hasFloats);
}

// The row in the chunk belongs to the series with these labels, when it has a step at all.
function keepRow(state: RowState, labels: Labels, hasFloats = true): StepBatch | undefined {
  const { rows } = state;
  state.notes.computed(state.job, labels);
  if (!rows.hasSteps()) return undefined;
  if (hasFloats) state.notes.kept(labels, state.first, state.job);
  const kept = state.keepNames ? labels : dropMetadataLabels(labels);
  state.distinct?.add(kept);
  return rows.keep(kept) ? rows.take() : undefined;
}

/** Gives the state's memory back. */
export function closeRow({ columnBytes, rows, context }: RowState): void {
  context.budget.releaseBytes(columnBytes);
  rows.close();
}
