// Chunks of native histograms being written, of the few series that have them: one object per series, next to the columns that floats
// live in. When a chunk ends is Prometheus's decision (tsdb/head_append.go, histogramsAppendPreprocessor): by its size, spread over
// what is left of the range.

import { CHUNK_FLOAT_HISTOGRAM, type Chunk, type TimeSpan } from '../../codec/chunk.ts';
import { HistogramAppender } from '../../codec/histogram-appender.ts';
import { readHistograms } from '../../codec/histogram-chunk.ts';
import {
  encodingOf,
  HISTOGRAM_CHUNK_BYTES,
  HISTOGRAMS_PER_CHUNK_MIN,
  histogramChunk,
} from '../../codec/sample-chunks.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import type { HistogramRow } from '../../model/histogram-equality.ts';
import type { SampleColumns } from '../../model/samples.ts';
import { alignDown } from '../../model/time-range.ts';

/** A chunk being written. */
export interface HistogramLane {
  chunk: HistogramAppender;
  /** Time of its first histogram, ms. */
  minTime: number;
  /** When it ends, ms. */
  nextAt: number;
  /** Whether `nextAt` was reckoned from how fast it fills. */
  isEndExpected: boolean;
}

/** The open chunks of histograms of a head, by series. */
export class HistogramLanes {
  readonly lanes: Map<number, HistogramLane> = new Map();
  readonly #rangeMs: number;

  constructor(rangeMs: number) {
    this.#rangeMs = rangeMs;
  }

  /** Memory held, about. */
  get bytes(): number {
    let sum = 0;
    for (const { chunk } of this.lanes.values()) sum += chunk.bytes + 120;
    return sum;
  }

  /** Appends a histogram later than all of the series; hands a chunk that is ended by it to `finish`. */
  append(ref: number, time: number, histogram: HistogramRow, finish: (chunk: Chunk) => void): void {
    const { columns, row } = histogram;
    const lane = this.lanes.get(ref);
    const encoding = encodingOf(columns.floats[row]!);
    if (lane === undefined || lane.chunk.encoding !== encoding || this.#isFull(lane, time)) {
      const chunk = new HistogramAppender(encoding);
      chunk.begin(time, columns, row, lane?.chunk);
      if (lane !== undefined) finish(histogramChunk(lane.chunk, lane.minTime));
      this.lanes.set(ref, { chunk, minTime: time, nextAt: this.#rangeEnd(time), isEndExpected: false });
      return;
    }
    const chunk = lane.chunk.append(time, columns, row);
    if (chunk === lane.chunk) return;
    finish(histogramChunk(lane.chunk, lane.minTime));
    lane.chunk = chunk;
    lane.minTime = time;
    lane.nextAt = this.#rangeEnd(time);
  }

  #isFull(lane: HistogramLane, time: number): boolean {
    const { chunk, minTime } = lane;
    const bytes = chunk.byteLength;
    const rangeEnd = lane.isEndExpected ? this.#rangeEnd(minTime) : lane.nextAt;
    if (!lane.isEndExpected && bytes >= HISTOGRAM_CHUNK_BYTES / 4) {
      const chunks = (lane.nextAt - minTime) / ((chunk.time - minTime + 1) * (HISTOGRAM_CHUNK_BYTES / bytes));
      if (chunks > 1) lane.nextAt = Math.trunc(minTime + (lane.nextAt - minTime) / Math.floor(chunks));
      lane.isEndExpected = true;
    }
    const isDue = time >= lane.nextAt || bytes >= 2 * HISTOGRAM_CHUNK_BYTES;
    return isDue && (chunk.count >= HISTOGRAMS_PER_CHUNK_MIN || time >= rangeEnd);
  }

  #rangeEnd(time: number): number {
    return alignDown(time, this.#rangeMs) + this.#rangeMs;
  }

  /** The chunk being written of a series, which ends with this; undefined for none. */
  take(ref: number): Chunk | undefined {
    const chunk = this.chunk(ref);
    this.lanes.delete(ref);
    return chunk;
  }

  /** A copy of the chunk being written of a series. */
  chunk(ref: number): Chunk | undefined {
    const lane = this.lanes.get(ref);
    return lane === undefined ? undefined : histogramChunk(lane.chunk, lane.minTime);
  }

  /** Whether a series' chunk being written shares an instant with start <= t <= end. */
  overlaps(ref: number, start: number, end: number): boolean {
    const lane = this.lanes.get(ref);
    return lane !== undefined && lane.minTime <= end && lane.chunk.time >= start;
  }

  /** Appends the histograms within `span` of a series' chunk being written. */
  read(ref: number, span: TimeSpan, target: SampleColumns): void {
    const chunk = this.chunk(ref);
    if (chunk !== undefined) readHistograms(chunk, span, target);
  }
}

/** A staleness marker for a series whose last sample is in this lane; its bits are `low` and `high`. */
export function staleRow(
  { chunk }: HistogramLane,
  { low, high }: { readonly low: number; readonly high: number },
): HistogramRow {
  const columns = new HistogramColumns(1);
  const row = columns.begin();
  columns.setSum(row, low, high);
  columns.floats[row] = chunk.encoding === CHUNK_FLOAT_HISTOGRAM ? 1 : 0;
  return { columns, row };
}
