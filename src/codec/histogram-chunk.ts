// Reads chunks of native histograms (encodings 2 and 3, see histogram-appender.ts, and those with start timestamps, 5 and 6, see
// tsdb/chunkenc/histogram_st.go and st.go) into sample columns.

import { DomainError } from '../model/errors.ts';
import { type HistogramColumns, isKnownSchema, RESET_HINT } from '../model/histogram.ts';
import { reduceToStored } from '../model/histogram-resolution.ts';
import { histogramsOf, isStaleAt, pushHistogram, type SampleColumns, startsOf } from '../model/samples.ts';
import { BitReader } from './bit-stream.ts';
import {
  CHUNK_FLOAT_HISTOGRAM,
  CHUNK_FLOAT_HISTOGRAM_ST,
  CHUNK_HISTOGRAM_ST,
  type EncodedBytes,
  RESET_HEADER,
  type TimeSpan,
} from './chunk.ts';
import { bucketCount, type HistogramLayout, readLayout } from './histogram-layout.ts';
import { StartTimes } from './start-times.ts';
import { XorLanes } from './xor-value.ts';

/** Bytes in front of the bits: the count and the header. */
const HISTOGRAM_HEADER_BYTES = 3;
const SAMPLE_COUNT_MASK_ST = 0x3fff;
const COUNT = 0;
const ZERO_COUNT = 1;
const SUM = 2;
const FIRST_BUCKET = 3;

/** Appends the histograms of a chunk within `span` to `target`. Error: `corrupt`. */
export function readHistograms(chunk: EncodedBytes, span: TimeSpan, target: SampleColumns): void {
  const { bytes, encoding } = chunk;
  if (bytes.length < HISTOGRAM_HEADER_BYTES) return;
  const hasStarts = encoding === CHUNK_HISTOGRAM_ST || encoding === CHUNK_FLOAT_HISTOGRAM_ST;
  const count = ((bytes[0]! << 8) | bytes[1]!) & (hasStarts ? SAMPLE_COUNT_MASK_ST : 0xffff);
  if (count === 0) return;
  const header = (hasStarts ? bytes[0]! : bytes[2]!) & 0xc0;
  // A histogram takes at least four bits.
  if (count > bytes.length * 2) throw corrupt(`${count} histograms in ${bytes.length} bytes`);
  const run = new HistogramRun(bytes, encoding, hasStarts ? bytes[2]! : undefined);
  for (let i = 0; i < count; i++) {
    run.next();
    if (run.time > span.end) return;
    if (run.time >= span.start) run.push(target, hintOf(header, i));
  }
}

/** What stands in front of the histograms of a chunk of encoding 2 or 3. Error: `corrupt`. */
export function readHistogramHead(bytes: Uint8Array): {
  readonly isGauge: boolean;
  /** Its first histogram begins anew. */
  readonly isReset: boolean;
  readonly layout: HistogramLayout;
} {
  if (bytes.length < HISTOGRAM_HEADER_BYTES) throw corrupt(`it has ${bytes.length} bytes`);
  const header = bytes[2]! & 0xc0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = readLayout(new BitReader(view, HISTOGRAM_HEADER_BYTES, bytes.length));
  return { isGauge: header === RESET_HEADER.gauge, isReset: header === RESET_HEADER.reset, layout };
}

// Only behind the first histogram of a chunk it is certain that there was no reset.
function hintOf(header: number, index: number): number {
  if (header === RESET_HEADER.gauge) return RESET_HINT.gauge;
  return index > 0 ? RESET_HINT.noReset : RESET_HINT.unknown;
}

/** The state while one chunk is read. */
class HistogramRun {
  time = 0;
  readonly #from: BitReader;
  readonly #isFloat: boolean;
  readonly #layout: HistogramLayout;
  /** Buckets of the positive side, and of both. */
  readonly #split: number;
  readonly #buckets: number;
  /** The histogram at hand: count, zero count, sum, then buckets; those of an integer one as differences to the one before. */
  readonly #lanes: XorLanes;
  readonly #deltas: Float64Array;
  readonly #starts: StartTimes | undefined;
  #timeDelta = 0;
  #read = 0;

  constructor(bytes: Uint8Array, encoding: number, startHeader: number | undefined) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#from = new BitReader(view, HISTOGRAM_HEADER_BYTES, bytes.length);
    this.#isFloat = encoding === CHUNK_FLOAT_HISTOGRAM || encoding === CHUNK_FLOAT_HISTOGRAM_ST;
    this.#layout = readLayout(this.#from);
    if (!isKnownSchema(this.#layout.schema)) throw corrupt(`its schema is ${this.#layout.schema}`);
    this.#split = bucketCount(this.#layout.positiveSpans);
    this.#buckets = this.#split + bucketCount(this.#layout.negativeSpans);
    // The first histogram has at least a bit for each.
    if (this.#buckets > 8 * bytes.length) throw corrupt(`${this.#buckets} buckets in ${bytes.length} bytes`);
    this.#lanes = new XorLanes(FIRST_BUCKET + this.#buckets);
    this.#deltas = new Float64Array(FIRST_BUCKET + this.#buckets);
    this.#starts = startHeader === undefined ? undefined : new StartTimes(startHeader);
  }

  /** Reads the next histogram. */
  next(): void {
    const from = this.#from;
    const before = this.time;
    if (this.#read === 0) this.time = from.varint();
    else this.time += this.#timeDelta += from.varint();
    if (this.#isFloat) this.#readFloats();
    else this.#readIntegers();
    this.#read++;
    this.#starts?.next(from, { read: this.#read, time: this.time, before });
    if (from.overrun) throw corrupt(`it ends in histogram ${this.#read}`);
  }

  #readFloats(): void {
    const lanes = this.#lanes;
    const isFirst = this.#read === 0;
    for (let lane = 0; lane < FIRST_BUCKET; lane++)
      if (isFirst) lanes.readFirst(this.#from, lane);
      else lanes.read(this.#from, lane);
    if (!isFirst && isStaleAt(lanes.bits, SUM)) return;
    for (let lane = FIRST_BUCKET; lane < this.#deltas.length; lane++)
      if (isFirst) lanes.readFirst(this.#from, lane);
      else lanes.read(this.#from, lane);
  }

  #readIntegers(): void {
    const lanes = this.#lanes;
    const { values } = lanes;
    if (this.#read === 0) {
      values[COUNT] = this.#from.uvarint();
      values[ZERO_COUNT] = this.#from.uvarint();
      lanes.readFirst(this.#from, SUM);
      for (let lane = FIRST_BUCKET; lane < values.length; lane++) values[lane] = this.#from.varint();
      return;
    }
    this.#number(COUNT);
    this.#number(ZERO_COUNT);
    lanes.read(this.#from, SUM);
    if (isStaleAt(lanes.bits, SUM)) return;
    for (let lane = FIRST_BUCKET; lane < values.length; lane++) this.#number(lane);
  }

  #number(lane: number): void {
    this.#deltas[lane]! += this.#from.varint();
    this.#lanes.values[lane]! += this.#deltas[lane]!;
  }

  /** Appends the histogram at hand. */
  push(target: SampleColumns, hint: number): void {
    const histograms = histogramsOf(target);
    const row = histograms.begin();
    const { bits, values } = this.#lanes;
    histograms.floats[row] = this.#isFloat ? 1 : 0;
    histograms.setSum(row, bits[2 * SUM]!, bits[2 * SUM + 1]!);
    if (!isStaleAt(bits, SUM)) {
      histograms.hints[row] = hint;
      histograms.counts.set(values.subarray(COUNT, COUNT + 1), row);
      histograms.zeroCounts.set(values.subarray(ZERO_COUNT, ZERO_COUNT + 1), row);
      this.#pushLayout(histograms, row);
      reduceToStored(histograms);
    }
    const at = target.count;
    pushHistogram(target, histograms, this.time);
    if (this.#starts !== undefined) startsOf(target)[at] = this.#starts.start;
  }

  #pushLayout(histograms: HistogramColumns, row: number): void {
    const { schema, zeroThreshold, positiveSpans, negativeSpans, bounds } = this.#layout;
    histograms.schemas[row] = schema;
    histograms.zeroThresholds[row] = zeroThreshold;
    for (let i = 0; i < positiveSpans.length; i += 2)
      histograms.addSpan(positiveSpans[i]!, positiveSpans[i + 1]!, false);
    for (let i = 0; i < negativeSpans.length; i += 2)
      histograms.addSpan(negativeSpans[i]!, negativeSpans[i + 1]!, true);
    for (const bound of bounds) histograms.addBound(bound);
    this.#pushBuckets(histograms, this.#split, false);
    this.#pushBuckets(histograms, this.#buckets - this.#split, true);
  }

  #pushBuckets(histograms: HistogramColumns, count: number, negative: boolean): void {
    const lane = FIRST_BUCKET + (negative ? this.#split : 0);
    const at = histograms.addBuckets(count, negative);
    const { values } = this.#lanes;
    if (this.#isFloat) {
      histograms.buckets.set(values.subarray(lane, lane + count), at);
      return;
    }
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum += values[lane + i]!;
      histograms.buckets[at + i] = sum;
    }
  }
}

function corrupt(reason: string): DomainError {
  return new DomainError('corrupt', `cannot decode a histogram chunk: ${reason}`);
}
