// Query text to plan text: building, step-invariance, and what is pushed to the shards.

import { describe, expect, it } from 'vitest';
import type { AggregateOperator } from '../../../src/query/parse/ast.ts';
import { parseQuery } from '../../../src/query/parse/parse-query.ts';
import { buildPlan } from '../../../src/query/plan/build.ts';
import type { PlanNode } from '../../../src/query/plan/nodes.ts';
import { decodeFragment, encodeFragment } from '../../../src/query/plan/plan-codec.ts';
import { planText } from '../../../src/query/plan/plan-text.ts';
import { positionText } from '../../../src/query/plan/position.ts';
import { chooseAggregates } from '../../../src/query/plan/rules/aggregates.ts';
import { distribute } from '../../../src/query/plan/rules/distribute.ts';
import { readTotals } from '../../../src/query/plan/rules/histogram-totals.ts';
import { simplify } from '../../../src/query/plan/rules/simplify.ts';
import { sharePlan } from '../../../src/query/plan/share.ts';

const GRID = { start: 60_000, end: 600_000, step: 15_000 };
const MERGEABLE = new Set<AggregateOperator>(['sum', 'count', 'min', 'max', 'group', 'avg', 'topk']);

function plan(query: string): PlanNode {
  return simplify(buildPlan(parseQuery(query), { query, grid: GRID, defaultStepMs: 60_000 }));
}
function local(query: string): string {
  return `\n${planText(plan(query))}\n`;
}
function pushed(query: string): string {
  return `\n${planText(distribute(plan(query), (op) => MERGEABLE.has(op)))}\n`;
}

describe('plan', () => {
  it('resolves offsets, @ and durations', () => {
    expect(local('rate(x{a="b"}[5m] offset 1m) + y @ end()')).toMatchInlineSnapshot(`
      "
      binary vectors + one-to-one ignoring ()
        range-function rate
          range-select {a="b", __name__="x"}[300000ms] offset 60000ms
        step-invariant
          select {__name__="y"} @ 600000ms
      "
    `);
    expect(local('max_over_time(x[1h:])')).toMatchInlineSnapshot(`
      "
      range-function max_over_time
        subquery [3600000ms:60000ms]
          select {__name__="x"}
      "
    `);
    expect(local('sum_over_time(x[step() * 4])')).toMatchInlineSnapshot(`
      "
      range-function sum_over_time
        range-select {__name__="x"}[60000ms]
      "
    `);
  });

  it('wraps what is the same at every step, at the highest place', () => {
    expect(local('sum(rate(x[5m] @ 100)) / 2')).toMatchInlineSnapshot(`
      "
      step-invariant
        binary vector-scalar /
          aggregate sum by ()
            range-function rate
              range-select {__name__="x"}[300000ms] @ 100000ms
          number 2
      "
    `);
    expect(local('predict_linear(x[5m] @ 100, 60)')).toMatchInlineSnapshot(`
      "
      range-function predict_linear
        range-select {__name__="x"}[300000ms] @ 100000ms
        number 60
      "
    `);
    expect(local('timestamp(x @ 100)')).toMatchInlineSnapshot(`
      "
      step-invariant
        select timestamps {__name__="x"} @ 100000ms
      "
    `);
  });

  it('pushes selectors, functions and the first half of aggregations to the shards', () => {
    expect(pushed('sum by (job) (rate(x[5m]))')).toMatchInlineSnapshot(`
      "
      aggregate merge sum by (job)
        remote
          aggregate partial sum by (job)
            range-function rate
              range-select {__name__="x"}[300000ms]
      "
    `);
    expect(pushed('histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))')).toMatchInlineSnapshot(`
      "
      call histogram_quantile
        number 0.9
        aggregate merge sum by (le)
          remote
            aggregate partial sum by (le)
              range-function rate
                range-select {__name__="x_bucket"}[300000ms]
      "
    `);
    expect(pushed('topk(5, sum by (pod) (rate(x[5m])))')).toMatchInlineSnapshot(`
      "
      aggregate topk by ()
        aggregate merge sum by (pod)
          remote
            aggregate partial sum by (pod)
              range-function rate
                range-select {__name__="x"}[300000ms]
        number 5
      "
    `);
    expect(pushed('topk(5, x)')).toMatchInlineSnapshot(`
      "
      aggregate merge topk by ()
        remote
          aggregate partial topk by ()
            select {__name__="x"}
            number 5
        number 5
      "
    `);
    expect(pushed('quantile by (job) (0.95, x)')).toMatchInlineSnapshot(`
      "
      aggregate quantile by (job)
        remote
          select {__name__="x"}
        number 0.95
      "
    `);
    expect(pushed('max(clamp_max(abs(x) * 2, time()) > 3)')).toMatchInlineSnapshot(`
      "
      aggregate merge max by ()
        remote
          aggregate partial max by ()
            binary vector-scalar >
              call clamp_max
                binary vector-scalar *
                  call abs
                    select {__name__="x"}
                  number 2
                time
              number 3
      "
    `);
    expect(pushed('a * on (i) group_left (n) b')).toMatchInlineSnapshot(`
      "
      binary vectors * many-to-one on (i) include (n)
        remote
          select {__name__="a"}
        remote
          select {__name__="b"}
      "
    `);
    expect(pushed('absent(x{job="a"})')).toMatchInlineSnapshot(`
      "
      absent {job="a"}
        aggregate merge group by ()
          remote
            aggregate partial group by ()
              select {job="a", __name__="x"}
      "
    `);
  });

  it('evaluates subqueries over single series at the shards and over aggregations at the querier', () => {
    expect(pushed('max_over_time(rate(x[1m])[10m:1m])')).toMatchInlineSnapshot(`
      "
      remote
        range-function max_over_time
          subquery [600000ms:60000ms]
            range-function rate
              range-select {__name__="x"}[60000ms]
      "
    `);
    expect(pushed('max_over_time(sum by (job) (rate(x[1m]))[10m:1m])')).toMatchInlineSnapshot(`
      "
      range-function max_over_time
        subquery [600000ms:60000ms]
          aggregate merge sum by (job)
            remote
              aggregate partial sum by (job)
                range-function rate
                  range-select {__name__="x"}[60000ms]
      "
    `);
  });

  it('keeps name-dropping over several metrics where all series can be compared', () => {
    expect(pushed('sum(rate({__name__=~"a|b"}[5m]))')).toMatchInlineSnapshot(`
      "
      aggregate sum by ()
        remote distinct
          range-function rate
            range-select {__name__=~"a|b"}[300000ms]
      "
    `);
    expect(pushed('count by (__name__) ({__name__=~"a|b"})')).toMatchInlineSnapshot(`
      "
      aggregate merge count by (__name__)
        remote
          aggregate partial count by (__name__)
            select {__name__=~"a|b"}
      "
    `);
  });

  it('reads equal parts once', () => {
    const { node, shared } = sharePlan(plan('(a - b) / a'));
    expect([...shared].map((part) => planText(part))).toEqual(['select {__name__="a"}']);
    expect(planText(node)).toContain('binary vectors /');
  });

  it('carries a fragment as bytes, special numbers included', () => {
    const node = plan('x > -Inf');
    const fragment = { grid: GRID, lookbackMs: 300_000, node };
    expect(decodeFragment(encodeFragment(fragment))).toEqual(fragment);
    expect(() => decodeFragment(new Uint8Array([7, 123]))).toThrow('version 7');
    expect(() => decodeFragment(new Uint8Array([1, 123]))).toThrow('cannot decode query fragment');
  });

  it('counts positions in bytes from 1, line by line', () => {
    expect(positionText('rate(x)', 5)).toBe('1:6');
    expect(positionText('"ü" +\n  rate(x)', 8)).toBe('2:3');
    expect(positionText('"ü" + x', 6)).toBe('1:8');
    expect(positionText('', 0)).toBe('1:1');
    expect(positionText('\nx', 0)).toBe('1:1');
    expect(positionText('\nx', 1)).toBe('2:1');
  });

  it('reads native histograms without buckets where only count and sum are looked at', () => {
    const marked = (query: string): string =>
      planText(readTotals(plan(query)))
        .split('\n')
        .filter((line) => line.includes('select'))
        .map((line) => (line.includes('totals-only') ? 'totals' : 'whole'))
        .join(' ');
    expect(marked('histogram_count(h)')).toBe('totals');
    expect(marked('histogram_sum(rate(h[5m])) / histogram_count(sum(h))')).toBe('totals totals');
    expect(marked('histogram_avg(h) + histogram_quantile(0.9, h)')).toBe('totals whole');
    expect(marked('histogram_quantile(scalar(histogram_count(h)), h)')).toBe('whole whole');
    expect(marked('histogram_count(increase(h[9m:1m]))')).toBe('whole');
    expect(marked('max_over_time(histogram_count(h)[9m:1m])')).toBe('whole');
    expect(marked('histogram_count(h </ 2)')).toBe('whole');
    expect(marked('histogram_stddev(h)')).toBe('whole');
  });

  it('says which part of downsampled data a selector reads, by the function around it', () => {
    const views = (query: string): string[] =>
      planText(chooseAggregates(plan(query)))
        .split('\n')
        .filter((line) => line.includes('select'))
        .map((line) => / of (\w+)/.exec(line)?.[1] ?? 'average');
    expect(views('rate(x[5m]) + irate(x[5m]) + increase(x[5m]) + resets(x[5m])')).toEqual(
      Array(4).fill('counter'),
    );
    expect(views('sum(rate(x[5m]))')).toEqual(['counter']);
    expect(views('rate(x[1h:5m])')).toEqual(['counter']);
    expect(views('count_over_time(x[5m]) + sum_over_time(x[5m])')).toEqual(['count', 'sum']);
    expect(views('min_over_time(x[5m]) + max_over_time(x[5m]) + min(x) + max by (a) (x)')).toEqual([
      ...['min', 'max', 'min', 'max'],
    ]);
    expect(views('max_over_time(x[1h:])')).toEqual(['max']);
    expect(views('max(-x)')).toEqual(['max']);
    const averages = [
      'x',
      'sum(x)',
      'count(x)',
      'abs(x)',
      'avg_over_time(x[5m])',
      'delta(x[5m])',
      'max(abs(x))',
    ];
    for (const query of [...averages, 'quantile_over_time(0.5, x[5m])', 'sum_over_time(x[1h:5m])'])
      expect(views(query)).toEqual(['average']);
    expect(views('max(x + y)')).toEqual(['average', 'average']);
    expect(views('count_values("v", x)')).toEqual(['average']);
  });
});
