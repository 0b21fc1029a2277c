// Builders for operator tests: step batches from objects and back, and arbitrary batches for property tests.

import fc from 'fast-check';
import { type Labels, labelsOf, labelsToRecord } from '../../../src/model/labels.ts';
import type { StepBatch, StepRange } from '../../../src/query/source.ts';

/** A series as tests write it: labels and one value per step, undefined where absent. */
export interface TestSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly (number | undefined)[];
}

/** A pause that never waits. */
export const pause = (): undefined => undefined;

/** A series from its labels and values. */
export function series(labels: Record<string, string>, ...values: (number | undefined)[]): TestSeries {
  return { labels, values };
}

/** A batch of series; garbage in absent cells, so that an operator that reads them fails. */
export function batchOf(rows: readonly TestSeries[], steps: number = rows[0]?.values.length ?? 1): StepBatch {
  const values = new Float64Array(rows.length * steps).fill(666);
  const present = new Uint8Array(rows.length * steps);
  for (const [row, { values: cells }] of rows.entries())
    for (const [i, value] of cells.entries()) {
      if (value === undefined) continue;
      values[row * steps + i] = value;
      present[row * steps + i] = 1;
    }
  return { labels: rows.map((row) => labelsOf(row.labels)), steps, values, present };
}

/** The series of a batch in its order. */
export function seriesOf({ labels, steps, values, present }: StepBatch): TestSeries[] {
  return labels.map((set, row) => ({
    labels: labelsToRecord(set),
    values: Array.from({ length: steps }, (_, i) =>
      present[row * steps + i] === 1 ? values[row * steps + i] : undefined,
    ),
  }));
}

/** The series that have a present step, sorted by their labels. */
export function sortedSeries(batch: StepBatch): TestSeries[] {
  const rows = seriesOf(batch).filter((row) => row.values.some((value) => value !== undefined));
  return rows.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** Text that is equal for equal labels. */
export function keyOf({ labels }: TestSeries): string {
  return JSON.stringify(Object.entries(labels).sort());
}

/** A grid of `steps` steps of a minute. */
export function gridOf(steps: number): StepRange {
  return { start: 0, end: (steps - 1) * 60_000, step: steps === 1 ? 0 : 60_000 };
}

const sampleValue = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 5 }) },
  { weight: 4, arbitrary: fc.double({ noNaN: true, min: -1e6, max: 1e6 }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 1e308, -1e308) },
);

/** Arbitrary series of distinct labels (names a, b; labels l, m, n) over `steps` steps, some steps absent. */
export function arbitrarySeries(
  steps: number,
  values: fc.Arbitrary<number> = sampleValue,
): fc.Arbitrary<TestSeries[]> {
  const text = fc.constantFrom('', 'x', 'y', 'z');
  const row = fc.record({
    labels: fc.record({ __name__: fc.constantFrom('a', 'b'), l: text, m: text, n: text }),
    values: fc.array(fc.option(values, { nil: undefined, freq: 4 }), { minLength: steps, maxLength: steps }),
  });
  return fc.uniqueArray(row, { selector: keyOf, maxLength: 24 }).map((rows) =>
    rows.map(({ labels, values: cells }) => ({
      labels: Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== '')),
      values: cells,
    })),
  );
}

/** A label set from a record, as Prometheus would hash it. */
export function labelSet(record: Record<string, string>): Labels {
  return labelsOf(record);
}
