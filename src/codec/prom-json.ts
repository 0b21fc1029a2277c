// Query answers as the JSON of Prometheus's HTTP API, byte for byte (web/api/v1/json_codec.go, util/jsonutil/marshal.go,
// promql/value.go), streamed in pieces of about PIECE_CHARS. A range answer's timestamps are the same for all series, so
// their text is made once; each series becomes one string.

import type { Annotation } from '../model/annotations.ts';
import type { Labels } from '../model/labels.ts';
import { formatFloat, formatSampleValue } from './float-text.ts';

/** Text is handed on once it is this long. */
const PIECE_CHARS = 64 * 1024;
/** Warnings, and infos, that an answer shows at most. */
const NOTES_MAX = 10;

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

/** Takes the pieces of an answer in order. */
export type TextSink = (text: string) => void;

/** What beside the result shapes an answer. */
export interface QueryJsonOptions {
  /** Series an answer shows at most; 0 or absent: all. Leaving some out adds a warning. */
  readonly limit?: number;
  /** The `stats` object, when it was asked for. */
  readonly stats?: Readonly<Record<string, unknown>>;
}

/** Writes a whole successful response: status, data, warnings, infos. */
export function writeQueryResponse(
  result: JsonQueryResult,
  sink: TextSink,
  options: QueryJsonOptions = {},
): void {
  const pieces = new Pieces(sink);
  pieces.add('{"status":"success","data":');
  const truncated = addQueryData(result.value, pieces, options);
  const notes = noteTexts(result.annotations, truncated ? ['results truncated due to limit'] : []);
  pieces.add(notesJson(notes));
  pieces.add('}');
  pieces.flush();
}

/** Writes the `data` object alone; whether `options.limit` left series out. */
export function writeQueryData(
  value: JsonQueryValue,
  sink: TextSink,
  options: QueryJsonOptions = {},
): boolean {
  const pieces = new Pieces(sink);
  const truncated = addQueryData(value, pieces, options);
  pieces.flush();
  return truncated;
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

/** Collects text and hands it on in pieces of a good size. */
class Pieces {
  readonly #sink: TextSink;
  #pending = '';

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  add(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= PIECE_CHARS) this.flush();
  }

  flush(): void {
    if (this.#pending !== '') this.#sink(this.#pending);
    this.#pending = '';
  }
}

function addQueryData(value: JsonQueryValue, pieces: Pieces, { limit, stats }: QueryJsonOptions): boolean {
  const series = new SeriesList(pieces, limit);
  pieces.add(`{"resultType":"${value.type === 'raw-matrix' ? 'matrix' : value.type}","result":[`);
  switch (value.type) {
    case 'scalar':
      pieces.add(`${value.timestamp / 1000},"${formatFloat(value.value)}"`);
      break;
    case 'string':
      pieces.add(`${value.timestamp / 1000},${withoutRisks(JSON.stringify(value.value))}`);
      break;
    case 'vector':
      addVector(value.timestamp, value.batch, series);
      break;
    case 'matrix':
      addMatrix(value.range, value.batch, series);
      break;
    case 'raw-matrix':
      addRawSeries(value.series, series);
      break;
  }
  pieces.add(stats === undefined ? ']}' : `],"stats":${JSON.stringify(stats)}}`);
  return series.truncated;
}

/** The series of a result: commas between them, and no more than the limit. */
class SeriesList {
  readonly #pieces: Pieces;
  readonly #limit: number;
  #count = 0;
  truncated = false;

  constructor(pieces: Pieces, limit: number | undefined) {
    this.#pieces = pieces;
    this.#limit = limit === undefined || limit <= 0 ? Infinity : limit;
  }

  /** Whether one more series fits; notes that it did not. */
  hasRoom(): boolean {
    if (this.#count < this.#limit) return true;
    this.truncated = true;
    return false;
  }

  add(text: string): void {
    this.#pieces.add(this.#count++ === 0 ? text : `,${text}`);
  }
}

function addVector(
  timestamp: number,
  { labels, steps, values, present }: SeriesColumns,
  list: SeriesList,
): void {
  const time = timestampText(timestamp);
  for (let row = 0; row < labels.length; row++) {
    const cell = row * steps;
    if (present[cell] === 0) continue;
    if (!list.hasRoom()) return;
    list.add(
      `{"metric":${labelsJson(labels[row]!)},"value":[${time},"${formatSampleValue(values[cell]!)}"]}`,
    );
  }
}

function addMatrix(range: { start: number; step: number }, batch: SeriesColumns, list: SeriesList): void {
  const { labels, steps, values, present } = batch;
  // What stands before a value: the end of the value before it, and the time.
  const before: string[] = [];
  for (let i = 0; i < steps; i++) before.push(`"],[${timestampText(range.start + i * range.step)},"`);
  for (let row = 0; row < labels.length; row++) {
    const from = row * steps;
    let points = '';
    for (let i = 0; i < steps; i++)
      if (present[from + i] === 1) points += before[i]! + formatSampleValue(values[from + i]!);
    if (points === '') continue;
    if (!list.hasRoom()) return;
    list.add(`{"metric":${labelsJson(labels[row]!)},"values":[${points.slice(3)}"]]}`);
  }
}

function addRawSeries(series: readonly JsonRawSeries[], list: SeriesList): void {
  for (const { labels, timestamps, values } of series) {
    if (values.length === 0) continue;
    if (!list.hasRoom()) return;
    let points = '';
    for (let i = 0; i < values.length; i++)
      points += `"],[${timestampText(timestamps[i]!)},"${formatSampleValue(values[i]!)}`;
    list.add(`{"metric":${labelsJson(labels)},"values":[${points.slice(3)}"]]}`);
  }
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
