// Parameters of the Prometheus HTTP API: how times, durations, limits and selectors are written, with Prometheus's error texts
// (web/api/v1/api.go).

import { DomainError, errorText } from '../../model/errors.ts';
import { TIME_MAX, TIME_MIN } from '../../model/units.ts';
import { parseDuration as parseDurationText } from '../../platform/settings.ts';

/** A `bad_data` error about one parameter. */
export function invalidParameter(parameter: string, reason: string): DomainError {
  return new DomainError('bad_data', `invalid parameter "${parameter}": ${reason}`);
}

/** Milliseconds of a time written as float seconds or RFC 3339; undefined when it is neither. */
export function parseTime(text: string): number | undefined {
  const seconds = parseFloatStrict(text);
  if (seconds !== undefined) {
    const ms = Math.round(seconds * 1000);
    return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, TIME_MIN), TIME_MAX);
  }
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)) {
    if (text === '-292273086-05-16T16:47:06Z') return TIME_MIN;
    if (text === '292277025-08-18T07:12:54.999999999Z') return TIME_MAX;
    return undefined;
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** A required time parameter. */
export function requiredTime(params: URLSearchParams, name: string): number {
  const text = params.get(name) ?? '';
  const time = parseTime(text);
  if (time === undefined)
    throw invalidParameter(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`);
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
      `invalid time value for '${name}': cannot parse ${JSON.stringify(text)} to a valid timestamp`,
    );
  return time;
}

/** Milliseconds of a duration written as float seconds or as a Prometheus duration; throws a plain sentence. */
export function parseDuration(text: string): number {
  const seconds = parseFloatStrict(text);
  if (seconds !== undefined) {
    if (Math.abs(seconds) * 1e9 > 9.223372036854775807e18)
      throw new DomainError(
        'bad_data',
        `cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`,
      );
    return Math.trunc(seconds * 1e6) / 1e3;
  }
  const ms = parseDurationText(text);
  if (ms === undefined)
    throw new DomainError('bad_data', `cannot parse ${JSON.stringify(text)} to a valid duration`);
  return ms;
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
  if (!/^[+-]?\d+$/.test(text))
    throw invalidParameter('limit', `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const limit = Number(text);
  if (limit < 0) throw invalidParameter('limit', 'limit must be non-negative');
  return limit;
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
      const match = /^_([0-9a-fA-F]{1,6})_/.exec(escaped.slice(i));
      const codePoint = match ? Number.parseInt(match[1]!, 16) : Number.NaN;
      if (!match || codePoint > 0x10ffff) return name;
      out += String.fromCodePoint(codePoint);
      i += match[0].length - 1;
    }
  }
  return out;
}

// Go's ParseFloat: no blanks, no empty text; JavaScript's Number would take both.
function parseFloatStrict(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text);
  if (/^[+-]?(inf|infinity)$/i.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return undefined;
}
