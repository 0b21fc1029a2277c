// The engine over series in memory: results worked out by hand, errors, limits, notes.

import { describe, expect, it } from 'vitest';
import { createEngine, type Engine } from '../../../src/query/engine.ts';
import type { QueryResult } from '../../../src/query/result.ts';
import { type MemorySeries, memorySource, STALE, series } from '../memory-source.ts';
import { oneBatch } from '../ordered-series.ts';

const LIMITS = { samplesMax: 1e6, seriesMax: 1000, memoryBytesMax: 1e8 };
const MINUTE = 60_000;

function engineOf(all: readonly MemorySeries[], limits = LIMITS): Engine {
  return createEngine({ lookbackMs: 5 * MINUTE, defaultStepMs: MINUTE, limits, source: memorySource(all) });
}

const DATA = [
  series({ __name__: 'requests_total', job: 'a', i: '1' }, [0, 60, 120, 180, 240, 300]),
  series({ __name__: 'requests_total', job: 'a', i: '2' }, [0, 30, 60, 90, 120, 150]),
  series({ __name__: 'requests_total', job: 'b', i: '3' }, [0, 6, 12, 18, 24, 30]),
  series({ __name__: 'gauge', job: 'a' }, [5, undefined, 7, STALE, undefined, 9]),
  series({ __name__: 'other', job: 'a' }, [1, 2, 3, 4, 5, 6]),
];

function rows(result: QueryResult): unknown {
  const { value } = result;
  if (value.type === 'scalar' || value.type === 'string') return value.value;
  if (value.type === 'raw-matrix')
    return Object.fromEntries(
      value.series.map((s) => [s.labels.join(','), [[...s.timestamps], [...s.values]]]),
    );
  const { labels, steps, values, present } = oneBatch(value.series);
  return Object.fromEntries(
    labels.map((set, r) => [
      set.join(','),
      Array.from({ length: steps }, (_, i) =>
        present[r * steps + i] === 1 ? values[r * steps + i] : undefined,
      ),
    ]),
  );
}

async function instant(query: string, timeMs = 5 * MINUTE, all = DATA): Promise<unknown> {
  return rows(await engineOf(all).instant({ query, timeMs }));
}
async function range(query: string, all = DATA): Promise<unknown> {
  return rows(await engineOf(all).range({ query, startMs: 0, endMs: 5 * MINUTE, stepMs: MINUTE }));
}

describe('engine', () => {
  it('evaluates scalars and strings', async () => {
    expect(await instant('1 + 2 * 3')).toBe(7);
    expect(await instant('time()')).toBe(300);
    expect(await instant('"text"')).toBe('text');
    expect(await range('time() / 60')).toEqual({ '': [0, 1, 2, 3, 4, 5] });
  });

  it('selects with lookback and staleness', async () => {
    expect(await range('gauge')).toEqual({ '__name__,gauge,job,a': [5, 5, 7, undefined, undefined, 9] });
    expect(await instant('other', 10 * MINUTE - 1)).toEqual({ '__name__,other,job,a': [6] });
    expect(await instant('other', 10 * MINUTE)).toEqual({});
    expect(await instant('other offset 2m')).toEqual({ '__name__,other,job,a': [4] });
    expect(await range('other @ 120')).toEqual({ '__name__,other,job,a': [3, 3, 3, 3, 3, 3] });
    expect(await instant('timestamp(other)', 5 * MINUTE + 7)).toEqual({ 'job,a': [300] });
    expect(await instant('timestamp(other + 0)', 5 * MINUTE + 7)).toEqual({ 'job,a': [300.007] });
  });

  it('computes rates and aggregates them', async () => {
    expect(await instant('sum by (job) (rate(requests_total[5m]))')).toEqual({
      'job,a': [1.5],
      'job,b': [0.1],
    });
    expect(await instant('rate(requests_total{i="1"}[5m])')).toEqual({ 'i,1,job,a': [1] });
    expect(await range('increase(requests_total{i="1"}[2m])')).toEqual({
      'i,1,job,a': [undefined, 60, 120, 120, 120, 120],
    });
  });

  it('evaluates subqueries on steps aligned to zero', async () => {
    expect(await instant('sum_over_time(other[3m:1m])', 5 * MINUTE + 30_000)).toEqual({
      'job,a': [4 + 5 + 6],
    });
    expect(await instant('max_over_time(sum(requests_total)[5m:1m])')).toEqual({ '': [480] });
    expect(await instant('max_over_time(vector(time())[2m:1m] @ 120)')).toEqual({ '': [120] });
  });

  it('answers range vectors with raw samples', async () => {
    expect(await instant('other[2m]')).toEqual({
      '__name__,other,job,a': [
        [240_000, 300_000],
        [5, 6],
      ],
    });
    expect(await instant('other[2m:1m]')).toEqual({
      '__name__,other,job,a': [
        [240_000, 300_000],
        [5, 6],
      ],
    });
  });

  it('answers absent with the labels that are fixed', async () => {
    expect(await instant('absent(nothing{job="x",i=~"y"})')).toEqual({ 'job,x': [1] });
    expect(await instant('absent(other)')).toEqual({});
    expect(await range('absent_over_time(gauge[1m])')).toEqual({
      '': [undefined, 1, undefined, 1, 1, undefined],
    });
  });

  it('joins vectors and keeps what is equal together apart', async () => {
    expect(await instant('other * on (job) group_right () sum by (job) (requests_total) ')).toEqual({
      'job,a': [6 * 450],
    });
    await expect(instant('rate({__name__=~"other|gauge"}[10m])')).rejects.toThrow(
      'vector cannot contain metrics with the same labelset',
    );
    await expect(instant('-{__name__=~"other|gauge"}')).rejects.toThrow('same labelset');
  });

  it('notes a rate of what is no counter, with its position', async () => {
    const result = await engineOf(DATA).instant({ query: 'sum(rate(other[5m]))', timeMs: 5 * MINUTE });
    expect(result.annotations).toEqual([
      {
        level: 'info',
        text: 'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "other" (1:10)',
      },
    ]);
  });

  it('reads equal parts once', async () => {
    const result = await engineOf(DATA).instant({ query: 'other / other', timeMs: 5 * MINUTE });
    expect(rows(result)).toEqual({ 'job,a': [1] });
    expect(result.statistics.seriesSeen).toBe(1);
  });

  it('refuses a year at one millisecond before it allocates', async () => {
    const year = { query: 'time()', startMs: 0, endMs: 365 * 86_400_000, stepMs: 1 };
    await expect(engineOf(DATA).range(year)).rejects.toThrow('31536000001 steps');
    await expect(instant('max_over_time(other[365d:1ms])')).rejects.toThrow('steps');
  });

  it('holds queries to their limits', async () => {
    const query = { query: 'requests_total', timeMs: 5 * MINUTE };
    await expect(engineOf(DATA, { ...LIMITS, seriesMax: 2 }).instant(query)).rejects.toThrow(
      'query.series_max',
    );
    await expect(engineOf(DATA, { ...LIMITS, samplesMax: 2 }).instant(query)).rejects.toThrow(
      'too many samples',
    );
    await expect(engineOf(DATA, { ...LIMITS, memoryBytesMax: 20 }).instant(query)).rejects.toThrow('memory');
  });

  it('stops when it is canceled', async () => {
    const query = { query: 'requests_total', timeMs: 0, signal: AbortSignal.abort() };
    await expect(engineOf(DATA).instant(query)).rejects.toThrow('canceled');
  });

  it('refuses strings and range vectors over a range', async () => {
    await expect(range('"a"')).rejects.toThrow('invalid expression type "string" for range query');
    await expect(range('other[1m]')).rejects.toThrow(
      'invalid expression type "range vector" for range query',
    );
  });
});
