// One series over time stretches of several resolutions, as one run of samples that a query reads like raw ones.

import type { AggregateView } from '../../codec/aggregate-chunk.ts';
import { CounterWalk } from '../../codec/aggregate-chunk-counter.ts';
import type { Chunk, TimeSpan } from '../../codec/chunk.ts';
import {
  clearSamples,
  isStaleAt,
  pushSample,
  type SampleColumns,
  sampleColumns,
} from '../../model/samples.ts';
import { windowEnd } from '../downsample/windows.ts';
import { CounterRead, readWindows } from './aggregate-read.ts';
import type { LoadedSeries } from './chunk-load.ts';
import { mergeSamples } from './merge-samples.ts';
import { type Slice, withRawStretches } from './slices.ts';
import { dropDeleted } from './tombstones.ts';

/** How a series is to be read. */
export interface SlicedView {
  readonly slices: readonly Slice[];
  /** What windows are wanted to say. */
  readonly aggregate: AggregateView;
  /**
   * Of an instant selector: how long it shows a sample, ms. A window's value is repeated that often that it is shown until the next
   * window ends.
   */
  readonly lookbackMs?: number | undefined;
}

/** Where a series is in one block. */
export interface SeriesPlace {
  readonly resolutionMs: number;
  readonly loaded: LoadedSeries;
  /** Its index there. */
  readonly index: number;
}

/** Reads raw samples that are in no block. */
export type ReadRaw = (start: number, end: number, target: SampleColumns) => void;

/** Reads series after series; memory is used again. */
export class SlicedReader {
  readonly #view: SlicedView;
  readonly #span: TimeSpan;
  readonly #stretches: readonly Slice[];
  /** Where stretches are of several resolutions: the coarsest of them, ms; else 0. */
  readonly unevenMs: number;
  readonly #part: SampleColumns = sampleColumns(256);
  readonly #stretch: SampleColumns = sampleColumns(256);

  constructor(view: SlicedView, span: TimeSpan) {
    this.#view = view;
    this.#span = span;
    // What was before the span may still be shown in it.
    const coarsest = Math.max(...view.slices.map(({ resolutionMs }) => resolutionMs));
    const before = view.lookbackMs === undefined ? 0 : coarsest;
    this.#stretches = withRawStretches(view.slices, { start: span.start - before, end: span.end });
    const isEven = new Set(this.#stretches.map(({ resolutionMs }) => resolutionMs)).size === 1;
    this.unevenMs = isEven ? 0 : coarsest;
  }

  /** Reads a series into `target` (its count is reset first). Errors as LoadedSeries.append. */
  read(places: readonly SeriesPlace[], readRaw: ReadRaw | undefined, target: SampleColumns): void {
    clearSamples(target);
    const { aggregate, lookbackMs } = this.#view;
    const counter = aggregate === 'counter' ? new CounterRead(new CounterWalk()) : undefined;
    for (const stretch of this.#stretches) {
      const before = target.count;
      const own = places.filter(({ resolutionMs }) => resolutionMs === stretch.resolutionMs);
      if (stretch.resolutionMs === 0) this.#readRaw(own, readRaw, stretch, counter, target);
      else if (counter !== undefined) readCounter(own, stretch, counter, target);
      else this.#readWindows(own, stretch, target);
      if (stretch.resolutionMs > 0) alignToWindows(target, before, stretch);
    }
    if (lookbackMs !== undefined) repeatWindows(target, this.#stretches, this.#span, lookbackMs);
  }

  #readRaw(
    places: readonly SeriesPlace[],
    readRaw: ReadRaw | undefined,
    { start, end }: TimeSpan,
    counter: CounterRead | undefined,
    target: SampleColumns,
  ): void {
    const samples = this.#stretch;
    const part = this.#part;
    clearSamples(samples);
    for (const { loaded, index } of places) {
      clearSamples(part);
      loaded.append(index, start, end, part);
      mergeSamples(samples, part);
    }
    if (readRaw !== undefined) {
      readRaw(start, end, part);
      mergeSamples(samples, part);
    }
    if (this.#view.aggregate === 'count') countThem(samples);
    if (counter !== undefined) counter.appendRaw(samples, target);
    else mergeSamples(target, samples);
  }

  #readWindows(places: readonly SeriesPlace[], span: TimeSpan, target: SampleColumns): void {
    const { aggregate } = this.#view;
    if (aggregate === 'counter') return;
    const part = this.#part;
    for (const { loaded, index } of places) {
      clearSamples(part);
      for (const chunk of chunksWithin(loaded.chunks(index), span)) readWindows(chunk, aggregate, span, part);
      const deleted = loaded.deletions(index);
      if (deleted !== undefined) dropDeleted(part, 0, deleted);
      mergeSamples(target, part);
    }
  }
}

function chunksWithin(chunks: readonly Chunk[], { start, end }: TimeSpan): Chunk[] {
  return chunks.filter(({ minTime, maxTime }) => minTime <= end && maxTime >= start);
}

function readCounter(
  places: readonly SeriesPlace[],
  span: TimeSpan,
  counter: CounterRead,
  target: SampleColumns,
): void {
  const before = target.count;
  const chunks = places.flatMap(({ loaded, index }) => chunksWithin(loaded.chunks(index), span));
  for (const chunk of chunks.sort((a, b) => a.minTime - b.minTime)) counter.appendChunk(chunk, span, target);
  for (const { loaded, index } of places) {
    const deleted = loaded.deletions(index);
    if (deleted !== undefined) dropDeleted(target, before, deleted);
  }
}

// The last window of a chunk is stamped with its last sample. All at their ends, they are one resolution apart, and a rate over
// them is that of the raw samples.
function alignToWindows(
  { timestamps, count }: SampleColumns,
  from: number,
  { resolutionMs, end }: Slice,
): void {
  for (let i = from; i < count; i++) {
    const window = windowEnd(timestamps[i]!, resolutionMs);
    if (window <= end && (i + 1 === count || timestamps[i + 1]! > window)) timestamps[i] = window;
  }
}

// Each sample counts as one, staleness markers stay.
function countThem(samples: SampleColumns): void {
  for (let i = 0; i < samples.count; i++) if (!isStaleAt(samples.bits, i)) samples.values[i] = 1;
  samples.histograms = undefined;
}

/** How often a window is repeated at most: whoever asks for a look back of a millisecond sees what was seen in it. */
const REPEATS_MAX = 60;

// A window's value is shown until the next window ends, and what was before the first window until that one ends.
function repeatWindows(
  target: SampleColumns,
  stretches: readonly Slice[],
  { start, end }: TimeSpan,
  lookbackMs: number,
): void {
  const { timestamps, count } = target;
  let out: SampleColumns | undefined;
  let first = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const time = timestamps[i]!;
    while (stretches[at]!.end < time) at++;
    const next = i + 1 < count ? timestamps[i + 1]! : end + 1;
    const until = Math.min(next, shownUntil(time, stretches[at]!, stretches[at + 1], lookbackMs));
    const every = Math.max(lookbackMs, (until - time) / REPEATS_MAX);
    const isRepeated = time + every < until && until > start && !isStaleAt(target.bits, i);
    // Mostly nothing is to be done: windows of 5 m are as long as an instant selector looks back.
    if (isRepeated) out ??= samplesBetween(target, first, i);
    if (time < start) first = i + 1;
    else if (out !== undefined) pushSample(out, target, i);
    for (let again = time + every; isRepeated && again < until; again += every)
      if (again >= start) pushAgain(out!, target, i, again);
  }
  if (out !== undefined) Object.assign(target, out);
  else if (first > 0) Object.assign(target, samplesBetween(target, first, count));
}

function samplesBetween(source: SampleColumns, from: number, to: number): SampleColumns {
  const out = sampleColumns(2 * (to - from) + 16);
  for (let i = from; i < to; i++) pushSample(out, source, i);
  return out;
}

function pushAgain(target: SampleColumns, source: SampleColumns, index: number, time: number): void {
  pushSample(target, source, index);
  target.timestamps[target.count - 1] = time;
}

// `next` comes after the stretch that `time` lies in.
function shownUntil(
  time: number,
  { resolutionMs }: Slice,
  next: Slice | undefined,
  lookbackMs: number,
): number {
  const own = resolutionMs === 0 ? time : windowEnd(time, resolutionMs) + resolutionMs;
  const isCoarser = next !== undefined && next.resolutionMs > resolutionMs;
  // Only of a series that is still alive where the coarser windows begin.
  if (!isCoarser || time + Math.max(lookbackMs, resolutionMs) < next.start) return own;
  return next.start + next.resolutionMs - 1;
}
