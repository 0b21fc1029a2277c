// Totals of native histograms as bytes, for the way of an aggregation state from a shard to the querier; they travel beside the state
// of floats (aggregate-partial.ts), of which the first byte tells them apart:
//
//   u8 version · uvarint operator · uvarint steps · uvarint groups
//   per group: uvarint label texts, each a text · text metric · uvarint cells · per cell: uvarint gap · u8 flags (1 a mean, 2 cannot
//              be added, 4 has rests, hints from bit 3 on) · uvarint count · histogram · float64 rests of count, sum, zero count and
//              of each bucket, where there are any
//
// A state is cut into pieces of whole groups, or of some cells of a group.

import { ByteReader, ByteWriter } from '../../../codec/bytes.ts';
import { histogramBytesMax, readHistogram, writeHistogram } from '../../../codec/histogram-bytes.ts';
import type { BucketList } from '../../../model/bucket-list.ts';
import type { FloatHistogram } from '../../../model/float-histogram.ts';
import { HistogramColumns } from '../../../model/histogram.ts';
import type { Labels } from '../../../model/labels.ts';
import { HistogramTotal } from '../../kernels/histogram-over-time.ts';
import type { AggregateOperator } from '../../parse/ast.ts';
import { OPERATOR_NUMBERS } from '../aggregation.ts';

const VERSION = 2;
const MEAN = 1;
const INCOMPATIBLE = 2;
const RESTS = 4;
const HINT_SHIFT = 3;
/** Wanted size of a piece. */
const PIECE_BYTES = 256 * 1024;

/** The totals of one group, by step; `metric` is the name of one of its series, for notes. */
export interface TotalCells {
  metric: string;
  readonly totals: (HistogramTotal | undefined)[];
}

/** Whether bytes of an aggregation state are of totals. */
export function isTotals(bytes: Uint8Array): boolean {
  return bytes[0] === VERSION;
}

/** Encodes the totals of groups in pieces. */
export function encodeTotals(
  op: AggregateOperator,
  steps: number,
  labels: readonly Labels[],
  groups: readonly (TotalCells | undefined)[],
): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const [number, group] of groups.entries()) {
    if (group === undefined) continue;
    let cells: number[] = [];
    let bytes = 0;
    const close = (): void => {
      if (cells.length > 0) pieces.push(encodePiece(op, steps, labels[number]!, group, cells));
      cells = [];
      bytes = 0;
    };
    for (const [step, total] of group.totals.entries()) {
      if (total === undefined) continue;
      cells.push(step);
      bytes += 64 + total.value.bytes;
      if (bytes > PIECE_BYTES) close();
    }
    close();
  }
  return pieces;
}

function encodePiece(
  op: AggregateOperator,
  steps: number,
  labels: Labels,
  { metric, totals }: TotalCells,
  cells: readonly number[],
): Uint8Array {
  const columns = new HistogramColumns();
  let bytes = 64 + 4 * metric.length;
  for (const text of labels) bytes += 8 + 4 * text.length;
  for (const cell of cells) {
    const row = totals[cell]!.value.store(columns);
    bytes += 64 + 2 * histogramBytesMax(columns, row);
  }
  const writer = new ByteWriter(bytes);
  writer.u8(VERSION);
  for (const number of [OPERATOR_NUMBERS[op], steps, 1, labels.length]) writer.uvarint(number);
  for (const text of labels) writer.text(text);
  writer.text(metric);
  writer.uvarint(cells.length);
  let next = 0;
  for (const [row, cell] of cells.entries()) {
    const total = totals[cell]!;
    const rests = restsOf(total.value);
    const hasRests = rests.some((rest) => rest !== 0);
    writer.uvarint(cell - next);
    const flags =
      (total.isMean ? MEAN : 0) | (total.isIncompatible ? INCOMPATIBLE : 0) | (hasRests ? RESTS : 0);
    writer.u8(flags | (total.hints << HINT_SHIFT));
    writer.uvarint(total.count);
    writeHistogram(writer, columns, row, row - 1);
    if (hasRests) writer.raw(new Uint8Array(rests.buffer));
    next = cell + 1;
  }
  return writer.copy();
}

function restsOf({ rests, positive, negative }: FloatHistogram): Float64Array {
  const out = new Float64Array(rests.length + positive.count + negative.count);
  out.set(rests);
  out.set(positive.rests.subarray(0, positive.count), rests.length);
  out.set(negative.rests.subarray(0, negative.count), rests.length + positive.count);
  return out;
}

/** Decodes a piece and hands on each group; `corrupt` when the bytes do not hold together or belong to another operator or grid. */
export function decodeTotals(
  bytes: Uint8Array,
  op: AggregateOperator,
  steps: number,
  take: (labels: Labels, cells: TotalCells) => void,
): void {
  const reader = new ByteReader(bytes, 'aggregation state');
  reader.u8();
  const operator = reader.uvarint();
  if (operator !== OPERATOR_NUMBERS[op]) throw reader.error(`operator ${operator}`);
  const found = reader.uvarint();
  if (found !== steps) throw reader.error(`${found} steps, expected ${steps}`);
  for (let left = reader.count(2); left > 0; left--) {
    const labels: string[] = [];
    for (let texts = reader.count(1); texts > 0; texts--) labels.push(reader.text());
    if (labels.length % 2 !== 0) throw reader.error(`${labels.length} label texts`);
    const metric = reader.text();
    take(labels, { metric, totals: readCells(reader, steps) });
  }
  if (reader.left !== 0) throw reader.error(`${reader.left} bytes too many`);
}

function readCells(reader: ByteReader, steps: number): (HistogramTotal | undefined)[] {
  const totals: (HistogramTotal | undefined)[] = [];
  const columns = new HistogramColumns();
  let step = 0;
  for (let left = reader.count(4); left > 0; left--) {
    step += reader.uvarint();
    if (step >= steps) throw reader.error(`a histogram at step ${step} of ${steps}`);
    const total = new HistogramTotal();
    const flags = reader.u8();
    total.isMean = (flags & MEAN) !== 0;
    total.isIncompatible = (flags & INCOMPATIBLE) !== 0;
    total.hints = flags >> HINT_SHIFT;
    total.count = reader.uvarint();
    const row = readHistogram(reader, columns, columns.count - 1);
    total.value.load({ columns, row });
    if ((flags & RESTS) !== 0) readRests(reader, total.value);
    totals[step++] = total;
  }
  return totals;
}

function readRests(reader: ByteReader, { rests, positive, negative }: FloatHistogram): void {
  const read = (target: Float64Array, count: number): void => {
    for (let i = 0; i < count; i++) target[i] = reader.f64();
  };
  read(rests, rests.length);
  readSide(positive, read);
  readSide(negative, read);
}

function readSide(side: BucketList, read: (target: Float64Array, count: number) => void): void {
  read(side.rests, side.count);
}
