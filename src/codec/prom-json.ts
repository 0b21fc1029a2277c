// Query answers as the JSON of Prometheus's HTTP API, byte for byte (web/api/v1/json_codec.go, util/jsonutil/marshal.go,
// promql/value.go), made in pieces of about PIECE_CHARS. A range answer's timestamps are the same for all series, so
// their text is made once; each series becomes one string.

import type { Annotation } from '../model/annotations.ts';
import type { Labels } from '../model/labels.ts';
import { formatFloat, formatSampleValue } from './float-text.ts';

/** Text is handed on once it is this long. */
const PIECE_CHARS = 64 * 1024;
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
}

/** A query's value; times in ms. */
export type JsonQueryValue =
  | { readonly type: 'scalar'; readonly timestamp: number; readonly value: number }
  | { readonly type: 'string'; readonly timestamp: number; readonly value: string }
  | { readonly type: 'vector'; readonly timestamp: number; readonly batch: SeriesColumns }
  | {
      readonly type: 'matrix';
      readonly range: { readonly start: number; readonly step: number };
      readonly batch: SeriesColumns;
    }
  | { readonly type: 'raw-matrix'; readonly series: readonly JsonRawSeries[] };

/** A series with timestamps (ms) of its own. */
export interface JsonRawSeries {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
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
  /** Warnings beside those of the result. */
  readonly warnings?: readonly string[];
}

/** A whole successful response, status, data, warnings, infos, in pieces of about PIECE_CHARS made as they are asked for. */
export function* queryResponsePieces(
  { value, annotations }: JsonQueryResult,
  { limit = 0, stats, warnings = [] }: QueryJsonOptions = {},
): Generator<string> {
  let piece = `{"status":"success","data":{"resultType":"${value.type === 'raw-matrix' ? 'matrix' : value.type}","result":[`;
  let count = 0;
  let truncated = false;
  for (const parts of resultItems(value)) {
    if (limit > 0 && count === limit) {
      truncated = true;
      break;
    }
    if (count++ > 0) piece += ',';
    for (const part of parts) {
      piece += part;
      if (piece.length < PIECE_CHARS) continue;
      yield piece;
      piece = '';
    }
  }
  piece += stats === undefined ? ']}' : `],"stats":${JSON.stringify(stats)}}`;
  piece += notesJson(noteTexts(annotations, truncated ? [TRUNCATED, ...warnings] : warnings));
  yield `${piece}}`;
}

/** A successful response whose data is a list, row by row. */
export function* queryListPieces<T>(
  rows: readonly T[],
  json: (row: T) => string,
  warnings: readonly string[],
): Generator<string> {
  let piece = '{"status":"success","data":[';
  for (let i = 0; i < rows.length; i++) {
    piece += i === 0 ? json(rows[i]!) : `,${json(rows[i]!)}`;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}]${notesJson(noteTexts([], warnings))}}`;
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

// Each series of a result (a scalar or string counts as one item) as the texts it is made of.
function* resultItems(value: JsonQueryValue): Generator<Iterable<string>> {
  switch (value.type) {
    case 'scalar':
      yield [`${value.timestamp / 1000},"${formatFloat(value.value)}"`];
      break;
    case 'string':
      yield [`${value.timestamp / 1000},${withoutRisks(JSON.stringify(value.value))}`];
      break;
    case 'vector':
      yield* vectorItems(timestampText(value.timestamp), value.batch);
      break;
    case 'matrix':
      yield* matrixItems(value.range, value.batch);
      break;
    case 'raw-matrix':
      for (const series of value.series) if (series.values.length > 0) yield rawParts(series);
      break;
  }
}

function* vectorItems(time: string, batch: SeriesColumns): Generator<[string]> {
  const { labels, steps, values, present } = batch;
  for (let row = 0; row < labels.length; row++) {
    const cell = row * steps;
    if (present[cell] === 0) continue;
    yield [`{"metric":${labelsJson(labels[row]!)},"value":[${time},"${formatSampleValue(values[cell]!)}"]}`];
  }
}

function* matrixItems(range: { start: number; step: number }, batch: SeriesColumns): Generator<[string]> {
  const { labels, steps } = batch;
  // What stands before a value: the end of the value before it, and the time.
  const before: string[] = [];
  for (let i = 0; i < steps; i++) before.push(`"],[${timestampText(range.start + i * range.step)},"`);
  for (let row = 0; row < labels.length; row++) {
    const points = rowText(batch, row * steps, before);
    if (points !== '') yield [`{"metric":${labelsJson(labels[row]!)},"values":[${points.slice(3)}"]]}`];
  }
}

function rowText({ steps, values, present }: SeriesColumns, from: number, before: readonly string[]): string {
  let points = '';
  for (let i = 0; i < steps; i++)
    if (present[from + i] === 1) points += before[i]! + formatSampleValue(values[from + i]!);
  return points;
}

// Raw series can be long beyond any string: they come in parts.
function* rawParts({ labels, timestamps, values }: JsonRawSeries): Generator<string> {
  yield `{"metric":${labelsJson(labels)},"values":[`;
  for (let from = 0; from < values.length; from += POINTS_PER_PART) {
    const end = Math.min(from + POINTS_PER_PART, values.length);
    let points = '';
    for (let i = from; i < end; i++)
      points += `${i === 0 ? '' : ','}[${timestampText(timestamps[i]!)},"${formatSampleValue(values[i]!)}"]`;
    yield points;
  }
  yield ']}';
}

/** Milliseconds as seconds: no fraction or three digits of it. */
export function timestampText(timestampMs: number): string {
  const magnitude = Math.abs(timestampMs);
  const fraction = magnitude % 1000;
  // Subtracting first keeps the quotient exact where a division of large times would round up.
  const seconds = `${timestampMs < 0 ? '-' : ''}${(magnitude - fraction) / 1000}`;
  return fraction === 0 ? seconds : `${seconds}.${String(fraction).padStart(3, '0')}`;
}

/** A label set as a JSON object. */
export function labelsJson(labels: Labels): string {
  let text = '{';
  for (let i = 0; i < labels.length; i += 2)
    text += `${i === 0 ? '' : ','}${plainText(labels[i]!)}:${plainText(labels[i + 1]!)}`;
  return `${text}}`;
}

// Backspace and form feed, which JSON.stringify shortens to \b and \f; and what HTML or JavaScript could mistake.
const SHORTENED = /[\b\f]/;
const SHORT_FORMS = /\\(?:b|f|.)/g;
const RISKY = /[<>&\u2028\u2029]/g;

// Text inside series: jsoniter's WriteString. Each escape is taken whole, so that an escaped backslash hides no b or f.
function plainText(text: string): string {
  const json = JSON.stringify(text);
  if (!SHORTENED.test(text)) return json;
  return json.replace(SHORT_FORMS, (form) =>
    form === '\\b' ? '\\u0008' : form === '\\f' ? '\\u000c' : form,
  );
}

// Text elsewhere in a response: escaped against HTML too.
function escapedText(text: string): string {
  return withoutRisks(plainText(text));
}

function withoutRisks(json: string): string {
  return json.replace(RISKY, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
