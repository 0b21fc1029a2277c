// Builds one WAL frame (docs/formats/frame.md) piece by piece. Samples arrive as plain numbers and leave as runs and raw
// value bits: no allocation per sample. Which series need a definition is the caller's knowledge.

import { invariant } from '../model/errors.ts';
import { HistogramColumns } from '../model/histogram.ts';
import type { HistogramRow } from '../model/histogram-equality.ts';
import { ByteTable } from './byte-table.ts';
import { ByteWriter } from './bytes.ts';
import {
  FRAME_MAGIC,
  FRAME_VERSION,
  FRAME_VERSION_PLAIN,
  type FrameHeader,
  SECTION,
  WRITER_ID_BYTES,
} from './frame.ts';
import { crc32c } from './hash.ts';
import { writeHistogram } from './histogram-bytes.ts';

/** The most bytes one sample can add to a frame: value, a ref run, a timestamp run, a start timestamp. */
export const SAMPLE_BYTES_MAX = 48;
const HEADER_BYTES_MAX = 128;
/** Histograms copied before all but the last are let go. */
const HISTOGRAM_ROWS_KEPT = 64;

/**
 * Where the labels of one series lie in some bytes: four positions per pair, name start and end, value start and end.
 * Used again and again; only the first 4 * `pairs` positions count.
 */
export interface LabelRanges {
  ranges: Uint32Array;
  pairs: number;
}

/** Refs and timestamps of samples as runs (docs/formats/frame.md, "Samples"). */
class SampleRuns {
  count = 0;
  readonly refs: ByteWriter = new ByteWriter(64);
  readonly times: ByteWriter = new ByteWriter(64);
  #refNext = 0; // the ref that would continue the open run
  #refRun = 0; // length of the open run
  #time = 0;
  #timeRun = 0;

  add(ref: number, timestamp: number): void {
    this.count++;
    if (ref !== this.#refNext || this.#refRun === 0) this.#openRefRun(ref);
    this.#refNext = ref + 1;
    this.#refRun++;
    if (timestamp !== this.#time || this.#timeRun === 0) this.#openTimeRun(timestamp);
    this.#timeRun++;
  }

  close(): void {
    if (this.#refRun > 0) this.refs.uvarint(this.#refRun - 1);
    if (this.#timeRun > 0) this.times.uvarint(this.#timeRun - 1);
    this.#refRun = this.#timeRun = 0;
  }

  clear(): void {
    this.refs.clear();
    this.times.clear();
    this.count = this.#refNext = this.#refRun = this.#time = this.#timeRun = 0;
  }

  #openRefRun(ref: number): void {
    if (this.#refRun > 0) this.refs.uvarint(this.#refRun - 1);
    this.refs.varint(ref - this.#refNext);
    this.#refRun = 0;
  }

  #openTimeRun(timestamp: number): void {
    if (this.#timeRun > 0) this.times.uvarint(this.#timeRun - 1);
    this.times.varint(timestamp - this.#time);
    this.#time = timestamp;
    this.#timeRun = 0;
  }
}

/** Collects the content of one frame; `finish` makes its bytes, `clear` begins the next with the same memory. */
export class FrameBuilder {
  readonly #symbols = new ByteTable(0x51ed270b, 256);
  readonly #definitions = new ByteWriter(4096);
  readonly #samples = new SampleRuns();
  readonly #histograms = new SampleRuns();
  readonly #histogramStarts = new ByteWriter(16);
  readonly #histogramRows = new HistogramColumns();
  readonly #histogramBytes = new ByteWriter(16);
  readonly #starts = new ByteWriter(16);
  readonly #exemplars = new ByteWriter(16);
  readonly #metadata = new ByteWriter(16);
  #valueBits = new Uint32Array(4096);
  #definitionCount = 0;
  #exemplarCount = 0;
  #metadataCount = 0;
  #startCount = 0;
  #definitionNext = 0;

  /** Floats so far. */
  get count(): number {
    return this.#samples.count;
  }

  /** Native histograms so far. */
  get histogramCount(): number {
    return this.#histograms.count;
  }

  /** An upper bound of the finished frame's bytes, without the tenant's name. */
  get bytesMax(): number {
    return (
      HEADER_BYTES_MAX +
      this.#symbols.arenaUsed +
      this.#symbols.count * 5 +
      this.#definitions.length +
      this.#samples.refs.length +
      this.#samples.times.length +
      this.#histograms.refs.length +
      this.#histograms.times.length +
      this.#histogramStarts.length +
      this.#histogramBytes.length +
      3 * SAMPLE_BYTES_MAX +
      this.count * (this.#startCount > 0 ? 9 : 8) +
      this.#starts.length +
      this.#exemplars.length +
      this.#metadata.length
    );
  }

  /** Whether nothing was added. */
  get empty(): boolean {
    const samples = this.count + this.histogramCount;
    return samples + this.#definitionCount + this.#exemplarCount + this.#metadataCount === 0;
  }

  /** Appends a sample: the value as the low and high half of its bits. |timestamp| <= 2^51. */
  sample(ref: number, timestamp: number, low: number, high: number): void {
    const at = 2 * this.count;
    if (at === this.#valueBits.length) this.#growValues();
    this.#valueBits[at] = low;
    this.#valueBits[at + 1] = high;
    this.#samples.add(ref, timestamp);
  }

  /** Appends a native histogram: a row of columns, which are borrowed. `start` is 0 when unknown. */
  histogram(ref: number, timestamp: number, start: number, { columns, row }: HistogramRow): void {
    const rows = this.#histogramRows;
    this.#histograms.add(ref, timestamp);
    if (start === 0) this.#histogramStarts.u8(0);
    else writeStart(this.#histogramStarts, timestamp - start);
    // Only the row written last is kept: the next one may have its spans.
    const before = rows.count - 1;
    const own = rows.copyRow(columns, row);
    writeHistogram(this.#histogramBytes, rows, own, before);
    if (own < HISTOGRAM_ROWS_KEPT) return;
    rows.clear();
    rows.copyRow(rows, own);
  }

  /** Gives the sample appended last its start timestamp. */
  startTimestamp(timestamp: number, start: number): void {
    while (this.#startCount < this.count - 1) this.#noStart();
    this.#startCount++;
    writeStart(this.#starts, timestamp - start);
  }

  /** Defines `ref` by the labels at `ranges` of `view`: sorted by name, distinct, no empty values. */
  define(ref: number, view: DataView, labels: LabelRanges): void {
    this.#definitionCount++;
    this.#definitions.varint(ref - this.#definitionNext);
    this.#definitionNext = ref + 1;
    this.#labels(this.#definitions, view, labels);
  }

  /** Appends an exemplar of the series `ref`. */
  exemplar(
    ref: number,
    timestamp: number,
    bits: { low: number; high: number },
    view: DataView,
    labels: LabelRanges,
  ): void {
    this.#exemplarCount++;
    this.#exemplars.uvarint(ref);
    this.#exemplars.varint(timestamp);
    this.#exemplars.bits(bits.low, bits.high);
    this.#labels(this.#exemplars, view, labels);
  }

  /** Appends metadata: `ranges` holds start and end of family, help and unit in `view`; `type` is a number of METRIC_TYPES. */
  metadata(type: number, view: DataView, ranges: ArrayLike<number>): void {
    this.#metadataCount++;
    this.#metadata.uvarint(this.#symbols.add(view, ranges[0]!, ranges[1]!));
    this.#metadata.u8(type);
    this.#metadata.uvarint(this.#symbols.add(view, ranges[2]!, ranges[3]!));
    this.#metadata.uvarint(this.#symbols.add(view, ranges[4]!, ranges[5]!));
  }

  /** The frame's bytes, owned by the caller. The builder keeps its content until `clear`. */
  finish(header: FrameHeader): Uint8Array {
    invariant(
      header.writer.length === WRITER_ID_BYTES,
      `a writer id has 16 bytes, not ${header.writer.length}`,
    );
    this.#samples.close();
    this.#histograms.close();
    if (this.#startCount > 0) while (this.#startCount < this.count) this.#noStart();
    const out = new ByteWriter(this.bytesMax + header.tenant.length * 3);
    writeHeader(out, header, this.histogramCount > 0 ? FRAME_VERSION : FRAME_VERSION_PLAIN);
    this.#writeSymbols(out);
    section(out, SECTION.definitions, this.#definitionCount, this.#definitions.written());
    this.#writeSamples(out);
    if (this.#startCount > 0) {
      out.u8(SECTION.startTimestamps);
      out.uvarint(this.#starts.length);
      out.raw(this.#starts.written());
    }
    section(out, SECTION.exemplars, this.#exemplarCount, this.#exemplars.written());
    section(out, SECTION.metadata, this.#metadataCount, this.#metadata.written());
    this.#writeHistograms(out);
    out.u32(crc32c(out.written()));
    return out.written();
  }

  /** Empties the builder for the next frame. */
  clear(): void {
    this.#symbols.clear();
    for (const part of [this.#definitions, this.#starts, this.#exemplars, this.#metadata]) part.clear();
    for (const part of [this.#samples, this.#histograms, this.#histogramRows]) part.clear();
    this.#histogramStarts.clear();
    this.#histogramBytes.clear();
    this.#definitionCount = this.#exemplarCount = this.#metadataCount = this.#startCount = 0;
    this.#definitionNext = 0;
  }

  #growValues(): void {
    const grown = new Uint32Array(this.#valueBits.length * 2);
    grown.set(this.#valueBits);
    this.#valueBits = grown;
  }

  #noStart(): void {
    this.#startCount++;
    this.#starts.u8(0);
  }

  #labels(target: ByteWriter, view: DataView, labels: LabelRanges): void {
    const ranges = labels.ranges;
    target.uvarint(labels.pairs);
    for (let i = 0; i < labels.pairs * 4; i += 2) {
      target.uvarint(this.#symbols.add(view, ranges[i]!, ranges[i + 1]!));
    }
  }

  #writeSymbols(out: ByteWriter): void {
    const symbols = this.#symbols;
    if (symbols.count === 0) return;
    const payload = new ByteWriter(symbols.arenaUsed + symbols.count * 2 + 16);
    payload.uvarint(symbols.count);
    for (let id = 0; id < symbols.count; id++) {
      const start = symbols.offsets[id]!;
      payload.uvarint(symbols.lengths[id]!);
      payload.raw(symbols.arena.subarray(start, start + symbols.lengths[id]!));
    }
    out.u8(SECTION.symbols);
    out.uvarint(payload.length);
    out.raw(payload.written());
  }

  #writeSamples(out: ByteWriter): void {
    if (this.count === 0) return;
    const head = new ByteWriter(16);
    head.uvarint(this.count);
    out.u8(SECTION.samples);
    const { refs, times } = this.#samples;
    out.uvarint(head.length + refs.length + times.length + this.count * 8);
    out.raw(head.written());
    out.raw(refs.written());
    out.raw(times.written());
    out.raw(new Uint8Array(this.#valueBits.buffer, 0, this.count * 8));
  }

  #writeHistograms(out: ByteWriter): void {
    const { refs, times } = this.#histograms;
    const payload = new ByteWriter(
      16 + refs.length + times.length + this.#histogramStarts.length + this.#histogramBytes.length,
    );
    for (const part of [refs, times, this.#histogramStarts, this.#histogramBytes])
      payload.raw(part.written());
    section(out, SECTION.histograms, this.histogramCount, payload.written());
  }
}

function section(out: ByteWriter, kind: number, count: number, payload: Uint8Array): void {
  if (count === 0) return;
  const head = new ByteWriter(16);
  head.uvarint(count);
  out.u8(kind);
  out.uvarint(head.length + payload.length);
  out.raw(head.written());
  out.raw(payload);
}

// How far a start timestamp lies before its sample; 0 would be "unknown".
function writeStart(out: ByteWriter, distance: number): void {
  out.uvarint(1 + (distance < 0 ? -2 * distance - 1 : 2 * distance));
}

function writeHeader(out: ByteWriter, header: FrameHeader, version: number): void {
  out.u32(FRAME_MAGIC);
  out.u8(version);
  out.u8(version);
  out.raw(header.writer);
  out.uvarint(header.epoch);
  out.uvarint(header.epochFirst);
  out.uvarint(header.counter);
  out.uvarint(header.settled);
  out.uvarint(header.epochBegun);
  out.text(header.tenant);
}
