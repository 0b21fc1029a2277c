// Parameters of the Prometheus HTTP API: how forms, times, durations, limits and selectors are written, with Prometheus's error
// texts (web/api/v1/api.go, Go's net/url and strconv).

import { isUtf8 } from 'node:buffer';
import { DomainError, errorText } from '../../model/errors.ts';
import { TIME_MAX, TIME_MIN } from '../../model/units.ts';
import type { Config } from '../../platform/config.ts';
import { parseDuration as parseDurationText } from '../../query/parse/duration.ts';
import { goQuote } from '../../query/parse/go-text.ts';

/** Bytes of a form body, as Go's net/http. */
const FORM_BYTES_MAX = 10 * 1024 * 1024;
/** Bytes that are read of a form nobody wants. */
const LEFTOVER_BYTES_MAX = 64 * 1024 * 1024;
/** The largest value of Go's int. */
const INT_MAX = 2n ** 63n - 1n;

/** What a request carries: values of the form body come before those of the query string, as Go's FormValue has it. */
export interface Form {
  readonly params: URLSearchParams;
  /** What could not be read of it; the rest is there. */
  readonly problem: string | undefined;
}

/** A `bad_data` error about one parameter. */
export function invalidParameter(parameter: string, reason: string): DomainError {
  return new DomainError('bad_data', `invalid parameter "${parameter}": ${reason}`);
}

/** Reads query string and form body; `bad_data` when the body is larger than a form may be. */
export async function readForm(request: Request): Promise<Form> {
  const params = new URLSearchParams();
  const problems: string[] = [];
  const type = request.headers.get('content-type') ?? '';
  if (request.method === 'POST' && /^application\/x-www-form-urlencoded\s*(;|$)/i.test(type))
    readPairs(await bodyText(request), params, problems);
  const mark = request.url.indexOf('?');
  if (mark >= 0) readPairs(request.url.slice(mark + 1), params, problems);
  return { params, problem: problems[0] };
}

// What is too large is read to its end all the same, up to a point: closing on a client that still writes would take the
// answer from it.
async function bodyText(request: Request): Promise<string> {
  const announced = Number(request.headers.get('content-length') ?? Number.NaN);
  if (announced <= FORM_BYTES_MAX) return request.text();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length <= FORM_BYTES_MAX) chunks.push(chunk);
    else chunks.length = 0;
    if (length > LEFTOVER_BYTES_MAX) break;
  }
  if (length > FORM_BYTES_MAX)
    throw new DomainError('bad_data', `http: POST too large: a form may have ${FORM_BYTES_MAX} bytes`);
  return Buffer.concat(chunks).toString();
}

// A pair that is not well written is left out, the others count.
function readPairs(text: string, params: URLSearchParams, problems: string[]): void {
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const broken = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(pair);
    if (pair.includes(';')) problems.push('invalid semicolon separator in query');
    else if (broken) problems.push(`invalid URL escape ${goQuote(broken[0])}`);
    else for (const [name, value] of new URLSearchParams(pair)) params.append(name, value);
  }
}

/** Refuses query text that is longer than allowed, before it is parsed. */
export function checkText(config: Config, parameter: string, length: number): void {
  const { text_bytes_max: max } = config.query;
  if (length > max)
    throw invalidParameter(
      parameter,
      `query is ${length} characters long, the limit query.text_bytes_max is ${max}`,
    );
}

/** Milliseconds of a time written as float seconds or RFC 3339; undefined when it is neither. */
export function parseTime(text: string): number | undefined {
  const seconds = parseFloatStrict(text);
  if (seconds !== undefined) {
    const whole = Math.trunc(seconds);
    const fraction = Math.round(Math.abs(seconds - whole) * 1000);
    const ms = Number.isFinite(whole) ? 1000 * whole + (seconds < 0 ? -fraction : fraction) : whole;
    return Math.min(Math.max(ms, TIME_MIN), TIME_MAX);
  }
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([.,]\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)) {
    if (text === '-292273086-05-16T16:47:06Z') return TIME_MIN;
    if (text === '292277025-08-18T07:12:54.999999999Z') return TIME_MAX;
    return undefined;
  }
  const ms = Date.parse(text.replace(',', '.'));
  return Number.isNaN(ms) ? undefined : ms;
}

/** A required time parameter. */
export function requiredTime(params: URLSearchParams, name: string): number {
  const text = params.get(name) ?? '';
  const time = parseTime(text);
  if (time === undefined) throw invalidParameter(name, `cannot parse ${goQuote(text)} to a valid timestamp`);
  return time;
}

/** An optional time parameter. */
export function optionalTime(params: URLSearchParams, name: string, fallback: number): number {
  const text = params.get(name) ?? '';
  if (text === '') return fallback;
  const time = parseTime(text);
  if (time === undefined)
    throw invalidParameter(
      name,
      `invalid time value for '${name}': cannot parse ${goQuote(text)} to a valid timestamp`,
    );
  return time;
}

/** Milliseconds of a duration written as float seconds or as a Prometheus duration; throws a plain sentence. */
export function parseDuration(text: string): number {
  const seconds = parseFloatStrict(text);
  if (seconds !== undefined) {
    if (Math.abs(seconds) * 1e9 > 2 ** 63)
      throw new DomainError(
        'bad_data',
        `cannot parse ${goQuote(text)} to a valid duration. It overflows int64`,
      );
    return Math.trunc(seconds * 1e9) / 1e6;
  }
  const duration = parseDurationText(text);
  if (!duration.ok) throw new DomainError('bad_data', `cannot parse ${goQuote(text)} to a valid duration`);
  return duration.ms;
}

/** A duration parameter; undefined when absent. */
export function optionalDuration(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name) ?? '';
  if (text === '') return undefined;
  try {
    return parseDuration(text);
  } catch (error) {
    throw invalidParameter(name, errorText(error));
  }
}

/** The `limit` parameter; 0 means none. */
export function limitOf(params: URLSearchParams): number {
  const text = params.get('limit') ?? '';
  if (text === '') return 0;
  const limit = parseInteger(text);
  if (typeof limit === 'string')
    throw invalidParameter('limit', `strconv.Atoi: parsing ${goQuote(text)}: ${limit}`);
  if (limit < 0) throw invalidParameter('limit', 'limit must be non-negative');
  return limit;
}

/** An integer as strconv.Atoi reads it, or what is wrong with the text. */
export function parseInteger(text: string): number | string {
  if (!/^[+-]?\d+$/.test(text)) return 'invalid syntax';
  if (text.length <= 16) return Number(text);
  const value = BigInt(text.replace(/^\+/, ''));
  return value > INT_MAX || value < -INT_MAX - 1n ? 'value out of range' : Number(value);
}

/** The label name of a path segment that is still percent-encoded; `bad_data` when it is no UTF-8 or empty. */
export function labelNameOf(segment: string): string {
  const bytes = Buffer.from(
    segment.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  if (!isUtf8(bytes)) throw new DomainError('bad_data', `invalid label name: ${quoteBytes(bytes)}`);
  const name = unescapeLabelName(bytes.toString());
  if (name === '') throw new DomainError('bad_data', 'invalid label name: ""');
  return name;
}

// Go's %q of bytes that are not all UTF-8.
function quoteBytes(bytes: Uint8Array): string {
  let text = '"';
  for (const byte of bytes)
    text +=
      byte >= 0x80 || byte < 0x20 ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte);
  return `${text}"`;
}

/** A label name as /label/<name>/values carries it: `U__` names are unescaped (`_2e_` is ".", `__` is "_"). */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith('U__')) return name;
  const escaped = name.slice(3);
  let out = '';
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] !== '_') {
      out += escaped[i];
    } else if (escaped[i + 1] === '_') {
      out += '_';
      i++;
    } else {
      const match = /^_([0-9a-fA-F]{1,5})_/.exec(escaped.slice(i, i + 7));
      const codePoint = match ? Number.parseInt(match[1]!, 16) : Number.NaN;
      if (!match || (codePoint >= 0xd800 && codePoint < 0xe000)) return name;
      out += String.fromCodePoint(codePoint);
      i += match[0].length - 1;
    }
  }
  return out;
}

// Go's ParseFloat: no blanks, no empty text; JavaScript's Number would take both. NaN is not taken: no time is NaN.
function parseFloatStrict(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text);
  if (/^[+-]?(inf|infinity)$/i.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return undefined;
}
