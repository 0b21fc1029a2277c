// Range kernels against naive twins written sample by sample from Prometheus's definitions, over random series.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STALE_NAN_HIGH, STALE_NAN_LOW, sampleColumns } from '../../../src/model/samples.ts';
import { RANGE_KERNELS } from '../../../src/query/kernels/range-kernels.ts';
import { dropStale, findWindows, type WindowJob } from '../../../src/query/kernels/window.ts';

interface Point {
  t: number;
  v: number;
}
interface Series {
  points: Point[];
  start: number;
  step: number;
  steps: number;
  range: number;
}
type Twin = (window: Point[], at: { start: number; end: number }) => number | undefined;

function run(name: string, series: Series, first = 0, second = 0): (number | undefined)[] {
  const { points, start, step, steps, range } = series;
  const job: WindowJob = {
    timestamps: Float64Array.from(points, (p) => p.t),
    values: Float64Array.from(points, (p) => p.v),
    from: new Int32Array(steps),
    to: new Int32Array(steps),
    steps,
    end: start,
    step,
    range,
    evalStart: start,
    evalStep: step,
    output: new Float64Array(steps + 3),
    present: new Uint8Array(steps + 3),
    offset: 2,
    starts: undefined,
    overlapSeen: false,
    unevenMs: 0,
    before: 0,
    after: 0,
  };
  findWindows(job, points.length);
  RANGE_KERNELS.get(name)!(job, new Float64Array(steps).fill(first), new Float64Array(steps).fill(second));
  return Array.from({ length: steps }, (_, i) => (job.present[i + 2] === 1 ? job.output[i + 2] : undefined));
}

function naive(twin: Twin, { points, start, step, steps, range }: Series): (number | undefined)[] {
  return Array.from({ length: steps }, (_, i) => {
    const end = start + i * step;
    const window = points.filter((p) => p.t > end - range && p.t <= end);
    return window.length === 0 ? undefined : twin(window, { start: end - range, end });
  });
}

const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
};

function extrapolated(isCounter: boolean, isRate: boolean): Twin {
  return (window, { start, end }) => {
    if (window.length < 2) return undefined;
    const [first, last] = [window[0]!, window.at(-1)!];
    let result = last.v - first.v;
    if (isCounter)
      for (let i = 1; i < window.length; i++) if (window[i]!.v < window[i - 1]!.v) result += window[i - 1]!.v;
    const sampled = (last.t - first.t) / 1000;
    const average = sampled / (window.length - 1);
    let toStart = (first.t - start) / 1000;
    let toEnd = (end - last.t) / 1000;
    if (toStart >= average * 1.1) toStart = average / 2;
    if (isCounter && result > 0 && first.v >= 0) toStart = Math.min(toStart, sampled * (first.v / result));
    if (toEnd >= average * 1.1) toEnd = average / 2;
    return (result * ((sampled + toStart + toEnd) / sampled)) / (isRate ? (end - start) / 1000 : 1);
  };
}

function slope(window: Point[], origin: number): { slope: number; intercept: number } | undefined {
  if (window.length < 2) return undefined;
  const n = window.length;
  const x = window.map((p) => (p.t - origin) / 1000);
  const y = window.map((p) => p.v);
  const meanX = sum(x) / n;
  const meanY = sum(y) / n;
  const s = sum(x.map((v, i) => (v - meanX) * (y[i]! - meanY))) / sum(x.map((v) => (v - meanX) ** 2));
  return { slope: s, intercept: meanY - s * meanX };
}

const TWINS: Record<string, Twin> = {
  rate: extrapolated(true, true),
  increase: extrapolated(true, false),
  delta: extrapolated(false, false),
  irate: (w) => {
    if (w.length < 2) return undefined;
    const [a, b] = [w.at(-2)!, w.at(-1)!];
    return (b.v < a.v ? b.v : b.v - a.v) / ((b.t - a.t) / 1000);
  },
  idelta: (w) => (w.length < 2 ? undefined : w.at(-1)!.v - w.at(-2)!.v),
  resets: (w) => w.filter((p, i) => i > 0 && p.v < w[i - 1]!.v).length,
  changes: (w) => w.filter((p, i) => i > 0 && p.v !== w[i - 1]!.v).length,
  sum_over_time: (w) => sum(w.map((p) => p.v)),
  avg_over_time: (w) => sum(w.map((p) => p.v)) / w.length,
  min_over_time: (w) => Math.min(...w.map((p) => p.v)),
  max_over_time: (w) => Math.max(...w.map((p) => p.v)),
  count_over_time: (w) => w.length,
  present_over_time: () => 1,
  last_over_time: (w) => w.at(-1)!.v,
  first_over_time: (w) => w[0]!.v,
  ts_of_last_over_time: (w) => w.at(-1)!.t / 1000,
  ts_of_first_over_time: (w) => w[0]!.t / 1000,
  ts_of_max_over_time: (w) => w.findLast((p) => p.v === Math.max(...w.map((q) => q.v)))!.t / 1000,
  ts_of_min_over_time: (w) => w.findLast((p) => p.v === Math.min(...w.map((q) => q.v)))!.t / 1000,
  stdvar_over_time: (w) => sum(w.map((p) => (p.v - sum(w.map((q) => q.v)) / w.length) ** 2)) / w.length,
  stddev_over_time: (w) => Math.sqrt(TWINS['stdvar_over_time']!(w, { start: 0, end: 0 })!),
  mad_over_time: (w) => median(w.map((p) => Math.abs(p.v - median(w.map((q) => q.v))))),
  deriv: (w) => slope(w, w[0]!.t)?.slope,
};

const anySeries = fc
  .record({
    gaps: fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 0, maxLength: 80 }),
    values: fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 80, maxLength: 80 }),
    start: fc.integer({ min: -100_000, max: 600_000 }),
    step: fc.integer({ min: 1, max: 90_000 }),
    steps: fc.integer({ min: 1, max: 40 }),
    range: fc.integer({ min: 1, max: 400_000 }),
  })
  .map(({ gaps, values, ...rest }): Series => {
    let t = 0;
    return { ...rest, points: gaps.map((gap, i) => ({ t: (t += gap), v: values[i]! })) };
  });

function same(actual: (number | undefined)[], wanted: (number | undefined)[]): void {
  expect(actual.map((v) => v !== undefined)).toEqual(wanted.map((v) => v !== undefined));
  for (const [i, value] of wanted.entries()) {
    const got = actual[i];
    if (value === undefined || got === undefined || Object.is(got, value)) continue;
    if (Math.abs(got - value) > 1e-9 * Math.max(1, Math.abs(value))) expect(got).toBe(value);
  }
}

describe('range kernels', () => {
  for (const name of Object.keys(TWINS)) {
    it(`${name} equals its naive twin on random series`, () => {
      fc.assert(
        fc.property(anySeries, (series) => same(run(name, series), naive(TWINS[name]!, series))),
        { numRuns: 150 },
      );
    });
  }

  it('predict_linear equals the line at the evaluation time plus the argument', () => {
    fc.assert(
      fc.property(anySeries, (random) => {
        // Samples close together would make the line's far end a matter of rounding.
        const series = { ...random, points: random.points.map((p, i) => ({ t: p.t + i * 10_000, v: p.v })) };
        const twin: Twin = (w, { end }) => {
          const line = slope(w, end);
          return line === undefined ? undefined : line.slope * 3600 + line.intercept;
        };
        const scaled = naive(twin, series);
        const got = run('predict_linear', series, 3600);
        for (const [i, value] of scaled.entries())
          if (value !== undefined)
            expect(Math.abs(got[i]! - value)).toBeLessThan(1e-6 * (1e6 + Math.abs(value)));
          else expect(got[i]).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  const one = (values: number[], range = 1e9): Series => ({
    points: values.map((v, i) => ({ t: (i + 1) * 1000, v })),
    start: values.length * 1000,
    step: 1000,
    steps: 1,
    range,
  });

  it('quantile_over_time interpolates, sorts NaN first and answers infinities outside 0..1', () => {
    expect(run('quantile_over_time', one([4, 1, 3, 2]), 0.5)).toEqual([2.5]);
    expect(run('quantile_over_time', one([2, Number.NaN, 4]), 1)).toEqual([4]);
    expect(run('quantile_over_time', one([2, Number.NaN, 4]), 0)).toEqual([Number.NaN]);
    expect(run('quantile_over_time', one([2]), -1)).toEqual([-Infinity]);
    expect(run('quantile_over_time', one([2]), 2)).toEqual([Infinity]);
  });

  it('sums with compensation and averages without overflow', () => {
    expect(run('sum_over_time', one([1, 1e100, 1, -1e100]))).toEqual([2]);
    expect(run('avg_over_time', one([1.7e308, 1.7e308, 1.7e308]))).toEqual([1.7e308]);
    expect(run('sum_over_time', one([Infinity, 1]))).toEqual([Infinity]);
  });

  it('takes NaN as maximum or minimum only when nothing else is there', () => {
    expect(run('max_over_time', one([Number.NaN, 1, Number.NaN]))).toEqual([1]);
    expect(run('min_over_time', one([Number.NaN, Number.NaN]))).toEqual([Number.NaN]);
  });

  it('double_exponential_smoothing follows a line and refuses factors outside 0..1', () => {
    expect(run('double_exponential_smoothing', one([1, 2, 3, 4]), 0.5, 0.5)).toEqual([4]);
    expect(() => run('double_exponential_smoothing', one([1, 2]), 1, 0.5)).toThrow(
      'invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000',
    );
  });

  it('windows exclude their left border and include their right', () => {
    const series = { points: [0, 10, 20].map((t) => ({ t, v: t })), start: 20, step: 5, steps: 3, range: 10 };
    expect(run('count_over_time', series)).toEqual([1, 1, undefined]);
  });

  it('drops staleness markers and keeps ordinary NaN', () => {
    const columns = sampleColumns(4);
    columns.timestamps.set([1, 2, 3, 4]);
    columns.values.set([1, 0, Number.NaN, 4]);
    columns.bits[3] = STALE_NAN_HIGH;
    columns.bits[2] = STALE_NAN_LOW;
    columns.count = 4;
    expect(dropStale(columns)).toBe(3);
    expect([...columns.timestamps.subarray(0, 3)]).toEqual([1, 3, 4]);
    expect([...columns.values.subarray(0, 3)]).toEqual([1, Number.NaN, 4]);
  });
});
