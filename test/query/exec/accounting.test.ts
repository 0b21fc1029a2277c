// What operators make is accounted for while they make it, native histograms included.

import { describe, expect, it } from 'vitest';
import { Annotations } from '../../../src/model/annotations.ts';
import { HistogramColumns } from '../../../src/model/histogram.ts';
import { QueryBudget } from '../../../src/query/budget.ts';
import { createAggregation } from '../../../src/query/exec/aggregate.ts';
import { StateMemory } from '../../../src/query/exec/aggregation.ts';
import { type BinaryContext, binaryVectors } from '../../../src/query/exec/binary.ts';
import { combineMixedScalar } from '../../../src/query/exec/histograms/binary-histograms.ts';
import { Rows } from '../../../src/query/exec/rows.ts';
import { batchBytes } from '../../../src/query/exec/step-batch.ts';
import type { AggregateOperator, BinaryOperator, VectorMatching } from '../../../src/query/parse/ast.ts';
import type { StepBatch } from '../../../src/query/source.ts';
import { pause } from './batches.ts';

const STEPS = 50;
const LIMITS = { samplesMax: 1e9, seriesMax: 1e6, memoryBytesMax: 1e9 };
const PLAIN: VectorMatching = { card: 'one-to-one', on: false, labels: [], include: [] };
const NAMES = ['a', 'b', 'c', 'd'];

function newBudget(): QueryBudget {
  return new QueryBudget(LIMITS, new AbortController().signal);
}

/** Series with a histogram of 40 buckets at each step, all of them different. */
function histogramBatch(names: readonly string[]): StepBatch {
  const columns = new HistogramColumns();
  const cells = names.length * STEPS;
  for (let cell = 0; cell < cells; cell++) {
    const row = columns.begin();
    columns.floats[row] = 1;
    columns.counts[row] = columns.sums[row] = 40;
    columns.addSpan(0, 40, false);
    for (let i = 0; i < 40; i++) columns.addBucket(1, false);
  }
  return {
    labels: names.map((name) => ['l', name]),
    steps: STEPS,
    values: new Float64Array(cells).fill(40),
    present: new Uint8Array(cells).fill(1),
    histograms: { columns, rows: Int32Array.from({ length: cells }, (_, cell) => cell) },
  };
}

function floatBatch(names: readonly string[]): StepBatch {
  const { labels, steps, values, present } = histogramBatch(names);
  return { labels, steps, values, present };
}

/** What a batch needs at least: lists grow by doubling, and more than one of them may be needed on the way. */
function leastBytes({ labels, steps, histograms }: StepBatch): number {
  const cells = labels.length * steps;
  return cells * 9 + (histograms === undefined ? 0 : histograms.columns.count * 8 * 40);
}

describe('memory of results', () => {
  it.each<[BinaryOperator, (names: readonly string[]) => StepBatch]>([
    ['+', histogramBatch],
    ['==', histogramBatch],
    ['+', floatBatch],
    ['or', histogramBatch],
    ['or', floatBatch],
    ['and', floatBatch],
    ['unless', floatBatch],
  ])('of %s is accounted for (%o)', async (op, make) => {
    const budget = newBudget();
    const context: BinaryContext = { annotations: new Annotations(), pause, memory: new StateMemory(budget) };
    const right = op === 'unless' ? ['e', 'a'] : op === 'and' || op === 'or' ? ['a', 'b', 'x'] : NAMES;
    const result = await binaryVectors(
      { op, returnBool: false, matching: PLAIN },
      make(NAMES),
      make(right),
      context,
    );
    expect(result.labels.length).toBeGreaterThan(1);
    expect(budget.bytesPeak).toBeGreaterThanOrEqual(leastBytes(result));
    context.memory.release();
    expect(budget.bytesNow).toBe(0);
  });

  it('of matches made step by step is accounted for until it is handed on', async () => {
    const budget = newBudget();
    const context: BinaryContext = { annotations: new Annotations(), pause, memory: new StateMemory(budget) };
    const matching = { ...PLAIN, fillLeft: 0 };
    const operation = { op: '*', returnBool: false, matching } as const;
    const result = await binaryVectors(operation, histogramBatch(NAMES), floatBatch(NAMES), context);
    expect(result.histograms?.columns.count).toBe(4 * STEPS);
    expect(budget.bytesPeak).toBeGreaterThanOrEqual(leastBytes(result));
    expect(budget.bytesNow).toBe(0);
  });

  it('of histograms with a scalar is accounted for', () => {
    const budget = newBudget();
    const memory = new StateMemory(budget);
    const operation = {
      op: '*',
      returnBool: false,
      where: undefined,
      annotations: new Annotations(),
    } as const;
    const scalar = new Float64Array(STEPS).fill(2);
    const input = { vector: histogramBatch(NAMES), scalar, scalarOnLeft: false, memory };
    const result = combineMixedScalar(operation, input, (floats) => floats);
    expect(result.histograms?.columns.count).toBe(4 * STEPS);
    expect(budget.bytesNow).toBeGreaterThanOrEqual(leastBytes(result));
  });

  it.each<AggregateOperator>(['sum', 'avg', 'limitk', 'limit_ratio'])(
    'of %s over histograms is accounted for until it is handed on',
    async (op) => {
      const budget = newBudget();
      const paramValues = new Float64Array(STEPS).fill(op === 'limit_ratio' ? 1 : 4);
      const hasher = { hash64: () => ({ high: 0, low: 0 }) } as never;
      const spec = { op, grouping: ['l'], without: false, paramValues, budget, hasher };
      const aggregation = createAggregation(spec, { start: 0, end: STEPS - 1, step: 1 });
      aggregation.add(histogramBatch(NAMES));
      const result = await aggregation.finish(new Annotations(), pause);
      expect(result.histograms?.columns.count).toBe(4 * STEPS);
      expect(budget.bytesPeak).toBeGreaterThanOrEqual(leastBytes(result));
      expect(budget.bytesNow).toBe(0);
    },
  );

  it('of rows is given back chunk by chunk, histograms included', () => {
    const budget = newBudget();
    const rows = new Rows(STEPS, budget);
    const { columns } = histogramBatch(['a']).histograms!;
    for (let chunk = 0; chunk < 5; chunk++) {
      rows.open(1);
      rows.histograms(
        Int32Array.from({ length: STEPS }, (_, i) => i),
        columns,
      );
      expect(rows.keep(['l', 'a'])).toBe(true);
      const batch = rows.take()!;
      expect(budget.bytesNow).toBeGreaterThanOrEqual(leastBytes(batch));
      expect(budget.bytesNow).toBeLessThan(2 * batchBytes(batch));
    }
    rows.close();
    expect(budget.bytesNow).toBe(0);
  });
});
