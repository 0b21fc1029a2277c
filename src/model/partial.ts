// What an answer lacks, said in one way everywhere: a warning that names partition, time range and reason. The querier recognises it by
// its beginning, turns it into an error where a partial answer is not wanted, and keeps such an answer out of caches.

import { isoTime } from './units.ts';

const PARTIAL_PREFIX = 'partial response: ';

/** A stretch of time in ms, both ends included; infinite where all of it is meant. */
export interface Lack {
  readonly start: number;
  readonly end: number;
  readonly reason: string;
}

/** The warning that a partition lacks a stretch of time, or is missing altogether. */
export function lackText(partition: number, { start, end, reason }: Lack): string {
  const always = start === Number.NEGATIVE_INFINITY && end === Number.POSITIVE_INFINITY;
  const what = always ? 'is missing' : `lacks ${spanText(start, end)}`;
  return `${PARTIAL_PREFIX}partition ${partition} ${what}: ${reason}`;
}

/** Whether a warning tells of missing data. */
export function isLack(text: string): boolean {
  return text.startsWith(PARTIAL_PREFIX);
}

function spanText(start: number, end: number): string {
  if (start === Number.NEGATIVE_INFINITY) return `everything up to ${isoTime(end)}`;
  if (end === Number.POSITIVE_INFINITY) return `everything from ${isoTime(start)}`;
  return `${isoTime(start)} to ${isoTime(end)}`;
}
