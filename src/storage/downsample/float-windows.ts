// Windows of float samples: count, sum, min, max and the counter without its resets, window by window, into the parts of one
// aggregate chunk.

import { encodeAggregates } from '../../codec/aggregate-chunk.ts';
import { FloatPart } from '../../codec/aggregate-chunk-writer.ts';
import { CHUNK_AGGREGATE, type Chunk } from '../../codec/chunk.ts';
import type { SampleColumns } from '../../model/samples.ts';
import { type Batch, windowEnd } from './windows.ts';

/** What is known of the samples of a window; `counter` and `last` go on from window to window. */
export class FloatWindow {
  count = 0;
  sum = 0;
  min = 0;
  max = 0;
  counter = 0;
  last = 0;
  #isFirst = true;

  /** Begins the next window. */
  open(): void {
    this.count = 0;
    this.sum = 0;
    this.min = Number.POSITIVE_INFINITY;
    this.max = Number.NEGATIVE_INFINITY;
  }

  /** Adds a sample that is a number. */
  add(value: number): void {
    if (this.#isFirst) this.counter = value;
    else if (value < this.last) this.counter += value;
    else this.counter += value - this.last;
    this.#isFirst = false;
    this.last = value;
    this.sum += value;
    this.count++;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }
}

/** Parallel columns of samples in time order. */
export interface FloatSamples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/**
 * Runs samples [from, batch.end) that are numbers through `window` and calls `close` with the time of each window that is full.
 * Returns the last window's time.
 */
export function runFloatWindows(
  { timestamps, values }: FloatSamples,
  { from, end, lastTime }: Batch & { readonly from: number },
  resolution: number,
  window: FloatWindow,
  close: (time: number) => void,
): number {
  let until = Number.NEGATIVE_INFINITY;
  for (let i = from; i < end; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) continue;
    const time = timestamps[i]!;
    if (time > until) {
      if (until !== Number.NEGATIVE_INFINITY) close(until);
      window.open();
      until = Math.min(windowEnd(time, resolution), lastTime);
    }
    window.add(value);
  }
  close(until);
  return until;
}

/** The aggregate chunk of samples [from, batch.end), of which at least one is a number. */
export function floatAggregates(
  samples: SampleColumns,
  batch: Batch & { readonly from: number },
  resolution: number,
): Chunk {
  const parts = {
    count: new FloatPart(),
    sum: new FloatPart(),
    min: new FloatPart(),
    max: new FloatPart(),
    counter: new FloatPart(),
  };
  const window = new FloatWindow();
  let first = batch.from;
  while (Number.isNaN(samples.values[first]!)) first++;
  parts.counter.append(samples.timestamps[first]!, samples.values[first]!);
  let minTime = Number.NaN;
  const maxTime = runFloatWindows(samples, batch, resolution, window, (time) => {
    if (Number.isNaN(minTime)) minTime = time;
    parts.count.append(time, window.count);
    parts.sum.append(time, window.sum);
    parts.min.append(time, window.min);
    parts.max.append(time, window.max);
    parts.counter.append(time, window.counter);
  });
  parts.counter.append(maxTime, window.last);
  return aggregateChunk(parts, minTime, maxTime);
}

/** Parts being written as one chunk. */
export function aggregateChunk(
  parts: { readonly [part in 'count' | 'sum' | 'counter']: Part } & {
    readonly min?: Part;
    readonly max?: Part;
  },
  minTime: number,
  maxTime: number,
): Chunk {
  const bytes = encodeAggregates({
    count: parts.count.encoded(),
    sum: parts.sum.encoded(),
    min: parts.min?.encoded(),
    max: parts.max?.encoded(),
    counter: parts.counter.encoded(),
  });
  return { encoding: CHUNK_AGGREGATE, bytes, minTime, maxTime };
}

interface Part {
  encoded(): ReturnType<FloatPart['encoded']>;
}
