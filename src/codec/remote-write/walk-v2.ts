// Walks an io.prometheus.write.v2.Request (remote write 2.0: prompb/io/prometheus/write/v2/types.proto) into RequestColumns.
// A series' refs are laid out as remote write 1.0's raw label bytes, so that both versions recognise the same series.

import { doubled } from '../byte-table.ts';
import { ByteWriter } from '../bytes.ts';
import { type LabelSink, RequestColumns, type RequestLimits, tooMany } from './columns.ts';
import { Cursor, WIRE } from './cursor.ts';
import { HistogramWalker } from './histogram.ts';
import { writeRawLabel } from './labels.ts';

const REFS_MAX = 65_536;
const SYMBOLS = 0x22;
const SERIES = 0x2a;
const FIELDS = ['', 'LabelsRefs', 'Samples', 'Histograms', 'Exemplars', 'Metadata'];

/** Walker of one request after another; keeps its scratch memory. */
export class WalkerV2 {
  readonly columns: RequestColumns = new RequestColumns();
  /** Start and end of every symbol in the body; the first `symbolCount` pairs count. */
  symbols: Uint32Array = new Uint32Array(2048);
  symbolCount = 0;
  readonly #cursor = new Cursor();
  readonly #limits: RequestLimits;
  readonly #histograms: HistogramWalker;
  readonly #raw = new ByteWriter(1024);
  readonly #pair = new Uint32Array(4);
  #refs = new Uint32Array(256);
  #refCount = 0;
  // Metadata of the series at hand.
  #hasMetadata = false;
  #type = 0;
  #helpRef = 0;
  #unitRef = 0;
  // Reason why an exemplar of the series at hand could not be read.
  #exemplarProblem = '';

  /** Complaints about exemplars of the request, each with the index of its series. */
  readonly exemplarProblems: { series: number; reason: string }[] = [];

  constructor(limits: RequestLimits) {
    this.#limits = limits;
    this.#histograms = new HistogramWalker(limits, 2);
  }

  /** Fills `columns` from a body; positions in them are positions in `body`. Errors: `bad_data`, `too_large`. */
  walk(body: Uint8Array, view: DataView, sink: LabelSink): void {
    const cursor = this.#cursor;
    this.columns.clear();
    this.exemplarProblems.length = 0;
    cursor.open(body, view);
    this.#readSymbols();
    cursor.open(body, view);
    const end = cursor.end;
    while (cursor.position < end) {
      const tag = cursor.uint32();
      if (tag !== SERIES) {
        cursor.skip(tag);
        continue;
      }
      cursor.end = cursor.length() + cursor.position;
      this.#series(sink);
      cursor.end = end;
    }
  }

  // Symbols may stand behind series, so they are collected first.
  #readSymbols(): void {
    const cursor = this.#cursor;
    this.symbolCount = 0;
    while (cursor.position < cursor.end) {
      const tag = cursor.uint32();
      if (tag !== SYMBOLS) {
        if (tag >>> 3 === 4 || tag >>> 3 === 5)
          cursor.expect(tag, WIRE.bytes, tag >>> 3 === 4 ? 'Symbols' : 'Timeseries');
        cursor.skip(tag);
        continue;
      }
      const length = cursor.length();
      if (this.symbolCount === this.#limits.symbolsMax) throw tooMany('symbols', this.#limits.symbolsMax);
      const at = 2 * this.symbolCount++;
      if (at === this.symbols.length) this.symbols = doubled(this.symbols);
      this.symbols[at] = cursor.position;
      this.symbols[at + 1] = cursor.position += length;
    }
  }

  #series(sink: LabelSink): void {
    const columns = this.columns;
    if (columns.seriesCount === this.#limits.seriesMax) throw tooMany('series', this.#limits.seriesMax);
    const index = columns.beginSeries();
    this.#refCount = 0;
    this.#hasMetadata = false;
    this.#exemplarProblem = '';
    this.#content(index);
    columns.seriesIds[index] = this.#recognise(sink, index);
    if (this.#hasMetadata) this.#keepMetadata(index);
    if (this.#exemplarProblem !== '') {
      this.exemplarProblems.push({ series: index, reason: this.#exemplarProblem });
    }
  }

  #content(index: number): void {
    const cursor = this.#cursor;
    const end = cursor.end;
    while (cursor.position < end) {
      const tag = cursor.uint32();
      const field = tag >>> 3;
      if (field < 1 || field > 5) {
        cursor.skip(tag);
        continue;
      }
      if (field === 1 && (tag & 7) === WIRE.varint) {
        this.#addRef(cursor.uint32());
        continue;
      }
      cursor.expect(tag, WIRE.bytes, FIELDS[field]!);
      cursor.end = cursor.length() + cursor.position;
      if (field === 1) while (cursor.position < cursor.end) this.#addRef(cursor.uint32());
      else if (field === 2) this.#sample();
      else if (field === 3) this.#histograms.read(cursor, this.columns);
      else if (field === 4) this.#exemplar(index);
      else this.#metadata();
      cursor.end = end;
    }
  }

  #addRef(ref: number): void {
    if (this.#refCount === REFS_MAX) throw tooMany('label refs of one series', REFS_MAX);
    if (this.#refCount === this.#refs.length) this.#refs = doubled(this.#refs);
    this.#refs[this.#refCount++] = ref;
  }

  #sample(): void {
    const cursor = this.#cursor;
    const columns = this.columns;
    if (columns.sampleCount === this.#limits.samplesMax) throw tooMany('samples', this.#limits.samplesMax);
    columns.reserveSample();
    const at = columns.sampleCount++;
    let low = 0;
    let high = 0;
    let timestamp = 0;
    let start = 0;
    while (cursor.position < cursor.end) {
      const tag = cursor.uint32();
      if (tag === 0x09) {
        const value = cursor.fixed64();
        low = cursor.view.getUint32(value, true);
        high = cursor.view.getUint32(value + 4, true);
      } else if (tag === 0x10) timestamp = cursor.int64();
      else if (tag === 0x18) start = cursor.int64();
      else if (tag >>> 3 >= 1 && tag >>> 3 <= 3)
        throw cursor.error(`wrong wireType = ${tag & 7} in a Sample`);
      else cursor.skip(tag);
    }
    columns.timestamps[at] = timestamp;
    columns.bits[2 * at] = low;
    columns.bits[2 * at + 1] = high;
    if (start !== 0) columns.setStart(at, start);
    else if (columns.hasStarts) columns.starts[at] = 0;
  }

  #metadata(): void {
    const cursor = this.#cursor;
    this.#hasMetadata = true;
    this.#type = this.#helpRef = this.#unitRef = 0;
    while (cursor.position < cursor.end) {
      const tag = cursor.uint32();
      const field = tag >>> 3;
      if (field !== 1 && field !== 3 && field !== 4) {
        cursor.skip(tag);
        continue;
      }
      cursor.expect(tag, WIRE.varint, field === 1 ? 'Type' : field === 3 ? 'HelpRef' : 'UnitRef');
      const value = cursor.uint32();
      if (field === 1) this.#type = value < 8 ? value : 0;
      else if (field === 3) this.#helpRef = value;
      else this.#unitRef = value;
    }
  }

  #exemplar(series: number): void {
    const cursor = this.#cursor;
    const columns = this.columns;
    if (columns.exemplarCount === this.#limits.exemplarsMax)
      throw tooMany('exemplars', this.#limits.exemplarsMax);
    const index = columns.beginExemplar(series);
    const firstRef = this.#refCount; // the exemplar's refs live behind the series' for a moment
    while (cursor.position < cursor.end) {
      const tag = cursor.uint32();
      if (tag === 0x0a) {
        const outer = cursor.end;
        cursor.end = cursor.length() + cursor.position;
        while (cursor.position < cursor.end) this.#addRef(cursor.uint32());
        cursor.end = outer;
      } else if (tag === 0x08) this.#addRef(cursor.uint32());
      else if (tag === 0x11) {
        const value = cursor.fixed64();
        columns.exemplarBits[2 * index] = cursor.view.getUint32(value, true);
        columns.exemplarBits[2 * index + 1] = cursor.view.getUint32(value + 4, true);
      } else if (tag === 0x18) columns.exemplarTimestamps[index] = cursor.int64();
      else if (tag >>> 3 >= 1 && tag >>> 3 <= 3)
        throw cursor.error(`wrong wireType = ${tag & 7} in an Exemplar`);
      else cursor.skip(tag);
    }
    this.#exemplarPairs(firstRef);
    this.#refCount = firstRef;
  }

  #exemplarPairs(first: number): void {
    const problem = this.#refProblem(first, this.#refCount);
    if (problem !== '') {
      this.columns.dropExemplar();
      this.#exemplarProblem = problem;
      return;
    }
    const { symbols } = this;
    for (let i = first; i < this.#refCount; i += 2) {
      const name = 2 * this.#refs[i]!;
      const value = 2 * this.#refs[i + 1]!;
      this.columns.addPair(symbols[name]!, symbols[name + 1]!, symbols[value]!, symbols[value + 1]!);
    }
  }

  // What is wrong with refs [first, end), in Prometheus's words, or ''.
  #refProblem(first: number, end: number): string {
    if ((end - first) % 2 !== 0) return `invalid labelRefs length ${end - first}`;
    const count = this.symbolCount;
    for (let i = first; i < end; i += 2) {
      const name = this.#refs[i]!;
      const value = this.#refs[i + 1]!;
      if (name >= count || value >= count) {
        return `labelRefs ${name} (name) = ${value} (value) outside of symbols table (size ${count})`;
      }
    }
    return '';
  }

  #recognise(sink: LabelSink, index: number): number {
    const problem = this.#refProblem(0, this.#refCount);
    if (problem !== '') return sink.refuse(index, `parsing labels: ${problem}`);
    if (this.#hasMetadata && this.symbolCount > 0) {
      if (this.#unitRef >= this.symbolCount)
        return sink.refuse(index, this.#outside('unit_ref', this.#unitRef));
      if (this.#helpRef >= this.symbolCount)
        return sink.refuse(index, this.#outside('help_ref', this.#helpRef));
    }
    const expected = sink.predictSymbols(this.#cursor.view, this.symbols, this.#refs, this.#refCount);
    if (expected >= 0) {
      sink.confirm(expected);
      return expected;
    }
    const bytes = this.#layLabels();
    if (bytes > this.#limits.labelBytesMax) {
      return sink.refuse(
        index,
        `labels of ${bytes} bytes exceed the limit of ${this.#limits.labelBytesMax} bytes`,
      );
    }
    const { view, length } = this.#raw;
    return sink.recognise(view, 0, length, index);
  }

  #outside(what: string, ref: number): string {
    return `parsing metadata: metadata ${what} ${ref} outside of symbols table (size ${this.symbolCount})`;
  }

  // Writes the refs' labels in raw form; stops early, returning the size so far, when that passes the limit.
  #layLabels(): number {
    const { symbols } = this;
    const refs = this.#refs;
    const pair = this.#pair;
    const raw = this.#raw;
    raw.clear();
    let size = 0;
    for (let i = 0; i < this.#refCount; i += 2) {
      const name = 2 * refs[i]!;
      const value = 2 * refs[i + 1]!;
      pair[0] = symbols[name]!;
      pair[1] = symbols[name + 1]!;
      pair[2] = symbols[value]!;
      pair[3] = symbols[value + 1]!;
      size += pair[1] - pair[0] + pair[3] - pair[2] + 6;
      if (size > this.#limits.labelBytesMax) return size;
      writeRawLabel(raw, this.#cursor.bytes, pair, 0);
    }
    return raw.length;
  }

  #keepMetadata(series: number): void {
    const columns = this.columns;
    if (columns.seriesIds[series]! < 0) return;
    if (this.#type === 0 && this.#helpRef === 0 && this.#unitRef === 0) return;
    if (columns.metadataCount === this.#limits.metadataMax)
      throw tooMany('metadata entries', this.#limits.metadataMax);
    const index = columns.beginMetadata(series);
    columns.metadataTypes[index] = this.#type;
    const at = 6 * index;
    if (this.#helpRef < this.symbolCount) {
      columns.metadataRanges[at + 2] = this.symbols[2 * this.#helpRef]!;
      columns.metadataRanges[at + 3] = this.symbols[2 * this.#helpRef + 1]!;
    }
    if (this.#unitRef < this.symbolCount) {
      columns.metadataRanges[at + 4] = this.symbols[2 * this.#unitRef]!;
      columns.metadataRanges[at + 5] = this.symbols[2 * this.#unitRef + 1]!;
    }
  }
}
