// A head as bytes, exactly: "SKHD", version, then sections [kind u8][length u32][payload][CRC32C u32 of the three], all
// little-endian, the last one an end mark. Sizes come first (FACTS), so that a reader allocates the same arrays and MEMORY
// sections are copied to where they came from. Order: facts, pairs, series, memory, late lists, runs, exemplars, metadata, end.

import { ByteReader, ByteWriter } from '../../codec/bytes.ts';
import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { crc32c } from '../../codec/hash.ts';
import { HistogramAppender } from '../../codec/histogram-appender.ts';
import { readHistogram, writeHistogram } from '../../codec/histogram-bytes.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import type { Exemplar, MetricMetadata } from '../../model/exemplar.ts';
import type { Labels } from '../../model/labels.ts';
import { histogramsOf, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { ChunkRange } from './chunk-range.ts';
import { Head, type HeadOptions } from './head.ts';
import type { HistogramLane } from './histogram-lanes.ts';
import type { SampleStore } from './sample-store.ts';
import type { Pages } from './slabs.ts';

const MAGIC = 0x44484b53;
const VERSION = 3;
const PREFIX_BYTES = 8;
const SECTION_BYTES_MAX = 1 << 20;
const HEADER_BYTES = 5;
const ENTRIES_PER_SECTION = 2000;
const KIND = {
  facts: 1,
  pairs: 2,
  series: 3,
  memory: 4,
  late: 5,
  run: 6,
  exemplars: 7,
  metadata: 8,
  end: 9,
  histograms: 10,
} as const;

interface PageFacts {
  readonly sizes: readonly number[];
  readonly used: number;
}

interface RangeFacts {
  readonly start: number;
  readonly sealedBy: number;
  readonly count: number;
  readonly newest: number;
  readonly pages: PageFacts;
}

interface Facts {
  readonly chunkRangeMs: number;
  readonly maxTime: number;
  readonly minTime: number;
  readonly cutTime: number;
  readonly refEnd: number;
  readonly openCount: number;
  readonly blocksFree: number;
  readonly blocksUsed: number;
  readonly blockPages: PageFacts;
  readonly ranges: readonly RangeFacts[];
}

/** Batches of what is not memory, as plain data. */
type Late = readonly (readonly [range: number, ref: number, link: number])[];
type Run = readonly [ref: number, times: Uint8Array, bits: Uint8Array, histograms?: RunHistograms];
/** Rows by sample, and the histograms one after another. */
type RunHistograms = readonly [rows: Uint8Array, histograms: Uint8Array];
type Lane = readonly [ref: number, chunk: Uint8Array, facts: LaneFacts];
type LaneFacts = Pick<HistogramLane, 'minTime' | 'nextAt' | 'isEndExpected'> & { readonly encoding: number };
type ExemplarEntry = readonly [labels: Labels, exemplar: Exemplar];
type MetadataEntry = readonly [metric: string, metadata: MetricMetadata];

/**
 * The head as pieces of at most about 1 MiB, each owned by whoever takes it. The caller may wait between pieces, answer reads,
 * but must not change the head (append, seriesFor, cut, truncate, exemplars, metadata) until the last one: the log keeps what
 * arrives meanwhile. A change of series or samples is noticed and throws InvariantError.
 */
export function* writeSnapshot(head: Head): Generator<Uint8Array> {
  const changes = head.changes;
  const prefix = new DataView(new ArrayBuffer(PREFIX_BYTES));
  prefix.setUint32(0, MAGIC, true);
  prefix.setUint32(4, VERSION, true);
  yield new Uint8Array(prefix.buffer);
  for (const piece of sections(head)) {
    yield piece;
    invariant(head.changes === changes, 'the head was changed while its snapshot was being written');
  }
}

function* sections(head: Head): Generator<Uint8Array> {
  const { samples } = head;
  yield section(KIND.facts, encodeEnvelope(factsOf(head)));
  yield* pairSections(head);
  yield* seriesSections(head);
  for (const [number, bytes] of memoryOf(samples, head.index.refEnd).entries()) {
    for (let from = 0; from < bytes.length; from += SECTION_BYTES_MAX) {
      const place = new DataView(new ArrayBuffer(8));
      place.setUint32(0, number, true);
      place.setUint32(4, from, true);
      const part = bytes.subarray(from, from + SECTION_BYTES_MAX);
      yield section(KIND.memory, new Uint8Array(place.buffer), part);
    }
  }
  yield* batches(KIND.late, lateEntries(samples));
  yield* batches(KIND.run, runEntries(samples));
  yield* batches(KIND.histograms, laneEntries(samples));
  yield* batches(KIND.exemplars, exemplarEntries(head));
  const metadata = head.metadata.list('', 0).map((entry): MetadataEntry => [entry.metric, entry.metadata]);
  yield* batches(KIND.metadata, metadata);
  yield section(KIND.end, new Uint8Array(0));
}

function section(kind: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const out = new Uint8Array(HEADER_BYTES + length + 4);
  const view = new DataView(out.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, length, true);
  let at = HEADER_BYTES;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  view.setUint32(at, crc32c(out.subarray(0, at)), true);
  return out;
}

function* batches(kind: number, entries: Iterable<unknown>): Generator<Uint8Array> {
  let batch: unknown[] = [];
  for (const entry of entries) {
    batch.push(entry);
    if (batch.length < ENTRIES_PER_SECTION) continue;
    yield section(kind, encodeEnvelope(batch));
    batch = [];
  }
  if (batch.length > 0) yield section(kind, encodeEnvelope(batch));
}

function factsOf({ index, samples }: Head): Facts {
  return {
    chunkRangeMs: samples.options.chunkRangeMs,
    maxTime: samples.maxTime,
    minTime: samples.minTime,
    cutTime: samples.cutTime,
    refEnd: index.refEnd,
    openCount: samples.openCount,
    blocksFree: samples.blocks.free,
    blocksUsed: samples.blocks.used,
    blockPages: pageFacts(samples.blocks.pages),
    ranges: samples.ranges.map((range) => ({
      start: range.start,
      sealedBy: range.sealedBy,
      count: range.count,
      newest: range.newest.length,
      pages: pageFacts(range.pages),
    })),
  };
}

function pageFacts(pages: Pages): PageFacts {
  return { sizes: pages.views.map((view) => view.byteLength), used: pages.used };
}

function* pairSections({ index }: Head): Generator<Uint8Array> {
  for (let from = 0; from < index.pairEnd; from += ENTRIES_PER_SECTION) {
    const texts: string[] = [];
    for (let pair = from; pair < Math.min(index.pairEnd, from + ENTRIES_PER_SECTION); pair++) {
      const used = index.pairSeries(pair) > 0;
      texts.push(used ? index.pairName(pair).name : '', used ? index.pairValue(pair) : '');
    }
    yield section(KIND.pairs, encodeEnvelope(texts));
  }
}

// Words: reference, number of pairs, pairs.
function* seriesSections({ index }: Head): Generator<Uint8Array> {
  const words = new Uint32Array(SECTION_BYTES_MAX / 4);
  let count = 0;
  for (const ref of index.all()) {
    const pairs = index.pairsOf(ref);
    if (count + pairs.length + 2 > words.length) {
      yield section(KIND.series, bytesOf(words.subarray(0, count)));
      count = 0;
    }
    words[count] = ref;
    words[count + 1] = pairs.length;
    words.set(pairs, count + 2);
    count += pairs.length + 2;
  }
  if (count > 0) yield section(KIND.series, bytesOf(words.subarray(0, count)));
}

function* lateEntries(samples: SampleStore): Generator<Late[number]> {
  for (const [number, range] of samples.ranges.entries())
    for (const [ref, link] of range.late) yield [number, ref, link];
}

function* runEntries(samples: SampleStore): Generator<Run> {
  for (const [ref, run] of samples.runs) {
    const times = bytesOf(run.timestamps.subarray(0, run.count));
    const bits = bytesOf(run.bits.subarray(0, 2 * run.count));
    yield run.histograms === undefined ? [ref, times, bits] : [ref, times, bits, runHistograms(run)];
  }
}

function runHistograms({ histograms, rows, count }: SampleColumns): RunHistograms {
  const out = new ByteWriter();
  for (let row = 0; row < (histograms?.count ?? 0); row++) writeHistogram(out, histograms!, row, row - 1);
  return [bytesOf(rows.subarray(0, count)), out.written()];
}

function* laneEntries({ histograms }: SampleStore): Generator<Lane> {
  for (const [ref, { chunk, minTime, nextAt, isEndExpected }] of histograms.lanes)
    yield [ref, chunk.chunkBytes(), { minTime, nextAt, isEndExpected, encoding: chunk.encoding }];
}

function* exemplarEntries(head: Head): Generator<ExemplarEntry> {
  for (const { labels, exemplar } of head.exemplars.entries()) yield [labels, exemplar];
}

/** Every array that a snapshot copies, in a fixed order, cut to what is in use: writer and reader see the same list. */
function memoryOf(samples: SampleStore, refEnd: number): Uint8Array[] {
  const { open, blocks } = samples;
  const lanes = [
    open.times,
    open.deltas,
    open.bitLengths,
    open.counts,
    open.leading,
    open.trailing,
    open.tails,
  ];
  const own = [samples.nextAt, samples.openMin, samples.addresses, samples.states];
  const out = [...lanes, ...own].map((column) => bytesOf(column.subarray(0, refEnd)));
  out.push(bytesOf(open.values.subarray(0, 2 * refEnd)));
  for (const page of blocks.pages.views) out.push(new Uint8Array(page.buffer));
  for (const links of blocks.links) out.push(bytesOf(links));
  for (const range of samples.ranges) {
    const { minOffsets, maxOffsets, addresses, lengths, encodings, previous, newest, count } = range;
    for (const column of [minOffsets, maxOffsets, addresses, lengths, encodings, previous])
      out.push(bytesOf(column.subarray(0, count)));
    out.push(bytesOf(newest));
    for (const page of range.pages.views) out.push(new Uint8Array(page.buffer));
  }
  return out;
}

function bytesOf(column: ArrayBufferView): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

/** A head from all pieces of a snapshot, cut up in any way. Error: `corrupt`. */
export function readSnapshot(options: HeadOptions, pieces: Iterable<Uint8Array>): Head {
  const reader = new SnapshotReader(options);
  for (const piece of pieces) reader.push(piece);
  return reader.finish();
}

/** Reads a snapshot as its bytes come, so that the caller can read a file in steps. */
export class SnapshotReader {
  readonly #head: Head;
  #memory: Uint8Array[] = [];
  #refEnd = 0;
  #rest: Uint8Array = new Uint8Array(0);
  #begun = false;
  #factsSeen = false;
  #ended = false;

  /** Limits of `options` may differ from when the snapshot was written; the chunk range may not. */
  constructor(options: HeadOptions) {
    this.#head = new Head(options);
  }

  /** Takes the next bytes; they are borrowed. Error: `corrupt`. */
  push(piece: Uint8Array): void {
    let bytes = piece;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + piece.length);
      bytes.set(this.#rest);
      bytes.set(piece, this.#rest.length);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    if (!this.#begun && bytes.length >= PREFIX_BYTES) {
      if (view.getUint32(0, true) !== MAGIC) throw corrupt('it does not begin with "SKHD"');
      const version = view.getUint32(4, true);
      if (version !== VERSION) throw corrupt(`version ${version}, ${VERSION} is readable`);
      this.#begun = true;
      at = PREFIX_BYTES;
    }
    while (this.#begun && bytes.length - at >= HEADER_BYTES) {
      const length = view.getUint32(at + 1, true);
      const end = at + HEADER_BYTES + length;
      if (bytes.length < end + 4) break;
      if (crc32c(bytes.subarray(at, end)) !== view.getUint32(end, true))
        throw corrupt(`section of kind ${bytes[at]} with ${length} bytes: its checksum does not match`);
      this.#section(bytes[at]!, copyOf(bytes.subarray(at + HEADER_BYTES, end)));
      at = end + 4;
    }
    this.#rest = copyOf(bytes.subarray(at));
  }

  /** The head. Error: `corrupt` when the end is missing. */
  finish(): Head {
    if (!this.#ended || this.#rest.length > 0) throw corrupt('its end is missing');
    return this.#head;
  }

  #section(kind: number, payload: Uint8Array<ArrayBuffer>): void {
    if (this.#ended) throw corrupt('something follows its end');
    if (this.#factsSeen === (kind === KIND.facts)) throw corrupt('its sizes do not come first');
    const { index, samples, exemplars, metadata } = this.#head;
    switch (kind) {
      case KIND.facts:
        this.#allocate(decodeEnvelope<Facts>(payload));
        return;
      case KIND.pairs: {
        const texts = decodeEnvelope<string[]>(payload);
        for (let i = 0; i < texts.length; i += 2) index.restorePair(texts[i]!, texts[i + 1]!);
        return;
      }
      case KIND.series:
        this.#restoreSeries(new Uint32Array(payload.buffer));
        return;
      case KIND.memory:
        this.#restoreMemory(payload);
        return;
      case KIND.late:
        for (const [range, ref, link] of decodeEnvelope<Late>(payload))
          samples.ranges[range]?.late.set(ref, link);
        return;
      case KIND.run:
        for (const run of decodeEnvelope<Run[]>(payload)) this.#restoreRun(run);
        return;
      case KIND.histograms:
        for (const lane of decodeEnvelope<Lane[]>(payload)) this.#restoreLane(lane);
        return;
      case KIND.exemplars:
        for (const [labels, exemplar] of decodeEnvelope<ExemplarEntry[]>(payload))
          exemplars.restore(labels, exemplar);
        return;
      case KIND.metadata:
        for (const [metric, entry] of decodeEnvelope<MetadataEntry[]>(payload)) metadata.set(metric, entry);
        return;
      case KIND.end:
        index.restoreEnd(this.#refEnd);
        this.#ended = true;
        return;
      default:
        throw corrupt(`an unknown section of kind ${kind}`);
    }
  }

  #allocate(facts: Facts): void {
    const { samples } = this.#head;
    if (facts.chunkRangeMs !== samples.options.chunkRangeMs)
      throw corrupt(`its chunk range is ${facts.chunkRangeMs} ms, not ${samples.options.chunkRangeMs}`);
    this.#factsSeen = true;
    this.#refEnd = facts.refEnd;
    samples.maxTime = facts.maxTime;
    samples.minTime = facts.minTime;
    samples.cutTime = facts.cutTime;
    samples.openCount = facts.openCount;
    samples.resize(facts.refEnd);
    restorePages(samples.blocks.pages, facts.blockPages);
    samples.blocks.restore(facts.blocksFree, facts.blocksUsed);
    for (const range of facts.ranges) {
      const made = new ChunkRange(range.start, facts.chunkRangeMs);
      made.sealedBy = range.sealedBy;
      made.resize(range.count, range.newest);
      restorePages(made.pages, range.pages);
      samples.ranges.push(made);
    }
    this.#memory = memoryOf(samples, facts.refEnd);
  }

  #restoreSeries(words: Uint32Array): void {
    const { index } = this.#head;
    for (let at = 0; at < words.length; ) {
      const count = words[at + 1]!;
      const pairs = Array.from(words.subarray(at + 2, at + 2 + count));
      if (pairs.length !== count || pairs.some((pair) => pair >= index.pairEnd))
        throw corrupt(`series ${words[at]} has labels that are not there`);
      index.restoreSeries(words[at]!, pairs);
      at += 2 + count;
    }
  }

  #restoreMemory(payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const target = this.#memory[view.getUint32(0, true)];
    const from = view.getUint32(4, true);
    const part = payload.subarray(8);
    if (target === undefined || from + part.length > target.length)
      throw corrupt(`${part.length} bytes at ${from} of array ${view.getUint32(0, true)} have no place`);
    target.set(part, from);
  }

  #restoreLane([ref, bytes, { encoding, ...facts }]: Lane): void {
    const chunk = HistogramAppender.restore(copyOf(bytes), encoding);
    this.#head.samples.histograms.lanes.set(ref, { chunk, ...facts });
  }

  #restoreRun([ref, times, bits, histograms]: Run): void {
    const run = sampleColumns(Math.max(4, times.length / 8));
    bytesOf(run.timestamps).set(times);
    bytesOf(run.bits).set(bits);
    run.count = times.length / 8;
    if (histograms !== undefined) {
      const [rows, encoded] = histograms;
      const reader = new ByteReader(encoded, 'head snapshot');
      const columns = histogramsOf(run);
      for (let row = 0; reader.left > 0; row++) readHistogram(reader, columns, row - 1);
      bytesOf(run.rows).set(rows);
    }
    this.#head.samples.runs.set(ref, run);
  }
}

// Not slice(): of a Buffer that is a view.
function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function restorePages(pages: Pages, facts: PageFacts): void {
  for (const size of facts.sizes) pages.restore(new ArrayBuffer(size), facts.used);
}

function corrupt(reason: string): DomainError {
  return new DomainError('corrupt', `cannot read a head snapshot: ${reason}`);
}
