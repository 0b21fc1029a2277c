import { describe, expect, it } from 'vitest';
import { Annotations } from '../../../src/model/annotations.ts';
import { applyVectorFunction, type FunctionArgument, scalarOf } from '../../../src/query/exec/elementwise.ts';
import type { StepBatch } from '../../../src/query/source.ts';
import { batchOf, gridOf, pause, series, seriesOf, sortedSeries, type TestSeries } from './batches.ts';

function argument(value: readonly TestSeries[] | Float64Array | string): FunctionArgument {
  if (typeof value === 'string') return { kind: 'string', value };
  if (value instanceof Float64Array) return { kind: 'scalar', values: value };
  return { kind: 'vector', batch: batchOf(value, value[0]?.values.length ?? 1) };
}

async function call(
  name: string,
  args: readonly (readonly TestSeries[] | Float64Array | string)[],
  annotations: Annotations = new Annotations(),
): Promise<StepBatch> {
  const steps = args.map((arg) =>
    Array.isArray(arg) ? arg[0]?.values.length : arg instanceof Float64Array ? arg.length : undefined,
  );
  const wheres = args.map((_, i) => `1:${10 * (i + 1)}`);
  return applyVectorFunction(name, args.map(argument), gridOf(steps.find((n) => n !== undefined) ?? 1), {
    annotations,
    pause,
    wheres,
  });
}

async function one(name: string, value: number, ...rest: number[]): Promise<number | undefined> {
  const args = [[series({ __name__: 'a', l: 'x' }, value)], ...rest.map((number) => Float64Array.of(number))];
  const result = seriesOf(await call(name, args));
  expect(result.map((row) => row.labels)).toEqual([{ l: 'x' }]);
  return result[0]!.values[0];
}

describe('functions of one sample', () => {
  it.each([
    ['abs', -2.5, 2.5],
    ['ceil', 1.2, 2],
    ['floor', -1.2, -2],
    ['exp', 0, 1],
    ['sqrt', -1, Number.NaN],
    ['ln', 0, -Infinity],
    ['log2', 8, 3],
    ['log10', 1000, 3],
    ['sgn', -7, -1],
    ['sgn', Number.NaN, Number.NaN],
    ['deg', Math.PI, 180],
    ['rad', 180, Math.PI],
    ['asin', 1, Math.PI / 2],
    ['cosh', 0, 1],
    ['atanh', 1, Infinity],
  ])('%s(%d) is %d', async (name, value, expected) => {
    const found = await one(name, value);
    if (Number.isFinite(expected)) expect(found).toBeCloseTo(expected, 14);
    else expect(found).toBe(expected);
  });

  it.each([
    ['round', [0.5], 1],
    ['round', [-0.5], 0],
    ['round', [2.35, 0.1], 2.4],
    ['round', [7, 5], 5],
    ['round', [7, 0], Number.NaN],
    ['clamp', [5, 1, 3], 3],
    ['clamp', [Number.NaN, 1, 3], Number.NaN],
    ['clamp', [Number.NaN, Infinity, Infinity], Infinity],
    ['clamp_min', [-5, 0], 0],
    ['clamp_max', [5, Number.NaN], Number.NaN],
  ] as const)('%s of %j is %d', async (name, [value, ...rest], expected) => {
    expect(await one(name, value, ...rest)).toBe(expected);
  });

  it('clamp leaves out the steps at which its maximum is below its minimum', async () => {
    const result = await call('clamp', [
      [series({ l: 'x' }, 5, 5)],
      Float64Array.of(0, 9),
      Float64Array.of(3, 3),
    ]);
    expect(seriesOf(result)).toEqual([series({ l: 'x' }, 3, undefined)]);
  });

  it('drops metric name, type and unit', async () => {
    const row = series({ __name__: 'a', __type__: 'gauge', __unit__: 's', __other__: '1' }, -1);
    expect(seriesOf(await call('abs', [[row]]))).toEqual([series({ __other__: '1' }, 1)]);
  });
});

// Printed by Go's time package: minute, hour, weekday, day, day of year, days of the month, month, year.
const DATES: [seconds: number, fields: number[]][] = [
  [0, [0, 0, 4, 1, 1, 31, 1, 1970]],
  [-1.9, [59, 23, 3, 31, 365, 31, 12, 1969]],
  [951782400, [0, 0, 2, 29, 60, 29, 2, 2000]],
  [951868800, [0, 0, 3, 1, 61, 31, 3, 2000]],
  [1709251199, [59, 23, 4, 29, 60, 29, 2, 2024]],
  [1735689599, [59, 23, 2, 31, 366, 31, 12, 2024]],
  [-62135596801, [59, 23, 0, 31, 366, 31, 12, 0]],
  [253402300800, [0, 0, 6, 1, 1, 31, 1, 10000]],
  [4102444800, [0, 0, 5, 1, 1, 31, 1, 2100]],
  [-2208988800, [0, 0, 1, 1, 1, 31, 1, 1900]],
  [1e12, [46, 1, 5, 27, 270, 30, 9, 33658]],
  [-1e12, [13, 22, 2, 5, 95, 30, 4, -29719]],
  [Number.NaN, [30, 15, 0, 4, 339, 31, 12, 292277026596]],
];
const DATE_NAMES = 'minute hour day_of_week day_of_month day_of_year days_in_month month year'.split(' ');

describe('date functions', () => {
  it.each(DATES)('take %d seconds apart as Go does', async (seconds, fields) => {
    expect(await Promise.all(DATE_NAMES.map((name) => one(name, seconds)))).toEqual(fields);
  });

  it('agree with the Date of the platform over four centuries', async () => {
    for (let day = -80_000; day < 80_000; day += 11) {
      const date = new Date(day * 86_400_000);
      expect(await one('year', day * 86_400)).toBe(date.getUTCFullYear());
      expect(await one('month', day * 86_400)).toBe(date.getUTCMonth() + 1);
      expect(await one('day_of_month', day * 86_400)).toBe(date.getUTCDate());
      expect(await one('day_of_week', day * 86_400)).toBe(date.getUTCDay());
    }
  });

  it('without an argument use the time of each step', async () => {
    const grid = { start: -1500, end: 118_500, step: 60_000 };
    const context = { annotations: new Annotations(), pause, wheres: [] };
    expect(seriesOf(await applyVectorFunction('minute', [], grid, context))).toEqual([series({}, 59, 0, 1)]);
  });
});

describe('vector and scalar', () => {
  it('vector has no labels and a value at every step', async () => {
    expect(seriesOf(await call('vector', [Float64Array.of(1, 2)]))).toEqual([series({}, 1, 2)]);
  });

  it('scalar is NaN unless exactly one series is there', () => {
    const batch = batchOf([
      series({ l: 'x' }, 1, undefined, 3, 4),
      series({ l: 'y' }, 1, undefined, undefined, undefined),
    ]);
    expect([...scalarOf(batch)]).toEqual([Number.NaN, Number.NaN, 3, 4]);
    expect([...scalarOf(batchOf([], 2))]).toEqual([Number.NaN, Number.NaN]);
  });
});

describe('label functions', () => {
  const src = [
    series({ __name__: 'a', src: 'source-value-10' }, 1),
    series({ __name__: 'a', src: 'other' }, 2),
  ];

  it.each([
    [['dst', '$1-$2', 'src', 'source-(value)-(\\d+)'], { src: 'source-value-10', dst: 'value-10' }],
    [['dst', 'x', 'missing', ''], { src: 'source-value-10', dst: 'x' }],
    [['src', '', 'src', '.*'], {}],
    [['dst', '$0', 'src', 'value'], { src: 'source-value-10' }],
  ])('label_replace with %j', async (strings, expected) => {
    expect(seriesOf(await call('label_replace', [src.slice(0, 1), ...strings]))[0]!.labels).toEqual({
      __name__: 'a',
      ...expected,
    });
  });

  it.each([
    ['label_replace', ['dst', 'x', 'src', '('], 'invalid regular expression in label_replace(): ('],
    ['label_replace', ['', 'x', 'src', ''], 'invalid destination label name in label_replace(): '],
    ['label_join', ['', '-', 'src'], 'invalid destination label name in label_join(): '],
    ['label_join', ['dst', '-', ''], 'invalid source label name in label_join(): '],
    ['label_replace', ['src', 'same', 'src', '.*'], 'vector cannot contain metrics with the same labelset'],
  ])('%s with %j fails', async (name, strings, message) => {
    await expect(call(name, [src, ...strings])).rejects.toThrow(message);
  });

  it('label_join joins values, absent ones as empty text, and an empty result removes the label', async () => {
    const row = [series({ a: '1', c: '3' }, 1)];
    expect(seriesOf(await call('label_join', [row, 'all', '-', 'a', 'b', 'c']))).toEqual([
      series({ a: '1', all: '1--3', c: '3' }, 1),
    ]);
    expect(seriesOf(await call('label_join', [row, 'a', '']))).toEqual([series({ c: '3' }, 1)]);
  });

  it('joins series that became equal but never meet', async () => {
    const rows = [series({ l: 'x', k: '1' }, 1, undefined), series({ l: 'x', k: '2' }, undefined, 2)];
    expect(sortedSeries(await call('label_replace', [rows, 'k', '', 'k', '.*']))).toEqual([
      series({ l: 'x' }, 1, 2),
    ]);
  });
});

describe('sorting', () => {
  const rows = [
    series({ l: 'node10' }, 2),
    series({ l: 'node9' }, Number.NaN),
    series({ l: 'node2' }, 3),
    series({ l: 'node1' }, 1),
  ];

  it.each([
    ['sort', [], ['node1', 'node10', 'node2', 'node9']],
    ['sort_desc', [], ['node2', 'node10', 'node1', 'node9']],
    ['sort_by_label', ['l'], ['node1', 'node2', 'node9', 'node10']],
    ['sort_by_label_desc', ['l'], ['node10', 'node9', 'node2', 'node1']],
    ['sort_by_label', ['missing'], ['node1', 'node10', 'node2', 'node9']],
  ])('%s %j orders an instant vector', async (name, labels, expected) => {
    expect(seriesOf(await call(name, [rows, ...labels])).map(({ labels: { l } }) => l)).toEqual(expected);
  });
});

describe('classic histograms', () => {
  const bucket = (job: string, le: string, ...values: (number | undefined)[]): TestSeries =>
    series({ __name__: 'h_bucket', job, le }, ...values);
  const rows = [
    bucket('a', '+Inf', 10, 4, undefined),
    bucket('a', '1', 5, 1, undefined),
    bucket('a', '2', 10, undefined, undefined),
    bucket('b', 'inf', 0, 0, 8),
    bucket('b', '0.5', 0, 0, 4),
  ];

  it('histogram_quantile groups buckets by the other labels and looks at each step for itself', async () => {
    expect(sortedSeries(await call('histogram_quantile', [Float64Array.of(0.75, 0.25, 0.5), rows]))).toEqual([
      series({ job: 'a' }, 1.5, 1, undefined),
      series({ job: 'b' }, Number.NaN, Number.NaN, 0.5),
    ]);
  });

  it('histogram_fraction interpolates within buckets', async () => {
    const limits = [Float64Array.of(0, 0, 0), Float64Array.of(1.5, 1, 0.25)];
    expect(sortedSeries(await call('histogram_fraction', [...limits, rows]))).toEqual([
      series({ job: 'a' }, 0.75, 0.25, undefined),
      series({ job: 'b' }, Number.NaN, Number.NaN, 0.25),
    ]);
  });

  it('histogram_quantiles names each quantile', async () => {
    const result = await call('histogram_quantiles', [
      rows.slice(0, 3),
      'q',
      Float64Array.of(0.5, 0.5, 0.5),
      Float64Array.of(1, 1, 1),
    ]);
    expect(sortedSeries(result)).toEqual([
      series({ job: 'a', q: '0.5' }, 1, 1, undefined),
      series({ job: 'a', q: '1.0' }, 2, 1, undefined),
    ]);
  });

  it('warns of bad bounds and quantiles and tells of counts that fell', async () => {
    const annotations = new Annotations();
    const fallen = [
      bucket('a', '1', 10, 10),
      bucket('a', '2', 8, 8),
      bucket('a', '+Inf', 12, 12),
      bucket('a', 'x\n', 1, 1),
      series({ __name__: 'h_bucket', job: 'c' }, 1, 1),
    ];
    await call('histogram_quantile', [Float64Array.of(1.5, 0.5), fallen], annotations);
    const bad = 'PromQL warning: bucket label "le" is missing or has a malformed value of';
    expect(annotations.all().map(({ level, text }) => `${level}: ${text}`)).toEqual([
      'warning: PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:10)',
      `warning: ${bad} "x\\n" (1:20)`,
      `warning: ${bad} "" (1:20)`,
      'info: PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see ' +
        'https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 2 to 2, ' +
        'with a max diff of 2, over 1 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:01:00Z (1:20)',
    ]);
  });

  it('names the metric in notes when asked to', async () => {
    const annotations = new Annotations();
    const batch = batchOf([
      bucket('a', 'x', 1),
      bucket('a', '1', 2),
      bucket('a', '2', 1),
      bucket('a', 'Inf', 2),
    ]);
    const args: FunctionArgument[] = [
      { kind: 'scalar', values: Float64Array.of(0.5) },
      { kind: 'vector', batch },
    ];
    await applyVectorFunction('histogram_quantile', args, gridOf(1), {
      annotations,
      pause,
      wheres: [],
      showNames: true,
    });
    expect(annotations.all().map(({ text }) => /for metric name "\w+"/.exec(text)?.[0])).toEqual([
      'for metric name "h_bucket"',
      'for metric name "h_bucket"',
    ]);
  });

  it('refuses histograms that differ only in name where they meet', async () => {
    const twins = [
      bucket('a', '1', 1),
      bucket('a', 'Inf', 1),
      series({ __name__: 'g', job: 'a', le: 'Inf' }, 2),
    ];
    await expect(call('histogram_quantile', [Float64Array.of(0.5), twins])).rejects.toThrow(
      'vector cannot contain metrics with the same labelset',
    );
  });
});
