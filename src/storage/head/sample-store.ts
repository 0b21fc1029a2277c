// Samples of a head, by series reference: the chunk being written of each series (columns of state, bytes in slabs), finished
// chunks by time range, out-of-order samples. What is accepted is what Prometheus accepts (tsdb/head_append.go, appendable).

import { WRITE_SLACK_BYTES } from '../../codec/bits.ts';
import { ALL_TIMES, CHUNK_XOR, type Chunk, type TimeSpan } from '../../codec/chunk.ts';
import { encodeSamples } from '../../codec/sample-chunks.ts';
import {
  decodeXorAt,
  XOR_BUFFER_BYTES,
  XOR_BYTES_BEFORE_APPEND_MAX,
  XOR_HEADER_BYTES,
  XOR_SAMPLE_BYTES_MAX,
  XorAppenders,
} from '../../codec/xor-chunk.ts';
import { invariant } from '../../model/errors.ts';
import type { HistogramRow } from '../../model/histogram-equality.ts';
import { clearSamples, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { alignDown } from '../../model/time-range.ts';
import { mergeSamples } from '../block/merge-samples.ts';
import type { AppendOutcome, HistogramBatch } from './append-outcome.ts';
import { ChunkRange } from './chunk-range.ts';
import { HistogramLanes, staleRow } from './histogram-lanes.ts';
import {
  insertSample,
  isSameSample,
  isStale,
  LATE_SAMPLES_MAX,
  lateRun,
  lowerBound,
  mergeRun,
  type SampleValue,
} from './late-samples.ts';
import { BLOCK_BYTES, Blocks, offsetIn, pageOf } from './slabs.ts';

/** Samples a chunk is meant to have (Prometheus's samplesPerChunk); twice as many end it in any case. */
export const SAMPLES_PER_CHUNK = 120;
const QUARTER = SAMPLES_PER_CHUNK / 4;
const HEADROOM_BYTES = XOR_SAMPLE_BYTES_MAX + WRITE_SLACK_BYTES;
const BIT_LENGTH_BEFORE_APPEND_MAX = XOR_BYTES_BEFORE_APPEND_MAX * 8;

/** State of a reference. */
export const SERIES_ABSENT = 0;
/** The series exists; all its samples are in order. */
export const SERIES_PLAIN = 1;
/** The series has, or had since the last truncation, out-of-order samples. */
export const SERIES_LATE = 2;

/** Durations that a store is opened with, ms. */
export interface SampleStoreOptions {
  readonly outOfOrderWindowMs: number;
  readonly chunkRangeMs: number;
}

/** Where out-of-order samples may be. */
interface LateSources {
  readonly ranges: readonly ChunkRange[];
  readonly run: SampleColumns | undefined;
}

/** The samples of all series of a head. */
export class SampleStore {
  readonly options: SampleStoreOptions;
  /** Time of the newest sample; -Infinity without any. */
  maxTime: number = Number.NEGATIVE_INFINITY;
  /** Time of the oldest sample since the last truncation; Infinity without any. */
  minTime: number = Number.POSITIVE_INFINITY;
  /** Nothing before this is appended in order any more: it has been cut. */
  cutTime: number = Number.NEGATIVE_INFINITY;
  /** One lane per series. */
  readonly open: XorAppenders = new XorAppenders(0);
  /** When the chunk being written ends at the latest, ms. */
  nextAt: Float64Array = new Float64Array(0);
  /** Time of its first sample. */
  openMin: Float64Array = new Float64Array(0);
  /** The block that its next byte belongs to. */
  addresses: Uint32Array = new Uint32Array(0);
  /** SERIES_ABSENT, SERIES_PLAIN or SERIES_LATE. */
  states: Uint8Array = new Uint8Array(0);
  /** Chunks being written. */
  openCount = 0;
  readonly blocks: Blocks = new Blocks();
  /** Ranges with data (of chunks being written and out-of-order runs too), by start, then age. */
  ranges: ChunkRange[] = [];
  /** Out-of-order runs by series. */
  readonly runs: Map<number, SampleColumns> = new Map();
  /** Chunks of histograms being written; a series with one has no chunk of floats. */
  readonly histograms: HistogramLanes;
  readonly #gathered = new DataView(new ArrayBuffer(BLOCK_BYTES * blockCount(XOR_BUFFER_BYTES * 8)));
  readonly #aside = new DataView(new ArrayBuffer(2 * HEADROOM_BYTES));
  readonly #found = sampleColumns(2 * SAMPLES_PER_CHUNK);
  readonly #piece = sampleColumns(LATE_SAMPLES_MAX);

  constructor(options: SampleStoreOptions) {
    const { chunkRangeMs } = options;
    invariant(
      chunkRangeMs > 0 && chunkRangeMs < 2 ** 32,
      `chunk range must be 1..2^32-1 ms, got ${chunkRangeMs}`,
    );
    this.options = options;
    this.histograms = new HistogramLanes(chunkRangeMs);
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    let sum = this.blocks.pages.bytes + this.states.length * 52 + this.histograms.bytes;
    for (const range of this.ranges) sum += range.bytes;
    for (const run of this.runs.values())
      sum += 250 + 16 * run.timestamps.length + (run.histograms?.bytes ?? 0);
    return sum;
  }

  /** Finished chunks, chunks being written and out-of-order runs. */
  get chunkCount(): number {
    const open = this.openCount + this.histograms.lanes.size;
    return this.ranges.reduce((sum, range) => sum + range.count, open + this.runs.size);
  }

  /** Makes `ref` a series without samples. */
  addSeries(ref: number): void {
    if (ref >= this.states.length) this.resize(Math.max(64, this.states.length * 2, ref + 1));
    this.states[ref] = SERIES_PLAIN;
    this.open.times[ref] = Number.NEGATIVE_INFINITY;
    this.open.counts[ref] = 0;
  }

  /** Forgets a series that has no samples. */
  removeSeries(ref: number): void {
    this.states[ref] = SERIES_ABSENT;
  }

  /** Appends a batch: see Head.append. */
  append(
    refs: Uint32Array,
    timestamps: Float64Array,
    bits: Uint32Array,
    count: number,
    outcome: AppendOutcome,
  ): void {
    if (count === 0) return;
    // As with a Prometheus appender, what is too old is decided by the newest sample before the batch.
    if (this.maxTime === Number.NEGATIVE_INFINITY) this.maxTime = timestamps[0]!;
    const newest = this.maxTime;
    const inOrderFrom = Math.max(newest - this.options.chunkRangeMs / 2, this.cutTime);
    const { states } = this;
    const { times, values } = this.open;
    for (let i = 0; i < count; i++) {
      const ref = refs[i]!;
      const time = timestamps[i]!;
      const low = bits[2 * i]!;
      const high = bits[2 * i + 1]!;
      if (ref >= states.length || states[ref] === SERIES_ABSENT) outcome.unknown++;
      else if (time >= inOrderFrom && time > times[ref]!) {
        this.#appendInOrder(ref, time, low, high);
        outcome.appended++;
      } else if (time >= inOrderFrom && time === times[ref]!) {
        const isSame = values[2 * ref] === low && values[2 * ref + 1] === high;
        if (isSame && !(this.histograms.lanes.has(ref) && !isStale({ low, high }))) outcome.duplicates++;
        else outcome.conflicts++;
      } else this.#appendLate(ref, time, { low, high }, newest, outcome);
    }
  }

  /**
   * Appends native histograms: row r of `columns` is of series refs[r] at timestamps[r]; those before `floor` are passed over.
   * `newest` is the time of the newest sample before the batch, as for floats of the same batch. See Head.appendHistograms.
   */
  appendHistograms(batch: HistogramBatch, outcome: AppendOutcome): void {
    const { columns, refs, timestamps, floor } = batch;
    if (columns.count === 0) return;
    if (this.maxTime === Number.NEGATIVE_INFINITY) this.maxTime = timestamps[0]!;
    const newest = batch.newest === Number.NEGATIVE_INFINITY ? timestamps[0]! : batch.newest;
    const inOrderFrom = Math.max(newest - this.options.chunkRangeMs / 2, this.cutTime);
    const { states } = this;
    for (let row = 0; row < columns.count; row++) {
      const ref = refs[row]!;
      const time = timestamps[row]!;
      if (time < floor) continue;
      const last = this.open.times[ref]!;
      if (ref >= states.length || states[ref] === SERIES_ABSENT) outcome.unknown++;
      else if (time >= inOrderFrom && time > last) {
        this.#appendHistogram(ref, time, { columns, row });
        outcome.appended++;
      } else {
        const histogram = { columns, row };
        const sample = { low: columns.sumBits[2 * row]!, high: columns.sumBits[2 * row + 1]!, histogram };
        if (time < inOrderFrom || time !== last) this.#appendLate(ref, time, sample, newest, outcome);
        else this.#isTaken(ref, time, sample, outcome);
      }
    }
  }

  #appendHistogram(ref: number, time: number, histogram: HistogramRow): void {
    const { open } = this;
    const { columns, row } = histogram;
    if (open.counts[ref] !== 0) this.closeChunk(ref);
    this.histograms.append(ref, time, histogram, (chunk) =>
      this.rangeAt(chunk.minTime).add(ref, false, chunk),
    );
    this.rangeAt(time);
    open.times[ref] = time;
    open.values[2 * ref] = columns.sumBits[2 * row]!;
    open.values[2 * ref + 1] = columns.sumBits[2 * row + 1]!;
    if (time > this.maxTime) this.maxTime = time;
    if (time < this.minTime) this.minTime = time;
  }

  #closeHistograms(ref: number): void {
    const chunk = this.histograms.take(ref);
    if (chunk !== undefined) this.rangeAt(chunk.minTime).add(ref, false, chunk);
  }

  // A float for a series whose last sample is a histogram: a staleness marker is one of a histogram, anything else ends the chunk.
  #afterHistogram(ref: number, time: number, low: number, high: number): boolean {
    const lane = this.histograms.lanes.get(ref);
    if (lane === undefined) return false;
    if (!isStale({ low, high })) {
      this.#closeHistograms(ref);
      return false;
    }
    this.#appendHistogram(ref, time, staleRow(lane, { low, high }));
    return true;
  }

  #appendInOrder(ref: number, time: number, low: number, high: number): void {
    const { open } = this;
    const count = open.counts[ref]!;
    if (count === 0) {
      if (this.histograms.lanes.size > 0 && this.#afterHistogram(ref, time, low, high)) return;
      this.#openChunk(ref, time);
    } else {
      if (count === QUARTER) this.nextAt[ref] = this.#expectedEnd(ref);
      if (
        time >= this.nextAt[ref]! ||
        count >= 2 * SAMPLES_PER_CHUNK ||
        open.bitLengths[ref]! > BIT_LENGTH_BEFORE_APPEND_MAX
      ) {
        this.closeChunk(ref);
        this.#openChunk(ref, time);
      }
    }
    const byte = open.bitLengths[ref]! >>> 3;
    const inBlock = byte & (BLOCK_BYTES - 1);
    if (inBlock <= BLOCK_BYTES - HEADROOM_BYTES) {
      const address = this.addresses[ref]!;
      // The appender thinks its chunk lies in one piece; this is where it would begin.
      const at = offsetIn(address) + inBlock - byte;
      open.append(ref, this.blocks.pages.views[pageOf(address)]!, at, time, low, high);
    } else this.#appendAcross(ref, byte, time, low, high);
    if (time > this.maxTime) this.maxTime = time;
    if (time < this.minTime) this.minTime = time;
  }

  // The sample may not fit into the block: it is written aside and its bytes are shared out.
  #appendAcross(ref: number, byte: number, time: number, low: number, high: number): void {
    const { open, blocks } = this;
    const aside = this.#aside;
    let address = this.addresses[ref]!;
    let page = blocks.pages.views[pageOf(address)]!;
    let to = offsetIn(address) + (byte & (BLOCK_BYTES - 1));
    let end = offsetIn(address) + BLOCK_BYTES;
    open.append(ref, aside, -byte, time, low, high);
    const last = (open.bitLengths[ref]! >>> 3) - byte;
    for (let i = 0; i <= last; i++) {
      if (to === end) {
        address = blocks.take(address);
        this.addresses[ref] = address;
        page = blocks.pages.views[pageOf(address)]!;
        to = offsetIn(address);
        end = to + BLOCK_BYTES;
      }
      page.setUint8(to++, aside.getUint8(i));
    }
  }

  // A quarter of the chunk is full: were samples to come on as they do, where should it end so that the chunks of this range
  // become equally long (computeChunkEndTime)?
  #expectedEnd(ref: number): number {
    const start = this.openMin[ref]!;
    const latest = this.nextAt[ref]!;
    const chunks = (latest - start) / ((this.open.times[ref]! - start + 1) * 4);
    return chunks <= 1 ? latest : Math.trunc(start + (latest - start) / Math.floor(chunks));
  }

  #openChunk(ref: number, time: number): void {
    this.open.begin(ref);
    this.addresses[ref] = this.blocks.take(0);
    this.openMin[ref] = time;
    this.nextAt[ref] = this.rangeAt(time).end;
    this.openCount++;
  }

  /** Ends the chunk being written of a series. */
  closeChunk(ref: number): void {
    const bytes = this.#gatherOpen(ref);
    const min = this.openMin[ref]!;
    this.rangeAt(min).add(ref, false, {
      encoding: CHUNK_XOR,
      bytes: new Uint8Array(bytes.buffer, 0, this.open.byteLength(ref)),
      minTime: min,
      maxTime: this.open.times[ref]!,
    });
    this.blocks.give(this.addresses[ref]!, blockCount(this.open.bitLengths[ref]!));
    this.open.counts[ref] = 0;
    this.openCount--;
  }

  // Whether the series has a sample at that time already: a duplicate or a conflict.
  #isTaken(ref: number, time: number, sample: SampleValue, outcome: AppendOutcome): boolean {
    const found = this.#found;
    this.read(ref, time, time, found);
    if (found.count === 0) return false;
    if (isSameSample(found, sample)) outcome.duplicates++;
    else outcome.conflicts++;
    return true;
  }

  #appendLate(ref: number, time: number, sample: SampleValue, newest: number, outcome: AppendOutcome): void {
    const window = this.options.outOfOrderWindowMs;
    if (window === 0 || time < newest - window) {
      outcome.tooOld++;
      return;
    }
    if (this.#isTaken(ref, time, sample, outcome)) return;
    let run = this.runs.get(ref);
    if (run === undefined) {
      run = lateRun();
      this.runs.set(ref, run);
      this.states[ref] = SERIES_LATE;
    } else if (run.count === LATE_SAMPLES_MAX) {
      this.flushRun(ref, run);
      clearSamples(run);
    }
    this.rangeAt(time);
    insertSample(run, time, sample);
    outcome.outOfOrder++;
    if (time < this.cutTime) outcome.late++;
    if (time > this.maxTime) this.maxTime = time;
    if (time < this.minTime) this.minTime = time;
  }

  /** Makes chunks of an out-of-order run, of each range it touches and kind; the run itself is left as it is. */
  flushRun(ref: number, run: SampleColumns): void {
    for (let from = 0; from < run.count; ) {
      const range = this.rangeAt(run.timestamps[from]!);
      const to = lowerBound(run, range.end);
      for (const chunk of encodeSamples(run, from, to, LATE_SAMPLES_MAX)) range.add(ref, true, chunk);
      from = to;
    }
  }

  /** The range that takes chunks of this time, made if there is none. */
  rangeAt(time: number): ChunkRange {
    for (let i = this.ranges.length - 1; i >= 0; i--) {
      const range = this.ranges[i]!;
      if (time >= range.start && time < range.end && range.sealedBy === 0) return range;
    }
    const width = this.options.chunkRangeMs;
    const made = new ChunkRange(alignDown(time, width), width);
    const after = this.ranges.findIndex((range) => range.start > made.start);
    this.ranges.splice(after < 0 ? this.ranges.length : after, 0, made);
    return made;
  }

  /** Whether the series has a chunk or run that shares an instant with start <= t <= end. */
  overlaps(ref: number, start: number, end: number): boolean {
    if (this.#openOverlaps(ref, start, end)) return true;
    for (const range of this.ranges) if (range.overlaps(ref, start, end)) return true;
    const run = this.states[ref] === SERIES_LATE ? this.runs.get(ref) : undefined;
    return run !== undefined && run.timestamps[0]! <= end && run.timestamps[run.count - 1]! >= start;
  }

  /** Whether the series has any sample. */
  hasSamples(ref: number): boolean {
    if (this.open.counts[ref] !== 0 || this.histograms.lanes.has(ref) || this.runs.has(ref)) return true;
    return this.ranges.some((range) => range.has(ref));
  }

  #openOverlaps(ref: number, start: number, end: number): boolean {
    if (this.open.counts[ref] === 0) return this.histograms.overlaps(ref, start, end);
    return this.openMin[ref]! <= end && this.open.times[ref]! >= start;
  }

  /** Fills `target` (emptied first) with the samples of a series with start <= t <= end, in time order, one per time. */
  read(ref: number, start: number, end: number, target: SampleColumns): void {
    clearSamples(target);
    this.appendInOrder(ref, start, end, target);
    if (this.isLate(ref))
      this.#mergeLate(ref, { start, end }, target, { ranges: this.ranges, run: this.runs.get(ref) });
  }

  /** Whether out-of-order samples came for the series, so that appendInOrder() is not all. */
  isLate(ref: number): boolean {
    return this.states[ref] === SERIES_LATE;
  }

  /** Appends the in-order samples of a series with start <= t <= end. */
  appendInOrder(ref: number, start: number, end: number, target: SampleColumns): void {
    for (const range of this.ranges) range.decodeInOrder(ref, start, end, target);
    if (!this.#openOverlaps(ref, start, end)) {
      // Nothing of it is wanted.
    } else if (this.open.counts[ref] === 0) this.histograms.read(ref, { start, end }, target);
    else {
      const to = this.open.byteLength(ref);
      const bytes = this.#gatherOpen(ref);
      decodeXorAt(bytes, XOR_HEADER_BYTES, to, this.open.counts[ref]!, start, end, target);
    }
  }

  /** As `read`, but only what the given ranges hold in finished chunks. */
  readRanges(ranges: readonly ChunkRange[], ref: number, target: SampleColumns): void {
    clearSamples(target);
    for (const range of ranges) range.decodeInOrder(ref, range.start, range.end, target);
    this.#mergeLate(ref, ALL_TIMES, target, { ranges, run: undefined });
  }

  #mergeLate(ref: number, span: TimeSpan, target: SampleColumns, from: LateSources): void {
    const piece = this.#piece;
    for (const range of from.ranges) {
      if (range.end <= span.start || range.start > span.end) continue;
      for (const index of range.lateChunks(ref, span.start, span.end)) {
        clearSamples(piece);
        range.decode(index, span.start, span.end, piece);
        mergeSamples(target, piece);
      }
    }
    if (from.run !== undefined) mergeRun(from.run, span, piece, target);
  }

  // The chunk being written in one piece with its header; borrowed until the next call.
  #gatherOpen(ref: number): DataView<ArrayBuffer> {
    this.blocks.gather(this.addresses[ref]!, blockCount(this.open.bitLengths[ref]!), this.#gathered);
    this.open.finish(ref, this.#gathered, 0);
    return this.#gathered;
  }

  /** Whether any out-of-order sample of the series lies within start <= t <= end. */
  hasLate(ref: number, start: number, end: number): boolean {
    if (this.states[ref] !== SERIES_LATE) return false;
    const run = this.runs.get(ref);
    if (run !== undefined && run.timestamps[0]! <= end && run.timestamps[run.count - 1]! >= start)
      return true;
    return this.ranges.some((range) => range.lateChunks(ref, start, end).length > 0);
  }

  /** The in-order chunks of a series that overlap start <= t <= end, in time order; the one being written as a copy. */
  inOrderChunks(ref: number, start: number, end: number): Chunk[] {
    const out: Chunk[] = [];
    for (const range of this.ranges) out.push(...range.inOrderChunks(ref, start, end));
    if (!this.#openOverlaps(ref, start, end)) return out;
    const histograms = this.histograms.chunk(ref);
    if (histograms !== undefined) out.push(histograms);
    else {
      const bytes = new Uint8Array(this.#gatherOpen(ref).buffer.slice(0, this.open.byteLength(ref)));
      out.push({ encoding: CHUNK_XOR, bytes, minTime: this.openMin[ref]!, maxTime: this.open.times[ref]! });
    }
    return out;
  }

  /**
   * Closes [start, end): its chunks being written and out-of-order runs become finished chunks, and its open ranges, which get
   * `mark`, take no more. Samples that still come for it enter new ranges.
   */
  seal(start: number, end: number, mark: number): void {
    for (let ref = 0; ref < this.states.length; ref++)
      if (this.open.counts[ref] !== 0 && this.openMin[ref]! >= start && this.openMin[ref]! < end)
        this.closeChunk(ref);
    for (const [ref, { minTime }] of this.histograms.lanes)
      if (minTime >= start && minTime < end) this.#closeHistograms(ref);
    for (const [ref, run] of this.runs) {
      if (run.timestamps[0]! >= end || run.timestamps[run.count - 1]! < start) continue;
      this.flushRun(ref, run);
      this.runs.delete(ref);
    }
    for (const range of this.ranges)
      if (range.sealedBy === 0 && range.start >= start && range.end <= end) range.sealedBy = mark;
    this.cutTime = Math.max(this.cutTime, end);
  }

  /** Lets go of ranges that end at or before `time` and are sealed with at most `mark`. Returns whether any did. */
  truncate(time: number, mark: number): boolean {
    const kept = this.ranges.filter(({ sealedBy, end }) => sealedBy === 0 || sealedBy > mark || end > time);
    const dropped = kept.length < this.ranges.length;
    this.ranges = kept;
    this.cutTime = Math.max(this.cutTime, time);
    this.maxTime = Math.max(this.maxTime, time);
    if (kept.length === 0 || kept[0]!.start >= time) this.minTime = Math.max(this.minTime, time);
    return dropped;
  }

  /** Makes room for references below `length`. */
  resize(length: number): void {
    this.open.grow(length);
    this.nextAt = grown(this.nextAt, new Float64Array(length));
    this.openMin = grown(this.openMin, new Float64Array(length));
    this.addresses = grown(this.addresses, new Uint32Array(length));
    this.states = grown(this.states, new Uint8Array(length));
  }
}

// Blocks of a chunk of this length; one more begins as soon as the last one is full.
function blockCount(bitLength: number): number {
  return Math.floor(bitLength / (8 * BLOCK_BYTES)) + 1;
}

function grown<T extends { set(source: T): void }>(column: T, longer: T): T {
  longer.set(column);
  return longer;
}
