// sum and avg over groups with Neumaier's compensation, as Prometheus 3.14 computes them (promql/engine.go aggregation,
// util/kahansum): the same operations in the same order give the same bits. A state keeps the compensation apart, so that the
// merged sum of shards loses nothing before the last addition. Each loop writes the step out, here and in over-time.ts: through a
// shared function sums take 20 to 40 % longer.

import type { GroupKernel } from './group-columns.ts';

/** sum: columns are the running sum and its compensation. */
export const sumKernel: GroupKernel = {
  columns: 2,
  add({ steps, seen, columns }, base, { values, present, from }) {
    const sums = columns[0]!;
    const rests = columns[1]!;
    for (let i = 0; i < steps; i++) {
      if (present[from + i] === 0) continue;
      const cell = base + i;
      const value = values[from + i]!;
      if (seen[cell] === 0) {
        seen[cell] = 1;
        sums[cell] = value;
        continue;
      }
      const sum = sums[cell]!;
      const next = sum + value;
      if (next === Infinity || next === -Infinity) rests[cell] = 0;
      else if (Math.abs(sum) >= Math.abs(value)) rests[cell]! += sum - next + value;
      else rests[cell]! += value - next + sum;
      sums[cell] = next;
    }
  },
  merge({ steps, seen, columns }, base, partial) {
    const sums = columns[0]!;
    const rests = columns[1]!;
    const otherSums = partial.columns[0]!;
    const otherRests = partial.columns[1]!;
    for (let i = 0; i < steps; i++) {
      if (partial.seen[i] === 0) continue;
      const cell = base + i;
      const value = otherSums[i]!;
      if (seen[cell] === 0) {
        seen[cell] = 1;
        sums[cell] = value;
        rests[cell] = otherRests[i]!;
        continue;
      }
      const sum = sums[cell]!;
      const next = sum + value;
      sums[cell] = next;
      if (next === Infinity || next === -Infinity) rests[cell] = 0;
      else if (Math.abs(sum) >= Math.abs(value)) rests[cell]! += sum - next + value + otherRests[i]!;
      else rests[cell]! += value - next + sum + otherRests[i]!;
    }
  },
  finish({ steps, seen, columns }, base, output) {
    const sums = columns[0]!;
    const rests = columns[1]!;
    for (let i = 0; i < steps; i++) if (seen[base + i] === 1) output[i] = sums[base + i]! + rests[base + i]!;
  },
};

/** Cells of avg's state: sum or mean, its compensation, the count (negative once the cell holds a mean). */
const MEAN_COLUMNS = 3;

/**
 * avg: the compensated sum by the count; where the sum would overflow, the cell turns into an incremental mean from there on.
 * Columns: sum or mean, compensation, count (negative: the first column is a mean).
 */
export const averageKernel: GroupKernel = {
  columns: MEAN_COLUMNS,
  add({ steps, seen, columns }, base, { values, present, from }) {
    const sums = columns[0]!;
    const rests = columns[1]!;
    const counts = columns[2]!;
    for (let i = 0; i < steps; i++) {
      if (present[from + i] === 0) continue;
      const cell = base + i;
      const value = values[from + i]!;
      if (seen[cell] === 0) {
        seen[cell] = 1;
        sums[cell] = value;
        counts[cell] = 1;
        continue;
      }
      const sum = sums[cell]!;
      const next = sum + value;
      if (counts[cell]! < 0 || next === Infinity || next === -Infinity) {
        addToMean(columns, cell, value);
        continue;
      }
      if (Math.abs(sum) >= Math.abs(value)) rests[cell]! += sum - next + value;
      else rests[cell]! += value - next + sum;
      sums[cell] = next;
      counts[cell]! += 1;
    }
  },
  merge({ steps, seen, columns }, base, partial) {
    const sums = columns[0]!;
    const rests = columns[1]!;
    const counts = columns[2]!;
    for (let i = 0; i < steps; i++) {
      if (partial.seen[i] === 0) continue;
      const cell = base + i;
      const value = partial.columns[0]![i]!;
      const rest = partial.columns[1]![i]!;
      const count = partial.columns[2]![i]!;
      if (seen[cell] === 0) {
        seen[cell] = 1;
        sums[cell] = value;
        rests[cell] = rest;
        counts[cell] = count;
        continue;
      }
      const sum = sums[cell]!;
      const next = sum + value;
      if (counts[cell]! < 0 || count < 0 || next === Infinity || next === -Infinity) {
        mergeMeans(columns, cell, { value, rest, count });
        continue;
      }
      if (Math.abs(sum) >= Math.abs(value)) rests[cell]! += sum - next + value + rest;
      else rests[cell]! += value - next + sum + rest;
      sums[cell] = next;
      counts[cell]! += count;
    }
  },
  finish({ steps, seen, columns }, base, output) {
    const sums = columns[0]!;
    const rests = columns[1]!;
    const counts = columns[2]!;
    for (let i = 0; i < steps; i++) {
      const cell = base + i;
      if (seen[cell] === 0) continue;
      const count = counts[cell]!;
      output[i] = count < 0 ? sums[cell]! + rests[cell]! : sums[cell]! / count + rests[cell]! / count;
    }
  },
};

// One more value for a cell that is, or now becomes, an incremental mean.
function addToMean(columns: Float64Array[], cell: number, value: number): void {
  const [means, rests, counts] = columns as [Float64Array, Float64Array, Float64Array];
  turnIntoMean(columns, cell);
  const count = -counts[cell]! + 1;
  const share = (count - 1) / count;
  counts[cell] = -count;
  const mean = share * means[cell]!;
  const rest = share * rests[cell]!;
  addCompensated(columns, cell, { mean, rest, increment: value / count });
}

// Two means weigh as their counts; a partial of the other form is turned first.
function mergeMeans(
  columns: Float64Array[],
  cell: number,
  other: { value: number; rest: number; count: number },
): void {
  const [means, rests, counts] = columns as [Float64Array, Float64Array, Float64Array];
  turnIntoMean(columns, cell);
  const divisor = other.count < 0 ? 1 : other.count;
  const otherCount = Math.abs(other.count);
  const count = -counts[cell]! + otherCount;
  const share = -counts[cell]! / count;
  const otherShare = otherCount / count;
  counts[cell] = -count;
  const mean = share * means[cell]!;
  const rest = share * rests[cell]! + otherShare * (other.rest / divisor);
  addCompensated(columns, cell, { mean, rest, increment: otherShare * (other.value / divisor) });
}

function turnIntoMean([sums, rests, counts]: Float64Array[], cell: number): void {
  const count = counts![cell]!;
  if (count < 0) return;
  sums![cell]! /= count;
  rests![cell]! /= count;
  counts![cell] = -count;
}

function addCompensated(
  [means, rests]: Float64Array[],
  cell: number,
  { mean, rest, increment }: { mean: number; rest: number; increment: number },
): void {
  const next = mean + increment;
  means![cell] = next;
  if (next === Infinity || next === -Infinity) rests![cell] = 0;
  else if (Math.abs(mean) >= Math.abs(increment)) rests![cell] = rest + (mean - next + increment);
  else rests![cell] = rest + (increment - next + mean);
}
