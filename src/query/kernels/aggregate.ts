// min, max, count, group, stddev and stdvar over groups (Prometheus promql/engine.go, aggregation).

import type { GroupColumns, GroupKernel, PartialCells, RowCells } from './group-columns.ts';

/** min: a NaN stands only until a number comes. */
export const minKernel: GroupKernel = extremeKernel((state, base, row) => {
  const { steps, seen } = state;
  const { values, present, from } = row;
  const least = state.columns[0]!;
  for (let i = 0; i < steps; i++) {
    if (present[from + i] === 0) continue;
    const cell = base + i;
    const value = values[from + i]!;
    const current = least[cell]!;
    if (seen[cell] === 0 || current > value || Number.isNaN(current)) least[cell] = value;
    seen[cell] = 1;
  }
});

/** max: a NaN stands only until a number comes. */
export const maxKernel: GroupKernel = extremeKernel((state, base, row) => {
  const { steps, seen } = state;
  const { values, present, from } = row;
  const greatest = state.columns[0]!;
  for (let i = 0; i < steps; i++) {
    if (present[from + i] === 0) continue;
    const cell = base + i;
    const value = values[from + i]!;
    const current = greatest[cell]!;
    if (seen[cell] === 0 || current < value || Number.isNaN(current)) greatest[cell] = value;
    seen[cell] = 1;
  }
});

function extremeKernel(add: (state: GroupColumns, base: number, row: RowCells) => void): GroupKernel {
  return {
    columns: 1,
    add,
    merge: (state, base, partial) => add(state, base, rowOf(partial)),
    finish: copyFirst,
  };
}

// A partial extreme is just one more value.
function rowOf({ columns, seen }: PartialCells): RowCells {
  return { values: columns[0]!, present: seen, from: 0 };
}

function copyFirst({ columns, steps }: GroupColumns, base: number, output: Float64Array): void {
  output.set(columns[0]!.subarray(base, base + steps));
}

/** count: the samples of each step. */
export const countKernel: GroupKernel = {
  columns: 1,
  add({ steps, seen, columns }, base, { present, from }) {
    const counts = columns[0]!;
    for (let i = 0; i < steps; i++) {
      if (present[from + i] === 0) continue;
      counts[base + i]! += 1;
      seen[base + i] = 1;
    }
  },
  merge({ steps, seen, columns }, base, partial) {
    const counts = columns[0]!;
    for (let i = 0; i < steps; i++) {
      if (partial.seen[i] === 0) continue;
      counts[base + i]! += partial.columns[0]![i]!;
      seen[base + i] = 1;
    }
  },
  finish: copyFirst,
};

/** group: 1 where there is a sample. */
export const groupKernel: GroupKernel = {
  columns: 0,
  add({ steps, seen }, base, { present, from }) {
    for (let i = 0; i < steps; i++) if (present[from + i] === 1) seen[base + i] = 1;
  },
  merge({ steps, seen }, base, partial) {
    for (let i = 0; i < steps; i++) if (partial.seen[i] === 1) seen[base + i] = 1;
  },
  finish({ steps }, _base, output) {
    output.fill(1, 0, steps);
  },
};

/** stdvar: Welford's running mean and sum of squared deviations. Columns: squares, mean, count. */
export const varianceKernel: GroupKernel = deviationKernel((variance) => variance);

/** stddev: as stdvar, the root of it. */
export const standardDeviationKernel: GroupKernel = deviationKernel(Math.sqrt);

function deviationKernel(result: (variance: number) => number): GroupKernel {
  return {
    columns: 3,
    add: addDeviation,
    merge: mergeDeviation,
    finish({ steps, seen, columns }, base, output) {
      for (let i = 0; i < steps; i++)
        if (seen[base + i] === 1) output[i] = result(columns[0]![base + i]! / columns[2]![base + i]!);
    },
  };
}

function addDeviation({ steps, seen, columns }: GroupColumns, base: number, row: RowCells): void {
  const { values, present, from } = row;
  const squares = columns[0]!;
  const means = columns[1]!;
  const counts = columns[2]!;
  for (let i = 0; i < steps; i++) {
    if (present[from + i] === 0) continue;
    const cell = base + i;
    const value = values[from + i]!;
    if (seen[cell] === 0) {
      seen[cell] = 1;
      squares[cell] = Number.isFinite(value) ? 0 : Number.NaN;
      means[cell] = value;
      counts[cell] = 1;
      continue;
    }
    const count = counts[cell]! + 1;
    const delta = value - means[cell]!;
    const mean = means[cell]! + delta / count;
    counts[cell] = count;
    means[cell] = mean;
    squares[cell]! += delta * (value - mean);
  }
}

// Chan's formula for two parts. Last-bit equality with one pass cannot be had here; the sharded result is as accurate.
function mergeDeviation({ steps, seen, columns }: GroupColumns, base: number, partial: PartialCells): void {
  const [squares, means, counts] = columns as [Float64Array, Float64Array, Float64Array];
  for (let i = 0; i < steps; i++) {
    if (partial.seen[i] === 0) continue;
    const cell = base + i;
    const otherMean = partial.columns[1]![i]!;
    const otherCount = partial.columns[2]![i]!;
    if (seen[cell] === 0) {
      seen[cell] = 1;
      squares[cell] = partial.columns[0]![i]!;
      means[cell] = otherMean;
      counts[cell] = otherCount;
      continue;
    }
    const count = counts[cell]! + otherCount;
    const delta = otherMean - means[cell]!;
    squares[cell]! += partial.columns[0]![i]! + delta * delta * ((counts[cell]! * otherCount) / count);
    means[cell]! += delta * (otherCount / count);
    counts[cell] = count;
  }
}
