// One series of aggregate chunks to those of a coarser resolution. Chunks are joined whole: a counter's first and last raw values are
// known at the borders of chunks only (Thanos pkg/compact/downsample, downsampleAggr).

import {
  type Aggregate,
  type AggregateParts,
  aggregatePart,
  aggregateSampleCount,
  decodeAggregates,
  isHistogramAggregate,
} from '../../codec/aggregate-chunk.ts';
import { CounterWalk } from '../../codec/aggregate-chunk-counter.ts';
import { FloatPart } from '../../codec/aggregate-chunk-writer.ts';
import { ALL_TIMES, CHUNK_AGGREGATE, type Chunk, type EncodedBytes } from '../../codec/chunk.ts';
import { readHistogramHead } from '../../codec/histogram-chunk.ts';
import { readChunk } from '../../codec/sample-chunks.ts';
import { DomainError } from '../../model/errors.ts';
import { type HistogramColumns, RESET_HINT } from '../../model/histogram.ts';
import { clearSamples, growColumns, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { readHistogramCounter } from '../block/aggregate-read.ts';
import { chunkSampleCount } from '../block/chunk-segments.ts';
import { downsampleRaw, type Scratch } from './downsample-raw.ts';
import { aggregateChunk, FloatWindow, runFloatWindows } from './float-windows.ts';
import { HistogramChunks, HistogramCounter, HistogramSum } from './histogram-windows.ts';
import { targetChunkCount, windowEnd } from './windows.ts';

/** Where a series comes from and goes to, ms. */
export interface Resolutions {
  readonly from: number;
  readonly to: number;
}

/**
 * The chunks of a series at a coarser resolution. A raw chunk among them, as old versions of Thanos left some, is downsampled first.
 * Error: `corrupt`.
 */
export function downsampleAggregates(
  chunks: readonly Chunk[],
  resolutions: Resolutions,
  scratch: Scratch,
): Chunk[] {
  const aggregates = chunks.flatMap((chunk) => {
    if (chunk.encoding === CHUNK_AGGREGATE) return [chunk];
    if (chunkSampleCount(chunk.encoding, chunk.bytes) === 0) return [];
    return downsampleRaw([chunk], resolutions.from, scratch);
  });
  const out: Chunk[] = [];
  for (let from = 0; from < aggregates.length; ) {
    const kind = kindOf(aggregates[from]!);
    let end = from + 1;
    while (end < aggregates.length && kindOf(aggregates[end]!) === kind) end++;
    joinRun(aggregates.slice(from, end), kind !== FLOATS, resolutions, out);
    from = end;
  }
  return out;
}

const FLOATS = 'floats';

// Chunks of one kind can be added up: floats; histograms that are all gauges or none, exponential or with the same bounds.
function kindOf({ bytes }: Chunk): string {
  const counter = isHistogramAggregate(bytes) ? aggregatePart(bytes, 'counter') : undefined;
  if (counter === undefined) return FLOATS;
  const { isGauge, layout } = readHistogramHead(counter.bytes);
  return `${isGauge ? 'gauges' : 'counters'} ${layout.bounds.join()}`;
}

function joinRun(
  chunks: readonly Chunk[],
  isHistogram: boolean,
  { from, to }: Resolutions,
  out: Chunk[],
): void {
  let windows = 0;
  for (const { bytes } of chunks) windows += aggregateSampleCount(bytes);
  const target = targetChunkCount({
    minTime: chunks[0]!.minTime,
    maxTime: chunks.at(-1)!.maxTime,
    count: windows,
    fromResolution: from,
    toResolution: to,
  });
  const perChunk = Math.max(1, Math.floor(chunks.length / target));
  const histograms = isHistogram ? new HistogramJoin(to, out) : undefined;
  for (let at = 0; at < chunks.length; at += perChunk) {
    const parts = chunks.slice(at, at + perChunk).map(({ bytes }) => decodeAggregates(bytes));
    if (histograms !== undefined) histograms.join(parts);
    else {
      const joined = joinFloats(parts, to);
      if (joined !== undefined) out.push(joined);
    }
  }
}

function decode(part: EncodedBytes, target: SampleColumns): void {
  if (!readChunk(part, ALL_TIMES, target))
    throw new DomainError('corrupt', `cannot read an aggregate chunk: a part is encoded as ${part.encoding}`);
}

// The counters of all chunks, end to end, with the resets that chunks begin with.
function histogramCounters(parts: readonly AggregateParts[]): SampleColumns {
  const samples = sampleColumns(256);
  for (const { counter } of parts) if (counter !== undefined) readHistogramCounter(counter, samples);
  return samples;
}

// The samples of one part of all chunks, end to end.
function samplesOf(parts: readonly AggregateParts[], aggregate: Aggregate): SampleColumns {
  const samples = sampleColumns(256);
  for (const chunk of parts) {
    const part = chunk[aggregate];
    if (part !== undefined) decode(part, samples);
  }
  return samples;
}

// What becomes of a part: of counts and sums the sum, of the others the least or greatest.
const JOINED = { count: 'sum', sum: 'sum', min: 'min', max: 'max' } as const;

function joinFloats(parts: readonly AggregateParts[], resolution: number): Chunk | undefined {
  const made = {
    count: new FloatPart(),
    sum: new FloatPart(),
    min: new FloatPart(),
    max: new FloatPart(),
    counter: new FloatPart(),
  };
  let minTime = Number.POSITIVE_INFINITY;
  let maxTime = Number.NEGATIVE_INFINITY;
  const seen = (time: number): void => {
    minTime = Math.min(minTime, time);
    maxTime = Math.max(maxTime, time);
  };
  for (const name of ['count', 'sum', 'min', 'max'] as const) {
    const samples = samplesOf(parts, name);
    const window = new FloatWindow();
    runWindows(samples, resolution, window, (time) => {
      seen(time);
      made[name].append(time, window[JOINED[name]]);
    });
  }
  joinCounters(parts, resolution, made.counter, seen);
  return minTime > maxTime ? undefined : aggregateChunk(made, minTime, maxTime);
}

function joinCounters(
  parts: readonly AggregateParts[],
  resolution: number,
  out: FloatPart,
  seen: (time: number) => void,
): void {
  const walk = new CounterWalk();
  const counters = sampleColumns(256);
  const part = sampleColumns(256);
  for (const { counter } of parts) {
    if (counter === undefined) continue;
    clearSamples(part);
    decode(counter, part);
    growColumns(counters, counters.count + part.count);
    for (let i = 0; i < part.count; i++) {
      if (!walk.next(part.timestamps[i]!, part.values[i]!)) continue;
      counters.timestamps[counters.count] = walk.time;
      counters.values[counters.count++] = walk.total;
    }
  }
  if (counters.count === 0) return;
  out.append(counters.timestamps[0]!, counters.values[0]!);
  const window = new FloatWindow();
  const last = runWindows(counters, resolution, window, (time) => {
    seen(time);
    out.append(time, window.counter);
  });
  out.append(last, walk.last);
}

function runWindows(
  samples: SampleColumns,
  resolution: number,
  window: FloatWindow,
  close: (time: number) => void,
): number {
  const { values, timestamps } = samples;
  let end = samples.count;
  while (end > 0 && Number.isNaN(values[end - 1]!)) end--;
  if (end === 0) return Number.NaN;
  const batch = { from: 0, end, lastTime: timestamps[end - 1]! };
  return runFloatWindows(samples, batch, resolution, window, close);
}

/** Joins the chunks of one run of histograms, some at a time. */
class HistogramJoin {
  readonly #resolution: number;
  readonly #chunks: HistogramChunks;
  readonly #counter = new HistogramCounter();
  readonly #sum = new HistogramSum();

  constructor(resolution: number, out: Chunk[]) {
    this.#resolution = resolution;
    this.#chunks = new HistogramChunks(out);
  }

  /** Joins chunks. A window that one of the parts does not have (Thanos loses some) is left out. */
  join(parts: readonly AggregateParts[]): void {
    const counts = samplesOf(parts, 'count');
    const sums = samplesOf(parts, 'sum');
    const counters = histogramCounters(parts);
    const shared = sharedTimes(counts, sums, counters);
    const lastTime = shared.at(-1)?.time;
    if (lastTime === undefined) return;
    const ofSums = histogramsOf(sums);
    const ofCounters = histogramsOf(counters);
    const sumSchema = ofSums.schemas.subarray(0, sums.count).reduce(least);
    this.#counter.begin(ofCounters.schemas.subarray(0, counters.count).reduce(least));
    const isGauge = ofCounters.hints[0] === RESET_HINT.gauge;
    let until = Number.NEGATIVE_INFINITY;
    let count = 0;
    const close = (): void => {
      this.#chunks.append({ time: until, count, sum: this.#sum, counter: this.#counter, isGauge });
    };
    for (const { time, indexes } of shared) {
      if (time > until) {
        if (count > 0) close();
        this.#sum.open();
        this.#counter.open();
        count = 0;
        until = Math.min(windowEnd(time, this.#resolution), lastTime);
      }
      this.#counter.add({ columns: ofCounters, row: indexes[2] });
      this.#sum.add({ columns: ofSums, row: indexes[1] }, sumSchema);
      count += counts.values[indexes[0]]!;
    }
    close();
    this.#chunks.finish();
  }
}

// The times that three parts share, with their place in each.
function sharedTimes(
  a: SampleColumns,
  b: SampleColumns,
  c: SampleColumns,
): { readonly time: number; readonly indexes: readonly [number, number, number] }[] {
  const out: { time: number; indexes: [number, number, number] }[] = [];
  for (let i = 0, j = 0, k = 0; i < a.count; i++) {
    const time = a.timestamps[i]!;
    while (j < b.count && b.timestamps[j]! < time) j++;
    while (k < c.count && c.timestamps[k]! < time) k++;
    const isShared = j < b.count && k < c.count && b.timestamps[j] === time && c.timestamps[k] === time;
    if (isShared) out.push({ time, indexes: [i, j, k] });
  }
  return out;
}

// Every sample is a histogram: row i belongs to sample i.
function histogramsOf({ histograms, count }: SampleColumns): HistogramColumns {
  if (histograms === undefined || histograms.count !== count)
    throw new DomainError(
      'corrupt',
      'cannot downsample histograms: a part of an aggregate chunk holds floats',
    );
  return histograms;
}

function least(a: number, b: number): number {
  return Math.min(a, b);
}
