// What a query says it has read, against the counts of Prometheus 3.14 for the same samples (stats=all), by one engine and by fragments.

import { describe, expect, it } from 'vitest';
import { QueryBudget } from '../../../src/query/budget.ts';
import { createEngine, type Engine, runFragment } from '../../../src/query/engine.ts';
import type { QueryResult } from '../../../src/query/result.ts';
import type { FragmentRunner, SeriesSource } from '../../../src/query/source.ts';
import { runScript } from '../../promql/runner.ts';
import { memorySource, series } from '../memory-source.ts';
import { partitioned } from '../partitioned.ts';

const SECOND = 1000;
const END_MS = 1785 * SECOND;

// 20 series of three jobs, a sample every 15 s up to END_MS.
const ALL = Array.from({ length: 20 }, (_, i) => {
  const values = Array.from({ length: 120 }, (_value, k) => k * (i + 1));
  return series({ __name__: 'm', i: `${i}`, job: `j${i % 3}` }, values, 15 * SECOND);
});

type Counts = readonly [totalQueryableSamples: number, samplesRead: number];

/** A query with what Prometheus counts of it: at END_MS, and over the ten minutes before in steps of 15 s and of 60 s. */
const CASES: readonly (readonly [query: string, instant: Counts, fine?: Counts, coarse?: Counts])[] = [
  ['m', [20, 20], [820, 820], [220, 220]],
  ['m[1m]', [80, 80]],
  ['sum(m)', [20, 20], [820, 820], [220, 220]],
  ['rate(m[1m])', [80, 80], [3280, 880], [880, 880]],
  ['sum by (job) (rate(m[5m]))', [400, 400], [16400, 1200], [4400, 1200]],
  ['max_over_time(rate(m[1m])[5m:30s])', [200, 440], [8200, 1240], [2200, 1240]],
  ['m @ 1785', [20, 20], [820, 20], [220, 20]],
  ['sum(rate(m[1m] @ 1785))', [80, 80], [3280, 80], [880, 80]],
  ['m[2m:30s]', [80, 80]],
  ['count_over_time(m{i="3"}[1m:10s])', [6, 6], [246, 66], [66, 66]],
  ['rate(m[15s])', [20, 20], [820, 820], [220, 220]],
  ['avg_over_time(m[20s])', [40, 40], [1640, 840], [440, 440]],
  ['max_over_time((m @ 1785)[5m:1m])', [100, 20], [4100, 20], [1100, 20]],
  ['m unless on(i) m{i="1"}', [21, 21], [861, 861], [231, 231]],
  ['quantile_over_time(scalar(m{i="1"}), m[1m])', [81, 81], [3321, 921], [891, 891]],
];

const base = {
  lookbackMs: 300 * SECOND,
  defaultStepMs: 60 * SECOND,
  limits: { samplesMax: 1e6, seriesMax: 1e5, memoryBytesMax: 1e8 },
};
const ENGINES: readonly (readonly [what: string, engine: Engine])[] = [
  ['one engine', createEngine({ ...base, source: memorySource(ALL) })],
  ['fragments over one partition', createEngine({ ...base, fragments: partitioned(ALL, 1) })],
  ['fragments over three partitions', createEngine({ ...base, fragments: partitioned(ALL, 3) })],
];

const countsOf = ({ statistics: { samplesQueryable, samplesRead } }: QueryResult): Counts => [
  samplesQueryable,
  samplesRead,
];

// Of promql/engine_test.go (TestQueryStatistics): at a time, in seconds, or four steps of 5 s from there on.
const HISTOGRAM_CASES: readonly (readonly [
  query: string,
  seconds: number,
  isRange: boolean,
  counts: Counts,
])[] = [
  ['h', 21, false, [13, 13]],
  ['timestamp(h)', 21, false, [1, 1]],
  ['h[60s]', 201, false, [78, 78]],
  ['max_over_time(h[60s])[20s:5s]', 201, false, [312, 104]],
  ['h[60s] @ 30', 201, false, [52, 52]],
  ['h', 204, true, [52, 52]],
  ['timestamp(h)', 201, true, [4, 4]],
];

async function histogramEngines(): Promise<Engine[]> {
  const line =
    '{{schema:1 count:5 sum:20 buckets:[1 2 1 1]}}+{{schema:1 count:10 sum:5 buckets:[1 2 3 4]}}x100';
  const engines: Engine[] = [];
  await runScript(`load 10s\n  h ${line}\n`, (source) => {
    engines.push(
      createEngine({ ...base, source }),
      createEngine({ ...base, fragments: byFragments(source) }),
    );
    return engines[0]!;
  });
  return engines;
}

function byFragments(source: SeriesSource): FragmentRunner {
  return {
    run: (fragment, { limits, signal }) => runFragment(fragment, source, new QueryBudget(limits, signal)),
  };
}

describe('native histograms', async () => {
  const engines = await histogramEngines();
  for (const [query, seconds, isRange, counts] of HISTOGRAM_CASES)
    it(`count as Prometheus counts them in ${query} ${isRange ? 'from' : 'at'} ${seconds} s`, async () => {
      const start = seconds * SECOND;
      const range = { query, startMs: start, endMs: start + 19 * SECOND, stepMs: 5 * SECOND };
      for (const engine of engines)
        expect(
          countsOf(await (isRange ? engine.range(range) : engine.instant({ query, timeMs: start }))),
        ).toEqual(counts);
    });

  it('count towards query.samples_max, too', async () => {
    const limits = { ...base.limits, samplesMax: 77 };
    for (const engine of engines) {
      await expect(engine.instant({ query: 'h[60s]', timeMs: 201 * SECOND, limits })).rejects.toMatchObject({
        code: 'execution',
      });
      await engine.instant({ query: 'h[50s]', timeMs: 201 * SECOND, limits });
    }
  });
});

describe.each(ENGINES)('%s', (_what, engine) => {
  for (const [query, instant, fine, coarse] of CASES)
    it(`counts the samples of ${query} as Prometheus does`, async () => {
      const range = { query, startMs: END_MS - 600 * SECOND, endMs: END_MS };
      expect(countsOf(await engine.instant({ query, timeMs: END_MS }))).toEqual(instant);
      if (fine) expect(countsOf(await engine.range({ ...range, stepMs: 15 * SECOND }))).toEqual(fine);
      if (coarse) expect(countsOf(await engine.range({ ...range, stepMs: 60 * SECOND }))).toEqual(coarse);
    });
});
