// Long queries give way: timers fire while a query computes, so that a cancellation reaches it; what cannot fit is refused at once.

import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/model/errors.ts';
import { type Clock, realClock } from '../../../src/platform/clock.ts';
import { MemoryPool } from '../../../src/platform/memory.ts';
import { createEngine, type Engine } from '../../../src/query/engine.ts';
import { ALL_PARSE_FEATURES } from '../../../src/query/parse/options.ts';
import { memorySource, series } from '../memory-source.ts';

const LIMITS = { samplesMax: 1e9, seriesMax: 1e6, memoryBytesMax: 1e9 };
const GRID = { startMs: 0, endMs: 200_000, stepMs: 100 };
const MANY = Array.from({ length: 800 }, (_, i) =>
  series(
    { __name__: i % 2 === 0 ? 'x_total' : 'y', i: String(i >> 1), le: String(i % 20) },
    Array.from({ length: 200 }, (_, k) => k),
    1000,
  ),
);

function engineWith(
  clock: Clock | undefined,
  limits: typeof LIMITS = LIMITS,
  memory: MemoryPool = new MemoryPool('of nothing', Infinity),
): Engine {
  const source = memorySource(MANY, 400);
  return createEngine({
    lookbackMs: 300_000,
    defaultStepMs: 60_000,
    limits,
    features: ALL_PARSE_FEATURES,
    source,
    memory,
    ...(clock === undefined ? {} : { clock }),
  });
}

/** A clock on which every look at the time costs a millisecond, so that work is counted in looks. */
function countingClock(): Clock & { looks: number } {
  return {
    looks: 0,
    now: () => 0,
    monotonic() {
      return ++this.looks;
    },
    after(_delayMs, run) {
      const timer = setImmediate(run);
      return () => clearImmediate(timer);
    },
    every: () => () => {},
  };
}

describe('memory of all queries of a process', () => {
  const query = 'x_total + on (i) y';

  it('is given back whatever becomes of a query', async () => {
    const memory = new MemoryPool('query.process_memory_bytes_max', 1e9);
    const tight = { ...LIMITS, samplesMax: 100_000 };
    await engineWith(undefined, LIMITS, memory).range({ query, ...GRID });
    expect(memory.held).toBe(0);
    await expect(engineWith(undefined, tight, memory).range({ query, ...GRID })).rejects.toThrow('too many');
    expect(memory.held).toBe(0);
    const clock = countingClock();
    const abort = new AbortController();
    const after: Clock['after'] = (delayMs, run) => {
      abort.abort(new DomainError('canceled', 'query was canceled'));
      return clock.after(delayMs, run);
    };
    const canceled = engineWith({ ...clock, after }, LIMITS, memory);
    await expect(canceled.range({ query, ...GRID, signal: abort.signal })).rejects.toThrow('was canceled');
    expect(memory.held).toBe(0);
  });

  it('is refused to the query that asks for more than is left, and the others go on', async () => {
    const memory = new MemoryPool('query.process_memory_bytes_max', 100_000_000);
    memory.take(77_000_000);
    const engine = engineWith(undefined, LIMITS, memory);
    await expect(engine.range({ query, ...GRID })).rejects.toMatchObject({
      code: 'full',
      message: expect.stringMatching(
        /^cannot take \d+ bytes more: queries of this process hold \d+ of 100000000 bytes \(limit query\.process_memory_bytes_max,/,
      ),
    });
    expect(memory.held).toBe(77_000_000);
    memory.give(77_000_000);
    await engine.range({ query, ...GRID });
    expect(memory.held).toBe(0);
  });
});

/** How often a query over GRID looks at the time. */
async function looksOf(query: string): Promise<number> {
  const clock = countingClock();
  await engineWith(clock).range({ query, ...GRID });
  return clock.looks;
}

describe('query budget', () => {
  it('lets a timer cancel a query that computes without waiting', async () => {
    const clock = realClock();
    const abort = new AbortController();
    clock.after(50, () => abort.abort(new DomainError('timeout', 'query timed out in query execution')));
    const query = 'sum(quantile_over_time(0.5, x_total[200s]))';
    const began = clock.monotonic();
    await expect(
      engineWith(clock).range({ query, startMs: 0, endMs: 10_000_000, stepMs: 1000, signal: abort.signal }),
    ).rejects.toThrow('query timed out in query execution');
    expect(clock.monotonic() - began).toBeLessThan(2000);
  });

  it.each([
    ['max_over_time(max_over_time(vector(1)[1h:1s])[1h:100ms])', 0],
    ['max_over_time(x_total[1h:500ms])', 0],
    ['quantile(0.9, x_total)', 1],
    ['topk(100, x_total)', 1],
    ['sum by (i) (x_total)', 1],
    ['-{i=~".+"}', 1],
    ['histogram_quantile(0.9, x_total)', 1],
    ['label_replace(x_total, "j", "$1", "i", "(.*)")', 1],
    ['x_total + on (i) y', 2],
    ['x_total + fill (0) y', 2],
    ['x_total and on (i) y', 2],
    ['x_total unless on (i) y', 2],
    ['x_total or on (i) y', 2],
  ])('%s looks at the time while it computes, beside reading its %d selectors', async (query, selectors) => {
    const reading = await looksOf('count(x_total)');
    expect(await looksOf(query)).toBeGreaterThan(selectors * reading + 4);
  });

  it('ends a query soon after it was canceled, wherever it computes', async () => {
    for (let given = 1; given < 4; given++) {
      const abort = new AbortController();
      let left = given;
      const clock = countingClock();
      const after: Clock['after'] = (delayMs, run) => {
        if (--left === 0) abort.abort(new DomainError('canceled', 'query was canceled'));
        return clock.after(delayMs, run);
      };
      const query = 'quantile(0.9, x_total + on (i) y)';
      const engine = engineWith({ ...clock, after });
      await expect(engine.range({ query, ...GRID, signal: abort.signal })).rejects.toThrow('was canceled');
      expect(left).toBe(0);
    }
  });

  it('refuses grids wider than a query may hold samples before it makes room for them', async () => {
    const engine = engineWith(undefined, { ...LIMITS, samplesMax: 50_000_000 });
    const text = 'query processing would load too many samples into memory in query execution';
    for (const query of [
      'max_over_time(vector(1)[1d:1ms])',
      'max_over_time(vector(time())[1d:1ms])',
      'max_over_time(x_total{i="3"}[1d:1ms])',
      'vector(1)[1d:1ms]',
      'sum_over_time(max_over_time(vector(1)[1h:1s])[1d:1ms])',
    ])
      await expect(engine.instant({ query, timeMs: 100_000_000 })).rejects.toThrow(text);
    const nothing = await engine.instant({ query: 'max_over_time(nothing[1d:1ms])', timeMs: 100_000_000 });
    expect(nothing.value).toMatchObject({ type: 'vector', series: { rows: new Uint32Array(0) } });
  });
});
