// Functions over range vectors: a series' samples (from the source, from a shard, or a subquery's steps) become columns once,
// the windows of all steps are found in one pass, then a kernel computes the row.

import { DomainError, invariant } from '../../model/errors.ts';
import { type Labels, labelValue, METRIC_NAME } from '../../model/labels.ts';
import { growColumns, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { anchoredCountKernel, type Extension, extendedRateKernel } from '../kernels/extended.ts';
import { keepsMetricName, RANGE_KERNELS } from '../kernels/range-kernels.ts';
import { START_TIME_KERNELS } from '../kernels/start-times.ts';
import {
  columnsFromSteps,
  dropStale,
  findWindows,
  type RangeKernel,
  sliceEnd,
  sliceOf,
  type WindowJob,
} from '../kernels/window.ts';
import { goQuote } from '../parse/go-text.ts';
import { namesUnique } from '../plan/names.ts';
import type { RangeFunctionNode, RangeSelectNode, SubqueryNode } from '../plan/nodes.ts';
import { type SeriesBatch, type StepBatch, type StepRange, stepCount } from '../source.ts';
import { inform, warn, warnQuantile } from './aggregation.ts';
import { checkGrid, type ExecContext, lastStep } from './context.ts';
import { dropMetadataLabels, noteName } from './name-note.ts';
import { streamRaw } from './remote.ts';
import { Rows } from './rows.ts';
import { COLUMNS_START, readSeries } from './select.ts';
import { DistinctLabels } from './step-batch.ts';

/** Series between two looks at the deadline. */
const SERIES_BETWEEN_CHECKS = 64;
/** Samples that the windows of a series may hold together before they are computed in slices: some milliseconds' work. */
const SLICE_SAMPLES = 1 << 20;
const NO_ARGUMENT = new Float64Array(0);

/** Streams a range function's series; `borrowed` batches are good until the next is asked for. */
export async function* streamRangeFunction(
  node: RangeFunctionNode,
  grid: StepRange,
  context: ExecContext,
  borrowed: boolean,
): AsyncGenerator<StepBatch> {
  const input = node.input.kind === 'remote' ? node.input.fragment : node.input;
  if (input.kind !== 'range-select' && input.kind !== 'subquery')
    throw new DomainError('internal', `cannot evaluate ${node.func}: its input is a ${input.kind}`);
  const rows = new Rows(stepCount(grid), context.budget, borrowed);
  const row = await openRow({ node, input, rows }, grid, context);
  if (node.input.kind === 'remote') yield* overRaw(node, row, grid, context);
  else if (input.kind === 'range-select') yield* overSource(input, row, grid, context);
  else yield* overSubquery(input, row, grid, context);
  context.budget.releaseBytes(row.columnBytes);
  rows.close();
}

/** The state of one range function: reused columns and windows, and the rows they fill. */
interface RowState {
  readonly node: RangeFunctionNode;
  readonly kernel: RangeKernel;
  /** Takes its place where samples have start times, when those are looked at. */
  readonly startKernel: RangeKernel | undefined;
  readonly first: Float64Array;
  readonly second: Float64Array;
  readonly columns: SampleColumns;
  readonly job: WindowJob;
  readonly rows: Rows;
  readonly keepNames: boolean;
  readonly distinct: DistinctLabels | undefined;
  readonly context: ExecContext;
  readonly counters: boolean;
  quantilesToNote: boolean;
  lastName: string;
  seen: number;
  /** Memory of `columns` as accounted for. */
  columnBytes: number;
  /** Labels of the series in `columns` when its windows are found but are too much to compute at a stretch. */
  heavy: Labels | undefined;
}

interface OpenRow {
  readonly node: RangeFunctionNode;
  readonly input: RangeSelectNode | SubqueryNode;
  readonly rows: Rows;
}

async function openRow(
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
  const columns = sampleColumns(COLUMNS_START);
  const job: WindowJob = {
    timestamps: columns.timestamps,
    values: columns.values,
    from: new Int32Array(steps),
    to: new Int32Array(steps),
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
    before: extension === undefined ? 0 : context.lookbackMs,
    after: extension === 'smoothed' ? context.lookbackMs : 0,
  };
  const keepNames = keepsMetricName(node.func);
  const [first = NO_ARGUMENT, second = NO_ARGUMENT] = args;
  return {
    node,
    kernel,
    startKernel: context.startTimes === true ? startKernel : undefined,
    first,
    second,
    columns,
    job,
    rows,
    keepNames,
    distinct: keepNames || namesUnique(node.input) ? undefined : new DistinctLabels(),
    context,
    counters: node.func === 'rate' || node.func === 'increase',
    quantilesToNote: node.func === 'quantile_over_time',
    lastName: '',
    seen: 0,
    columnBytes: 0,
    heavy: undefined,
  };
}

function kernelOf(func: string, extension: Extension | undefined): RangeKernel | undefined {
  if (extension === undefined) return RANGE_KERNELS.get(func);
  if (func === 'resets' || func === 'changes') return anchoredCountKernel(func);
  return extendedRateKernel(func, extension);
}

async function* overSource(
  input: RangeSelectNode,
  state: RowState,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const { job } = state;
  const start = job.end - input.rangeMs - job.before + 1;
  const end = (input.at ?? lastStep(grid)) - input.offsetMs + job.after;
  if (input.rangeMs <= 0) return;
  const scan = { start, end, next: 0 };
  for await (const batch of readSeries({ matchers: input.matchers, start, end }, context)) {
    scan.next = 0;
    while (scan.next < batch.labels.length) {
      const part = evaluateSome(state, batch, scan) ?? (await evaluateHeavy(state));
      if (part !== undefined) yield part;
      const pause = context.budget.breathe();
      if (pause !== undefined) await pause;
    }
    const rest = state.rows.take();
    if (rest !== undefined) yield rest;
  }
}

// Evaluates series of a batch until the chunk is full, a heavy one comes or the batch is done. A plain function: loops inside
// generators are slow.
function evaluateSome(
  state: RowState,
  batch: SeriesBatch,
  scan: { start: number; end: number; next: number },
): StepBatch | undefined {
  const { labels } = batch;
  const { budget } = state.context;
  while (scan.next < labels.length) {
    const index = scan.next++;
    state.rows.open(labels.length - index);
    batch.read(index, scan.start, scan.end, state.columns);
    budget.samplesRead += state.columns.count;
    const full = evaluate(state, notedLabels(state, labels[index]!));
    if (full !== undefined || state.heavy !== undefined) return full;
  }
  return state.rows.take();
}

async function* overRaw(
  node: RangeFunctionNode,
  state: RowState,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  invariant(node.input.kind === 'remote', 'raw samples come from a remote node');
  for await (const series of streamRaw(node.input, grid, context)) {
    for (const { labels, timestamps, values } of series) {
      const { columns } = state;
      growColumns(columns, values.length);
      columns.timestamps.set(timestamps);
      columns.values.set(values);
      columns.count = values.length;
      state.rows.open(series.length);
      const full = evaluate(state, notedLabels(state, labels)) ?? (await evaluateHeavy(state));
      if (full !== undefined) yield full;
      const pause = context.budget.breathe();
      if (pause !== undefined) await pause;
    }
  }
  const rest = state.rows.take();
  if (rest !== undefined) yield rest;
}

function notedLabels(state: RowState, labels: Labels): Labels {
  return state.context.delayedNames === true ? noteName(labels) : labels;
}

async function* overSubquery(
  input: SubqueryNode,
  state: RowState,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const inner = subqueryGrid(input, grid);
  if (inner === undefined) return;
  checkGrid(inner, context.budget);
  const steps = stepCount(inner);
  const { budget } = context;
  for await (const batch of context.stream(input.input, inner)) {
    growColumns(state.columns, steps);
    for (let row = 0; row < batch.labels.length; row++) {
      const pause = budget.breathe();
      if (pause !== undefined) await pause;
      state.rows.open(batch.labels.length - row);
      const { values, present } = batch;
      columnsFromSteps({ values, present, offset: row * steps, steps }, inner, state.columns);
      const full = evaluate(state, batch.labels[row]!) ?? (await evaluateHeavy(state));
      if (full !== undefined) yield full;
    }
    const rest = state.rows.take();
    if (rest !== undefined) yield rest;
  }
}

/** The grid a subquery evaluates its expression on: multiples of its step within its window; undefined when there are none. */
export function subqueryGrid(node: SubqueryNode, grid: StepRange): StepRange | undefined {
  const { stepMs: step, rangeMs, offsetMs } = node;
  const start = (node.at ?? grid.start) - offsetMs - rangeMs;
  const end = (node.at ?? lastStep(grid)) - offsetMs;
  let first = step * Math.trunc(start / step);
  if (first <= start) first += step;
  return first > end ? undefined : { start: first, end, step };
}

// Computes the row of the series in `columns`; returns a batch when the chunk is full. A series that is too much to compute at
// a stretch is left as state.heavy for evaluateHeavy().
function evaluate(state: RowState, labels: Labels): StepBatch | undefined {
  const { columns, job } = state;
  if (++state.seen % SERIES_BETWEEN_CHECKS === 0) state.context.budget.check();
  if (columns.timestamps.length * 16 > state.columnBytes) accountColumns(state);
  if (columns.count > SLICE_SAMPLES) {
    state.heavy = labels;
    return undefined;
  }
  const count = openWindows(state);
  if (count === 0) return undefined;
  findWindows(job, count);
  if (count * job.steps > SLICE_SAMPLES && sliceEnd(job, 0, SLICE_SAMPLES) < job.steps) {
    state.heavy = labels;
    return undefined;
  }
  runKernel(state, job, state);
  return keepRow(state, labels);
}

// Points the job at the series in the columns, without staleness markers, and at its row; returns the samples left.
function openWindows({ columns, job, rows, startKernel }: RowState): number {
  job.timestamps = columns.timestamps;
  job.values = columns.values;
  job.starts = startKernel === undefined ? undefined : columns.starts;
  job.output = rows.values;
  job.present = rows.present;
  job.offset = rows.offset;
  return dropStale(columns);
}

function accountColumns(state: RowState): void {
  const { budget } = state.context;
  const { timestamps, count } = state.columns;
  budget.checkSamples(count);
  budget.holdBytes(timestamps.length * 16 - state.columnBytes);
  state.columnBytes = timestamps.length * 16;
}

// Computes the row of a heavy series in slices of its steps, with pauses; returns a batch when the chunk is full.
async function evaluateHeavy(state: RowState): Promise<StepBatch | undefined> {
  const { heavy: labels, job, first, second } = state;
  if (labels === undefined) return undefined;
  state.heavy = undefined;
  await state.context.budget.pause();
  const count = openWindows(state);
  if (count === 0) return undefined;
  await state.context.budget.pause();
  findWindows(job, count);
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
  { kernel, startKernel }: RowState,
  job: WindowJob,
  { first, second }: { first: Float64Array; second: Float64Array },
): void {
  if (job.starts === undefined || startKernel === undefined) kernel(job, first, second);
  else startKernel(job, first, second);
}

// The row in the chunk belongs to the series with these labels, when it has a step at all.
function keepRow(state: RowState, labels: Labels): StepBatch | undefined {
  const { rows } = state;
  if (state.job.overlapSeen) noteOverlap(state, labels);
  if (!rows.hasSteps()) return undefined;
  if (state.counters) noteCounter(state, labels);
  if (state.quantilesToNote) noteQuantiles(state);
  const kept = state.keepNames ? labels : dropMetadataLabels(labels);
  state.distinct?.add(kept);
  return rows.keep(kept) ? rows.take() : undefined;
}

function noteCounter(state: RowState, labels: Labels): void {
  const name = labelValue(labels, METRIC_NAME);
  if ((name === state.lastName && state.context.typeLabels !== true) || name === '') return;
  state.lastName = name;
  if (state.context.typeLabels === true) {
    noteType(state, labels, name);
    return;
  }
  if (/(_total|_sum|_count|_bucket)$/.test(name)) return;
  const text = `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${goQuote(name)}`;
  inform(state.context.annotations, text, state.node.where);
}

function noteType(state: RowState, labels: Labels, name: string): void {
  const type = labelValue(labels, '__type__');
  if (type === 'counter' || type === 'histogram') return;
  const text =
    'metric might not be a counter, __type__ label is not set to "counter" or "histogram", ' +
    `got ${goQuote(type)}: ${goQuote(name)}`;
  inform(state.context.annotations, text, state.node.where);
}

function noteOverlap(state: RowState, labels: Labels): void {
  state.job.overlapSeen = false;
  const name = goQuote(labelValue(labels, METRIC_NAME));
  const text = `sample has start time that overlaps with previous sample timestamp for metric ${name}`;
  warn(state.context.annotations, text, state.node.where);
}

function noteQuantiles(state: RowState): void {
  state.quantilesToNote = false;
  for (const quantile of state.first)
    if (!(quantile >= 0 && quantile <= 1))
      warnQuantile(state.context.annotations, quantile, state.node.where);
}
