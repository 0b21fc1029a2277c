// One native histogram after another as bytes, exactly: in WAL frames, in snapshots of a head and between shard and querier
// (docs/formats/frame.md, "Histograms"). Spans and bounds equal to those of the histogram before are not said again.

import {
  CUSTOM_BUCKETS_SCHEMA,
  type HistogramColumns,
  isKnownSchema,
  RESET_HINT,
} from '../model/histogram.ts';
import { isStaleAt, STALE_NAN_HIGH, STALE_NAN_LOW } from '../model/samples.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

const FLOAT = 1;
const HINT_SHIFT = 1;
const SAME_LAYOUT = 8;
const STALE = 16;
const KNOWN_BITS = 31;

/** Appends row `row`; `before` is the row of the same columns written before it, -1 for none. */
export function writeHistogram(
  out: ByteWriter,
  columns: HistogramColumns,
  row: number,
  before: number,
): void {
  const isFloat = columns.floats[row] === 1;
  const kind = (isFloat ? FLOAT : 0) | (columns.hints[row]! << HINT_SHIFT);
  if (isStaleAt(columns.sumBits, row)) {
    out.u8(kind | STALE);
    return;
  }
  const isSame = before >= 0 && !isStaleAt(columns.sumBits, before) && sameLayout(columns, row, before);
  out.u8(kind | (isSame ? SAME_LAYOUT : 0));
  if (!isSame) writeLayout(out, columns, row);
  out.bits(columns.sumBits[2 * row]!, columns.sumBits[2 * row + 1]!);
  const { counts, zeroCounts, buckets, bucketStarts, negativeBucketStarts } = columns;
  const start = bucketStarts[row]!;
  const end = bucketStarts[row + 1]!;
  if (isFloat) {
    out.raw(bytesOf(counts, row, row + 1));
    out.raw(bytesOf(zeroCounts, row, row + 1));
    out.raw(bytesOf(buckets, start, end));
    return;
  }
  out.uvarint(counts[row]!);
  out.uvarint(zeroCounts[row]!);
  const middle = negativeBucketStarts[row]!;
  for (let i = start; i < end; i++)
    out.varint(buckets[i]! - (i === start || i === middle ? 0 : buckets[i - 1]!));
}

/** Most bytes that writeHistogram may take for a row. */
export function histogramBytesMax(columns: HistogramColumns, row: number): number {
  const spans = columns.spanStarts[row + 1]! - columns.spanStarts[row]!;
  const buckets = columns.bucketStarts[row + 1]! - columns.bucketStarts[row]!;
  const bounds = columns.boundStarts[row + 1]! - columns.boundStarts[row]!;
  return 64 + 5 * spans + 8 * (buckets + bounds);
}

function bytesOf(column: Float64Array, from: number, to: number): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset + 8 * from, 8 * (to - from));
}

function sameLayout(columns: HistogramColumns, a: number, b: number): boolean {
  const { schemas, zeroThresholds, spans, spanStarts, negativeSpanStarts, bounds, boundStarts } = columns;
  return (
    schemas[a] === schemas[b] &&
    zeroThresholds[a] === zeroThresholds[b] &&
    negativeSpanStarts[a]! - spanStarts[a]! === negativeSpanStarts[b]! - spanStarts[b]! &&
    sameRange(spans, spanStarts, a, b) &&
    sameRange(bounds, boundStarts, a, b)
  );
}

function sameRange(column: ArrayLike<number>, starts: Uint32Array, a: number, b: number): boolean {
  const length = starts[a + 1]! - starts[a]!;
  if (length !== starts[b + 1]! - starts[b]!) return false;
  for (let i = 0; i < length; i++) if (column[starts[a]! + i] !== column[starts[b]! + i]) return false;
  return true;
}

function writeLayout(out: ByteWriter, columns: HistogramColumns, row: number): void {
  const { spans, spanStarts, negativeSpanStarts, bounds, boundStarts } = columns;
  out.varint(columns.schemas[row]!);
  out.f64(columns.zeroThresholds[row]!);
  writeSpans(out, spans, spanStarts[row]!, negativeSpanStarts[row]!);
  writeSpans(out, spans, negativeSpanStarts[row]!, spanStarts[row + 1]!);
  if (columns.schemas[row] !== CUSTOM_BUCKETS_SCHEMA) return;
  out.uvarint(boundStarts[row + 1]! - boundStarts[row]!);
  out.raw(bytesOf(bounds, boundStarts[row]!, boundStarts[row + 1]!));
}

function writeSpans(out: ByteWriter, spans: Int32Array, from: number, to: number): void {
  out.uvarint((to - from) / 2);
  for (let i = from; i < to; i += 2) {
    out.varint(spans[i]!);
    out.uvarint(spans[i + 1]!);
  }
}

/** Appends the next histogram to `columns`; `before` is the row read before it, -1 for none. Error: `corrupt`. Returns the row. */
export function readHistogram(from: ByteReader, columns: HistogramColumns, before: number): number {
  const kind = from.u8();
  if (kind > KNOWN_BITS) throw from.error(`a histogram of kind ${kind}`);
  const row = columns.begin();
  columns.floats[row] = kind & FLOAT;
  columns.hints[row] = (kind >>> HINT_SHIFT) & RESET_HINT.gauge;
  if ((kind & STALE) !== 0) {
    columns.setSum(row, STALE_NAN_LOW, STALE_NAN_HIGH);
    return row;
  }
  if ((kind & SAME_LAYOUT) === 0) readLayout(from, columns, row);
  else if (before < 0) throw from.error('a histogram with the spans of one that is not there');
  else copyLayout(columns, row, before);
  const at = from.skip(8);
  columns.setSum(row, from.view.getUint32(at, true), from.view.getUint32(at + 4, true));
  readCounts(from, columns, row);
  return row;
}

function readLayout(from: ByteReader, columns: HistogramColumns, row: number): void {
  const schema = from.varint();
  if (!isKnownSchema(schema)) throw from.error(`a histogram of schema ${schema}`);
  columns.schemas[row] = schema;
  columns.zeroThresholds[row] = from.f64();
  readSpans(from, columns, false);
  readSpans(from, columns, true);
  if (schema !== CUSTOM_BUCKETS_SCHEMA) return;
  for (let left = from.count(8); left > 0; left--) columns.addBound(from.f64());
}

function readSpans(from: ByteReader, columns: HistogramColumns, negative: boolean): void {
  for (let left = from.count(2); left > 0; left--) {
    const offset = from.varint();
    columns.addSpan(offset, from.uvarint(), negative);
  }
}

function copyLayout(columns: HistogramColumns, row: number, from: number): void {
  columns.schemas[row] = columns.schemas[from]!;
  columns.zeroThresholds[row] = columns.zeroThresholds[from]!;
  const split = columns.negativeSpanStarts[from]!;
  for (let i = columns.spanStarts[from]!; i < columns.spanStarts[from + 1]!; i += 2)
    columns.addSpan(columns.spans[i]!, columns.spans[i + 1]!, i >= split);
  for (let i = columns.boundStarts[from]!; i < columns.boundStarts[from + 1]!; i++)
    columns.addBound(columns.bounds[i]!);
}

function readCounts(from: ByteReader, columns: HistogramColumns, row: number): void {
  const isFloat = columns.floats[row] === 1;
  if (isFloat) {
    bytesOf(columns.counts, row, row + 1).set(from.raw(8));
    bytesOf(columns.zeroCounts, row, row + 1).set(from.raw(8));
  } else {
    columns.counts[row] = from.uvarint();
    columns.zeroCounts[row] = from.uvarint();
  }
  for (const negative of [false, true]) {
    const length = bucketsOf(from, columns, row, negative);
    const at = columns.addBuckets(length, negative);
    if (isFloat) bytesOf(columns.buckets, at, at + length).set(from.raw(8 * length));
    else
      for (let i = at; i < at + length; i++)
        columns.buckets[i] = (i > at ? columns.buckets[i - 1]! : 0) + from.varint();
  }
}

// A bucket takes at least a byte, so that no span can ask for more memory than was sent.
function bucketsOf(from: ByteReader, columns: HistogramColumns, row: number, negative: boolean): number {
  const start = negative ? columns.negativeSpanStarts[row]! : columns.spanStarts[row]!;
  const end = negative ? columns.spanStarts[row + 1]! : columns.negativeSpanStarts[row]!;
  let length = 0;
  for (let i = start; i < end; i += 2) length += columns.spans[i + 1]! >>> 0;
  if (length > from.left) throw from.error(`a histogram of ${length} buckets with ${from.left} bytes left`);
  return length;
}
