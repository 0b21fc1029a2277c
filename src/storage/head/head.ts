// The head: recent data of one tenant in one partition, in memory. Synchronous throughout; who owns it decides when to append,
// read, cut and truncate, and keeps truncation and snapshots apart from appends that would fall between their steps.
//
// Life of a range:  append … → seal(start, end, mark) [late samples now enter a new range] → cut → block written → truncate

import type { Chunk, ChunkSeries } from '../../codec/chunk.ts';
import type { CompiledMatcher } from '../../codec/regex.ts';
import { invariant } from '../../model/errors.ts';
import type { HeadStatistics } from '../../model/head-statistics.ts';
import type { Labels } from '../../model/labels.ts';
import type { SampleColumns } from '../../model/samples.ts';
import { compareText } from '../../model/text.ts';
import { BLOCK_RANGE_MS } from '../../model/units.ts';
import { mergeRead, mergeSamples } from '../block/merge-samples.ts';
import type { AppendOutcome, HistogramBatch } from './append-outcome.ts';
import type { ChunkRange } from './chunk-range.ts';
import { cutSeries, seriesChunks } from './cut.ts';
import { ExemplarRing } from './exemplars.ts';
import { headStatistics } from './head-statistics.ts';
import { MetadataTable } from './metadata.ts';
import { SampleStore, SERIES_ABSENT, SERIES_LATE, SERIES_PLAIN } from './sample-store.ts';
import { selectRefs } from './select.ts';
import { NO_REF, SeriesIndex } from './series-index.ts';

/** What a head is opened with. */
export interface HeadOptions {
  /** How much older than the newest sample an out-of-order sample may be, ms; 0 refuses all. */
  readonly outOfOrderWindowMs: number;
  /** Width of the aligned ranges that chunks and blocks stay inside, ms; 2 h when absent. */
  readonly chunkRangeMs?: number;
  /** Most series at once. */
  readonly seriesMax: number;
  /** Most exemplars and metrics with metadata; 0 when absent. */
  readonly exemplarsMax?: number;
  readonly metadataMax?: number;
}

/** A range that holds data which is in no block yet, or whose block is being written. */
export interface PendingRange {
  readonly start: number;
  readonly end: number;
  /** The range was cut before: its data came late and makes an additional block. */
  readonly late: boolean;
}

const FIRST_MARK = 1;

/** Opens an empty head. */
export function openHead(options: HeadOptions): Head {
  return new Head(options);
}

/** The head of one tenant in one partition. */
export class Head {
  readonly options: HeadOptions;
  readonly index: SeriesIndex = new SeriesIndex();
  readonly samples: SampleStore;
  readonly exemplars: ExemplarRing;
  readonly metadata: MetadataTable;
  /** Grows with every change of series or samples; a snapshot checks it. */
  changes = 0;

  constructor(options: HeadOptions) {
    const { outOfOrderWindowMs, chunkRangeMs = BLOCK_RANGE_MS } = options;
    this.options = options;
    this.samples = new SampleStore({ outOfOrderWindowMs, chunkRangeMs });
    this.exemplars = new ExemplarRing(options.exemplarsMax ?? 0, outOfOrderWindowMs);
    this.metadata = new MetadataTable(options.metadataMax ?? 0);
  }

  /** Number of series. */
  get seriesCount(): number {
    return this.index.count;
  }

  /** Time of the newest sample, ms; -Infinity without any. */
  get maxTime(): number {
    return this.samples.maxTime;
  }

  /** Time of the oldest sample that may be there, ms; Infinity without any. */
  get minTime(): number {
    return this.samples.minTime;
  }

  /** Memory held in bytes, with an estimate of V8's share. */
  memoryBytes(): number {
    return this.index.bytes + this.samples.bytes + this.exemplars.bytes + this.metadata.bytes;
  }

  /**
   * The reference of the series with these labels, made if it is new; NO_REF when there are `seriesMax` series already. It stays
   * the same series' until `truncate` removes it.
   */
  seriesFor(labels: Labels): number {
    const known = this.index.find(labels);
    if (known !== NO_REF) return known;
    if (this.index.count >= this.options.seriesMax) return NO_REF;
    const ref = this.index.add(labels);
    this.samples.addSeries(ref);
    this.changes++;
    return ref;
  }

  /** The labels of a series: a new array of interned strings. */
  labels(ref: number): Labels {
    return this.index.labels(ref);
  }

  /**
   * Appends `count` samples: refs[i], timestamps[i] and the two halves of the value's bits at 2i and 2i + 1. All columns are
   * borrowed. In order means later than the series' newest sample and neither before what was cut nor more than half a range
   * before the head's newest sample; everything else within the window goes to out-of-order chunks. As with a Prometheus
   * appender, the newest sample *before* the batch counts. One sample per series and time: the first that came.
   */
  append(
    refs: Uint32Array,
    timestamps: Float64Array,
    bits: Uint32Array,
    count: number,
    outcome: AppendOutcome,
  ): void {
    this.changes++;
    this.samples.append(refs, timestamps, bits, count, outcome);
  }

  /** Appends native histograms by the rules of `append`; the columns are borrowed. */
  appendHistograms(batch: HistogramBatch, outcome: AppendOutcome): void {
    this.changes++;
    this.samples.appendHistograms(batch, outcome);
  }

  /** Series that all matchers accept and that have a chunk within start <= t <= end; ascending, owned by the caller. */
  select(matchers: readonly CompiledMatcher[], start: number, end: number): Uint32Array {
    return selectRefs(this.index, matchers).filter((ref) => this.samples.overlaps(ref, start, end));
  }

  /** Sorts references by labels, in place. */
  sortByLabels(refs: Uint32Array): Uint32Array {
    return refs.sort((a, b) => this.index.compare(a, b));
  }

  /** Fills `target` (emptied first) with the samples of a series with start <= t <= end in time order. */
  read(ref: number, start: number, end: number, target: SampleColumns): void {
    this.samples.read(ref, start, end, target);
  }

  /** Merges the samples of a series with start <= t <= end into `target`, whose own stay. `scratch` is used on the way. */
  merge(ref: number, start: number, end: number, target: SampleColumns, scratch: SampleColumns): void {
    if (this.samples.isLate(ref)) {
      this.samples.read(ref, start, end, scratch);
      mergeSamples(target, scratch);
    } else mergeRead(target, scratch, (into) => this.samples.appendInOrder(ref, start, end, into));
  }

  /**
   * Chunks of a series that overlap start <= t <= end, in time order and apart from each other. Bytes of finished chunks are
   * views that stay valid; the chunk being written is a copy.
   */
  chunks(ref: number, start: number, end: number): Chunk[] {
    return seriesChunks(this.samples, ref, start, end);
  }

  /** Label names of the series that match, in UTF-8 order; without matchers of all series. `limit` 0: all. */
  labelNames(matchers: readonly CompiledMatcher[], start: number, end: number, limit: number): string[] {
    let names: Iterable<string> = this.index.names.keys();
    if (matchers.length > 0) {
      const pairs = new Set<number>();
      for (const ref of this.select(matchers, start, end))
        for (const pair of this.index.pairsOf(ref)) pairs.add(pair);
      names = new Set(Array.from(pairs, (pair) => this.index.pairName(pair).name));
    }
    return first([...names].sort(compareText), limit);
  }

  /** Values of a label among the series that match, in UTF-8 order; without matchers of all series. `limit` 0: all. */
  labelValues(
    name: string,
    matchers: readonly CompiledMatcher[],
    start: number,
    end: number,
    limit: number,
  ): string[] {
    const entry = this.index.names.get(name);
    if (entry === undefined) return [];
    if (matchers.length === 0) return first(this.index.sortedValues(entry), limit);
    const pairs = new Set<number>();
    for (const ref of this.select(matchers, start, end)) pairs.add(this.index.pairOf(ref, entry));
    pairs.delete(-1);
    return first(Array.from(pairs, (pair) => this.index.pairValue(pair)).sort(compareText), limit);
  }

  /** Numbers for /api/v1/status/tsdb; lists of `limit` entries, the number of values of `namesMax` label names. */
  stats(limit: number, namesMax: number = limit): HeadStatistics {
    return headStatistics(this.index, this.samples, limit, namesMax);
  }

  /**
   * Ranges that hold data, oldest first. A range is complete for a first block when its end lies half a range behind maxTime
   * (then no in-order sample can enter it); late ones may be cut whenever a cut pass is made.
   */
  pendingRanges(): PendingRange[] {
    const out: PendingRange[] = [];
    for (const { start, end, sealedBy } of this.samples.ranges) {
      const late = sealedBy === 0 && end <= this.samples.cutTime;
      const last = out[out.length - 1];
      if (last?.start === start) out[out.length - 1] = { start, end, late: last.late || late };
      else out.push({ start, end, late });
    }
    return out;
  }

  /** As pendingRanges, without those that are sealed: each time once. */
  openRanges(): PendingRange[] {
    return this.samples.ranges
      .filter((range) => range.sealedBy === 0)
      .map(({ start, end }) => ({ start, end, late: end <= this.samples.cutTime }));
  }

  /**
   * Hands out [start, end), both aligned to the chunk range, as series in label order with chunks apart from each other,
   * out-of-order samples merged in, staleness markers kept. It gives what `seal` closed with `mark`, and seals first if there
   * is nothing of it; so a cut that is repeated because a write failed gives the same again. Samples that come for a sealed
   * range, while the caller takes its time with the result, belong to a later block (PendingRange.late). Nothing may be
   * truncated until the result has been read.
   */
  cut(start: number, end: number, mark: number = FIRST_MARK): Iterable<ChunkSeries> {
    const sealed = (): ChunkRange[] =>
      this.samples.ranges.filter(
        (range) => range.sealedBy === mark && range.start >= start && range.end <= end,
      );
    if (sealed().length === 0) this.seal(start, end, mark);
    return cutSeries(this.index, this.samples, sealed());
  }

  /**
   * Closes what is open of [start, end), both aligned: from now on it takes no more, late samples for it enter a new range. Call
   * it alone to close several ranges at one point of the log before each is cut, or where another owner has cut them. `mark` (> 0)
   * tells the seals of one range apart: it grows from one to the next.
   */
  seal(start: number, end: number, mark: number = FIRST_MARK): void {
    const { chunkRangeMs } = this.samples.options;
    const aligned = start % chunkRangeMs === 0 && end % chunkRangeMs === 0;
    invariant(aligned, `a cut must be aligned to ${chunkRangeMs} ms, got ${start} to ${end}`);
    this.changes++;
    this.samples.seal(start, end, mark);
  }

  /**
   * Lets go of what was sealed before `time` with at most `mark`, of nothing else, and of series that then have no samples; from
   * now on nothing before `time` counts as in order. Returns the references that were removed: they will mean other series. So every mapping
   * that may still be used (a writer's ref → ours) has to be told by `inUse`: series it names stay, without samples, until a
   * truncation that is not told of them.
   */
  truncate(
    time: number,
    inUse: Iterable<Uint32Array> = [],
    mark: number = Number.POSITIVE_INFINITY,
  ): Uint32Array {
    this.changes++;
    this.samples.truncate(time, mark);
    const keep = new Uint8Array(this.index.refEnd);
    for (const refs of inUse) for (const ref of refs) if (ref < keep.length) keep[ref] = 1;
    const removed: number[] = [];
    for (const ref of this.index.all()) {
      if (!this.samples.hasSamples(ref)) {
        if (keep[ref] !== 1) removed.push(ref);
      } else this.#forgetLate(ref);
    }
    const refs = Uint32Array.from(removed);
    for (const ref of refs) this.samples.removeSeries(ref);
    if (refs.length > 0) this.index.remove(refs);
    return refs;
  }

  // A series whose out-of-order samples are gone is read the short way again.
  #forgetLate(ref: number): void {
    const { states, runs, ranges } = this.samples;
    if (states[ref] !== SERIES_LATE || runs.has(ref)) return;
    if (!ranges.some((range) => range.late.has(ref))) states[ref] = SERIES_PLAIN;
  }

  /** Whether a reference stands for a series now. */
  has(ref: number): boolean {
    return ref < this.index.refEnd && this.samples.states[ref] !== SERIES_ABSENT;
  }
}

function first(values: readonly string[], limit: number): string[] {
  return values.slice(0, limit > 0 ? limit : values.length);
}
