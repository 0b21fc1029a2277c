// What all histograms of one chunk have in common, as it stands in front of the first one: zero threshold, schema, spans, custom
// bounds (tsdb/chunkenc/histogram_meta.go). And where two layouts differ: buckets by their number.

import { DomainError } from '../model/errors.ts';
import { CUSTOM_BUCKETS_SCHEMA, type HistogramColumns } from '../model/histogram.ts';
import type { BitReader, BitWriter } from './bit-stream.ts';

/** Buckets of one side as a chunk may have them: more would be a damaged chunk. */
const BUCKETS_MAX = 1 << 20;
const CUSTOM_BOUND_SHORT_MAX = 33_554_430;

/** The layout of a chunk. Spans are pairs of offset and length. */
export interface HistogramLayout {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly positiveSpans: Int32Array;
  readonly negativeSpans: Int32Array;
  readonly bounds: Float64Array;
}

/** The layout of staleness markers. */
export const EMPTY_LAYOUT: HistogramLayout = {
  schema: 0,
  zeroThreshold: 0,
  positiveSpans: new Int32Array(0),
  negativeSpans: new Int32Array(0),
  bounds: new Float64Array(0),
};

/** The layout of a row, owned by the caller. */
export function layoutOf(columns: HistogramColumns, row: number): HistogramLayout {
  const { spans, spanStarts, negativeSpanStarts, bounds, boundStarts } = columns;
  return {
    schema: columns.schemas[row]!,
    zeroThreshold: columns.zeroThresholds[row]!,
    positiveSpans: spans.slice(spanStarts[row], negativeSpanStarts[row]),
    negativeSpans: spans.slice(negativeSpanStarts[row], spanStarts[row + 1]),
    bounds: bounds.slice(boundStarts[row], boundStarts[row + 1]),
  };
}

/** Number of buckets of spans. */
export function bucketCount(spans: Int32Array): number {
  let count = 0;
  for (let i = 1; i < spans.length; i += 2) count += spans[i]!;
  return count;
}

/** The numbers of the buckets of spans, ascending. */
export function bucketNumbers(spans: Int32Array): Int32Array {
  const out = new Int32Array(bucketCount(spans));
  let at = 0;
  let number = 0;
  for (let i = 0; i < spans.length; i += 2) {
    number += spans[i]!;
    for (let left = spans[i + 1]!; left > 0; left--) out[at++] = number++;
  }
  return out;
}

/** All numbers of two ascending lists, ascending; `b` itself when it has all of `a`. */
export function unionOf(a: Int32Array, b: Int32Array): Int32Array {
  const out = new Int32Array(a.length + b.length);
  let i = 0;
  let j = 0;
  let at = 0;
  while (i < a.length || j < b.length) {
    const left = i < a.length ? a[i]! : Number.POSITIVE_INFINITY;
    const right = j < b.length ? b[j]! : Number.POSITIVE_INFINITY;
    out[at++] = Math.min(left, right);
    if (left <= right) i++;
    if (right <= left) j++;
  }
  return at === b.length ? b : out.subarray(0, at);
}

/** The fewest spans that hold the buckets with these numbers. */
export function spansOf(numbers: Int32Array): Int32Array {
  const out: number[] = [];
  let next = 0;
  for (const [i, number] of numbers.entries()) {
    if (i > 0 && number === next) out[out.length - 1]!++;
    else out.push(number - next, 1);
    next = number + 1;
  }
  return Int32Array.from(out);
}

/** Copies the observations of the buckets `from` into the places of `to`, which has all of them; other places stay. */
export function placeBuckets(
  from: { readonly numbers: Int32Array; readonly buckets: Float64Array },
  to: { readonly numbers: Int32Array; readonly buckets: Float64Array },
): void {
  let at = 0;
  for (let i = 0; i < from.numbers.length; i++) {
    while (to.numbers[at] !== from.numbers[i]) at++;
    to.buckets.set(from.buckets.subarray(i, i + 1), at);
  }
}

/** Whether custom bounds are the same. */
export function sameBounds(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Writes a layout. */
export function writeLayout(out: BitWriter, layout: HistogramLayout): void {
  writeZeroThreshold(out, layout.zeroThreshold);
  out.varint(layout.schema);
  writeSpans(out, layout.positiveSpans);
  writeSpans(out, layout.negativeSpans);
  if (layout.schema !== CUSTOM_BUCKETS_SCHEMA) return;
  out.uvarint(layout.bounds.length);
  for (const bound of layout.bounds) writeBound(out, bound);
}

function writeSpans(out: BitWriter, spans: Int32Array): void {
  out.uvarint(spans.length / 2);
  for (let i = 0; i < spans.length; i += 2) {
    out.uvarint(spans[i + 1]!);
    out.varint(spans[i]!);
  }
}

// 0, a power of two from 2^-243 to 2^10 in one byte, anything else in nine.
function writeZeroThreshold(out: BitWriter, threshold: number): void {
  if (threshold === 0) {
    out.bits(0, 8);
    return;
  }
  const exponent = Math.log2(threshold);
  if (Number.isInteger(exponent) && 2 ** exponent === threshold && exponent >= -243 && exponent <= 10)
    out.bits(exponent + 244, 8);
  else {
    out.bits(255, 8);
    writeDouble(out, threshold);
  }
}

// Multiples of 0.001 up to 33554.43 as an integer, anything else behind a 0 bit.
function writeBound(out: BitWriter, bound: number): void {
  const scaled = bound * 1000;
  if (scaled < 0 || scaled > CUSTOM_BOUND_SHORT_MAX || roundHalfAway(scaled) / 1000 !== bound) {
    out.bits(0, 1);
    writeDouble(out, bound);
  } else out.uvarint(roundHalfAway(scaled) + 1);
}

// Of a number that is not negative.
function roundHalfAway(value: number): number {
  const whole = Math.floor(value);
  return value - whole >= 0.5 ? whole + 1 : whole;
}

function writeDouble(out: BitWriter, value: number): void {
  const bits = new Uint32Array(Float64Array.of(value).buffer);
  out.bits64(bits[0]!, bits[1]!);
}

/** Reads a layout. Error: `corrupt` when it ends early or makes no sense. */
export function readLayout(from: BitReader): HistogramLayout {
  const zeroThreshold = readZeroThreshold(from);
  const schema = from.varint();
  const positiveSpans = readSpans(from);
  const negativeSpans = readSpans(from);
  const bounds: number[] = [];
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    const count = readCount(from, 'custom bounds');
    for (let i = 0; i < count; i++) {
      const short = from.uvarint();
      bounds.push(short === 0 ? readDouble(from) : (short - 1) / 1000);
    }
  }
  if (from.overrun) throw corrupt('it ends in its layout');
  return { schema, zeroThreshold, positiveSpans, negativeSpans, bounds: Float64Array.from(bounds) };
}

// Each takes at least a bit, so that no count can ask for more memory than the chunk could fill.
function readCount(from: BitReader, what: string): number {
  const count = from.uvarint();
  if (count > 8 * (from.bytesLeft + 1)) throw corrupt(`${count} ${what} in ${from.bytesLeft} bytes`);
  return count;
}

function readSpans(from: BitReader): Int32Array {
  const spans = new Int32Array(2 * readCount(from, 'spans'));
  let buckets = 0;
  for (let i = 0; i < spans.length; i += 2) {
    const length = from.uvarint();
    buckets += length;
    if (buckets > BUCKETS_MAX) throw corrupt(`spans of ${buckets} buckets`);
    spans[i] = from.varint();
    spans[i + 1] = length;
  }
  return spans;
}

function readZeroThreshold(from: BitReader): number {
  const byte = from.bits(8);
  if (byte === 0) return 0;
  return byte === 255 ? readDouble(from) : 2 ** (byte - 244);
}

function readDouble(from: BitReader): number {
  const high = from.bits(32);
  const low = from.bits(32);
  return new Float64Array(Uint32Array.of(low, high).buffer)[0]!;
}

function corrupt(reason: string): DomainError {
  return new DomainError('corrupt', `cannot decode a histogram chunk: ${reason}`);
}
