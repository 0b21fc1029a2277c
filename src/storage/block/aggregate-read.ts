// What a query wants of aggregate chunks: one of their parts, or averages.

import { type AggregateView, aggregatePart, decodeAggregates } from '../../codec/aggregate-chunk.ts';
import type { CounterWalk } from '../../codec/aggregate-chunk-counter.ts';
import {
  ALL_TIMES,
  CHUNK_AGGREGATE,
  CHUNK_FLOAT_HISTOGRAM,
  type Chunk,
  type EncodedBytes,
  type TimeSpan,
} from '../../codec/chunk.ts';
import { readHistogramHead } from '../../codec/histogram-chunk.ts';
import { readChunk } from '../../codec/sample-chunks.ts';
import { DomainError } from '../../model/errors.ts';
import { FloatHistogram } from '../../model/float-histogram.ts';
import { RESET_HINT } from '../../model/histogram.ts';
import {
  clearSamples,
  growColumns,
  histogramAt,
  histogramsOf,
  isStaleAt,
  pushHistogram,
  type SampleColumns,
  sampleColumns,
} from '../../model/samples.ts';
import { encodingName } from './chunk-segments.ts';

/**
 * Appends what the windows of a chunk within `span` say to `target`, nothing where the chunk does not have that part. Not for counters,
 * which need to know what came before. Error: `corrupt`.
 */
export function readWindows(
  chunk: Chunk,
  view: Exclude<AggregateView, 'counter'>,
  span: TimeSpan,
  target: SampleColumns,
): void {
  if (view === 'average') readAverages(bytesOf(chunk), span, target);
  else readPart(aggregatePart(bytesOf(chunk), view), span, target);
}

function bytesOf({ encoding, bytes }: Chunk): Uint8Array {
  if (encoding === CHUNK_AGGREGATE) return bytes;
  throw new DomainError(
    'corrupt',
    `cannot read a downsampled block: it has a chunk encoded as ${encodingName(encoding)}`,
  );
}

function readPart(part: EncodedBytes | undefined, span: TimeSpan, target: SampleColumns): void {
  if (part === undefined || readChunk(part, span, target)) return;
  throw new DomainError('corrupt', `cannot read an aggregate chunk: a part is encoded as ${part.encoding}`);
}

// Windows that have no count (Thanos loses some of histograms) are left out.
function readAverages(bytes: Uint8Array, span: TimeSpan, target: SampleColumns): void {
  const parts = decodeAggregates(bytes);
  const before = target.count;
  readPart(parts.sum, span, target);
  const counts = sampleColumns(64);
  readPart(parts.count, span, counts);
  const { timestamps, values, rows } = target;
  let kept = before;
  for (let i = before, c = 0; i < target.count; i++) {
    const time = timestamps[i]!;
    while (c < counts.count && counts.timestamps[c]! < time) c++;
    if (c === counts.count || counts.timestamps[c] !== time) continue;
    timestamps[kept] = time;
    const histogram = histogramAt(target, i);
    if (histogram === undefined) values[kept] = values[i]! / counts.values[c]!;
    else {
      rows[kept] = new FloatHistogram().load(histogram).divide(counts.values[c]!).store(histogram.columns);
      values[kept] = histogram.columns.sums[rows[kept]!]!;
    }
    kept++;
  }
  if (target.histograms !== undefined) rows.fill(-1, kept, target.count);
  target.count = kept;
}

/** Appends the counters of a part of float histograms; the first knows whether it begins anew. Error: `corrupt`. */
export function readHistogramCounter(counter: EncodedBytes, target: SampleColumns): void {
  const before = target.count;
  readPart(counter, ALL_TIMES, target);
  const first = target.count > before ? histogramAt(target, before) : undefined;
  if (first !== undefined && readHistogramHead(counter.bytes).isReset)
    first.columns.hints[first.row] = RESET_HINT.reset;
}

/** The counter of one series as a query reads it: across chunks and resolutions it never goes back. */
export class CounterRead {
  readonly #walk: CounterWalk;
  readonly #part = sampleColumns(64);

  constructor(walk: CounterWalk) {
    this.#walk = walk;
  }

  /** Appends raw samples; staleness markers and NaN are left out, histograms stay as they are. */
  appendRaw(samples: SampleColumns, target: SampleColumns): void {
    this.#append(samples, ALL_TIMES, target, Number.NEGATIVE_INFINITY);
  }

  /** Appends the counter of a chunk within `span`; chunks come in order of time. Error: `corrupt`. */
  appendChunk(chunk: Chunk, span: TimeSpan, target: SampleColumns): void {
    const part = this.#part;
    clearSamples(part);
    const counter = aggregatePart(bytesOf(chunk), 'counter');
    if (counter === undefined) return;
    if (counter.encoding === CHUNK_FLOAT_HISTOGRAM) readHistogramCounter(counter, part);
    else readPart(counter, ALL_TIMES, part);
    const { timestamps, values, count, histograms } = part;
    // The first raw value is no window of its own, but what the last chunk's end is compared with.
    const isExtra = histograms === undefined && count > 1 && timestamps[1]! > timestamps[0]!;
    this.#append(part, span, target, isExtra ? timestamps[0]! : Number.NEGATIVE_INFINITY);
    if (histograms === undefined && chunk.maxTime > span.end && count > 1)
      this.#walk.leave(values[count - 2]! - values[count - 1]!);
  }

  // The sample at `hidden` is taken, but not handed on.
  #append(samples: SampleColumns, span: TimeSpan, target: SampleColumns, hidden: number): void {
    growColumns(target, target.count + samples.count);
    if (samples.histograms === undefined) appendFloats(this.#walk, samples, span, target, hidden);
    else this.#appendMixed(samples, span, target);
  }

  #appendMixed(samples: SampleColumns, { start, end }: TimeSpan, target: SampleColumns): void {
    const { timestamps, values, count } = samples;
    for (let i = 0; i < count && timestamps[i]! <= end; i++) {
      const time = timestamps[i]!;
      const histogram = histogramAt(samples, i);
      if (histogram === undefined) {
        if (time < start) this.#walk.pass(time, values[i]!);
        else if (this.#walk.next(time, values[i]!)) pushFloat(target, time, this.#walk.total);
        continue;
      }
      const isNew = target.count === 0 || time > target.timestamps[target.count - 1]!;
      if (time < start || !isNew || isStaleAt(samples.bits, i)) continue;
      histogramsOf(target).copyRow(histogram.columns, histogram.row);
      pushHistogram(target, histogramsOf(target), time);
    }
  }
}

function appendFloats(
  walk: CounterWalk,
  { timestamps, values, count }: SampleColumns,
  { start, end }: TimeSpan,
  target: SampleColumns,
  hidden: number,
): void {
  for (let i = 0; i < count; i++) {
    const time = timestamps[i]!;
    if (time > end) return;
    if (time < start) walk.pass(time, values[i]!);
    else if (walk.next(time, values[i]!) && time !== hidden) pushFloat(target, time, walk.total);
  }
}

// There is room for it.
function pushFloat(target: SampleColumns, time: number, value: number): void {
  target.timestamps[target.count] = time;
  target.values[target.count++] = value;
}
