// A query's view of one tenant: series of the head and of the blocks, one series where both have it.

import { compileMatcher } from '../../codec/regex.ts';
import { type Labels, labelsKey } from '../../model/labels.ts';
import { type SampleColumns, sampleColumns } from '../../model/samples.ts';
import type { QueryBudget } from '../../query/budget.ts';
import type { SelectRequest, SeriesBatch, SeriesSource } from '../../query/source.ts';
import type { BlockSet, LoadedBatch } from '../../storage/block/block-set.ts';
import { mergeSamples } from '../../storage/block/merge-samples.ts';
import type { Head } from '../../storage/head/head.ts';

const SERIES_PER_BATCH = 512;

/** Reads head and blocks. The head must not be truncated while a selection is being read. */
export function headAndBlocks(head: Head, blocks: BlockSet): SeriesSource {
  return {
    select: (request, budget) =>
      blocks.within(request.start, request.end).length === 0
        ? selectHead(head, request, budget)
        : selectBoth(head, blocks, request, budget),
  };
}

async function* selectHead(
  head: Head,
  request: SelectRequest,
  budget: QueryBudget,
): AsyncGenerator<SeriesBatch> {
  const refs = head.select(request.matchers.map(compileMatcher), request.start, request.end);
  budget.addSeries(refs.length);
  yield* headBatches(head, refs, budget);
}

function* headBatches(head: Head, refs: Uint32Array, budget: QueryBudget): Generator<SeriesBatch> {
  for (let at = 0; at < refs.length; at += SERIES_PER_BATCH) {
    budget.check();
    const part = refs.subarray(at, at + SERIES_PER_BATCH);
    yield {
      labels: Array.from(part, (ref) => head.labels(ref)),
      read: (index, start, end, target) => head.read(part[index]!, start, end, target),
    };
  }
}

async function* selectBoth(
  head: Head,
  blocks: BlockSet,
  request: SelectRequest,
  budget: QueryBudget,
): AsyncGenerator<SeriesBatch> {
  const matchers = request.matchers.map(compileMatcher);
  const { start, end } = request;
  const selection = await blocks.select(matchers, start, end, {
    signal: budget.signal,
    seriesMax: budget.limits.seriesMax,
  });
  try {
    const refs = head.select(matchers, start, end);
    const byLabels = new Map<string, number>();
    for (const ref of refs) byLabels.set(labelsKey(head.labels(ref)), ref);
    budget.addSeries(selection.labels.length);
    for (let at = 0; at < selection.labels.length; at += SERIES_PER_BATCH) {
      budget.check();
      const last = Math.min(at + SERIES_PER_BATCH, selection.labels.length);
      const loaded = await selection.load(at, last, budget.signal);
      yield mergedBatch(head, loaded, takeRefs(byLabels, loaded.labels));
    }
    budget.addSeries(byLabels.size);
    yield* headBatches(head, Uint32Array.from(byLabels.values()), budget);
  } finally {
    await selection.release();
  }
}

// The head's refs of the given series, -1 where the head lacks one; what is taken is no longer left over for later.
function takeRefs(byLabels: Map<string, number>, labels: readonly Labels[]): Int32Array {
  const out = new Int32Array(labels.length).fill(-1);
  if (byLabels.size === 0) return out;
  for (let i = 0; i < labels.length; i++) {
    const key = labelsKey(labels[i]!);
    const ref = byLabels.get(key);
    if (ref === undefined) continue;
    out[i] = ref;
    byLabels.delete(key);
  }
  return out;
}

function mergedBatch(head: Head, loaded: LoadedBatch, refs: Int32Array): SeriesBatch {
  const scratch: SampleColumns = sampleColumns(256);
  return {
    labels: loaded.labels,
    read(index, start, end, target) {
      loaded.read(index, start, end, target);
      if (refs[index]! < 0) return;
      head.read(refs[index]!, start, end, scratch);
      mergeSamples(target, scratch);
    },
  };
}
