// A decoded remote-write request as flat columns, filled by the walkers and used again for the next request. Series are
// numbered in the order of the request; what a series is (its id) was decided by a LabelSink on its raw label bytes.

import { DomainError } from '../../model/errors.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import type { LabelRanges } from '../frame-writer.ts';

/** Decides what a series' label bytes mean. The raw form is remote write 1.0's: `0a len (0a len name 12 len value)` repeated. */
export interface LabelSink {
  /**
   * The id of the series expected next if its raw labels stand at `start` (and end at or before `end`), else -1. After a hit,
   * `predictedLength` tells how many bytes matched.
   */
  predict(view: DataView, start: number, end: number): number;
  /**
   * The id of the series expected next if it has exactly the labels that `refs` [0, count) name, else -1: symbol r stands at
   * symbols[2r] to symbols[2r + 1] of `view`. The refs are in range and even in number.
   */
  predictSymbols(view: DataView, symbols: Uint32Array, refs: Uint32Array, count: number): number;
  /** Bytes matched by the last hit of `predict`. */
  readonly predictedLength: number;
  /** Says that series `index` of the request was the predicted one. */
  confirm(id: number): void;
  /**
   * The id of the series whose raw labels are bytes [start, end) of `view`, or a negative number when they are not acceptable;
   * the sink keeps the reason by `index`. Throws `bad_data` when they are not a protobuf message.
   */
  recognise(view: DataView, start: number, end: number, index: number): number;
  /** Takes note that series `index` has no usable labels, for `reason`; returns the negative id. */
  refuse(index: number, reason: string): number;
}

/** Most of each that one request may hold; more is `too_large`. */
export interface RequestLimits {
  readonly seriesMax: number;
  readonly samplesMax: number;
  readonly exemplarsMax: number;
  readonly metadataMax: number;
  /** Spans, buckets of a side and bounds of one native histogram, each. */
  readonly histogramBucketsMax: number;
  /** Symbols of a remote write 2.0 request. */
  readonly symbolsMax: number;
  /** Bytes of one series' raw labels. */
  readonly labelBytesMax: number;
}

const PAIRS_MAX = 1_000_000;

/** The error for a request that holds more than a limit allows. */
export function tooMany(what: string, limit: number): DomainError {
  return new DomainError('too_large', `cannot ingest remote write request: more than ${limit} ${what}`);
}

/** The columns. Only the first `seriesCount`, `sampleCount` … entries count. */
export class RequestColumns {
  seriesCount = 0;
  /** Per series: id given by the sink, negative when refused. */
  seriesIds: Int32Array = new Int32Array(1024);
  /** Per series: number of the first sample; its samples end where the next series' begin. */
  firstSample: Uint32Array = new Uint32Array(1024);
  sampleCount = 0;
  timestamps: Float64Array = new Float64Array(1024);
  /** Low and high half of each value at 2i and 2i + 1. */
  bits: Uint32Array = new Uint32Array(2048);
  /** Per sample, 0 when unknown; only valid when `hasStarts`. */
  starts: Float64Array = new Float64Array(1024);
  hasStarts = false;

  /** Native histograms; those of a series end where the next series' begin. */
  readonly histograms: HistogramColumns = new HistogramColumns(16);
  /** Per series: number of the first histogram. */
  firstHistogram: Uint32Array = new Uint32Array(1024);
  histogramTimes: Float64Array = new Float64Array(16);
  /** 0 when unknown. */
  histogramStarts: Float64Array = new Float64Array(16);
  /** By histogram: why it cannot be stored, in Prometheus's words. */
  readonly histogramProblems: Map<number, string> = new Map();

  exemplarCount = 0;
  exemplarSeries: Uint32Array = new Uint32Array(16);
  exemplarTimestamps: Float64Array = new Float64Array(16);
  exemplarBits: Uint32Array = new Uint32Array(32);
  /** Per exemplar: number of its first pair and, at the next entry, the end. */
  exemplarPairs: Uint32Array = new Uint32Array(17);
  /** Four body positions per pair (LabelRanges). */
  pairRanges: Uint32Array = new Uint32Array(256);
  pairCount = 0;

  metadataCount = 0;
  metadataTypes: Uint8Array = new Uint8Array(16);
  /** Six body positions per entry: start and end of family, help, unit. */
  metadataRanges: Uint32Array = new Uint32Array(96);
  /** Per entry: the series it came with (remote write 2.0; the family is then its metric name), or -1. */
  metadataSeries: Int32Array = new Int32Array(16);

  /** Forgets the request; keeps the memory. */
  clear(): void {
    this.seriesCount = this.sampleCount = 0;
    this.histograms.clear();
    this.histogramProblems.clear();
    this.exemplarCount = this.pairCount = this.metadataCount = 0;
    this.hasStarts = false;
  }

  /** Begins a series and returns its index. */
  beginSeries(): number {
    const index = this.seriesCount++;
    if (index === this.seriesIds.length) {
      this.seriesIds = grow(this.seriesIds, (n) => new Int32Array(n));
      this.firstHistogram = grow(this.firstHistogram, (n) => new Uint32Array(n));
      this.firstSample = grow(this.firstSample, (n) => new Uint32Array(n));
    }
    this.firstSample[index] = this.sampleCount;
    this.firstHistogram[index] = this.histograms.count;
    return index;
  }

  /** Number of native histograms. */
  get histogramCount(): number {
    return this.histograms.count;
  }

  /** Makes room for one more histogram and returns its number; its row is begun by the caller. */
  beginHistogram(): number {
    const index = this.histograms.count;
    if (index === this.histogramTimes.length) {
      this.histogramTimes = grow(this.histogramTimes, (n) => new Float64Array(n));
      this.histogramStarts = grow(this.histogramStarts, (n) => new Float64Array(n));
    }
    this.histogramTimes[index] = this.histogramStarts[index] = 0;
    return index;
  }

  /** Makes room for one more sample. */
  reserveSample(): void {
    if (this.sampleCount < this.timestamps.length) return;
    this.timestamps = grow(this.timestamps, (n) => new Float64Array(n));
    this.starts = grow(this.starts, (n) => new Float64Array(n));
    this.bits = grow(this.bits, (n) => new Uint32Array(n));
  }

  /** Notes the start timestamp of the sample at `index`. */
  setStart(index: number, start: number): void {
    if (!this.hasStarts) this.starts.fill(0);
    this.hasStarts = true;
    this.starts[index] = start;
  }

  /** Begins an exemplar of series `series`. */
  beginExemplar(series: number): number {
    const index = this.exemplarCount++;
    if (index === this.exemplarSeries.length) {
      this.exemplarSeries = grow(this.exemplarSeries, (n) => new Uint32Array(n));
      this.exemplarTimestamps = grow(this.exemplarTimestamps, (n) => new Float64Array(n));
      this.exemplarBits = grow(this.exemplarBits, (n) => new Uint32Array(n));
      this.exemplarPairs = grow(this.exemplarPairs, (n) => new Uint32Array(n));
    }
    this.exemplarSeries[index] = series;
    this.exemplarTimestamps[index] = 0;
    this.exemplarBits[2 * index] = 0;
    this.exemplarBits[2 * index + 1] = 0;
    this.exemplarPairs[index] = this.pairCount;
    this.exemplarPairs[index + 1] = this.pairCount;
    return index;
  }

  /** Adds a pair to the exemplar begun last. */
  addPair(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.pairCount === PAIRS_MAX) throw tooMany('labels of exemplars', PAIRS_MAX);
    const at = this.pairCount++ * 4;
    if (at === this.pairRanges.length) this.pairRanges = grow(this.pairRanges, (n) => new Uint32Array(n));
    this.pairRanges[at] = nameStart;
    this.pairRanges[at + 1] = nameEnd;
    this.pairRanges[at + 2] = valueStart;
    this.pairRanges[at + 3] = valueEnd;
    this.exemplarPairs[this.exemplarCount] = this.pairCount;
  }

  /** Takes back the exemplar begun last. */
  dropExemplar(): void {
    this.exemplarCount--;
    this.pairCount = this.exemplarPairs[this.exemplarCount]!;
  }

  /** Begins a metadata entry with empty texts; `series` as in `metadataSeries`. */
  beginMetadata(series: number): number {
    const index = this.metadataCount++;
    if (index === this.metadataTypes.length) {
      this.metadataTypes = grow(this.metadataTypes, (n) => new Uint8Array(n));
      this.metadataRanges = grow(this.metadataRanges, (n) => new Uint32Array(n));
      this.metadataSeries = grow(this.metadataSeries, (n) => new Int32Array(n));
    }
    this.metadataTypes[index] = 0;
    this.metadataSeries[index] = series;
    this.metadataRanges.fill(0, 6 * index, 6 * index + 6);
    return index;
  }
}

interface Column {
  readonly length: number;
  set(source: ArrayLike<number>): void;
}

function grow<T extends Column & ArrayLike<number>>(column: T, make: (length: number) => T): T {
  const grown = make(column.length * 2);
  grown.set(column);
  return grown;
}

/** Fresh LabelRanges with room for a usual series. */
export function labelRanges(): LabelRanges {
  return { ranges: new Uint32Array(128), pairs: 0 };
}
