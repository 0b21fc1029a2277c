// Replies to fragments as bytes (docs/formats/frame.md): version, kind, then by kind
//   batch:      steps, first step, width, series, table of strings, per series: label refs, presence form, values
//   partial:    the aggregation's own bytes
//   raw:        series, table of strings, per series: label refs, count, timestamps, values
//   mixed-batch, mixed-raw: the same with some values that are native histograms behind it (of raw: for each series): count, per
//               histogram: cell gap, histogram. Kinds of their own, so that a reader that does not know them takes no sum for a value
//   notes, analysis: JSON
//   statistics: samples read, series seen, queryable samples
// Integers are varints, floats raw little-endian. splitBatch cuts a batch so that each reply stays near REPLY_BYTES.

import { ByteReader, ByteWriter } from '../../codec/bytes.ts';
import { readHistogram, writeHistogram } from '../../codec/histogram-bytes.ts';
import { numberTexts } from '../../codec/label-rows.ts';
import { DomainError } from '../../model/errors.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { BatchHistograms, FragmentReply, RawColumns, StepBatch } from '../source.ts';

const VERSION = 1;
/** Wanted size of one encoded reply. */
export const REPLY_BYTES: number = 256 * 1024;
/** Widest slice of the grid one reply carries: wider grids travel in slices. */
export const REPLY_STEPS_MAX: number = 24 * 1024;
const KINDS = [
  'batch',
  'partial',
  'raw',
  'notes',
  'statistics',
  'mixed-batch',
  'mixed-raw',
  'analysis',
] as const;
const NO_HISTOGRAMS: BatchHistograms = { columns: new HistogramColumns(), rows: new Int32Array(0) };
/** Forms of presence: nothing, every step, every step with the same value, or a bitmap. */
const ABSENT = 0;
const FULL = 1;
const CONSTANT = 2;
const BITMAP = 3;

/** Encodes one reply; the result owns its memory. */
export function encodeReply(reply: FragmentReply): Uint8Array {
  const writer = new ByteWriter(sizeGuess(reply));
  writer.u8(VERSION);
  writer.u8(KINDS.indexOf(kindOf(reply)));
  switch (reply.kind) {
    case 'batch':
      writeBatch(writer, reply.batch);
      break;
    case 'partial':
      writer.raw(reply.bytes);
      break;
    case 'raw':
      writeRaw(writer, reply.series);
      break;
    case 'notes':
      writer.text(JSON.stringify(reply.notes));
      break;
    case 'analysis':
      writer.text(JSON.stringify(reply.operator));
      break;
    case 'statistics':
      writer.uvarint(reply.samplesRead);
      writer.uvarint(reply.seriesSeen);
      writer.uvarint(reply.samplesQueryable);
      break;
  }
  // Nobody else has the writer: what it holds may go as it is unless it wastes memory.
  return writer.length * 2 > writer.bytes.length ? writer.written() : writer.copy();
}

function kindOf(reply: FragmentReply): (typeof KINDS)[number] {
  if (reply.kind === 'batch' && reply.batch.histograms !== undefined) return 'mixed-batch';
  if (reply.kind === 'raw' && reply.series.some(({ histograms }) => histograms !== undefined))
    return 'mixed-raw';
  return reply.kind;
}

function sizeGuess(reply: FragmentReply): number {
  switch (reply.kind) {
    case 'batch':
      return 1024 + reply.batch.labels.length * (reply.batch.steps * 8 + 48);
    case 'partial':
      return reply.bytes.length + 16;
    case 'raw':
      return reply.series.reduce((size, { values }) => size + values.length * 16 + 64, 1024);
    default:
      return 256;
  }
}

/** Decodes what encodeReply made; `corrupt` when the bytes do not hold together. */
export function decodeReply(bytes: Uint8Array): FragmentReply {
  const reader = new ByteReader(bytes, 'query reply');
  const version = reader.u8();
  if (version !== VERSION)
    throw new DomainError(
      'corrupt',
      `cannot decode query reply: version ${version}, this process speaks ${VERSION}`,
    );
  const kind = KINDS[reader.u8()];
  switch (kind) {
    case 'batch':
      return { kind, batch: readBatch(reader) };
    case 'mixed-batch': {
      const batch = readBatch(reader);
      const histograms = readHistograms(reader, batch.labels.length * batch.steps);
      return { kind: 'batch', batch: { ...batch, histograms } };
    }
    case 'partial':
      return { kind, bytes: reader.raw(reader.left) };
    case 'raw':
      return { kind, series: readRaw(reader, false) };
    case 'mixed-raw':
      return { kind: 'raw', series: readRaw(reader, true) };
    case 'notes':
      return { kind, notes: JSON.parse(reader.text()) };
    case 'analysis':
      return { kind, operator: JSON.parse(reader.text()) };
    case 'statistics':
      return readStatistics(reader);
    default:
      throw new DomainError('corrupt', 'cannot decode query reply: unknown kind');
  }
}

// A process of an older version sends no third number.
function readStatistics(reader: ByteReader): FragmentReply {
  const samplesRead = reader.uvarint();
  const seriesSeen = reader.uvarint();
  const samplesQueryable = reader.left > 0 ? reader.uvarint() : samplesRead;
  return { kind: 'statistics', samplesRead, samplesQueryable, seriesSeen };
}

/** Cuts a batch into parts whose encoding is near REPLY_BYTES: first by steps, when the grid is very wide, then by series. */
export function splitBatch(batch: StepBatch): readonly StepBatch[] {
  if (batch.labels.length === 0) return [];
  const perSeries = Math.min(batch.steps, REPLY_STEPS_MAX) * 8 + 128;
  const rows = Math.max(1, Math.floor(REPLY_BYTES / perSeries));
  if (batch.steps <= REPLY_STEPS_MAX && batch.labels.length <= rows) return [batch];
  const parts: StepBatch[] = [];
  for (let row = 0; row < batch.labels.length; row += rows) {
    const end = Math.min(batch.labels.length, row + rows);
    const part: StepBatch = {
      labels: batch.labels.slice(row, end),
      steps: batch.steps,
      values: batch.values.subarray(row * batch.steps, end * batch.steps),
      present: batch.present.subarray(row * batch.steps, end * batch.steps),
      histograms: batch.histograms && {
        columns: batch.histograms.columns,
        rows: batch.histograms.rows.subarray(row * batch.steps, end * batch.steps),
      },
    };
    if (batch.steps <= REPLY_STEPS_MAX) parts.push(part);
    else for (let step = 0; step < batch.steps; step += REPLY_STEPS_MAX) parts.push(stepSlice(part, step));
  }
  return parts;
}

// The same grid, but present only in a slice of it: the encoding is as short as the slice, the receiver joins equal series.
function stepSlice(part: StepBatch, first: number): StepBatch {
  const present = new Uint8Array(part.present.length);
  for (let row = 0; row < part.labels.length; row++) {
    const start = row * part.steps + first;
    const end = Math.min((row + 1) * part.steps, start + REPLY_STEPS_MAX);
    present.set(part.present.subarray(start, end), start);
  }
  return { ...part, present };
}

function writeBatch(writer: ByteWriter, batch: StepBatch): void {
  const { labels, steps, values, present } = batch;
  writer.uvarint(steps);
  const [first, width] = usedSteps(batch);
  writer.uvarint(first);
  writer.uvarint(width);
  writer.uvarint(labels.length);
  const refs = writeTable(writer, labels);
  let at = 0;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  for (let row = 0; row < labels.length; row++) {
    at = writeLabels(writer, labels[row]!.length, refs, at);
    writeRow(writer, { values, present, bytes }, row * steps + first, width);
  }
  if (batch.histograms !== undefined)
    writeHistograms(writer, batch.histograms, labels.length * steps, present);
}

// Cells in order; the same histogram in a row of cells is said again, few bytes with the spans of the one before.
function writeHistograms(
  writer: ByteWriter,
  { columns, rows }: BatchHistograms,
  cells: number,
  present?: Uint8Array,
): void {
  const found: number[] = [];
  for (let cell = 0; cell < cells; cell++) if (present?.[cell] !== 0 && rows[cell]! >= 0) found.push(cell);
  writer.uvarint(found.length);
  let next = 0;
  let before = -1;
  for (const cell of found) {
    writer.uvarint(cell - next);
    writeHistogram(writer, columns, rows[cell]!, before);
    before = rows[cell]!;
    next = cell + 1;
  }
}

function readHistograms(reader: ByteReader, cells: number): BatchHistograms {
  const columns = new HistogramColumns();
  const rows = new Int32Array(cells).fill(-1);
  let cell = 0;
  for (let left = reader.count(2); left > 0; left--) {
    cell += reader.uvarint();
    if (cell >= cells)
      throw new DomainError('corrupt', 'cannot decode query reply: a histogram outside the batch');
    rows[cell++] = readHistogram(reader, columns, columns.count - 1);
  }
  return { columns, rows };
}

// First present step of all series and the width to the last one.
function usedSteps({ labels, steps, present }: StepBatch): [first: number, width: number] {
  let first = steps;
  let last = -1;
  for (let row = 0; row < labels.length && (first > 0 || last < steps - 1); row++) {
    const start = row * steps;
    let low = 0;
    while (low < first && present[start + low] === 0) low++;
    first = Math.min(first, low);
    let high = steps - 1;
    while (high > last && present[start + high] === 0) high--;
    last = Math.max(last, high);
  }
  return last < first ? [0, 0] : [first, last - first + 1];
}

interface Cells {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly bytes: Uint8Array;
}

function writeRow(writer: ByteWriter, { values, present, bytes }: Cells, start: number, width: number): void {
  let count = 0;
  for (let i = 0; i < width; i++) count += present[start + i]!;
  if (count === 0) {
    writer.u8(ABSENT);
    return;
  }
  if (count < width) {
    writer.u8(BITMAP);
    writeBitmap(writer, present, start, width);
    for (let i = 0; i < width; ) {
      const run = runLength(present, start + i, start + width);
      if (run > 0) writer.raw(bytes.subarray((start + i) * 8, (start + i + run) * 8));
      i += run + 1;
    }
    return;
  }
  let constant = width > 1;
  for (let i = 1; i < width && constant; i++) constant = Object.is(values[start + i], values[start]);
  writer.u8(constant ? CONSTANT : FULL);
  writer.raw(bytes.subarray(start * 8, (start + (constant ? 1 : width)) * 8));
}

// How many steps from `from` on are present without a gap.
function runLength(present: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && present[at] === 1) at++;
  return at - from;
}

function readBatch(reader: ByteReader): StepBatch {
  const steps = reader.uvarint();
  const first = reader.uvarint();
  const width = reader.uvarint();
  const series = reader.count(2);
  if (first + width > steps)
    throw new DomainError('corrupt', 'cannot decode query reply: steps outside the grid');
  const table = readTable(reader);
  const labels: Labels[] = [];
  const values = new Float64Array(series * steps);
  const present = new Uint8Array(series * steps);
  const bytes = new Uint8Array(values.buffer);
  for (let row = 0; row < series; row++) {
    labels.push(readLabels(reader, table));
    readRow(reader, { values, present, bytes }, row * steps + first, width);
  }
  return { labels, steps, values, present };
}

function readRow(reader: ByteReader, { values, present, bytes }: Cells, start: number, width: number): void {
  const form = reader.u8();
  if (form === ABSENT) return;
  if (form === BITMAP) {
    readBitmap(reader.raw((width + 7) >> 3), present, start, width);
    for (let i = 0; i < width; ) {
      const run = runLength(present, start + i, start + width);
      if (run > 0) bytes.set(reader.raw(run * 8), (start + i) * 8);
      i += run + 1;
    }
    return;
  }
  present.fill(1, start, start + width);
  bytes.set(reader.raw(form === CONSTANT ? 8 : width * 8), start * 8);
  if (form === CONSTANT) values.fill(values[start]!, start, start + width);
}

function writeBitmap(writer: ByteWriter, flags: Uint8Array, start: number, width: number): void {
  const bits = new Uint8Array((width + 7) >> 3);
  for (let i = 0; i < width; i++) bits[i >> 3]! |= flags[start + i]! << (i & 7);
  writer.raw(bits);
}

function readBitmap(bits: Uint8Array, flags: Uint8Array, start: number, width: number): void {
  for (let i = 0; i < width; i++) flags[start + i] = (bits[i >> 3]! >> (i & 7)) & 1;
}

function writeRaw(writer: ByteWriter, series: readonly RawColumns[]): void {
  writer.uvarint(series.length);
  const refs = writeTable(
    writer,
    series.map((one) => one.labels),
  );
  const isMixed = series.some(({ histograms }) => histograms !== undefined);
  let at = 0;
  for (const { labels, timestamps, values, histograms = NO_HISTOGRAMS } of series) {
    at = writeLabels(writer, labels.length, refs, at);
    writer.uvarint(values.length);
    writer.raw(new Uint8Array(timestamps.buffer, timestamps.byteOffset, timestamps.byteLength));
    writer.raw(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    if (isMixed) writeHistograms(writer, histograms, histograms.rows.length);
  }
}

function readRaw(reader: ByteReader, isMixed: boolean): RawColumns[] {
  const count = reader.count(2);
  const table = readTable(reader);
  const out: RawColumns[] = [];
  for (let i = 0; i < count; i++) {
    const labels = readLabels(reader, table);
    const samples = reader.uvarint();
    const timestamps = new Float64Array(reader.raw(samples * 8).slice().buffer);
    const values = new Float64Array(reader.raw(samples * 8).slice().buffer);
    const histograms = isMixed ? readHistograms(reader, samples) : undefined;
    out.push({ labels, timestamps, values, histograms });
  }
  return out;
}

// Names and values repeat over series: each distinct string is written once. Returns the number of every text, series after
// series.
function writeTable(writer: ByteWriter, labels: readonly Labels[]): Uint32Array {
  const { texts, numbers } = numberTexts(labels);
  writer.uvarint(texts.length);
  for (const text of texts) writer.text(text);
  return numbers;
}

function readTable(reader: ByteReader): readonly string[] {
  const count = reader.count(1);
  const table: string[] = [];
  for (let i = 0; i < count; i++) table.push(reader.text());
  return table;
}

// Writes the numbers of one series from `at` on; returns where the next one's begin.
function writeLabels(writer: ByteWriter, count: number, numbers: Uint32Array, at: number): number {
  writer.uvarint(count);
  for (let i = 0; i < count; i++) writer.uvarint(numbers[at + i]!);
  return at + count;
}

function readLabels(reader: ByteReader, table: readonly string[]): Labels {
  const count = reader.uvarint();
  const labels: string[] = [];
  for (let i = 0; i < count; i++) {
    const text = table[reader.uvarint()];
    if (text === undefined)
      throw new DomainError('corrupt', 'cannot decode query reply: label outside the table');
    labels.push(text);
  }
  return labels;
}
