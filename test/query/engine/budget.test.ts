// Long queries give way: timers fire while a query computes, so that a cancellation reaches it.

import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/model/errors.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { createEngine } from '../../../src/query/engine.ts';
import { memorySource, series } from '../memory-source.ts';

describe('query budget', () => {
  it('lets a timer cancel a query that computes without waiting', async () => {
    const clock = realClock();
    const all = Array.from({ length: 400 }, (_, i) =>
      series(
        { __name__: 'x_total', i: String(i) },
        Array.from({ length: 200 }, (_, k) => k),
        1000,
      ),
    );
    const engine = createEngine({
      lookbackMs: 300_000,
      defaultStepMs: 60_000,
      limits: { samplesMax: 1e9, seriesMax: 1e6, memoryBytesMax: 1e9 },
      source: memorySource(all, 400),
      clock,
    });
    const abort = new AbortController();
    clock.after(50, () => abort.abort(new DomainError('timeout', 'query timed out in query execution')));
    const query = 'sum(quantile_over_time(0.5, x_total[200s]))';
    const began = clock.monotonic();
    await expect(
      engine.range({ query, startMs: 0, endMs: 10_000_000, stepMs: 1000, signal: abort.signal }),
    ).rejects.toThrow('query timed out in query execution');
    expect(clock.monotonic() - began).toBeLessThan(2000);
  });
});
