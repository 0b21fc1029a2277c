// Prometheus durations: `1h30m`, units from years to milliseconds, biggest first (prometheus/common model/time.go).

import { goQuote } from './go-text.ts';

const UNITS: readonly (readonly [unit: string, ms: number, exactOnly: boolean])[] = [
  ['y', 365 * 86_400_000, true],
  ['w', 7 * 86_400_000, true],
  ['d', 86_400_000, false],
  ['h', 3_600_000, false],
  ['m', 60_000, false],
  ['s', 1_000, false],
  ['ms', 1, false],
];
/** Largest span Go's time.Duration holds, in ms. */
const DURATION_MS_MAX = 9_223_372_036_854;

/** A duration, or why a text is none. */
export type DurationResult =
  | { readonly ok: true; readonly ms: number }
  | { readonly ok: false; readonly reason: string };

/** Reads a duration without sign; the reasons are Prometheus's texts. */
export function parseDuration(text: string): DurationResult {
  if (text === '0') return { ok: true, ms: 0 };
  if (text === '') return { ok: false, reason: 'empty duration string' };
  const invalid: DurationResult = { ok: false, reason: `not a valid duration string: ${goQuote(text)}` };
  let ms = 0;
  let last = -1;
  let at = 0;
  while (at < text.length) {
    const found = /^(\d+)([^\d]+)/.exec(text.slice(at, at + 64));
    if (found === null) return invalid;
    const [all, digits = '', unit = ''] = found;
    const index = UNITS.findIndex(([name]) => name === unit);
    if (index < 0) {
      return { ok: false, reason: `unknown unit ${goQuote(unit)} in duration ${goQuote(text)}` };
    }
    if (index <= last) return invalid;
    last = index;
    ms += Number(digits) * (UNITS[index]?.[1] ?? 0);
    if (ms > DURATION_MS_MAX) return { ok: false, reason: 'duration out of range' };
    at += all.length;
  }
  return { ok: true, ms };
}

/** Prints a duration as Prometheus does: `0s`, `1h30m`, `-5m`; fractions of a millisecond are cut off. */
export function durationText(ms: number): string {
  let left = Math.trunc(Math.abs(ms));
  if (left === 0) return '0s';
  let out = ms < 0 ? '-' : '';
  for (const [unit, size, exactOnly] of UNITS) {
    if (exactOnly && left % size !== 0) continue;
    const count = Math.floor(left / size);
    if (count === 0) continue;
    out += `${count}${unit}`;
    left -= count * size;
  }
  return out;
}
