// What a shard does with a fragment: evaluate its node over the shard's own series and reply in pieces of bounded size.

import { Annotations } from '../../model/annotations.ts';
import { sampleColumns } from '../../model/samples.ts';
import type { QueryBudget } from '../budget.ts';
import { dropStale } from '../kernels/window.ts';
import { modesOf } from '../modes.ts';
import type { PlanNode, RangeSelectNode } from '../plan/nodes.ts';
import { decodeFragment } from '../plan/plan-codec.ts';
import type { FragmentReply, RawColumns, SeriesSource, StepRange } from '../source.ts';
import { runPartial } from './aggregate-operator.ts';
import { openExecution } from './build-operator.ts';
import { checkGrid, type ExecContext, lastStep } from './context.ts';
import { readExtended } from './extended-raw.ts';
import { dropStale as dropStaleHistograms } from './histograms/split-columns.ts';
import { dropBuckets } from './histograms/totals-only.ts';
import { Profile } from './profile.ts';
import { rawBytes, rawSamples } from './raw-series.ts';
import { COLUMNS_START, readSeries, viewOf } from './select.ts';
import { splitPartial } from './split-partial.ts';
import { REPLY_BYTES, splitBatch } from './step-batch-codec.ts';

/** What the labels of a series come to in a reply, about. */
const LABELS_BYTES = 256;
const NOTHING_SHARED: ReadonlySet<PlanNode> = new Set();

/** Evaluates an encoded fragment over `source`; each reply encodes to about 256 KiB at most. */
export async function* evaluateFragment(
  fragment: Uint8Array,
  source: SeriesSource,
  budget: QueryBudget,
): AsyncGenerator<FragmentReply> {
  const decoded = decodeFragment(fragment);
  const { node, grid, lookbackMs } = decoded;
  checkGrid(grid, budget);
  const annotations = new Annotations();
  const profile = decoded.analyze === true ? new Profile(budget) : undefined;
  const context = openExecution(
    {
      source,
      budget,
      annotations,
      lookbackMs,
      ...modesOf(decoded),
      ...(profile === undefined ? {} : { profile }),
    },
    NOTHING_SHARED,
  );
  if (node.kind === 'range-select') yield* rawReplies(node, grid, context);
  else if (node.kind === 'aggregate' && node.stage === 'partial') {
    const running = runPartial(node, grid, context);
    const aggregation = await (profile?.time(node, running) ?? running);
    for (const state of await aggregation.encodePartial(budget.pause)) {
      budget.holdBytes(state.length);
      for (const bytes of splitPartial(state, REPLY_BYTES)) yield { kind: 'partial', bytes };
      budget.releaseBytes(state.length);
    }
  } else
    for await (const batch of context.stream(node, grid))
      for (const part of splitBatch(batch)) yield { kind: 'batch', batch: part };
  const notes = annotations.all();
  if (notes.length > 0) yield { kind: 'notes', notes };
  const { samplesRead, samplesQueryable, seriesSeen } = budget;
  yield { kind: 'statistics', samplesRead, samplesQueryable, seriesSeen };
  if (profile !== undefined) yield { kind: 'analysis', operator: profile.tree(node) };
}

async function* rawReplies(
  node: RangeSelectNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<FragmentReply> {
  let pending: RawColumns[] = [];
  let bytes = 0;
  for await (const series of readRaw(node, grid, context)) {
    pending.push(series);
    const more = rawBytes(series) + LABELS_BYTES;
    context.budget.holdBytes(more);
    bytes += more;
    if (bytes < REPLY_BYTES) continue;
    yield { kind: 'raw', series: pending };
    context.budget.releaseBytes(bytes);
    pending = [];
    bytes = 0;
  }
  if (pending.length > 0) yield { kind: 'raw', series: pending };
}

/** Raw samples of a range selector: of each series with any, all that some step of the grid can see, without staleness markers. */
export async function* readRaw(
  node: RangeSelectNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<RawColumns> {
  if (node.extension !== undefined) {
    yield* readExtended({ ...node, extension: node.extension }, grid, context);
    return;
  }
  const { budget } = context;
  const start = (node.at ?? grid.start) - node.offsetMs - node.rangeMs + 1;
  const end = (node.at ?? lastStep(grid)) - node.offsetMs;
  if (end < start) return;
  const columns = sampleColumns(COLUMNS_START);
  const request = {
    matchers: node.matchers,
    start,
    end,
    // What will become of them is not known here; two samples are enough for all functions.
    maxResolutionMs: Math.min(context.maxResolutionMs ?? 0, node.rangeMs / 2),
    ...viewOf(node),
  };
  for await (const batch of readSeries(request, context)) {
    for (const [i, labels] of batch.labels.entries()) {
      const pause = budget.breathe();
      if (pause !== undefined) await pause;
      batch.read(i, start, end, columns);
      if (node.totalsOnly === true) dropBuckets(columns);
      const { histograms } = columns;
      const count = histograms === undefined ? dropStale(columns) : dropStaleHistograms(columns);
      if (count === 0) continue;
      // A source opens new columns of histograms for each series.
      const series: RawColumns = {
        labels,
        timestamps: columns.timestamps.slice(0, count),
        values: columns.values.slice(0, count),
        histograms: histograms && { columns: histograms, rows: columns.rows.slice(0, count) },
      };
      const samples = rawSamples(series);
      budget.countSamples(samples, samples * (grid.weight ?? 1));
      yield series;
    }
  }
}
