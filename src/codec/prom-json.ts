// Query answers as the JSON of Prometheus's HTTP API, byte for byte (web/api/v1/json_codec.go, util/jsonutil/marshal.go,
// promql/value.go), made in pieces of about PIECE_BYTES. A range answer's timestamps are the same for all series, so
// their text is made once.

import type { Annotation } from '../model/annotations.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import { formatFloat } from './float-text.ts';
import { histogramJson } from './histogram-text.ts';
import { JsonBytes, plainText } from './json-bytes.ts';
import type { RowPrinter, Stamps } from './row-printer.ts';

/** Bytes are handed on once they are this many. */
const PIECE_BYTES = 64 * 1024;
/** Warnings, and infos, that an answer shows at most. */
const NOTES_MAX = 10;
/** Points of a raw series that become one text. */
const POINTS_PER_PART = 2048;

/** The warning of an answer that shows less than there is. */
export const TRUNCATED = 'results truncated due to limit';

/** Series over a grid: value of series s at step i is values[s * steps + i], there only where present[...] is 1. */
export interface SeriesColumns {
  readonly labels: readonly Labels[];
  readonly steps: number;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** Where some cells are native histograms: cell c is row rows[c] of `columns`, -1 for a float. */
  readonly histograms?: { readonly columns: HistogramColumns; readonly rows: Int32Array } | undefined;
}

/** Series of some batches in an order of their own: series i is row rows[i] of batches[partOf[i]]. */
export interface JsonSeries {
  readonly batches: readonly SeriesColumns[];
  readonly partOf: Uint32Array;
  readonly rows: Uint32Array;
}

/** A query's value; times in ms. */
export type JsonQueryValue =
  | { readonly type: 'scalar'; readonly timestamp: number; readonly value: number }
  | { readonly type: 'string'; readonly timestamp: number; readonly value: string }
  | { readonly type: 'vector'; readonly timestamp: number; readonly series: JsonSeries }
  | {
      readonly type: 'matrix';
      readonly range: { readonly start: number; readonly step: number };
      readonly series: JsonSeries;
    }
  | { readonly type: 'raw-matrix'; readonly series: readonly JsonRawSeries[] };

/** A series with timestamps (ms) of its own. */
export interface JsonRawSeries {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** Where some samples are native histograms: sample i is row rows[i] of `columns`, -1 for a float. */
  readonly histograms?: { readonly columns: HistogramColumns; readonly rows: Int32Array } | undefined;
}

/** A query's answer. */
export interface JsonQueryResult {
  readonly value: JsonQueryValue;
  readonly annotations: readonly Annotation[];
}

/** What beside the result shapes an answer. */
export interface QueryJsonOptions {
  /** Series an answer shows at most; 0 or absent: all. Leaving some out adds a warning. */
  readonly limit?: number;
  /** The `stats` object, when it was asked for. */
  readonly stats?: Readonly<Record<string, unknown>>;
  /** The `analysis` object, when it was asked for, as Thanos. */
  readonly analysis?: Readonly<Record<string, unknown>>;
  /** Warnings beside those of the result. */
  readonly warnings?: readonly string[];
  readonly printer?: RowPrinter | undefined;
}

/** A whole successful response, status, data, warnings, infos, in pieces of about PIECE_BYTES made as they are asked for. */
export function* queryResponsePieces(
  { value, annotations }: JsonQueryResult,
  { limit = 0, stats, analysis, warnings = [], printer }: QueryJsonOptions = {},
): Generator<Uint8Array<ArrayBuffer>> {
  const out = new JsonBytes(PIECE_BYTES);
  out.raw(
    `{"status":"success","data":{"resultType":"${value.type === 'raw-matrix' ? 'matrix' : value.type}","result":[`,
  );
  let count = 0;
  let truncated = false;
  for (const item of resultItems(value, out, printer)) {
    if (item === 'begins' && limit > 0 && count === limit) {
      truncated = true;
      break;
    }
    if (item === 'begins' && count++ > 0) out.raw(',');
    if (out.full) yield out.take();
  }
  out.raw(stats === undefined ? ']' : `],"stats":${JSON.stringify(stats)}`);
  out.raw(analysis === undefined ? '}' : `,"analysis":${JSON.stringify(analysis)}}`);
  out.raw(notesJson(noteTexts(annotations, truncated ? [TRUNCATED, ...warnings] : warnings)));
  out.raw('}');
  yield out.take();
}

/** A successful response whose data is a list, row by row. */
export function* queryListPieces<T>(
  rows: readonly T[],
  write: (row: T, out: JsonBytes) => void,
  warnings: readonly string[],
): Generator<Uint8Array<ArrayBuffer>> {
  const out = new JsonBytes(PIECE_BYTES);
  out.raw('{"status":"success","data":[');
  for (let i = 0; i < rows.length; i++) {
    if (i > 0) out.raw(',');
    write(rows[i]!, out);
    if (out.full) yield out.take();
  }
  out.raw(`]${notesJson(noteTexts([], warnings))}}`);
  yield out.take();
}

/** A successful response around data that is JSON already. */
export function successJson(dataJson: string, notes: NoteTexts = { warnings: [], infos: [] }): string {
  return `{"status":"success","data":${dataJson}${notesJson(notes)}}`;
}

/** An error response. */
export function errorJson(errorType: string, message: string): string {
  return `{"status":"error","errorType":${escapedText(errorType)},"error":${escapedText(message)}}`;
}

/** The texts an answer shows. */
export interface NoteTexts {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** Splits notes by level; the eleventh and later ones of each are only counted. */
export function noteTexts(
  annotations: readonly Annotation[],
  moreWarnings: readonly string[] = [],
): NoteTexts {
  const texts = (level: Annotation['level']): string[] =>
    annotations.filter((note) => note.level === level).map((note) => note.text);
  const warnings = [...moreWarnings, ...texts('warning')];
  return { warnings: capped(warnings, 'warning'), infos: capped(texts('info'), 'info') };
}

function capped(texts: readonly string[], level: string): readonly string[] {
  if (texts.length <= NOTES_MAX) return texts;
  const omitted = texts.length - NOTES_MAX;
  return [...texts.slice(0, NOTES_MAX), `${omitted} more ${level} annotations omitted`];
}

function notesJson({ warnings, infos }: NoteTexts): string {
  let text = '';
  if (warnings.length > 0) text += `,"warnings":[${warnings.map(escapedText).join(',')}]`;
  if (infos.length > 0) text += `,"infos":[${infos.map(escapedText).join(',')}]`;
  return text;
}

/** A series (or scalar, or string) is about to be written, or some of it has been. */
type Progress = 'begins' | 'written';

// Writes the items of a result; it can be stopped where one begins.
function* resultItems(
  value: JsonQueryValue,
  out: JsonBytes,
  printer: RowPrinter | undefined,
): Generator<Progress> {
  switch (value.type) {
    case 'scalar':
      yield 'begins';
      out.raw(`${value.timestamp / 1000},"${formatFloat(value.value)}"`);
      break;
    case 'string':
      yield 'begins';
      out.raw(`${value.timestamp / 1000},${withoutRisks(JSON.stringify(value.value))}`);
      break;
    case 'vector':
      yield* vectorItems(timestampText(value.timestamp), value.series, out);
      break;
    case 'matrix':
      yield* matrixItems(value.range, value.series, out, printer);
      break;
    case 'raw-matrix':
      for (const series of value.series) if (series.values.length > 0) yield* rawItem(series, out);
      break;
  }
}

function* vectorItems(
  time: string,
  { batches, partOf, rows }: JsonSeries,
  out: JsonBytes,
): Generator<Progress> {
  const between = `,"value":[${time},"`;
  for (let i = 0; i < rows.length; i++) {
    const { labels, steps, values, present, histograms } = batches[partOf[i]!]!;
    const row = rows[i]!;
    const cell = row * steps;
    if (present[cell] === 0) continue;
    yield 'begins';
    out.raw('{"metric":');
    out.labels(labels[row]!);
    const histogram = histograms?.rows[cell] ?? -1;
    if (histograms !== undefined && histogram >= 0) {
      out.raw(`,"histogram":[${time},${histogramJson({ columns: histograms.columns, row: histogram })}]}`);
      yield 'written';
      continue;
    }
    out.raw(between);
    out.sample(values[cell]!);
    out.raw('"]}');
    yield 'written';
  }
}

/** Bytes of a stamp that end the value before it. */
const STAMP_SKIP = 3;

function stampsOf({ start, step }: { start: number; step: number }, steps: number): Stamps {
  const parts: string[] = [];
  const starts = new Uint32Array(steps + 1);
  for (let i = 0; i < steps; i++) {
    const part = `"],[${timestampText(start + i * step)},"`;
    parts.push(part);
    starts[i + 1] = starts[i]! + part.length;
  }
  const { buffer, byteOffset, byteLength } = Buffer.from(parts.join(''), 'latin1');
  return { bytes: new DataView(buffer, byteOffset, byteLength), starts };
}

function* matrixItems(
  range: { start: number; step: number },
  { batches, partOf, rows }: JsonSeries,
  out: JsonBytes,
  printer: RowPrinter | undefined,
): Generator<Progress> {
  const stamps = stampsOf(range, batches[0]?.steps ?? 0);
  for (let i = 0; i < rows.length; i++) {
    const batch = batches[partOf[i]!]!;
    const { labels, steps, present } = batch;
    const row = rows[i]!;
    const from = row * steps;
    const first = present.indexOf(1, from);
    if (first < 0 || first >= from + steps) continue;
    yield 'begins';
    out.raw('{"metric":');
    out.labels(labels[row]!);
    if (histogramCount(batch, from) > 0) {
      yield* mixedRow((step) => range.start + step * range.step, batch, from, out);
      continue;
    }
    out.raw(',"values":[');
    const printed = printer?.printRow(batch, from, first - from, stamps, STAMP_SKIP);
    if (printed === undefined) writeRow(batch, from, first - from, stamps, out);
    else out.bytes(printed);
    out.raw('"]]}');
    yield 'written';
  }
}

function histogramCount({ steps, present, histograms }: SeriesColumns, from: number): number {
  let count = 0;
  if (histograms === undefined) return count;
  for (let cell = from; cell < from + steps; cell++)
    if (present[cell] === 1 && histograms.rows[cell]! >= 0) count++;
  return count;
}

// A row with native histograms: floats first, then histograms, each with their times.
function* mixedRow(
  timeOf: (step: number) => number,
  { steps, values, present, histograms }: SeriesColumns,
  from: number,
  out: JsonBytes,
): Generator<Progress> {
  for (const isHistogram of [false, true]) {
    let count = 0;
    for (let i = 0; i < steps; i++) {
      const row = histograms?.rows[from + i] ?? -1;
      if (present[from + i] === 0 || row >= 0 !== isHistogram) continue;
      const opening = count++ > 0 ? ',' : `,"${isHistogram ? 'histograms' : 'values'}":[`;
      out.raw(`${opening}[${timestampText(timeOf(i))},`);
      if (histograms !== undefined && isHistogram)
        out.raw(`${histogramJson({ columns: histograms.columns, row })}]`);
      else {
        out.raw('"');
        out.sample(values[from + i]!);
        out.raw('"]');
      }
      yield 'written';
    }
    if (count > 0) out.raw(']');
  }
  out.raw('}');
  yield 'written';
}

function writeRow(
  { steps, values, present }: SeriesColumns,
  from: number,
  first: number,
  { bytes, starts }: Stamps,
  out: JsonBytes,
): void {
  out.copy(bytes, starts[first]! + STAMP_SKIP, starts[first + 1]!);
  out.sample(values[from + first]!);
  for (let i = first + 1; i < steps; i++) {
    if (present[from + i] === 0) continue;
    out.copy(bytes, starts[i]!, starts[i + 1]!);
    out.sample(values[from + i]!);
  }
}

// Raw series can be long: they come in parts.
function* rawItem(series: JsonRawSeries, out: JsonBytes): Generator<Progress> {
  const { labels, timestamps, values, histograms } = series;
  yield 'begins';
  out.raw('{"metric":');
  out.labels(labels);
  if (histograms?.rows.some((row) => row >= 0) === true) {
    const present = new Uint8Array(values.length).fill(1);
    yield* mixedRow(
      (i) => timestamps[i]!,
      { labels: [labels], steps: values.length, values, present, histograms },
      0,
      out,
    );
    return;
  }
  out.raw(',"values":[');
  for (let from = 0; from < values.length; from += POINTS_PER_PART) {
    const end = Math.min(from + POINTS_PER_PART, values.length);
    for (let i = from; i < end; i++) {
      out.raw(`${i === 0 ? '' : ','}[${timestampText(timestamps[i]!)},"`);
      out.sample(values[i]!);
      out.raw('"]');
    }
    yield 'written';
  }
  out.raw(']}');
}

/** Milliseconds as seconds: no fraction or three digits of it. */
export function timestampText(timestampMs: number): string {
  const magnitude = Math.abs(timestampMs);
  const fraction = magnitude % 1000;
  // Subtracting first keeps the quotient exact where a division of large times would round up.
  const seconds = `${timestampMs < 0 ? '-' : ''}${(magnitude - fraction) / 1000}`;
  return fraction === 0 ? seconds : `${seconds}.${String(fraction).padStart(3, '0')}`;
}

// What HTML or JavaScript could mistake.
const RISKY = /[<>&\u2028\u2029]/g;

// Text elsewhere in a response: escaped against HTML too.
function escapedText(text: string): string {
  return withoutRisks(plainText(text));
}

function withoutRisks(json: string): string {
  return json.replace(RISKY, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
