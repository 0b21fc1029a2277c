// One Histogram message of remote write 1.0 or 2.0 (prompb/types.proto, io/prometheus/write/v2/types.proto: the same fields, and a
// start timestamp in 2.0) as a row of the request's histograms. Whether it is an integer or a float one is told by which of the two
// counts it has, wherever that stands, so buckets of both kinds are gathered first.

import {
  EXPONENTIAL_SCHEMA_MAX,
  EXPONENTIAL_SCHEMA_MAX_RESERVED,
  type HistogramColumns,
} from '../../model/histogram.ts';
import { reduceToStored } from '../../model/histogram-resolution.ts';
import { histogramProblem, spansProblem } from '../histogram-check.ts';
import { type RequestColumns, type RequestLimits, tooMany } from './columns.ts';
import { type Cursor, WIRE } from './cursor.ts';

const FIELDS = [
  '',
  'CountInt',
  'CountFloat',
  'Sum',
  'Schema',
  'ZeroThreshold',
  'ZeroCountInt',
  'ZeroCountFloat',
  'NegativeSpans',
  'NegativeDeltas',
  'NegativeCounts',
  'PositiveSpans',
  'PositiveDeltas',
  'PositiveCounts',
  'ResetHint',
  'Timestamp',
  'CustomValues',
  'StartTimestamp',
];
const FIELD_MAX_V1 = 16;
const FIELD_MAX_V2 = 17;

/** Spans and buckets of one side as they come. */
interface Side {
  /** Offset and length. */
  readonly spans: number[];
  readonly deltas: number[];
  readonly counts: number[];
}

/** Reads histogram messages, one after another, into the columns of a request. */
export class HistogramWalker {
  readonly #limits: RequestLimits;
  readonly #fieldMax: number;
  readonly #positive: Side = { spans: [], deltas: [], counts: [] };
  readonly #negative: Side = { spans: [], deltas: [], counts: [] };
  readonly #bounds: number[] = [];
  #isFloat = false;
  #count = 0;
  #zeroInteger = 0;
  #zeroFloat = 0;
  #start = 0;

  constructor(limits: RequestLimits, version: 1 | 2) {
    this.#limits = limits;
    this.#fieldMax = version === 1 ? FIELD_MAX_V1 : FIELD_MAX_V2;
  }

  /** Reads the message between `cursor.position` and `cursor.end`. Errors: `bad_data`, `too_large`. */
  read(cursor: Cursor, columns: RequestColumns): void {
    const { samplesMax } = this.#limits;
    if (columns.sampleCount + columns.histogramCount >= samplesMax) throw tooMany('samples', samplesMax);
    const { histograms } = columns;
    this.#clear();
    const at = columns.beginHistogram();
    const row = histograms.begin();
    while (cursor.position < cursor.end) {
      const tag = cursor.uint32();
      const field = tag >>> 3;
      if (field < 1 || field > this.#fieldMax) cursor.skip(tag);
      else if (field < 8) this.#number(cursor, tag, histograms, row);
      else if (field === 14 || field === 15 || field === 17) this.#integer(cursor, tag, columns, at);
      else this.#list(cursor, tag);
    }
    this.#finish(histograms, row);
    columns.histogramStarts[at] = this.#start;
    const problem = this.#problem(histograms, row);
    if (problem !== '') columns.histogramProblems.set(at, problem);
  }

  #clear(): void {
    for (const { spans, deltas, counts } of [this.#positive, this.#negative])
      spans.length = deltas.length = counts.length = 0;
    this.#bounds.length = 0;
    this.#isFloat = false;
    this.#count = this.#zeroInteger = this.#zeroFloat = this.#start = 0;
  }

  #number(cursor: Cursor, tag: number, histograms: HistogramColumns, row: number): void {
    const field = tag >>> 3;
    const isVarint = field === 1 || field === 4 || field === 6;
    cursor.expect(tag, isVarint ? WIRE.varint : WIRE.fixed64, FIELDS[field]!);
    if (field === 1) {
      this.#isFloat = false;
      this.#count = cursor.uint64();
    } else if (field === 4) histograms.schemas[row] = cursor.sint64();
    else if (field === 6) this.#zeroInteger = cursor.uint64();
    else {
      const from = cursor.fixed64();
      if (field === 3) {
        histograms.setSum(row, cursor.view.getUint32(from, true), cursor.view.getUint32(from + 4, true));
        return;
      }
      const value = cursor.view.getFloat64(from, true);
      if (field === 5) histograms.zeroThresholds[row] = value;
      else if (field === 7) this.#zeroFloat = value;
      else {
        this.#isFloat = true;
        this.#count = value;
      }
    }
  }

  #integer(cursor: Cursor, tag: number, columns: RequestColumns, at: number): void {
    const field = tag >>> 3;
    cursor.expect(tag, WIRE.varint, FIELDS[field]!);
    const value = cursor.int64();
    if (field === 15) columns.histogramTimes[at] = value;
    else if (field === 17) this.#start = value;
    else columns.histograms.hints[columns.histograms.count - 1] = value >= 0 && value <= 3 ? value : 0;
  }

  #list(cursor: Cursor, tag: number): void {
    const field = tag >>> 3;
    const side = field < 11 ? this.#negative : this.#positive;
    if (field === 8 || field === 11) {
      cursor.expect(tag, WIRE.bytes, FIELDS[field]!);
      this.#span(cursor, side.spans);
    } else if (field === 9 || field === 12) this.#packed(cursor, tag, side.deltas, WIRE.varint);
    else this.#packed(cursor, tag, field === 16 ? this.#bounds : side.counts, WIRE.fixed64);
  }

  #span(cursor: Cursor, spans: number[]): void {
    const outer = cursor.end;
    cursor.end = cursor.length() + cursor.position;
    let offset = 0;
    let length = 0;
    while (cursor.position < cursor.end) {
      const tag = cursor.uint32();
      const field = tag >>> 3;
      if (field !== 1 && field !== 2) {
        cursor.skip(tag);
        continue;
      }
      cursor.expect(tag, WIRE.varint, field === 1 ? 'Offset' : 'Length');
      if (field === 1) offset = cursor.sint64();
      else length = cursor.uint32();
    }
    cursor.end = outer;
    spans.push(offset, length);
    this.#limit(spans.length / 2, 'spans');
  }

  // Numbers of a repeated field, packed or one by one.
  #packed(cursor: Cursor, tag: number, into: number[], wire: number): void {
    const read = (): void => {
      into.push(wire === WIRE.varint ? cursor.sint64() : cursor.view.getFloat64(cursor.fixed64(), true));
      this.#limit(into.length, 'buckets');
    };
    if ((tag & 7) === wire) {
      read();
      return;
    }
    cursor.expect(tag, WIRE.bytes, FIELDS[tag >>> 3]!);
    const outer = cursor.end;
    cursor.end = cursor.length() + cursor.position;
    while (cursor.position < cursor.end) read();
    cursor.end = outer;
  }

  #limit(count: number, what: string): void {
    const { histogramBucketsMax } = this.#limits;
    if (count > histogramBucketsMax) throw tooMany(`${what} in one histogram`, histogramBucketsMax);
  }

  #finish(histograms: HistogramColumns, row: number): void {
    histograms.floats[row] = this.#isFloat ? 1 : 0;
    histograms.counts[row] = this.#count;
    histograms.zeroCounts[row] = this.#isFloat ? this.#zeroFloat : this.#zeroInteger;
    this.#addSide(histograms, this.#positive, false);
    this.#addSide(histograms, this.#negative, true);
    for (const bound of this.#bounds) histograms.addBound(bound);
  }

  #addSide(histograms: HistogramColumns, { spans, deltas, counts }: Side, negative: boolean): void {
    for (let i = 0; i < spans.length; i += 2) histograms.addSpan(spans[i]!, spans[i + 1]!, negative);
    if (this.#isFloat) {
      for (const count of counts) histograms.addBucket(count, negative);
      return;
    }
    let count = 0;
    for (const delta of deltas) {
      count += delta;
      histograms.addBucket(count, negative);
    }
  }

  #problem(histograms: HistogramColumns, row: number): string {
    const schema = histograms.schemas[row]!;
    if (schema > EXPONENTIAL_SCHEMA_MAX && schema <= EXPONENTIAL_SCHEMA_MAX_RESERVED) {
      const problem = spansProblem(histograms, row);
      if (problem !== '') return problem;
      reduceToStored(histograms);
    }
    return histogramProblem(histograms, row);
  }
}
