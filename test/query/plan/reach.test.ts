import { describe, expect, it } from 'vitest';
import { parseQuery } from '../../../src/query/parse/parse-query.ts';
import { buildPlan } from '../../../src/query/plan/build.ts';
import { fragmentReach } from '../../../src/query/plan/reach.ts';

const MINUTE = 60_000;
const END = 1000 * MINUTE;

function reachOf(query: string): number {
  const grid = { start: END - 60 * MINUTE, end: END, step: MINUTE };
  const node = buildPlan(parseQuery(query), { query, grid, defaultStepMs: MINUTE });
  return fragmentReach({ node, grid, lookbackMs: 5 * MINUTE });
}

describe('the newest time a plan looks at', () => {
  it.each([
    ['up', END],
    ['up offset 10m', END - 10 * MINUTE],
    ['up offset -10m', END + 10 * MINUTE],
    ['up @ 60', MINUTE],
    ['up @ 60 offset 1m', 0],
    ['sum(rate(up[5m] offset 1h)) + sum(rate(up[5m] offset 2h))', END - 60 * MINUTE],
    ['max_over_time(rate(up[5m])[30m:1m] offset 20m)', END - 20 * MINUTE],
    ['max_over_time(rate(up[5m] offset -5m)[30m:1m] offset 20m)', END - 15 * MINUTE],
    ['max_over_time(up[30m:1m] @ 120)', 2 * MINUTE],
    ['vector(1)', Number.NEGATIVE_INFINITY],
  ])('%s', (query, newest) => {
    expect(reachOf(query)).toBe(newest);
  });
});
