// A label set: one flat array [name0, value0, name1, value1, ...] sorted by name (UTF-8 order), without duplicates and
// without empty values. Flat because a series' labels are kept a million times over and walked far more often than looked up.

import { compareText } from './text.ts';

/** Sorted, flat name/value pairs; never mutated once built. */
export type Labels = readonly string[];

/** The empty label set. */
export const NO_LABELS: Labels = [];
/** The label that holds a series' metric name. */
export const METRIC_NAME = '__name__';

/** Builds a label set from pairs in any order: sorts, drops empty values; of equal names the last wins. */
export function labelsFrom(pairs: Iterable<readonly [string, string]>): Labels {
  const byName = new Map<string, string>();
  for (const [name, value] of pairs) {
    if (value === '') byName.delete(name);
    else byName.set(name, value);
  }
  const names = [...byName.keys()].sort(compareText);
  const out: string[] = [];
  for (const name of names) out.push(name, byName.get(name) as string);
  return out;
}

/** Builds a label set from a plain record. */
export function labelsOf(record: Readonly<Record<string, string>>): Labels {
  return labelsFrom(Object.entries(record));
}

/** The value of `name`, or '' when the set lacks it (absent and empty are the same in Prometheus). */
export function labelValue(labels: Labels, name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1]!;
  return '';
}

/** A record of the set, as JSON answers show it. */
export function labelsToRecord(labels: Labels): Record<string, string> {
  const out: Record<string, string> = {};
  for (let i = 0; i < labels.length; i += 2) out[labels[i]!] = labels[i + 1]!;
  return out;
}

/** A string that is equal exactly when two sets are equal; usable as a Map key. */
export function labelsKey(labels: Labels): string {
  return labels.join('\xff');
}

/** Prometheus's order of label sets: pairwise by name, then value, then by length. */
export function compareLabels(a: Labels, b: Labels): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = compareText(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Keeps only the labels in `names`. */
export function labelsKeep(labels: Labels, names: ReadonlySet<string>): Labels {
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) if (names.has(labels[i]!)) out.push(labels[i]!, labels[i + 1]!);
  return out;
}

/** Drops the labels in `names`. */
export function labelsDrop(labels: Labels, names: ReadonlySet<string>): Labels {
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) if (!names.has(labels[i]!)) out.push(labels[i]!, labels[i + 1]!);
  return out;
}

/** Sets one label ('' removes it) and returns the new set. */
export function labelsWith(labels: Labels, name: string, value: string): Labels {
  const out: string[] = [];
  let placed = value === '';
  for (let i = 0; i < labels.length; i += 2) {
    const current = labels[i]!;
    if (current === name) continue;
    if (!placed && compareText(name, current) < 0) {
      out.push(name, value);
      placed = true;
    }
    out.push(current, labels[i + 1]!);
  }
  if (!placed) out.push(name, value);
  return out;
}

/** `{a="1", b="2"}` with the metric name in front, as Prometheus prints a series. */
export function labelsText(labels: Labels): string {
  const name = labelValue(labels, METRIC_NAME);
  const parts: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] !== METRIC_NAME) parts.push(`${labels[i]}=${JSON.stringify(labels[i + 1])}`);
  }
  return parts.length === 0 && name !== '' ? name : `${name}{${parts.join(', ')}}`;
}
