// Native histograms from a head to the JSON of answers, over one source and over partitions' replies.

import { describe, expect, it } from 'vitest';
import { headAndBlocks } from '../../../src/actors/shard/source.ts';
import { queryResponsePieces } from '../../../src/codec/prom-json.ts';
import { MatcherCache } from '../../../src/codec/regex.ts';
import { HistogramColumns } from '../../../src/model/histogram.ts';
import { QueryBudget } from '../../../src/query/budget.ts';
import { createEngine, type Engine, runFragment } from '../../../src/query/engine.ts';
import { decodeReply, encodeReply } from '../../../src/query/exec/step-batch-codec.ts';
import type { QueryResult } from '../../../src/query/result.ts';
import { BlockSet } from '../../../src/storage/block/block-set.ts';
import { appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import { openHead } from '../../../src/storage/head/head.ts';

const MINUTE = 60_000;
const OPTIONS = {
  lookbackMs: 5 * MINUTE,
  defaultStepMs: MINUTE,
  limits: { samplesMax: 1e6, seriesMax: 1000, memoryBytesMax: 1e8 },
};

/** h has histograms with 1, 2, 3 observations at minutes 1, 2, 3 and the float 7 at minute 4; up is 1 at minute 1. */
function enginesOf(): [string, Engine][] {
  const head = openHead({ outOfOrderWindowMs: 0, seriesMax: 10 });
  const ref = head.seriesFor(['__name__', 'h', 'job', 'a']);
  const up = head.seriesFor(['__name__', 'up', 'job', 'a']);
  const columns = new HistogramColumns();
  for (const count of [1, 2, 3]) {
    const row = columns.begin();
    columns.schemas[row] = 0;
    columns.sums[row] = count * 1.5;
    columns.counts[row] = 2 * count;
    columns.zeroThresholds[row] = 0.001;
    columns.zeroCounts[row] = count;
    columns.addSpan(0, 1, false);
    columns.addBucket(count - 1, false);
    columns.addSpan(2, 1, true);
    columns.addBucket(1, true);
  }
  const timestamps = Float64Array.of(MINUTE, 2 * MINUTE, 3 * MINUTE);
  const outcome = appendOutcome();
  const refs = Uint32Array.of(ref, ref, ref);
  head.appendHistograms({ columns, refs, timestamps, floor: -Infinity, newest: -Infinity }, outcome);
  const bits = new Uint32Array(Float64Array.of(1, 7).buffer);
  head.append(Uint32Array.of(up, ref), Float64Array.of(MINUTE, 4 * MINUTE), bits, 2, outcome);
  expect(outcome.appended).toBe(5);
  const source = headAndBlocks(head, new BlockSet(), new MatcherCache());
  const fragments = {
    async *run(fragment: Uint8Array, { limits, signal }: QueryBudget) {
      for await (const reply of runFragment(fragment, source, new QueryBudget(limits, signal)))
        yield decodeReply(encodeReply(reply));
    },
  };
  return [
    ['one source', createEngine({ ...OPTIONS, source })],
    ['fragments', createEngine({ ...OPTIONS, fragments })],
  ];
}

function resultOf(answer: QueryResult): unknown {
  return JSON.parse(Buffer.concat([...queryResponsePieces(answer)]).toString()).data.result;
}

function histogram(count: number): unknown {
  return {
    count: String(2 * count),
    sum: String(count * 1.5),
    buckets: [
      [1, '-4', '-2', '1'],
      [3, '-0.001', '0.001', String(count)],
      ...(count > 1 ? [[0, '0.5', '1', String(count - 1)]] : []),
    ],
  };
}

describe.each(enginesOf())('native histograms over %s', (_, engine) => {
  const metric = { __name__: 'h', job: 'a' };

  it('are the answer of an instant selector', async () => {
    for (const query of ['h', '{job="a",__name__="h"}', 'h @ 120', 'h offset -1m']) {
      const timeMs = query.startsWith('h offset') ? MINUTE : 2 * MINUTE;
      expect(resultOf(await engine.instant({ query, timeMs })), query).toEqual([
        { metric, histogram: [timeMs / 1000, histogram(2)] },
      ]);
    }
    const both = resultOf(await engine.instant({ query: '{job="a"}', timeMs: MINUTE }));
    expect(both).toEqual([
      { metric, histogram: [60, histogram(1)] },
      { metric: { __name__: 'up', job: 'a' }, value: [60, '1'] },
    ]);
  });

  it('stand beside floats in the answer of a range query', async () => {
    const range = { startMs: MINUTE, endMs: 5 * MINUTE, stepMs: MINUTE };
    expect(resultOf(await engine.range({ query: 'h', ...range }))).toEqual([
      {
        metric,
        values: [
          [240, '7'],
          [300, '7'],
        ],
        histograms: [1, 2, 3].map((count) => [60 * count, histogram(count)]),
      },
    ]);
  });

  it('are the samples of a range selector', async () => {
    expect(resultOf(await engine.instant({ query: 'h[2m]', timeMs: 4 * MINUTE }))).toEqual([
      { metric, values: [[240, '7']], histograms: [[180, histogram(3)]] },
    ]);
  });

  it('are left out by functions and operators that are of floats', async () => {
    for (const query of ['abs(h)', 'h + 1', 'max(h)', 'h > 0', 'max_over_time(h[1m])'])
      expect(resultOf(await engine.instant({ query, timeMs: 2 * MINUTE })), query).toEqual([]);
  });

  it('show no zero bucket with fewer than no observations', async () => {
    const buckets = [
      [1, '-4', '-2', '-1'],
      [0, '0.5', '1', '-1'],
    ];
    expect(resultOf(await engine.instant({ query: '-h', timeMs: 2 * MINUTE }))).toEqual([
      { metric: { job: 'a' }, histogram: [120, { count: '-4', sum: '-3', buckets }] },
    ]);
  });

  it('go through functions, aggregations and operators', async () => {
    const results: [string, unknown][] = [
      ['sum by (job) (h)', { metric: { job: 'a' }, histogram: [120, histogram(2)] }],
      ['h * 1', { metric: { job: 'a' }, histogram: [120, histogram(2)] }],
      ['histogram_count(rate(h[5m]) * 60)', { metric: { job: 'a' }, value: [120, '0.6'] }],
      ['count_over_time(h[5m])', { metric: { job: 'a' }, value: [120, '2'] }],
    ];
    for (const [query, result] of results)
      expect(resultOf(await engine.instant({ query, timeMs: 2 * MINUTE })), query).toEqual([result]);
  });
});
