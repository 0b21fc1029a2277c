// Walks a prometheus.WriteRequest (remote write 1.0: prompb/remote.proto, types.proto) into RequestColumns. The labels of a
// series that was expected are compared in place and never parsed.

import { ByteWriter } from '../bytes.ts';
import { type LabelSink, RequestColumns, type RequestLimits, tooMany } from './columns.ts';
import { Cursor, WIRE } from './cursor.ts';
import { HistogramWalker } from './histogram.ts';
import { readLabel } from './labels.ts';

const LABELS = 0x0a;
const SAMPLE = 0x12;
const VALUE = 0x09;
const TIMESTAMP = 0x10;

/** Walker of one request after another; keeps its scratch memory. */
export class WalkerV1 {
  readonly columns: RequestColumns = new RequestColumns();
  readonly #cursor = new Cursor();
  readonly #limits: RequestLimits;
  readonly #histograms: HistogramWalker;
  readonly #scratch = new ByteWriter(512);
  readonly #pair = new Uint32Array(4);

  constructor(limits: RequestLimits) {
    this.#limits = limits;
    this.#histograms = new HistogramWalker(limits, 1);
  }

  /** Fills `columns` from a body; positions in them are positions in `body`. Errors: `bad_data`, `too_large`. */
  walk(body: Uint8Array, view: DataView, sink: LabelSink): void {
    const cursor = this.#cursor;
    cursor.open(body, view);
    this.columns.clear();
    const end = cursor.end;
    while (cursor.position < end) {
      const tag = cursor.uint32();
      const field = tag >>> 3;
      if (field !== 1 && field !== 3) {
        cursor.skip(tag);
        continue;
      }
      cursor.expect(tag, WIRE.bytes, field === 1 ? 'Timeseries' : 'Metadata');
      cursor.end = cursor.length() + cursor.position;
      if (field === 1) this.#series(sink);
      else this.#metadata();
      cursor.end = end;
    }
  }

  #series(sink: LabelSink): void {
    const cursor = this.#cursor;
    const { bytes, view, end, position: start } = cursor;
    const columns = this.columns;
    if (columns.seriesCount === this.#limits.seriesMax) throw tooMany('series', this.#limits.seriesMax);
    const index = columns.beginSeries();
    let id = sink.predict(view, start, end);
    if (id >= 0) {
      const after = start + sink.predictedLength;
      if (after < end && bytes[after] === LABELS) id = -1;
      else cursor.position = after;
    }
    const predicted = id;
    if (id < 0) this.#skipLabels();
    const labelsEnd = cursor.position;
    const gathered = this.#content(index);
    if (gathered) id = this.#recogniseScattered(start, end, sink, index);
    else if (predicted >= 0) sink.confirm(predicted);
    else id = this.#recognise(view, start, labelsEnd, sink, index);
    columns.seriesIds[index] = id;
    cursor.position = end;
    cursor.end = end;
  }

  #recognise(view: DataView, start: number, end: number, sink: LabelSink, index: number): number {
    if (end - start <= this.#limits.labelBytesMax) return sink.recognise(view, start, end, index);
    return sink.refuse(
      index,
      `labels of ${end - start} bytes exceed the limit of ${this.#limits.labelBytesMax} bytes`,
    );
  }

  #skipLabels(): void {
    const cursor = this.#cursor;
    while (cursor.position < cursor.end && cursor.bytes[cursor.position] === LABELS) {
      cursor.position++;
      const length = cursor.length();
      cursor.position += length;
    }
  }

  // Everything of a series behind its leading labels. True when more labels came later.
  #content(index: number): boolean {
    const cursor = this.#cursor;
    const end = cursor.end;
    let scattered = false;
    while (cursor.position < end) {
      const tag = cursor.uint32();
      if (tag === SAMPLE) {
        this.#sample();
        continue;
      }
      const field = tag >>> 3;
      if (field < 1 || field > 4) {
        cursor.skip(tag);
        continue;
      }
      cursor.expect(tag, WIRE.bytes, ['', 'Labels', 'Samples', 'Exemplars', 'Histograms'][field]!);
      const length = cursor.length();
      if (field === 3) this.#exemplar(index, cursor.position + length);
      else if (field === 4) this.#histogram(cursor.position + length);
      else {
        scattered = true;
        cursor.position += length;
      }
    }
    return scattered;
  }

  #sample(): void {
    const cursor = this.#cursor;
    const columns = this.columns;
    const length = cursor.length();
    const outer = cursor.end;
    const end = cursor.position + length;
    if (columns.sampleCount === this.#limits.samplesMax) throw tooMany('samples', this.#limits.samplesMax);
    columns.reserveSample();
    const at = columns.sampleCount++;
    let low = 0;
    let high = 0;
    let timestamp = 0;
    cursor.end = end;
    while (cursor.position < end) {
      const tag = cursor.uint32();
      if (tag === VALUE) {
        const value = cursor.fixed64();
        low = cursor.view.getUint32(value, true);
        high = cursor.view.getUint32(value + 4, true);
      } else if (tag === TIMESTAMP) timestamp = cursor.int64();
      else if (tag >>> 3 === 1 || tag >>> 3 === 2)
        throw cursor.error(`wrong wireType = ${tag & 7} in a Sample`);
      else cursor.skip(tag);
    }
    cursor.end = outer;
    columns.timestamps[at] = timestamp;
    columns.bits[2 * at] = low;
    columns.bits[2 * at + 1] = high;
  }

  #histogram(end: number): void {
    const cursor = this.#cursor;
    const outer = cursor.end;
    cursor.end = end;
    this.#histograms.read(cursor, this.columns);
    cursor.end = outer;
  }

  #exemplar(series: number, end: number): void {
    const cursor = this.#cursor;
    const columns = this.columns;
    const outer = cursor.end;
    if (columns.exemplarCount === this.#limits.exemplarsMax)
      throw tooMany('exemplars', this.#limits.exemplarsMax);
    const index = columns.beginExemplar(series);
    cursor.end = end;
    while (cursor.position < end) {
      const tag = cursor.uint32();
      if (tag === 0x0a) {
        const length = cursor.length();
        readLabel(cursor, cursor.position + length, this.#pair, 0);
        columns.addPair(this.#pair[0]!, this.#pair[1]!, this.#pair[2]!, this.#pair[3]!);
      } else if (tag === 0x11) {
        const value = cursor.fixed64();
        columns.exemplarBits[2 * index] = cursor.view.getUint32(value, true);
        columns.exemplarBits[2 * index + 1] = cursor.view.getUint32(value + 4, true);
      } else if (tag === 0x18) columns.exemplarTimestamps[index] = cursor.int64();
      else if (tag >>> 3 >= 1 && tag >>> 3 <= 3)
        throw cursor.error(`wrong wireType = ${tag & 7} in an Exemplar`);
      else cursor.skip(tag);
    }
    cursor.end = outer;
  }

  #metadata(): void {
    const cursor = this.#cursor;
    const columns = this.columns;
    if (columns.metadataCount === this.#limits.metadataMax)
      throw tooMany('metadata entries', this.#limits.metadataMax);
    const index = columns.beginMetadata(-1);
    while (cursor.position < cursor.end) {
      const tag = cursor.uint32();
      const field = tag >>> 3;
      if (field === 1) {
        cursor.expect(tag, WIRE.varint, 'Type');
        const type = cursor.uint32();
        columns.metadataTypes[index] = type < 8 ? type : 0;
      } else if (field === 2 || field === 4 || field === 5) {
        cursor.expect(tag, WIRE.bytes, field === 2 ? 'MetricFamilyName' : field === 4 ? 'Help' : 'Unit');
        const length = cursor.length();
        const at = 6 * index + (field === 2 ? 0 : 2 * (field - 3));
        columns.metadataRanges[at] = cursor.position;
        columns.metadataRanges[at + 1] = cursor.position += length;
      } else cursor.skip(tag);
    }
  }

  // Labels that do not stand together are copied together; correct senders never need it.
  #recogniseScattered(start: number, end: number, sink: LabelSink, index: number): number {
    const cursor = this.#cursor;
    const scratch = this.#scratch;
    scratch.clear();
    cursor.position = start;
    while (cursor.position < end) {
      const from = cursor.position;
      const tag = cursor.uint32();
      cursor.skip(tag);
      if (tag === LABELS) scratch.raw(cursor.bytes.subarray(from, cursor.position));
    }
    return this.#recognise(scratch.view, 0, scratch.length, sink, index);
  }
}
