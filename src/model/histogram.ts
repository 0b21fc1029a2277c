// Native histograms as columns: row r of a HistogramColumns is one histogram, exponential or with custom bounds (NHCB), integer
// or float. Buckets are absolute counts in both kinds, so that an integer histogram becomes a float one without a step.
//
//   spans    … │ +offset +length +offset +length │ -offset -length │ …      one flat column; row r from spanStarts[r] on
//   buckets  … │ positive …                      │ negative …      │ …
//
// Sums, counts and buckets are moved as memory, never through arithmetic: a NaN keeps its bits. The staleness marker of a series of
// histograms is a histogram whose sum is the stale NaN.

/** Schema of histograms with custom bounds. */
export const CUSTOM_BUCKETS_SCHEMA = -53;
/** Schemas of exponential histograms as they are stored. */
export const EXPONENTIAL_SCHEMA_MIN = -4;
export const EXPONENTIAL_SCHEMA_MAX = 8;
/** Schemas that other versions may use: they are read by halving the resolution until it fits. */
export const EXPONENTIAL_SCHEMA_MIN_RESERVED = -9;
export const EXPONENTIAL_SCHEMA_MAX_RESERVED = 52;

/** What is known about a counter reset at a histogram: numbers of the wire (prompb.Histogram.ResetHint). */
export const RESET_HINT = { unknown: 0, reset: 1, noReset: 2, gauge: 3 } as const;

/** Integer histograms count up to this, so that differences of differences stay exact in doubles. */
export const INTEGER_COUNT_MAX: number = 2 ** 51;

/** A growable list of histograms. Columns are replaced when they grow; of each only the rows below `count` count. */
export class HistogramColumns {
  count = 0;
  /** -4 to 8 (or reserved ones before they are reduced), or CUSTOM_BUCKETS_SCHEMA. */
  schemas: Int32Array;
  /** 1 for float histograms, 0 for integer ones. */
  floats: Uint8Array;
  /** A RESET_HINT. */
  hints: Uint8Array;
  zeroThresholds: Float64Array;
  zeroCounts: Float64Array;
  counts: Float64Array;
  sums: Float64Array;
  /** View of `sums`, low half at 2r. */
  sumBits: Uint32Array;
  /** Where the row's spans begin, where its negative ones do; the next row's begin is the end. Two numbers a span. */
  spanStarts: Uint32Array;
  negativeSpanStarts: Uint32Array;
  /** Offset and length of each span. */
  spans: Int32Array = new Int32Array(16);
  bucketStarts: Uint32Array;
  negativeBucketStarts: Uint32Array;
  /** Observations of each bucket of the spans. */
  buckets: Float64Array = new Float64Array(64);
  boundStarts: Uint32Array;
  /** Upper bounds of custom buckets, ascending; the bucket above the last one has no bound. */
  bounds: Float64Array = new Float64Array(4);

  constructor(capacity = 4) {
    this.schemas = new Int32Array(capacity);
    this.floats = new Uint8Array(capacity);
    this.hints = new Uint8Array(capacity);
    this.zeroThresholds = new Float64Array(capacity);
    this.zeroCounts = new Float64Array(capacity);
    this.counts = new Float64Array(capacity);
    this.sums = new Float64Array(capacity);
    this.sumBits = new Uint32Array(this.sums.buffer);
    this.spanStarts = new Uint32Array(capacity + 1);
    this.negativeSpanStarts = new Uint32Array(capacity);
    this.bucketStarts = new Uint32Array(capacity + 1);
    this.negativeBucketStarts = new Uint32Array(capacity);
    this.boundStarts = new Uint32Array(capacity + 1);
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return this.schemas.length * 70 + 4 * this.spans.length + 8 * (this.buckets.length + this.bounds.length);
  }

  /** Forgets all rows; keeps the memory. */
  clear(): void {
    this.count = 0;
  }

  /** Begins a row whose numbers are all 0 and that has no spans, buckets or bounds; returns it. */
  begin(): number {
    const row = this.count;
    if (row === this.schemas.length) this.#growRows(2 * row);
    this.count = row + 1;
    this.schemas[row] = this.floats[row] = this.hints[row] = 0;
    this.zeroThresholds[row] = this.zeroCounts[row] = this.counts[row] = this.sums[row] = 0;
    const span = this.spanStarts[row]!;
    const bucket = this.bucketStarts[row]!;
    this.negativeSpanStarts[row] = this.spanStarts[row + 1] = span;
    this.negativeBucketStarts[row] = this.bucketStarts[row + 1] = bucket;
    this.boundStarts[row + 1] = this.boundStarts[row]!;
    return row;
  }

  /** Takes back the row begun last. */
  drop(): void {
    this.count--;
  }

  /** Adds a span to the row begun last; positive ones come first. */
  addSpan(offset: number, length: number, negative: boolean): void {
    const row = this.count - 1;
    const at = this.spanStarts[row + 1]!;
    if (at + 2 > this.spans.length) this.spans = longer(this.spans, new Int32Array(2 * this.spans.length));
    this.spans[at] = offset;
    this.spans[at + 1] = length;
    this.spanStarts[row + 1] = at + 2;
    if (!negative) this.negativeSpanStarts[row] = at + 2;
  }

  /** Adds a bucket's observations to the row begun last; positive ones come first. */
  addBucket(observations: number, negative: boolean): void {
    const row = this.count - 1;
    const at = this.bucketStarts[row + 1]!;
    if (at === this.buckets.length)
      this.buckets = longer(this.buckets, new Float64Array(2 * this.buckets.length));
    this.buckets[at] = observations;
    this.bucketStarts[row + 1] = at + 1;
    if (!negative) this.negativeBucketStarts[row] = at + 1;
  }

  /** Adds `length` buckets without observations to the row begun last; returns where they stand in `buckets`. */
  addBuckets(length: number, negative: boolean): number {
    const row = this.count - 1;
    const at = this.bucketStarts[row + 1]!;
    const end = at + length;
    if (end > this.buckets.length)
      this.buckets = longer(this.buckets, new Float64Array(Math.max(end, 2 * this.buckets.length)));
    this.buckets.fill(0, at, end);
    this.bucketStarts[row + 1] = end;
    if (!negative) this.negativeBucketStarts[row] = end;
    return at;
  }

  /** Adds a custom bound to the row begun last. */
  addBound(bound: number): void {
    const row = this.count - 1;
    const at = this.boundStarts[row + 1]!;
    if (at === this.bounds.length) this.bounds = longer(this.bounds, new Float64Array(2 * at));
    this.bounds[at] = bound;
    this.boundStarts[row + 1] = at + 1;
  }

  /** Appends a copy of a row; returns the new row. `source` may be this object. */
  copyRow(source: HistogramColumns, from: number): number {
    const row = this.begin();
    this.schemas[row] = source.schemas[from]!;
    this.floats[row] = source.floats[from]!;
    this.hints[row] = source.hints[from]!;
    this.#copyNumbers(row, source, from);
    const span = this.spanStarts[row]!;
    const spanStart = source.spanStarts[from]!;
    const spanEnd = span + source.spanStarts[from + 1]! - spanStart;
    if (spanEnd > this.spans.length) this.spans = longer(this.spans, new Int32Array(2 * spanEnd));
    this.spans.set(source.spans.subarray(spanStart, source.spanStarts[from + 1]!), span);
    this.spanStarts[row + 1] = spanEnd;
    this.negativeSpanStarts[row] = span + source.negativeSpanStarts[from]! - spanStart;
    const bucketStart = source.bucketStarts[from]!;
    const bucket = this.addBuckets(source.bucketStarts[from + 1]! - bucketStart, true);
    this.buckets.set(source.buckets.subarray(bucketStart, source.bucketStarts[from + 1]!), bucket);
    this.negativeBucketStarts[row] = bucket + source.negativeBucketStarts[from]! - bucketStart;
    for (let i = source.boundStarts[from]!; i < source.boundStarts[from + 1]!; i++)
      this.addBound(source.bounds[i]!);
    return row;
  }

  /** Sets the bits of a row's sum. */
  setSum(row: number, low: number, high: number): void {
    this.sumBits[2 * row] = low;
    this.sumBits[2 * row + 1] = high;
  }

  // Through subarrays, so that a NaN's payload stays.
  #copyNumbers(row: number, source: HistogramColumns, from: number): void {
    this.zeroThresholds[row] = source.zeroThresholds[from]!;
    this.zeroCounts.set(source.zeroCounts.subarray(from, from + 1), row);
    this.counts.set(source.counts.subarray(from, from + 1), row);
    this.setSum(row, source.sumBits[2 * from]!, source.sumBits[2 * from + 1]!);
  }

  #growRows(capacity: number): void {
    this.schemas = longer(this.schemas, new Int32Array(capacity));
    this.floats = longer(this.floats, new Uint8Array(capacity));
    this.hints = longer(this.hints, new Uint8Array(capacity));
    this.zeroThresholds = longer(this.zeroThresholds, new Float64Array(capacity));
    this.zeroCounts = longer(this.zeroCounts, new Float64Array(capacity));
    this.counts = longer(this.counts, new Float64Array(capacity));
    this.sums = longer(this.sums, new Float64Array(capacity));
    this.sumBits = new Uint32Array(this.sums.buffer);
    this.spanStarts = longer(this.spanStarts, new Uint32Array(capacity + 1));
    this.negativeSpanStarts = longer(this.negativeSpanStarts, new Uint32Array(capacity));
    this.bucketStarts = longer(this.bucketStarts, new Uint32Array(capacity + 1));
    this.negativeBucketStarts = longer(this.negativeBucketStarts, new Uint32Array(capacity));
    this.boundStarts = longer(this.boundStarts, new Uint32Array(capacity + 1));
  }
}

/** Whether a schema can be read: custom buckets or exponential ones, reserved ones included. */
export function isKnownSchema(schema: number): boolean {
  return (
    schema === CUSTOM_BUCKETS_SCHEMA ||
    (schema >= EXPONENTIAL_SCHEMA_MIN_RESERVED && schema <= EXPONENTIAL_SCHEMA_MAX_RESERVED)
  );
}

function longer<T extends { set(source: T): void }>(column: T, grown: T): T {
  grown.set(column);
  return grown;
}
