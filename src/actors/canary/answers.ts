// Answers of the Prometheus HTTP API as the canary needs them, checked as they come from outside.

import { DomainError } from '../../model/errors.ts';
import type { SeriesRead } from './judge.ts';

/** The answer to an instant query. */
export interface QueryAnswer {
  /** Parts of the data are not in it: it says so by X-Skein-Partial or a warning. */
  readonly partial: boolean;
  readonly type: string;
  readonly result: readonly unknown[];
}

type Json = Readonly<Record<string, unknown>>;

/** Reads the body of a 200; `corrupt` when it is no answer to a query. */
export function decodeAnswer(body: Uint8Array, partialHeader: string | undefined): QueryAnswer {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
  const root = parse(text);
  const data = isRecord(root) ? root['data'] : undefined;
  if (!isRecord(root) || root['status'] !== 'success' || !isRecord(data) || !Array.isArray(data['result']))
    throw malformed(text);
  const warnings = root['warnings'];
  return {
    partial: partialHeader === 'true' || (Array.isArray(warnings) && warnings.length > 0),
    type: String(data['resultType']),
    result: data['result'],
  };
}

/** The series of a range selector's answer; a series without a number has the number -1. */
export function matrixOf({ type, result }: QueryAnswer): SeriesRead[] {
  if (type !== 'matrix') throw malformed(type);
  return result.map((row) => {
    if (!isRecord(row) || !isRecord(row['metric']) || !Array.isArray(row['values'])) throw malformed(row);
    const name = row['metric']['series'];
    const samples = row['values'].map(sampleOf);
    return {
      series: typeof name === 'string' && /^\d{1,9}$/.test(name) ? Number(name) : -1,
      timesMs: samples.map(({ timeMs }) => timeMs),
      values: samples.map(({ value }) => value),
    };
  });
}

/** The value of an answer that has one series at most. */
export function singleValueOf({ type, result }: QueryAnswer): number | undefined {
  if (type !== 'vector' || result.length > 1) throw malformed(type);
  const [row] = result;
  if (row === undefined) return undefined;
  if (!isRecord(row)) throw malformed(row);
  return sampleOf(row['value']).value;
}

function sampleOf(pair: unknown): { timeMs: number; value: number } {
  if (!Array.isArray(pair) || typeof pair[0] !== 'number' || typeof pair[1] !== 'string')
    throw malformed(pair);
  return { timeMs: Math.round(pair[0] * 1000), value: Number(pair[1]) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(text);
  }
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(what: unknown): DomainError {
  const shown = (typeof what === 'string' ? what : (JSON.stringify(what) ?? 'nothing')).slice(0, 100);
  return new DomainError('corrupt', `cannot read the answer to a query: found ${shown}`);
}
