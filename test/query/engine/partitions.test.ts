// The same answer from one engine over all series and from fragments over 1, 2 and 8 partitions, through their bytes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../../src/query/engine.ts';
import type { QueryResult } from '../../../src/query/result.ts';
import { type MemorySeries, memorySource, series } from '../memory-source.ts';
import { oneBatch } from '../ordered-series.ts';
import { partitioned } from '../partitioned.ts';

const QUERIES = [
  'x_total',
  'x_total offset 3m',
  'x_total @ 240',
  'timestamp(x_total)',
  'rate(x_total[5m])',
  'sum by (job) (rate(x_total[5m]))',
  'sum(x_total)',
  'avg by (job) (x_total)',
  'count(x_total) by (i)',
  'min without (i) (x_total)',
  'max(x_total)',
  'group by (job) (x_total)',
  'stddev(x_total)',
  'stdvar by (job) (x_total)',
  'quantile by (job) (0.3, x_total)',
  'topk(2, x_total)',
  'bottomk by (job) (1, x_total)',
  'count_values("v", x_total)',
  'limitk(2, x_total)',
  'sum(topk(3, x_total))',
  'x_total / on (job, i) y',
  'x_total * on (job) group_left sum by (job) (y)',
  'x_total and y > 500',
  'x_total or y',
  'x_total unless on (job) y{i="1"}',
  '-x_total + 5 > bool 100',
  'clamp_max(x_total, 300) % 7',
  'max_over_time(rate(x_total[2m])[4m:1m])',
  'max_over_time(sum by (job) (rate(x_total[2m]))[4m:1m])',
  'sum_over_time(x_total[3m])',
  'rate(x_total[3m] smoothed)',
  'sum(changes(x_total[3m] anchored))',
  'x_total smoothed',
  'quantile_over_time(0.4, y[3m])',
  'quantile_over_time(scalar(sum(y)) / 100000, x_total[3m])',
  'absent(x_total{i="77"})',
  'absent_over_time(y[1m])',
  'scalar(sum(x_total)) + time()',
  'vector(scalar(count(y)))',
  'label_replace(x_total, "k", "$1", "job", "(.).*")',
  'sum by (job) (rate(x_total[5m])) / sum by (job) (rate(x_total[5m]))',
  'histogram_quantile(0.9, sum by (le) (rate(x_total[5m])))',
  'sort(sum by (i) (x_total))',
  'count by (__name__) ({__name__=~"x_total|y"})',
  'sum({__name__=~"x_total|y"})',
  'sum(rate({__name__=~"x_total"}[5m]))',
  'info(sum by (job) (x_total), {__name__="y", i="1"})',
  'info(rate(x_total[5m] offset 1m), {__name__=~"y", i="2"})',
  'info(x_total)',
];

const base = {
  lookbackMs: 300_000,
  defaultStepMs: 60_000,
  features: { experimentalFunctions: true, extendedRangeSelectors: true },
  limits: { samplesMax: 1e6, seriesMax: 1e5, memoryBytesMax: 1e8 },
};

const anySeries = fc
  .array(
    fc.record({
      name: fc.constantFrom('x_total', 'y'),
      job: fc.constantFrom('a', 'b', 'c'),
      i: fc.integer({ min: 1, max: 6 }).map(String),
      values: fc.array(
        fc.option(fc.double({ min: 0, max: 1000, noNaN: true }), { nil: undefined, freq: 8 }),
        {
          minLength: 8,
          maxLength: 12,
        },
      ),
    }),
    { maxLength: 24 },
  )
  .map((all): MemorySeries[] => {
    const distinct = new Map(all.map((one) => [`${one.name}/${one.job}/${one.i}`, one]));
    return [...distinct.values()].map(({ name, job, i, values }) =>
      series({ __name__: name, job, i, le: ['0.1', '1', '+Inf'][Number(i) % 3]! }, values),
    );
  });

type Flat = Map<string, number[]>;

function flat({ value }: QueryResult): Flat {
  if (value.type === 'scalar') return new Map([['', [value.value]]]);
  if (value.type !== 'vector' && value.type !== 'matrix') throw new Error(value.type);
  const { labels, steps, values, present } = oneBatch(value.series);
  return new Map(
    labels.map((set, row) => [
      set.join('\u0000'),
      Array.from({ length: steps }, (_, i) =>
        present[row * steps + i] === 1 ? values[row * steps + i]! : Infinity,
      ),
    ]),
  );
}

function expectSame(got: Flat, wanted: Flat, what: string): void {
  expect([...got.keys()].sort(), what).toEqual([...wanted.keys()].sort());
  for (const [key, values] of wanted)
    for (const [i, value] of values.entries()) {
      const other = got.get(key)![i]!;
      if (Object.is(other, value) || Math.abs(other - value) <= 1e-12 * Math.max(1, Math.abs(value)))
        continue;
      expect(other, `${what} ${key} step ${i}`).toBe(value);
    }
}

async function outcome(run: Promise<QueryResult>): Promise<Flat | string> {
  try {
    return flat(await run);
  } catch (error) {
    return (error as Error).message;
  }
}

describe('partitions', () => {
  for (const query of QUERIES) {
    it(`do not change the answer of ${query}`, async () => {
      await fc.assert(
        fc.asyncProperty(anySeries, async (all) => {
          const whole = createEngine({ ...base, source: memorySource(all) });
          const range = { query, startMs: 0, endMs: 600_000, stepMs: 45_000 };
          const wanted = await outcome(whole.range(range));
          const wantedNow = await outcome(whole.instant({ query, timeMs: 400_000 }));
          for (const count of [1, 2, 8]) {
            const engine = createEngine({ ...base, fragments: partitioned(all, count) });
            for (const [run, want] of [
              [engine.range(range), wanted],
              [engine.instant({ query, timeMs: 400_000 }), wantedNow],
            ] as const) {
              const got = await outcome(run);
              if (typeof got === 'string' || typeof want === 'string') expect(got).toEqual(want);
              else expectSame(got, want, `${query} over ${count}`);
            }
          }
        }),
        { numRuns: 25 },
      );
    });
  }

  it('hand on notes and what they read', async () => {
    const all = [
      series({ __name__: 'gauge', i: '1' }, [1, 2, 3]),
      series({ __name__: 'gauge', i: '2' }, [1, 2, 3]),
    ];
    const engine = createEngine({ ...base, fragments: partitioned(all, 2) });
    const result = await engine.instant({ query: 'sum(rate(gauge[5m]))', timeMs: 120_000 });
    expect(result.annotations.map(({ text }) => text)).toEqual([
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "gauge" (1:10)',
    ]);
    expect(result.statistics.samplesRead).toBe(6);
    const raw = await engine.instant({ query: 'gauge[2m]', timeMs: 120_000 });
    expect(raw.value.type === 'raw-matrix' && raw.value.series.map((s) => [...s.values])).toEqual([
      [2, 3],
      [2, 3],
    ]);
  });
});
