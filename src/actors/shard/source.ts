// A query's view of one tenant: series of the head and of the blocks, one series where both have it.

import type { CompiledMatcher, MatcherCache } from '../../codec/regex.ts';
import type { Labels } from '../../model/labels.ts';
import { type SampleColumns, sampleColumns } from '../../model/samples.ts';
import type { QueryBudget } from '../../query/budget.ts';
import type { SelectRequest, SeriesBatch, SeriesSource } from '../../query/source.ts';
import type { BlockSet, LoadedBatch } from '../../storage/block/block-set.ts';
import { type ReadRaw, SlicedReader } from '../../storage/block/sliced-read.ts';
import { planSlices, type Slice } from '../../storage/block/slices.ts';
import { RESOLUTION_1H } from '../../storage/downsample/windows.ts';
import type { Head } from '../../storage/head/head.ts';
import { NO_REF } from '../../storage/head/series-index.ts';

const SERIES_PER_BATCH = 512;

/** Reads head and blocks. The head must not be truncated while a selection is being read. */
export function headAndBlocks(head: Head, blocks: BlockSet, cache: MatcherCache): SeriesSource {
  return {
    select(request, budget) {
      const matchers = request.matchers.map((matcher) => cache.compile(matcher));
      const slices = slicesOf(blocks, request);
      return slices.length === 0 && blocks.within(request.start, request.end).length === 0
        ? selectHead(head, matchers, request, budget)
        : selectBoth({ head, blocks, slices }, matchers, request, budget);
    },
  };
}

// What an instant selector shows of a coarse window may have ended long before its lookback.
function reachOf({ start, lookbackMs }: SelectRequest): number {
  return lookbackMs === undefined ? start : start - RESOLUTION_1H;
}

// The stretches that are read from downsampled blocks; of those before the request's start the ones that may still be shown.
function slicesOf(blocks: BlockSet, request: SelectRequest): Slice[] {
  const span = { start: reachOf(request), end: request.end };
  const slices = planSlices(blocks.within(span.start, span.end), span, request.maxResolutionMs ?? 0);
  return slices.filter(({ end, resolutionMs }) => end + resolutionMs >= request.start);
}

async function* selectHead(
  head: Head,
  matchers: readonly CompiledMatcher[],
  request: SelectRequest,
  budget: QueryBudget,
): AsyncGenerator<SeriesBatch> {
  const refs = head.select(matchers, request.start, request.end);
  budget.checkSeries(refs.length);
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
  {
    head,
    blocks,
    slices,
  }: { readonly head: Head; readonly blocks: BlockSet; readonly slices: readonly Slice[] },
  matchers: readonly CompiledMatcher[],
  request: SelectRequest,
  budget: QueryBudget,
): AsyncGenerator<SeriesBatch> {
  const start = slices.length === 0 ? request.start : reachOf(request);
  const selection = await blocks.select(matchers, start, request.end, {
    signal: budget.signal,
    seriesMax: budget.limits.seriesMax,
    slices,
  });
  try {
    const selected = new HeadSelection(head, matchers, start, request.end);
    budget.checkSeries(selection.labels.length);
    for (let at = 0; at < selection.labels.length; at += SERIES_PER_BATCH) {
      budget.check();
      const last = Math.min(at + SERIES_PER_BATCH, selection.labels.length);
      const loaded = await selection.load(at, last, budget.signal);
      const refs = selected.takeAll(loaded.labels);
      yield slices.length === 0
        ? mergedBatch(head, loaded, refs)
        : slicedBatch(slices, request, { labels: loaded.labels, loaded, head, refs });
    }
    const rest = selected.rest();
    budget.checkSeries(rest.length);
    if (slices.length === 0) yield* headBatches(head, rest, budget);
    else
      for (let at = 0; at < rest.length; at += SERIES_PER_BATCH) {
        budget.check();
        const refs = Int32Array.from(rest.subarray(at, at + SERIES_PER_BATCH));
        const labels = Array.from(refs, (ref) => head.labels(ref));
        yield slicedBatch(slices, request, { labels, head, refs });
      }
  } finally {
    await selection.release();
  }
}

/** Series selected in a head, of which some are found in blocks too and are taken out one by one. */
export class HeadSelection {
  readonly #head: Head;
  readonly #refs: Uint32Array;
  /** By reference: 1 while the series is selected and not taken. */
  readonly #left: Uint8Array;

  constructor(head: Head, matchers: readonly CompiledMatcher[], start: number, end: number) {
    this.#head = head;
    this.#refs = head.select(matchers, start, end);
    this.#left = new Uint8Array(this.#refs.length === 0 ? 0 : head.index.refEnd);
    for (const ref of this.#refs) this.#left[ref] = 1;
  }

  /** Takes the series with these labels: its reference, or -1 when it is not there. */
  take(labels: Labels): number {
    if (this.#left.length === 0) return -1;
    const ref = this.#head.index.find(labels);
    if (ref === NO_REF || this.#left[ref] !== 1) return -1;
    this.#left[ref] = 0;
    return ref;
  }

  /** Takes the series of each label set. */
  takeAll(labels: readonly Labels[]): Int32Array {
    const out = new Int32Array(labels.length);
    for (let i = 0; i < labels.length; i++) out[i] = this.take(labels[i]!);
    return out;
  }

  /** What was not taken. */
  rest(): Uint32Array {
    return this.#refs.filter((ref) => this.#left[ref] === 1);
  }
}

function mergedBatch(head: Head, loaded: LoadedBatch, refs: Int32Array): SeriesBatch {
  const scratch: SampleColumns = sampleColumns(256);
  return {
    labels: loaded.labels,
    read(index, start, end, target) {
      loaded.read(index, start, end, target);
      if (refs[index]! >= 0) head.merge(refs[index]!, start, end, target, scratch);
    },
  };
}

/** Series of blocks with their references in the head, -1 where it does not have them; or of the head alone. */
interface SlicedSeries {
  readonly labels: readonly Labels[];
  readonly loaded?: LoadedBatch;
  readonly head: Head;
  readonly refs: Int32Array;
}

function slicedBatch(
  slices: readonly Slice[],
  request: SelectRequest,
  { labels, loaded, head, refs }: SlicedSeries,
): SeriesBatch {
  const { aggregate = 'average', lookbackMs } = request;
  const reader = new SlicedReader({ slices, aggregate, lookbackMs }, request);
  return {
    labels,
    isCounted: aggregate === 'count',
    unevenMs: reader.unevenMs,
    // Of the request's whole span: what a window says may come from before it.
    read(index, _start, _end, target) {
      const ref = refs[index]!;
      const readRaw: ReadRaw | undefined =
        ref < 0 ? undefined : (start, end, raw) => head.read(ref, start, end, raw);
      reader.read(loaded?.places(index) ?? [], readRaw, target);
    },
  };
}
