// Functions over range vectors: series from the source, from a shard, or a subquery's steps, one row each (range-row.ts).

import { DomainError, invariant } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { growColumns } from '../../model/samples.ts';
import { columnsFromSteps } from '../kernels/window.ts';
import type { RangeFunctionNode, RangeSelectNode, SubqueryNode } from '../plan/nodes.ts';
import { type SeriesBatch, type StepBatch, type StepRange, stepCount } from '../source.ts';
import { checkGrid, type ExecContext, lastStep } from './context.ts';
import { histogramsFromSteps, shareHistograms } from './histograms/subquery-histograms.ts';
import { dropBuckets } from './histograms/totals-only.ts';
import { noteName } from './name-note.ts';
import { closeRow, evaluate, evaluateHeavy, openRow, type RowState } from './range-row.ts';
import { streamRaw } from './remote.ts';
import { Rows } from './rows.ts';
import { readSeries, viewOf } from './select.ts';

/** Series between two looks at the time. */
const SERIES_BETWEEN_LOOKS = 8;

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
  closeRow(row);
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
  const scan = { start, end, next: 0, totalsOnly: input.totalsOnly === true };
  const { matchers } = input;
  const request = { matchers, start, end, ...viewOf(input), ...resolutionOf(state, context) };
  for await (const batch of readSeries(request, context)) {
    scan.next = 0;
    state.isCounted = batch.isCounted === true;
    job.unevenMs = batch.unevenMs ?? 0;
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

/** Functions that make nothing of a single sample. */
const OF_TWO_SAMPLES: ReadonlySet<string> = new Set([
  'rate',
  'irate',
  'increase',
  'delta',
  'idelta',
  'deriv',
  'predict_linear',
  'double_exponential_smoothing',
]);

// A range must hold windows enough: two for functions of differences (Thanos pkg/query, maxResolutionFromSelectHints), else one.
function resolutionOf(
  { node, job }: RowState,
  { maxResolutionMs = 0 }: ExecContext,
): { maxResolutionMs?: number } {
  if (maxResolutionMs === 0) return {};
  const windows = OF_TWO_SAMPLES.has(node.func) ? 2 : 1;
  return { maxResolutionMs: Math.min(maxResolutionMs, job.range / windows) };
}

// Evaluates series of a batch until the chunk is full, a heavy one comes, the batch is done or others want to compute, too. A plain
// function: loops inside generators are slow.
function evaluateSome(
  state: RowState,
  batch: SeriesBatch,
  scan: { start: number; end: number; next: number; totalsOnly: boolean },
): StepBatch | undefined {
  const { labels } = batch;
  while (scan.next < labels.length) {
    const index = scan.next++;
    state.rows.open(labels.length - index);
    batch.read(index, scan.start, scan.end, state.columns);
    if (scan.totalsOnly) dropBuckets(state.columns);
    const full = evaluate(state, notedLabels(state, labels[index]!));
    if (full !== undefined || state.heavy !== undefined) return full;
    if (scan.next % SERIES_BETWEEN_LOOKS === 0 && state.context.budget.isDue) return undefined;
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
  // Its windows are counted here.
  for await (const series of streamRaw(node.input, { ...grid, weight: 0 }, context)) {
    for (const { labels, timestamps, values, histograms } of series) {
      const { columns } = state;
      growColumns(columns, values.length);
      columns.timestamps.set(timestamps);
      columns.values.set(values);
      columns.histograms = undefined;
      columns.count = values.length;
      if (histograms !== undefined) shareHistograms(columns, histograms);
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
  for await (const batch of context.stream(input.input, { ...inner, weight: 0 })) {
    for (let row = 0; row < batch.labels.length; row++) {
      const pause = budget.breathe();
      if (pause !== undefined) await pause;
      state.rows.open(batch.labels.length - row);
      const { values, present } = batch;
      growColumns(state.columns, steps);
      columnsFromSteps({ values, present, offset: row * steps, steps }, inner, state.columns);
      if (batch.histograms !== undefined) histogramsFromSteps(batch, row, state.columns);
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
