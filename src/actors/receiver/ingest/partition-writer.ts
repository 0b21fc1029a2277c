// Turns the samples of one tenant that fall into one partition into frames: identity, epochs, counters, and which series the
// log already knows. The rules are those of docs/formats/frame.md ("Epochs, and what the counters prove").
//
// Frames carry a serial of this object, growing by one, over all incarnations:
//
//      epoch begins              settled                current (open)
//   ───────┼────────────────────────┼──────────────────────┼──▶ serial
//          └─ defined and known ────┘└── define again ──┘
//
// A series counts as defined when the frame that defined it lies between the epoch's begin and `settled`, or is the open one.

import { WRITER_ID_BYTES } from '../../../codec/frame.ts';
import { FrameBuilder, SAMPLE_BYTES_MAX } from '../../../codec/frame-writer.ts';
import { histogramBytesMax } from '../../../codec/histogram-bytes.ts';
import { labelRanges } from '../../../codec/remote-write/columns.ts';
import { invariant } from '../../../model/errors.ts';
import type { HistogramRow } from '../../../model/histogram-equality.ts';
import type { SeriesTable } from './series-table.ts';

/** Samples between two looks at the frame's size. */
const CHECK_EVERY = 64;

/** A finished frame on its way to the log. */
export interface SealedFrame {
  /** The message, owned by whoever took it. */
  readonly bytes: Uint8Array;
  /** Number of the frame among those of its PartitionWriter, from 1. */
  readonly serial: number;
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  readonly metadata: number;
}

/** What a PartitionWriter is made of. */
export interface PartitionWriterOptions {
  readonly tenant: string;
  readonly partition: number;
  /** 12 random bytes of this process's start; the writer adds 4 that count its incarnations. */
  readonly processId: Uint8Array;
  /** A frame is closed when it may have passed this many bytes. One series' labels may come on top. */
  readonly frameBytesMax: number;
  readonly epochMs: number;
  /** Shortens the first epoch to this share of its length (0..1], so that not all writers begin anew at once. */
  readonly firstEpochShare: number;
}

/** Collects samples into frames; `take` hands them out, `acknowledge` or `fail` must follow for each. */
export class PartitionWriter {
  readonly tenant: string;
  readonly partition: number;
  readonly #options: PartitionWriterOptions;
  readonly #builder = new FrameBuilder();
  readonly #labels = labelRanges();
  readonly #sealed: SealedFrame[] = [];
  readonly #acknowledged = new Set<number>(); // serials above #settled
  #serial = 1; // of the frame being built
  #last = 0; // serial of the frame appended to last
  #settled = 0; // serial; every frame of this incarnation up to it is acknowledged
  #incarnation = 0;
  #incarnationFirst = 1; // serial
  #epoch = -1;
  #epochFirst = 1; // serial
  #epochBegun = 0;
  #epochEnd = Number.NEGATIVE_INFINITY;
  #renew = false;
  #open = false;
  #nextRef = 0;
  #exemplars = 0;
  #metadata = 0;
  #unsettled = 0; // frames handed out and not yet answered for

  constructor(options: PartitionWriterOptions) {
    invariant(options.processId.length === WRITER_ID_BYTES - 4, 'a process id has 12 bytes');
    this.#options = options;
    this.tenant = options.tenant;
    this.partition = options.partition;
  }

  /** Serial of the frame that holds what was appended last. */
  get lastSerial(): number {
    return this.#last;
  }

  /** Bytes waiting to be taken, at most. */
  get pendingBytes(): number {
    let bytes = this.#open ? this.#builder.bytesMax : 0;
    for (const frame of this.#sealed) bytes += frame.bytes.length;
    return bytes;
  }

  /** Whether nothing waits and nothing is on its way: the writer may be dropped without loss. */
  get idle(): boolean {
    return !this.#open && this.#sealed.length === 0 && this.#unsettled === 0;
  }

  /** Appends a sample of `series`; its value as halves of its bits, `start` 0 when unknown. `now` in ms. */
  sample(
    table: SeriesTable,
    series: number,
    timestamp: number,
    low: number,
    high: number,
    start: number,
    now: number,
  ): void {
    if (!this.#open) this.#begin(now);
    const defined = table.definedIn[series]!;
    if (defined !== this.#serial && (defined < this.#epochFirst || defined > this.#settled)) {
      this.#define(table, series, now);
    }
    this.#builder.sample(table.refOf[series]!, timestamp, low, high);
    if (start !== 0) this.#builder.startTimestamp(timestamp, start);
    this.#last = this.#serial;
    if (this.#builder.count % CHECK_EVERY === 0) this.#sealWhenFull();
  }

  /** Appends a native histogram of `series`, a row of columns, which are borrowed; `start` 0 when unknown. `now` in ms. */
  histogram(
    table: SeriesTable,
    series: number,
    { timestamp, start, ...histogram }: HistogramRow & { readonly timestamp: number; readonly start: number },
    now: number,
  ): void {
    const bytes = histogramBytesMax(histogram.columns, histogram.row) + SAMPLE_BYTES_MAX;
    if (this.#open && !this.#builder.empty && this.#builder.bytesMax + bytes > this.#options.frameBytesMax)
      this.#seal();
    this.#prepare(table, series, now);
    this.#builder.histogram(table.refOf[series]!, timestamp, start, histogram);
    this.#last = this.#serial;
    this.#sealWhenFull();
  }

  // Opens a frame if there is none, and sees to it that the series has a ref that whoever reads the frame knows.
  #prepare(table: SeriesTable, series: number, now: number): void {
    if (!this.#open) this.#begin(now);
    const defined = table.definedIn[series]!;
    if (defined !== this.#serial && (defined < this.#epochFirst || defined > this.#settled)) {
      this.#define(table, series, now);
    }
  }

  /** Appends an exemplar of `series`: labels at `labels` of `view`, sorted. */
  exemplar(
    table: SeriesTable,
    series: number,
    exemplar: {
      timestamp: number;
      low: number;
      high: number;
      view: DataView;
      labels: { ranges: Uint32Array; pairs: number };
    },
    now: number,
  ): void {
    this.#prepare(table, series, now);
    this.#builder.exemplar(
      table.refOf[series]!,
      exemplar.timestamp,
      exemplar,
      exemplar.view,
      exemplar.labels,
    );
    this.#exemplars++;
    this.#last = this.#serial;
    this.#sealWhenFull();
  }

  /** Appends metadata: start and end of family, help and unit in `view`. */
  metadata(type: number, view: DataView, ranges: ArrayLike<number>, now: number): void {
    if (!this.#open) this.#begin(now);
    this.#builder.metadata(type, view, ranges);
    this.#metadata++;
    this.#last = this.#serial;
    this.#sealWhenFull();
  }

  /** The oldest frame that waits, closing the open one when it is the only; undefined when nothing waits. */
  take(): SealedFrame | undefined {
    if (this.#sealed.length === 0 && this.#open) this.#seal();
    const frame = this.#sealed.shift();
    if (frame !== undefined) this.#unsettled++;
    return frame;
  }

  /** The log has the frame: series it defined count as known. */
  acknowledge(serial: number): void {
    this.#unsettled--;
    if (serial < this.#incarnationFirst) return;
    this.#acknowledged.add(serial);
    while (this.#acknowledged.delete(this.#settled + 1)) this.#settled++;
  }

  /**
   * The frame may or may not be in the log and will not be sent again. The next frame begun starts over under a new writer
   * id and defines everything again, so that counters stay exact. Frames already begun stay valid.
   */
  fail(serial: number): void {
    this.#unsettled--;
    if (serial >= this.#incarnationFirst) this.#renew = true;
  }

  #begin(now: number): void {
    this.#open = true;
    if (this.#renew) this.#reincarnate();
    // A clock that jumped back would keep an epoch alive beyond what readers expect of it.
    if (now < this.#epochEnd && now >= this.#epochBegun) return;
    const share = this.#epoch < 0 && this.#incarnation === 0 ? this.#options.firstEpochShare : 1;
    this.#epoch++;
    this.#epochFirst = this.#serial;
    this.#epochBegun = now;
    this.#epochEnd = now + this.#options.epochMs * share;
    this.#nextRef = 0;
  }

  #reincarnate(): void {
    this.#renew = false;
    this.#incarnation++;
    this.#incarnationFirst = this.#serial;
    this.#settled = this.#serial - 1;
    this.#acknowledged.clear();
    this.#epoch = -1;
    this.#epochEnd = Number.NEGATIVE_INFINITY;
  }

  #define(table: SeriesTable, series: number, now: number): void {
    table.readLabels(series, this.#labels);
    let bytes = 0;
    for (let i = 0; i < this.#labels.pairs * 4; i += 2) {
      bytes += this.#labels.ranges[i + 1]! - this.#labels.ranges[i]! + 8;
    }
    if (this.#builder.bytesMax + bytes > this.#options.frameBytesMax && !this.#builder.empty) {
      this.#seal();
      this.#begin(now);
    }
    // A series defined in this epoch keeps its ref: frames on their way use it already.
    if (table.definedIn[series]! < this.#epochFirst) table.refOf[series] = this.#nextRef++;
    table.definedIn[series] = this.#serial;
    this.#builder.define(table.refOf[series]!, table.view, this.#labels);
  }

  #sealWhenFull(): void {
    if (this.#builder.bytesMax + CHECK_EVERY * SAMPLE_BYTES_MAX > this.#options.frameBytesMax) this.#seal();
  }

  #seal(): void {
    const builder = this.#builder;
    const base = this.#incarnationFirst - 1;
    const writer = new Uint8Array(WRITER_ID_BYTES);
    writer.set(this.#options.processId);
    new DataView(writer.buffer).setUint32(WRITER_ID_BYTES - 4, this.#incarnation);
    const bytes = builder.finish({
      writer,
      tenant: this.tenant,
      epoch: this.#epoch,
      epochFirst: this.#epochFirst - base,
      counter: this.#serial - base,
      settled: this.#settled - base,
      epochBegun: Math.max(0, this.#epochBegun),
    });
    const { count: samples, histogramCount: histograms } = builder;
    this.#sealed.push({
      bytes,
      serial: this.#serial,
      samples,
      histograms,
      exemplars: this.#exemplars,
      metadata: this.#metadata,
    });
    builder.clear();
    this.#exemplars = this.#metadata = 0;
    this.#serial++;
    this.#open = false;
  }
}
