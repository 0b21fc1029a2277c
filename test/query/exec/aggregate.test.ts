import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatFloat } from '../../../src/codec/float-text.ts';
import { createHasher } from '../../../src/codec/hash.ts';
import { Annotations } from '../../../src/model/annotations.ts';
import { compareLabels, labelsOf } from '../../../src/model/labels.ts';
import { createAggregation, distributes } from '../../../src/query/exec/aggregate.ts';
import { sampleOffset } from '../../../src/query/exec/aggregate-select.ts';
import type { AggregationSpec } from '../../../src/query/exec/aggregation.ts';
import type { AggregateOperator } from '../../../src/query/parse/ast.ts';
import {
  arbitrarySeries,
  batchOf,
  gridOf,
  keyOf,
  labelSet,
  pause,
  series,
  seriesOf,
  sortedSeries,
  type TestSeries,
} from './batches.ts';

const STEPS = 3;

/** Prometheus's aggregation of one group at one step, straight from its loop over samples. */
function naiveFold(op: AggregateOperator, values: readonly number[], parameter: number): number {
  const count = values.length;
  switch (op) {
    case 'count':
      return count;
    case 'group':
      return 1;
    case 'min':
    case 'max': {
      let best = values[0]!;
      for (const value of values.slice(1))
        if ((op === 'min' ? best > value : best < value) || Number.isNaN(best)) best = value;
      return best;
    }
    case 'sum': {
      const [sum, rest] = values.slice(1).reduce(kahan, [values[0]!, 0]);
      return sum + rest;
    }
    case 'avg':
      return naiveAverage(values);
    case 'stdvar':
    case 'stddev': {
      let [mean, squares] = [values[0]!, Number.isFinite(values[0]) ? 0 : Number.NaN];
      for (const [i, value] of values.slice(1).entries()) {
        const delta = value - mean;
        mean += delta / (i + 2);
        squares += delta * (value - mean);
      }
      return op === 'stdvar' ? squares / count : Math.sqrt(squares / count);
    }
    case 'quantile': {
      if (Number.isNaN(parameter)) return Number.NaN;
      if (parameter < 0) return -Infinity;
      if (parameter > 1) return Infinity;
      const sorted = [...values].sort((a, b) => (Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b));
      const rank = parameter * (count - 1);
      const lower = Math.max(0, Math.floor(rank));
      const weight = rank - Math.floor(rank);
      return sorted[lower]! * (1 - weight) + sorted[Math.min(count - 1, lower + 1)]! * weight;
    }
    default:
      throw new Error(op);
  }
}

function kahan([sum, rest]: [number, number] | number[], value: number): [number, number] {
  const next = sum! + value;
  if (Math.abs(next) === Infinity) return [next, 0];
  if (Math.abs(sum!) >= Math.abs(value)) return [next, rest! + (sum! - next + value)];
  return [next, rest! + (value - next + sum!)];
}

function naiveAverage(values: readonly number[]): number {
  let state: [number, number] = [values[0]!, 0];
  let incremental = false;
  for (const [i, value] of values.slice(1).entries()) {
    const count = i + 2;
    if (!incremental) {
      const next = kahan(state, value);
      if (Math.abs(next[0]) !== Infinity) {
        state = next;
        continue;
      }
      incremental = true;
      state = [state[0] / (count - 1), state[1] / (count - 1)];
    }
    const share = (count - 1) / count;
    state = kahan([share * state[0], share * state[1]], value / count);
  }
  if (incremental) return state[0] + state[1];
  return state[0] / values.length + state[1] / values.length;
}

function naiveGroup(spec: AggregationSpec, row: TestSeries): Record<string, string> {
  const entries = Object.entries(row.labels);
  if (!spec.without) return Object.fromEntries(entries.filter(([name]) => spec.grouping.includes(name)));
  return Object.fromEntries(entries.filter(([name]) => name !== '__name__' && !spec.grouping.includes(name)));
}

/** All groups of all steps, one object per sample. */
function naiveAggregate(spec: AggregationSpec, rows: readonly TestSeries[]): TestSeries[] {
  const out = new Map<string, { labels: Record<string, string>; values: (number | undefined)[] }>();
  for (let i = 0; i < STEPS; i++) {
    const groups = new Map<string, TestSeries[]>();
    for (const row of rows) {
      if (row.values[i] === undefined) continue;
      const labels =
        spec.op === 'count_values'
          ? naiveGroup(spec.without ? spec : { ...spec, grouping: [...spec.grouping, spec.paramText!] }, {
              ...row,
              labels: { ...row.labels, [spec.paramText!]: formatFloat(row.values[i]!) },
            })
          : naiveGroup(spec, row);
      const key = keyOf({ labels, values: [] });
      groups.set(key, [...(groups.get(key) ?? []), row]);
      if (!isSelecting(spec.op) && !out.has(key)) out.set(key, { labels, values: Array(STEPS) });
    }
    for (const [key, members] of groups) {
      const values = members.map((row) => row.values[i]!);
      const parameter = spec.paramValues?.[i] ?? Number.NaN;
      if (spec.op === 'count_values') out.get(key)!.values[i] = members.length;
      else if (!isSelecting(spec.op)) out.get(key)!.values[i] = naiveFold(spec.op, values, parameter);
      else
        for (const row of naiveSelect(spec.op, members, i, Math.trunc(parameter))) {
          const rowKey = keyOf(row);
          const result = out.get(rowKey) ?? { labels: { ...row.labels }, values: Array(STEPS) };
          result.values[i] = row.values[i];
          out.set(rowKey, result);
        }
    }
  }
  return [...out.values()].map((row) => ({ ...row, values: [...row.values] }));
}

function isSelecting(op: AggregateOperator): boolean {
  return op === 'topk' || op === 'bottomk' || op === 'limitk';
}

function naiveSelect(
  op: AggregateOperator,
  rows: readonly TestSeries[],
  step: number,
  count: number,
): TestSeries[] {
  const sorted = [...rows].sort((a, b) => {
    const [x, y] = [a.values[step]!, b.values[step]!];
    const byLabels = compareLabels(labelsOf(a.labels), labelsOf(b.labels));
    if (op === 'limitk' || x === y || (Number.isNaN(x) && Number.isNaN(y))) return byLabels;
    if (Number.isNaN(x)) return 1;
    if (Number.isNaN(y)) return -1;
    return op === 'topk' ? y - x : x - y;
  });
  return sorted.slice(0, Math.max(0, count));
}

async function run(spec: AggregationSpec, rows: readonly TestSeries[], batches = 2): Promise<TestSeries[]> {
  const aggregation = createAggregation(spec, gridOf(STEPS));
  for (let part = 0; part < batches; part++)
    aggregation.add(
      batchOf(
        rows.filter((_, i) => i % batches === part),
        STEPS,
      ),
    );
  return sortedSeries(await aggregation.finish(new Annotations(), pause));
}

function inOrder(rows: readonly TestSeries[]): TestSeries[] {
  return [...rows]
    .filter((row) => row.values.some((value) => value !== undefined))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

const arbitrarySpec = fc.record({
  grouping: fc.subarray(['l', 'm', '__name__', 'absent']),
  without: fc.boolean(),
});
const SIMPLE = ['sum', 'avg', 'count', 'min', 'max', 'group', 'stddev', 'stdvar'] as const;
const parameters = (values: fc.Arbitrary<number>): fc.Arbitrary<Float64Array> =>
  fc.array(values, { minLength: STEPS, maxLength: STEPS }).map((list) => Float64Array.from(list));

function specs(op: AggregateOperator): fc.Arbitrary<AggregationSpec> {
  const base = arbitrarySpec.map((spec) => ({ ...spec, op }));
  if (op === 'quantile') {
    const values = fc.oneof(fc.double({ min: 0, max: 1 }), fc.constantFrom(-1, 2, Number.NaN));
    return fc.tuple(base, parameters(values)).map(([spec, paramValues]) => ({ ...spec, paramValues }));
  }
  if (isSelecting(op)) {
    const values = fc.constantFrom(-1, 0, 0.9, 1, 2.7, 3, 100);
    return fc.tuple(base, parameters(values)).map(([spec, paramValues]) => ({ ...spec, paramValues }));
  }
  if (op === 'count_values') {
    const label = fc.constantFrom('v', 'l', 'm');
    return fc.tuple(base, label).map(([spec, paramText]) => ({ ...spec, paramText }));
  }
  return base;
}

describe('aggregation', () => {
  it.each([...SIMPLE, 'quantile', 'topk', 'bottomk', 'limitk', 'count_values'] as const)(
    '%s equals its definition to the last bit, in whatever batches series arrive',
    async (op) => {
      await fc.assert(
        fc.asyncProperty(specs(op), arbitrarySeries(STEPS), async (spec, rows) => {
          const expected = inOrder(naiveAggregate(spec, rows));
          expect(await run(spec, rows, 1)).toEqual(expected);
        }),
        { numRuns: 200 },
      );
    },
  );

  it.each(['sum', 'count', 'min', 'max', 'group', 'topk', 'bottomk', 'limitk', 'count_values'] as const)(
    '%s of merged states equals the whole exactly, however series are spread',
    async (op) => {
      const wholeNumbers = fc.oneof(fc.integer({ min: -1e9, max: 1e9 }), fc.constantFrom(0, 7));
      await fc.assert(
        fc.asyncProperty(
          specs(op),
          arbitrarySeries(STEPS, wholeNumbers),
          fc.array(fc.nat(2), { minLength: 24, maxLength: 24 }),
          async (spec, rows, shards) => {
            expect(await merged(spec, rows, shards)).toEqual(inOrder(naiveAggregate(spec, rows)));
          },
        ),
      );
    },
  );

  it.each(['sum', 'avg', 'stddev', 'stdvar'] as const)(
    '%s of merged states equals the whole up to rounding, also where sums overflow',
    async (op) => {
      const values = fc.oneof(
        fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
        op === 'avg' ? fc.constantFrom(1.7e308, -1.7e308, Infinity) : fc.constant(0.1),
      );
      await fc.assert(
        fc.asyncProperty(
          specs(op),
          arbitrarySeries(STEPS, values),
          fc.array(fc.nat(2), { minLength: 24, maxLength: 24 }),
          async (spec, rows, shards) => {
            const whole = inOrder(naiveAggregate(spec, rows));
            const parts = await merged(spec, rows, shards);
            expect(parts.map(keyOf)).toEqual(whole.map(keyOf));
            const inputs = rows.flatMap((row) => row.values.map((value) => Math.abs(value ?? 0)));
            const scale = Math.max(1, ...inputs.filter(Number.isFinite));
            for (const [n, row] of parts.entries())
              for (const [i, value] of row.values.entries()) expectClose(value, whole[n]!.values[i], scale);
          },
        ),
      );
    },
  );

  it('keeps the sum of shards exact through its compensation', async () => {
    const rows = [1e16, 1, 1, -1e16, 0.5, 1e-3].map((value, i) => series({ l: `${i}` }, value, value, value));
    const spec: AggregationSpec = { op: 'sum', grouping: [], without: false };
    expect(await merged(spec, rows, [0, 1, 2, 1, 0, 2])).toEqual([series({}, 2.501, 2.501, 2.501)]);
  });

  it('orders an instant topk best first within each group, NaN last and equal values by labels', async () => {
    const rows = [
      series({ l: 'x', n: '1' }, Number.NaN),
      series({ l: 'x', n: '3' }, 5),
      series({ l: 'x', n: '2' }, 5),
      series({ l: 'y', n: '4' }, 1),
      series({ l: 'x', n: '5' }, 9),
    ];
    const spec: AggregationSpec = {
      op: 'topk',
      grouping: ['l'],
      without: false,
      paramValues: Float64Array.of(4),
    };
    const aggregation = createAggregation(spec, gridOf(1));
    aggregation.add(batchOf(rows));
    const order = seriesOf(await aggregation.finish(new Annotations(), pause)).map((row) => row.labels);
    expect(order.map(({ n }) => n)).toEqual(['5', '2', '3', '1', '4']);
  });

  it.each([
    ['topk', Number.NaN, 'Parameter value is NaN'],
    ['bottomk', 1e300, 'Scalar value 1e+300 overflows int64'],
    ['limitk', Infinity, 'Scalar value +Inf overflows int64'],
  ] as const)('%s refuses the parameter %d', (op, value, message) => {
    const spec = { op, grouping: [], without: false, paramValues: Float64Array.of(value) };
    expect(() => createAggregation(spec, gridOf(1))).toThrow(message);
  });

  it('warns of quantiles outside 0..1 with the place of the parameter', async () => {
    const paramValues = Float64Array.of(2, -1);
    const spec: AggregationSpec = {
      op: 'quantile',
      grouping: [],
      without: false,
      paramValues,
      where: '1:10',
    };
    const annotations = new Annotations();
    await createAggregation(spec, { start: 0, end: 1000, step: 1000 }).finish(annotations, pause);
    expect(annotations.all().map((one) => `${one.level} ${one.text}`)).toEqual([
      'warning PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)',
      'warning PromQL warning: quantile value should be between 0 and 1, got -1 (1:10)',
    ]);
  });

  it('refuses states of another operator or grid, and torn ones', async () => {
    const sum: AggregationSpec = { op: 'sum', grouping: ['l'], without: false };
    const source = createAggregation(sum, gridOf(2));
    source.add(batchOf([series({ l: 'x' }, 1, undefined)]));
    const [bytes = new Uint8Array()] = await source.encodePartial(pause);
    const refuse = (spec: AggregationSpec, steps: number, state: Uint8Array): void =>
      expect(() => createAggregation(spec, gridOf(steps)).addPartial(state)).toThrow(
        /^cannot read aggregation state/,
      );
    refuse({ ...sum, op: 'max' }, 2, bytes);
    refuse(sum, 3, bytes);
    for (let length = 0; length < bytes.length; length++) refuse(sum, 2, bytes.subarray(0, length));
  });
});

describe('limit_ratio', () => {
  it('hashes label sets as Prometheus does', async () => {
    const hasher = await createHasher();
    for (const [labels, offset] of RATIO_TABLE) expect(sampleOffset(hasher, labelSet(labels))).toBe(offset);
  });

  it('and its complement give every series exactly once', async () => {
    const hasher = await createHasher();
    const rows = Array.from({ length: 200 }, (_, i) => series({ l: `${i}` }, i));
    const pick = async (ratio: number): Promise<Set<string>> => {
      const paramValues = Float64Array.of(ratio);
      const spec: AggregationSpec = { op: 'limit_ratio', grouping: [], without: false, paramValues, hasher };
      const aggregation = createAggregation(spec, gridOf(1));
      aggregation.add(batchOf(rows));
      return new Set(sortedSeries(await aggregation.finish(new Annotations(), pause)).map(keyOf));
    };
    const [third, rest] = [await pick(0.3), await pick(-0.7)];
    expect(third.size).toBeGreaterThan(30);
    expect(third.size + rest.size).toBe(200);
    expect([...third].filter((key) => rest.has(key))).toEqual([]);
    expect((await pick(5)).size).toBe(200);
    expect((await pick(-5)).size).toBe(200);
    expect((await pick(0)).size).toBe(0);
  });
});

/** Offsets printed by labels.FromMap(...).Hash() / MaxUint64 of Prometheus 3.14 in its default build. */
const RATIO_TABLE: [labels: Record<string, string>, offset: number][] = [
  [{}, 0.9346749315317059],
  [{ __name__: 'up' }, 0.9251613065717192],
  [
    { __name__: 'http_requests_total', job: 'api-server', instance: '0', group: 'production' },
    0.306595814817679,
  ],
  [{ l: 'héllo ✓' }, 0.3319245427140493],
  [{ long: 'x'.repeat(300) }, 0.07994621800010102],
];

async function merged(
  spec: AggregationSpec,
  rows: readonly TestSeries[],
  shards: readonly number[],
): Promise<TestSeries[]> {
  expect(distributes(spec.op)).toBe(true);
  const whole = createAggregation(spec, gridOf(STEPS));
  for (let shard = 0; shard < 3; shard++) {
    const part = createAggregation(spec, gridOf(STEPS));
    part.add(
      batchOf(
        rows.filter((_, i) => shards[i] === shard),
        STEPS,
      ),
    );
    for (const bytes of await part.encodePartial(pause)) whole.addPartial(bytes);
  }
  return sortedSeries(await whole.finish(new Annotations(), pause));
}

// Rounding is relative to the inputs: what is left when large ones cancel is only as good as they were.
function expectClose(found: number | undefined, wanted: number | undefined, scale: number): void {
  if (found === undefined || wanted === undefined || !Number.isFinite(wanted)) expect(found).toBe(wanted);
  else expect(Math.abs(found - wanted)).toBeLessThanOrEqual(1e-9 * Math.abs(wanted) + 1e-12 * scale);
}
