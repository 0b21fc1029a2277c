// Chunks of native histograms being written (encodings 2 and 3), bit for bit as Prometheus writes them (tsdb/chunkenc/histogram.go
// and float_histogram.go): uint16 count, a byte whose upper two bits tell how the chunk came about, the layout, then per histogram
//
//   integer   time dod │ count dod │ zero count dod │ sum xor │ per bucket: dod of its difference to the bucket before
//   float     time dod │ count xor │ zero count xor │ sum xor │ per bucket: xor
//
// A histogram with new buckets makes the chunk be written again with a place for them; a counter that was reset, another schema,
// zero threshold or bounds begin a new chunk.

import { invariant } from '../model/errors.ts';
import { CUSTOM_BUCKETS_SCHEMA, type HistogramColumns, RESET_HINT } from '../model/histogram.ts';
import { isStaleAt, type SampleColumns, sampleColumns } from '../model/samples.ts';
import { BitWriter } from './bit-stream.ts';
import { ALL_TIMES, CHUNK_FLOAT_HISTOGRAM, CHUNK_HISTOGRAM, RESET_HEADER } from './chunk.ts';
import { readHistograms } from './histogram-chunk.ts';
import {
  bucketNumbers,
  EMPTY_LAYOUT,
  type HistogramLayout,
  layoutOf,
  placeBuckets,
  sameBounds,
  spansOf,
  unionOf,
  writeLayout,
} from './histogram-layout.ts';
import { XorLanes } from './xor-value.ts';

/** Lanes in front of the buckets. */
const COUNT = 0;
const ZERO_COUNT = 1;
const SUM = 2;
const FIRST_BUCKET = 3;
const NO_BUCKETS = new Float64Array(0);

/** One side of a histogram: numbers of its buckets and their observations. */
interface Side {
  readonly numbers: Int32Array;
  readonly buckets: Float64Array;
}

/** How a histogram goes with the ones before it. */
interface Fit {
  readonly fits: boolean;
  /** The header of the new chunk where it does not. */
  readonly header: number;
}

/** A chunk being written. */
export class HistogramAppender {
  /** CHUNK_HISTOGRAM or CHUNK_FLOAT_HISTOGRAM. */
  readonly encoding: number;
  /** Histograms in the chunk. */
  count = 0;
  /** Time of the last one, ms. */
  time = 0;
  /** A RESET_HEADER. */
  header: number = RESET_HEADER.unknown;
  #out = new BitWriter();
  #layout: HistogramLayout = EMPTY_LAYOUT;
  #positive: Int32Array = new Int32Array(0);
  #negative: Int32Array = new Int32Array(0);
  /** The last histogram: count, zero count, sum, then all buckets, absolute. */
  #last = new XorLanes(FIRST_BUCKET);
  /** Of integer histograms: the last difference of each of those. */
  #deltas = new Float64Array(FIRST_BUCKET);
  #timeDelta = 0;

  constructor(encoding: number) {
    this.encoding = encoding;
    this.#out.bits(0, 24);
  }

  /** Bytes of the chunk so far. */
  get byteLength(): number {
    return this.#out.byteLength;
  }

  /** Memory held, about. */
  get bytes(): number {
    return this.#out.view.byteLength + 36 * this.#deltas.length + 600;
  }

  /** The chunk's bytes so far with their header, owned by the caller. */
  chunkBytes(): Uint8Array<ArrayBuffer> {
    this.#out.view.setUint16(0, this.count);
    this.#out.view.setUint8(2, this.header);
    return this.#out.copy();
  }

  /** Begins the chunk with a histogram that follows those of `previous`, or nothing that is known. */
  begin(time: number, columns: HistogramColumns, row: number, previous?: HistogramAppender): void {
    const hint = columns.hints[row]!;
    this.#append(time, columns, row, alignedTo(columns, row, undefined));
    if (hint === RESET_HINT.gauge) this.header = RESET_HEADER.gauge;
    else if (hint === RESET_HINT.reset) this.header = RESET_HEADER.reset;
    else if (previous !== undefined && previous.encoding === this.encoding) {
      const { header } = previous.#counterFit(columns, row);
      const isFloat = this.encoding === CHUNK_FLOAT_HISTOGRAM;
      this.header = isFloat && header === RESET_HEADER.unknown ? RESET_HEADER.noReset : header;
    }
  }

  /**
   * Appends a histogram of this kind that is later than the last one. Returns the chunk that holds it: this one (written again where
   * buckets are new) or a new one, when this one can take no more.
   */
  append(time: number, columns: HistogramColumns, row: number): HistogramAppender {
    invariant(this.count > 0 && this.count < 0xffff, `a chunk of ${this.count} histograms takes no more`);
    const isGauge = columns.hints[row] === RESET_HINT.gauge;
    const { fits, header } = this.#fit(columns, row);
    if (!fits) {
      const next = new HistogramAppender(this.encoding);
      next.#append(time, columns, row, alignedTo(columns, row, undefined));
      next.header = header;
      return next;
    }
    if (!isStaleAt(columns.sumBits, row)) this.#makeRoom(columns, row, isGauge);
    this.#append(time, columns, row, alignedTo(columns, row, this));
    return this;
  }

  /** Whether `append` of this histogram would keep to this chunk. */
  fits(columns: HistogramColumns, row: number): boolean {
    return this.#fit(columns, row).fits;
  }

  #fit(columns: HistogramColumns, row: number): Fit {
    const isGauge = columns.hints[row] === RESET_HINT.gauge;
    return isGauge ? this.#gaugeFit(columns, row) : this.#counterFit(columns, row);
  }

  // Whether a counter's histogram may follow (appendable).
  #counterFit(columns: HistogramColumns, row: number): Fit {
    const { noReset, reset } = RESET_HEADER;
    // A float chunk's header tells resets only.
    const unknown = RESET_HEADER.unknown;
    const calm = this.encoding === CHUNK_HISTOGRAM ? noReset : unknown;
    if (this.count > 0 && this.header === RESET_HEADER.gauge) return { fits: false, header: calm };
    if (columns.hints[row] === RESET_HINT.reset) return { fits: false, header: reset };
    if (isStaleAt(columns.sumBits, row)) return { fits: true, header: calm };
    if (isStaleAt(this.#last.bits, SUM)) return { fits: false, header: unknown };
    if (columns.counts[row]! < this.#last.values[COUNT]!) return { fits: false, header: reset };
    if (!this.#sameScale(columns, row)) return { fits: false, header: unknown };
    if (!this.#sameBounds(columns, row)) return { fits: false, header: reset };
    if (columns.zeroCounts[row]! < this.#last.values[ZERO_COUNT]!) return { fits: false, header: reset };
    const { positive, negative } = sidesOf(columns, row);
    const at = FIRST_BUCKET + this.#positive.length;
    const wasReset =
      isReset({ numbers: this.#positive, buckets: this.#last.values.subarray(FIRST_BUCKET, at) }, positive) ||
      isReset({ numbers: this.#negative, buckets: this.#last.values.subarray(at) }, negative);
    return wasReset ? { fits: false, header: reset } : { fits: true, header: calm };
  }

  #gaugeFit(columns: HistogramColumns, row: number): Fit {
    const header = RESET_HEADER.gauge;
    if (this.count > 0 && this.header !== header) return { fits: false, header };
    if (isStaleAt(columns.sumBits, row)) return { fits: true, header };
    const fits =
      !isStaleAt(this.#last.bits, SUM) && this.#sameScale(columns, row) && this.#sameBounds(columns, row);
    return { fits, header };
  }

  #sameScale(columns: HistogramColumns, row: number): boolean {
    return (
      columns.schemas[row] === this.#layout.schema &&
      columns.zeroThresholds[row] === this.#layout.zeroThreshold
    );
  }

  #sameBounds(columns: HistogramColumns, row: number): boolean {
    if (columns.schemas[row] !== CUSTOM_BUCKETS_SCHEMA) return true;
    const { bounds, boundStarts } = columns;
    return sameBounds(bounds.subarray(boundStarts[row], boundStarts[row + 1]), this.#layout.bounds);
  }

  // Writes the chunk again when the histogram has buckets that it has no place for.
  #makeRoom(columns: HistogramColumns, row: number, isGauge: boolean): void {
    const { positive, negative } = sidesOf(columns, row);
    const positives = unionOf(this.#positive, positive.numbers);
    const negatives = unionOf(this.#negative, negative.numbers);
    if (positives.length === this.#positive.length && negatives.length === this.#negative.length) return;
    const own = layoutOf(columns, row);
    // What the histogram lacks is added to its spans; those of a side that lacks nothing stay as they came, but of a gauge.
    const lacks = positives !== positive.numbers || negatives !== negative.numbers;
    const merged = (all: Int32Array, had: Int32Array, spans: Int32Array): Int32Array =>
      all !== had || (isGauge && lacks) ? spansOf(all) : spans;
    this.#rewrite({
      ...own,
      positiveSpans: merged(positives, positive.numbers, own.positiveSpans),
      negativeSpans: merged(negatives, negative.numbers, own.negativeSpans),
    });
  }

  #rewrite(layout: HistogramLayout): void {
    const all = sampleColumns(this.count);
    const bytes = this.chunkBytes();
    readHistograms({ encoding: this.encoding, bytes }, ALL_TIMES, all);
    const { histograms } = all;
    invariant(histograms !== undefined, 'a histogram chunk holds histograms');
    this.#restart();
    this.#setLayout(layout);
    for (let i = 0; i < all.count; i++) {
      const row = all.rows[i]!;
      this.#append(all.timestamps[i]!, histograms, row, alignedTo(histograms, row, this));
    }
  }

  #restart(): void {
    this.#out = new BitWriter(this.#out.view.byteLength);
    this.#out.bits(0, 24);
    this.count = 0;
  }

  #setLayout(layout: HistogramLayout): void {
    this.#layout = layout;
    this.#positive = bucketNumbers(layout.positiveSpans);
    this.#negative = bucketNumbers(layout.negativeSpans);
    const lanes = FIRST_BUCKET + this.#positive.length + this.#negative.length;
    this.#last = new XorLanes(lanes);
    this.#deltas = new Float64Array(lanes);
    this.#timeDelta = 0;
    writeLayout(this.#out, layout);
  }

  /** Fills an empty chunk with the histograms of a finished one, so that it can be appended to. */
  static restore(bytes: Uint8Array, encoding: number): HistogramAppender {
    const made = new HistogramAppender(encoding);
    const all: SampleColumns = sampleColumns(16);
    readHistograms({ encoding, bytes }, ALL_TIMES, all);
    const { histograms } = all;
    invariant(histograms !== undefined, 'a histogram chunk holds histograms');
    for (let i = 0; i < all.count; i++) {
      const row = all.rows[i]!;
      made.#append(
        all.timestamps[i]!,
        histograms,
        row,
        alignedTo(histograms, row, i === 0 ? undefined : made),
      );
    }
    made.header = bytes[2]! & 0xc0;
    return made;
  }

  // `buckets` are those of the layout in its order, none for a staleness marker.
  #append(time: number, columns: HistogramColumns, row: number, buckets: Float64Array): void {
    const isStale = isStaleAt(columns.sumBits, row);
    if (this.count === 0 && this.#out.position === 24)
      this.#setLayout(isStale ? EMPTY_LAYOUT : layoutOf(columns, row));
    if (this.count === 0) this.#out.varint(time);
    else {
      const delta = time - this.time;
      this.#out.varint(delta - this.#timeDelta);
      this.#timeDelta = delta;
    }
    if (this.encoding === CHUNK_HISTOGRAM) this.#integers(columns, row, isStale, buckets);
    else this.#floats(columns, row, isStale, buckets);
    this.time = time;
    this.count++;
  }

  #integers(columns: HistogramColumns, row: number, isStale: boolean, buckets: Float64Array): void {
    const out = this.#out;
    const low = columns.sumBits[2 * row]!;
    const high = columns.sumBits[2 * row + 1]!;
    const count = isStale ? 0 : columns.counts[row]!;
    const zeroCount = isStale ? 0 : columns.zeroCounts[row]!;
    if (this.count === 0) {
      out.uvarint(count);
      out.uvarint(zeroCount);
      this.#last.writeFirst(out, SUM, low, high);
    } else {
      this.#number(COUNT, count - this.#last.values[COUNT]!, isStale);
      this.#number(ZERO_COUNT, zeroCount - this.#last.values[ZERO_COUNT]!, isStale);
      this.#last.write(out, SUM, low, high);
    }
    this.#last.values[COUNT] = count;
    this.#last.values[ZERO_COUNT] = zeroCount;
    const split = this.#positive.length;
    let before = 0;
    let lastBefore = 0;
    for (let i = 0; i < buckets.length; i++) {
      if (i === split) before = lastBefore = 0;
      const lane = FIRST_BUCKET + i;
      const bucket = buckets[i]!;
      const last = this.#last.values[lane]!;
      if (this.count === 0) out.varint(bucket - before);
      else this.#number(lane, bucket - before - (last - lastBefore), false);
      before = bucket;
      lastBefore = last;
      this.#last.values[lane] = bucket;
    }
  }

  // A difference as the difference to the one before it.
  #number(lane: number, delta: number, isStale: boolean): void {
    this.#out.varint(isStale ? 0 : delta - this.#deltas[lane]!);
    this.#deltas[lane] = delta;
  }

  #floats(columns: HistogramColumns, row: number, isStale: boolean, buckets: Float64Array): void {
    const numbers = isStale ? [0, 0] : [columns.counts[row]!, columns.zeroCounts[row]!];
    this.#values(COUNT, Float64Array.from(numbers));
    this.#values(SUM, columns.sums.slice(row, row + 1));
    this.#values(FIRST_BUCKET, buckets);
  }

  #values(lane: number, values: Float64Array): void {
    const bits = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
    for (let i = 0; i < values.length; i++) {
      const low = bits[2 * i]!;
      const high = bits[2 * i + 1]!;
      if (this.count === 0) this.#last.writeFirst(this.#out, lane + i, low, high);
      else this.#last.write(this.#out, lane + i, low, high);
    }
  }

  /** The observations of a row in the places of this chunk's layout, which has all of its buckets. */
  aligned(columns: HistogramColumns, row: number): Float64Array {
    const out = new Float64Array(this.#positive.length + this.#negative.length);
    const split = this.#positive.length;
    const { positive, negative } = sidesOf(columns, row);
    placeBuckets(positive, { numbers: this.#positive, buckets: out.subarray(0, split) });
    placeBuckets(negative, { numbers: this.#negative, buckets: out.subarray(split) });
    return out;
  }
}

// The buckets of a row in the places of a chunk's layout, or in its own; none of a staleness marker.
function alignedTo(
  columns: HistogramColumns,
  row: number,
  chunk: HistogramAppender | undefined,
): Float64Array {
  if (isStaleAt(columns.sumBits, row)) return NO_BUCKETS;
  if (chunk !== undefined) return chunk.aligned(columns, row);
  return columns.buckets.slice(columns.bucketStarts[row], columns.bucketStarts[row + 1]);
}

function sidesOf(columns: HistogramColumns, row: number): { positive: Side; negative: Side } {
  const { spans, spanStarts, negativeSpanStarts, buckets, bucketStarts, negativeBucketStarts } = columns;
  return {
    positive: {
      numbers: bucketNumbers(spans.subarray(spanStarts[row], negativeSpanStarts[row])),
      buckets: buckets.subarray(bucketStarts[row], negativeBucketStarts[row]),
    },
    negative: {
      numbers: bucketNumbers(spans.subarray(negativeSpanStarts[row], spanStarts[row + 1])),
      buckets: buckets.subarray(negativeBucketStarts[row], bucketStarts[row + 1]),
    },
  };
}

// Whether a bucket has fewer observations than before; one that is not there any more must have had none.
function isReset(before: Side, now: Side): boolean {
  let at = 0;
  for (let i = 0; i < before.numbers.length; i++) {
    const number = before.numbers[i]!;
    while (at < now.numbers.length && now.numbers[at]! < number) at++;
    const count = before.buckets[i]!;
    if (now.numbers[at] === number ? count > now.buckets[at]! : count !== 0) return true;
  }
  return false;
}
