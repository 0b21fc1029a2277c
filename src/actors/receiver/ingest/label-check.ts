// Judges the labels of a series that was never seen before: Prometheus's rules for remote write (UTF-8 names, a metric name,
// no name twice) and our limits. Sorts them and leaves out empty values, as Prometheus does.

import { isUtf8 } from 'node:buffer';
import type { LabelRanges } from '../../../codec/frame-writer.ts';
import type { IngestConfig } from './config.ts';

/** What came of it: without `reason` the labels are good, sorted and without empty values. */
export interface Verdict {
  readonly reason: string | undefined;
  /** The only fault is a missing metric name. */
  readonly nameless: boolean;
}

const GOOD: Verdict = { reason: undefined, nameless: false };
const NAME = new TextEncoder().encode('__name__');
const TEXT_CHARS_MAX = 400;

/** The limits a LabelCheck applies. */
export type LabelLimits = Pick<IngestConfig, 'labelsMax' | 'labelNameBytesMax' | 'labelValueBytesMax'>;

/** Checks label sets; keeps no state between them. */
export class LabelCheck {
  readonly #limits: LabelLimits;

  constructor(limits: LabelLimits) {
    this.#limits = limits;
  }

  /** Judges and, when good, sorts the labels in place. */
  judge(bytes: Uint8Array, labels: LabelRanges): Verdict {
    const oversize = this.#oversize(bytes, labels);
    if (oversize !== undefined) return { reason: oversize, nameless: false };
    sortPairs(bytes, labels);
    const { ranges, pairs } = labels;
    let named = false;
    for (let i = 0; i < pairs; i++) {
      const at = 4 * i;
      const isName = isMetricName(bytes, ranges, at);
      if (ranges[at + 1] === ranges[at] || !validText(bytes, ranges, at))
        return invalid(bytes, labels, false);
      if (isName && ranges[at + 3]! > ranges[at + 2]!) named = true;
    }
    if (!named) return invalid(bytes, labels, true);
    for (let i = 1; i < pairs; i++) {
      if (compareNames(bytes, ranges, 4 * i - 4, 4 * i) !== 0) continue;
      const reason = `invalid labels for series, labels ${labelText(bytes, labels)}, duplicated label ${text(bytes, ranges, 4 * i)}`;
      return { reason, nameless: false };
    }
    dropEmptyValues(labels);
    return GOOD;
  }

  #oversize(bytes: Uint8Array, labels: LabelRanges): string | undefined {
    const { ranges, pairs } = labels;
    const { labelsMax, labelNameBytesMax, labelValueBytesMax } = this.#limits;
    if (pairs > labelsMax)
      return `series has ${pairs} labels, the limit is ${labelsMax}: ${labelText(bytes, labels)}`;
    for (let at = 0; at < 4 * pairs; at += 4) {
      const name = ranges[at + 1]! - ranges[at]!;
      const value = ranges[at + 3]! - ranges[at + 2]!;
      if (name > labelNameBytesMax)
        return `label name of ${name} bytes exceeds the limit of ${labelNameBytesMax}: ${labelText(bytes, labels)}`;
      if (value > labelValueBytesMax)
        return `value of label ${JSON.stringify(text(bytes, ranges, at))} of ${value} bytes exceeds the limit of ${labelValueBytesMax}: ${labelText(bytes, labels)}`;
    }
    return undefined;
  }
}

/** The labels as Prometheus prints them, `{a="b", c="d"}`, cut to a few hundred characters. */
export function labelText(bytes: Uint8Array, labels: LabelRanges): string {
  const parts: string[] = [];
  let length = 0;
  for (let at = 0; at < 4 * labels.pairs && length <= TEXT_CHARS_MAX; at += 4) {
    const part = `${text(bytes, labels.ranges, at)}=${JSON.stringify(text(bytes, labels.ranges, at + 2))}`;
    parts.push(part);
    length += part.length + 2;
  }
  const joined = parts.join(', ');
  return joined.length > TEXT_CHARS_MAX ? `{${joined.slice(0, TEXT_CHARS_MAX)}…}` : `{${joined}}`;
}

/** Sorts pairs by name, in byte order; equal names keep their order. */
export function sortPairs(bytes: Uint8Array, labels: LabelRanges): void {
  const { ranges, pairs } = labels;
  let sorted = true;
  for (let i = 1; i < pairs && sorted; i++) sorted = compareNames(bytes, ranges, 4 * i - 4, 4 * i) <= 0;
  if (sorted) return;
  const order = Array.from({ length: pairs }, (_, i) => 4 * i);
  order.sort((a, b) => compareNames(bytes, ranges, a, b) || a - b);
  const copy = ranges.slice(0, 4 * pairs);
  order.forEach((from, i) => {
    ranges.set(copy.subarray(from, from + 4), 4 * i);
  });
}

/** Removes pairs whose value is empty: absent and empty are the same. */
export function dropEmptyValues(labels: LabelRanges): void {
  const { ranges, pairs } = labels;
  let kept = 0;
  for (let at = 0; at < 4 * pairs; at += 4) {
    if (ranges[at + 2] === ranges[at + 3]) continue;
    if (at !== 4 * kept) ranges.copyWithin(4 * kept, at, at + 4);
    kept++;
  }
  labels.pairs = kept;
}

/** Compares the names of the pairs at `a` and `b` by their bytes. */
export function compareNames(bytes: Uint8Array, ranges: Uint32Array, a: number, b: number): number {
  const lengthA = ranges[a + 1]! - ranges[a]!;
  const lengthB = ranges[b + 1]! - ranges[b]!;
  const length = Math.min(lengthA, lengthB);
  for (let i = 0; i < length; i++) {
    const order = bytes[ranges[a]! + i]! - bytes[ranges[b]! + i]!;
    if (order !== 0) return order;
  }
  return lengthA - lengthB;
}

/** Whether name and value of the pair at `at` are well-formed UTF-8. */
export function validText(bytes: Uint8Array, ranges: Uint32Array, at: number): boolean {
  return (
    validRange(bytes, ranges[at]!, ranges[at + 1]!) && validRange(bytes, ranges[at + 2]!, ranges[at + 3]!)
  );
}

// Most labels are ASCII: only what is not goes to the decoder's check.
function validRange(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! >= 0x80) return isUtf8(bytes.subarray(start, end));
  return true;
}

function invalid(bytes: Uint8Array, labels: LabelRanges, nameless: boolean): Verdict {
  return { reason: `invalid metric name or labels, got ${labelText(bytes, labels)}`, nameless };
}

function isMetricName(bytes: Uint8Array, ranges: Uint32Array, at: number): boolean {
  const start = ranges[at]!;
  if (ranges[at + 1]! - start !== NAME.length) return false;
  for (let i = 0; i < NAME.length; i++) if (bytes[start + i] !== NAME[i]) return false;
  return true;
}

function text(bytes: Uint8Array, ranges: Uint32Array, at: number): string {
  const start = ranges[at]!;
  const end = Math.min(ranges[at + 1]!, start + TEXT_CHARS_MAX);
  return new TextDecoder().decode(bytes.subarray(start, end));
}
