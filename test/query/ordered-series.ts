// Answers between batches and the order of their series, as tests want them.

import type { OrderedSeries, StepBatch } from '../../src/query/source.ts';

/** A batch's series in its own order. */
export function ordered(batch: StepBatch): OrderedSeries {
  const count = batch.labels.length;
  return {
    batches: [batch],
    partOf: new Uint32Array(count),
    rows: Uint32Array.from({ length: count }, (_, i) => i),
  };
}

/** One batch of an answer's floats, in its order. */
export function oneBatch({ batches, partOf, rows }: OrderedSeries): StepBatch {
  const steps = batches[0]?.steps ?? 0;
  const values = new Float64Array(rows.length * steps);
  const present = new Uint8Array(rows.length * steps);
  const labels = Array.from(rows, (_, i) => {
    const batch = batches[partOf[i]!]!;
    const row = rows[i]!;
    values.set(batch.values.subarray(row * steps, (row + 1) * steps), i * steps);
    present.set(batch.present.subarray(row * steps, (row + 1) * steps), i * steps);
    return batch.labels[row]!;
  });
  return { labels, steps, values, present };
}
