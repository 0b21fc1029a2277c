// The kinds of values a setting can have: how each is written, parsed, checked and shown.

import { DomainError } from '../model/errors.ts';

/** One setting: its default, what is allowed, and why it is what it is. */
export interface Setting<T> {
  readonly kind: 'duration' | 'bytes' | 'integer' | 'text' | 'boolean' | 'list' | 'map';
  readonly fallback: T;
  readonly reason: string;
  /** What is allowed, as a sentence fragment for error messages. */
  readonly allowed: string;
  /** Turns what YAML, the environment or a flag gave into the value; throws `config` with the reason only. */
  readonly parse: (raw: unknown) => T;
  /** The value as a person would write it. */
  readonly show: (value: T) => string;
  /** Never shown in status/config. */
  readonly secret?: boolean;
}

const UNITS_MS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const UNITS_BYTES: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

function refuse(raw: unknown, allowed: string): never {
  throw new DomainError('config', `${JSON.stringify(raw)} is not allowed: expected ${allowed}`);
}

/** A span of time written as Prometheus writes it (`1h30m`, `250ms`, `0`); the value is in ms. */
export function duration(
  fallback: string,
  reason: string,
  range: { min?: string; max?: string } = {},
): Setting<number> {
  const min = range.min === undefined ? 0 : parseDuration(range.min)!;
  const max = range.max === undefined ? Number.MAX_SAFE_INTEGER : parseDuration(range.max)!;
  const allowed = `a duration such as ${fallback === '0s' ? '5m' : fallback}${range.min ? `, at least ${range.min}` : ''}${range.max ? `, at most ${range.max}` : ''}`;
  return {
    kind: 'duration',
    fallback: parseDuration(fallback)!,
    reason,
    allowed,
    parse(raw) {
      const value = typeof raw === 'string' ? parseDuration(raw) : raw === 0 ? 0 : undefined;
      return value === undefined || value < min || value > max ? refuse(raw, allowed) : value;
    },
    show: showDuration,
  };
}

/** A size in bytes (`64MiB`, `1GB`, `4096`). */
export function bytes(
  fallback: string,
  reason: string,
  range: { min?: string; max?: string } = {},
): Setting<number> {
  const min = range.min === undefined ? 0 : parseBytes(range.min)!;
  const max = range.max === undefined ? Number.MAX_SAFE_INTEGER : parseBytes(range.max)!;
  const allowed = `a size such as ${fallback === '0B' ? '1GiB' : fallback}${range.min ? `, at least ${range.min}` : ''}${range.max ? `, at most ${range.max}` : ''}`;
  return {
    kind: 'bytes',
    fallback: parseBytes(fallback)!,
    reason,
    allowed,
    parse(raw) {
      const value = typeof raw === 'number' ? raw : typeof raw === 'string' ? parseBytes(raw) : undefined;
      return value === undefined || !Number.isSafeInteger(value) || value < min || value > max
        ? refuse(raw, allowed)
        : value;
    },
    show: showBytes,
  };
}

/** A whole number. */
export function integer(
  fallback: number,
  reason: string,
  range: { min?: number; max?: number; powerOfTwo?: boolean } = {},
): Setting<number> {
  const min = range.min ?? 0;
  const max = range.max ?? Number.MAX_SAFE_INTEGER;
  const allowed = `a whole number from ${min}${range.max === undefined ? '' : ` to ${max}`}${range.powerOfTwo ? ' that is a power of two' : ''}`;
  return {
    kind: 'integer',
    fallback,
    reason,
    allowed,
    parse(raw) {
      const value = typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw;
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
        return refuse(raw, allowed);
      if (range.powerOfTwo && (value & (value - 1)) !== 0) return refuse(raw, allowed);
      return value;
    },
    show: String,
  };
}

/** A text; `pattern` and `allowed` limit it. */
export function text(
  fallback: string,
  reason: string,
  limit: { pattern?: RegExp; allowed?: string; secret?: boolean } = {},
): Setting<string> {
  const allowed = limit.allowed ?? 'a text';
  return {
    kind: 'text',
    fallback,
    reason,
    allowed,
    ...(limit.secret ? { secret: true } : {}),
    parse(raw) {
      const value = typeof raw === 'number' || typeof raw === 'boolean' ? String(raw) : raw;
      return typeof value !== 'string' || (limit.pattern && !limit.pattern.test(value))
        ? refuse(limit.secret ? '<secret>' : raw, allowed)
        : value;
    },
    show: (value) => value,
  };
}

/** true or false. */
export function flag(fallback: boolean, reason: string): Setting<boolean> {
  return {
    kind: 'boolean',
    fallback,
    reason,
    allowed: 'true or false',
    parse: (raw) =>
      raw === true || raw === 'true'
        ? true
        : raw === false || raw === 'false'
          ? false
          : refuse(raw, 'true or false'),
    show: String,
  };
}

/** A list of texts; from the environment or a flag: comma-separated. */
export function list(
  fallback: readonly string[],
  reason: string,
  allowed: string,
  choices?: readonly string[],
): Setting<readonly string[]> {
  return {
    kind: 'list',
    fallback,
    reason,
    allowed,
    parse(raw) {
      const items =
        typeof raw === 'string'
          ? raw
              .split(',')
              .map((item) => item.trim())
              .filter((item) => item !== '')
          : raw;
      if (
        !Array.isArray(items) ||
        items.some((item) => typeof item !== 'string' || (choices && !choices.includes(item)))
      )
        return refuse(raw, allowed);
      return items as string[];
    },
    show: (value) => value.join(','),
  };
}

/** A map of texts, such as labels; from the environment or a flag: `name=value,...`. */
export function map(
  fallback: Readonly<Record<string, string>>,
  reason: string,
  allowed: string,
): Setting<Readonly<Record<string, string>>> {
  return {
    kind: 'map',
    fallback,
    reason,
    allowed,
    parse(raw) {
      if (typeof raw === 'string') {
        const pairs = raw
          .split(',')
          .filter((item) => item !== '')
          .map((item) => item.split('='));
        if (pairs.some((pair) => pair.length !== 2 || pair[0] === '')) return refuse(raw, allowed);
        return Object.fromEntries(pairs as [string, string][]);
      }
      if (
        typeof raw !== 'object' ||
        raw === null ||
        Array.isArray(raw) ||
        Object.values(raw).some((value) => typeof value !== 'string')
      )
        return refuse(raw, allowed);
      return raw as Record<string, string>;
    },
    show: (value) =>
      Object.entries(value)
        .map(([name, item]) => `${name}=${item}`)
        .join(','),
  };
}

/** Milliseconds of a Prometheus duration text, or undefined. */
export function parseDuration(raw: string): number | undefined {
  if (raw === '0') return 0;
  if (!/^(\d+(ms|[smhdwy]))+$/.test(raw)) return undefined;
  let total = 0;
  for (const [, count, unit] of raw.matchAll(/(\d+)(ms|[smhdwy])/g))
    total += Number(count) * UNITS_MS[unit!]!;
  return total;
}

/** The shortest Prometheus duration text of a number of ms. */
export function showDuration(ms: number): string {
  if (ms === 0) return '0s';
  let rest = ms;
  let out = '';
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) out += `${count}${unit}`;
    rest -= count * size;
  }
  return out;
}

function parseBytes(raw: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(raw);
  const unit = match && (match[2] === '' ? 1 : UNITS_BYTES[match[2]!.toLowerCase()]);
  return match && unit ? Math.round(Number(match[1]) * unit) : undefined;
}

function showBytes(value: number): string {
  for (const [unit, size] of [
    ['TiB', 1024 ** 4],
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const)
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  return String(value);
}
