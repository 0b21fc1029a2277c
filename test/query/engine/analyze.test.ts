import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/platform/clock.ts';
import { createEngine } from '../../../src/query/engine.ts';
import type { OperatorTree } from '../../../src/query/operator-tree.ts';
import { memorySource, series } from '../memory-source.ts';
import { partitioned } from '../partitioned.ts';

const MINUTE = 60_000;
const ALL = Array.from({ length: 6 }, (_, i) =>
  series({ __name__: 'm_total', i: `${i}`, job: `j${i % 2}` }, [1, 2, 3, 4, i === 0 ? undefined : 5]),
);
const base = {
  lookbackMs: 5 * MINUTE,
  defaultStepMs: MINUTE,
  limits: { samplesMax: 1e6, seriesMax: 1e5, memoryBytesMax: 1e8 },
};
const RANGE = { startMs: 2 * MINUTE, endMs: 4 * MINUTE, stepMs: MINUTE };

/** Each reading is 1 ms later than the one before. */
function countingClock(): Clock {
  let now = 0;
  const after = (_ms: number, run: () => void): (() => void) => {
    queueMicrotask(run);
    return () => {};
  };
  return { now: () => now, monotonic: () => ++now, after, every: () => () => {} };
}

/** The tree as lines: name, series, samples. */
function lines({ name, series: count, samples, children }: OperatorTree, indent = ''): string[] {
  const line = `${indent}${name}${count === undefined ? '' : ` ${count}/${samples}`}`;
  return [line, ...children.flatMap((child) => lines(child, `${indent}  `))];
}

describe('analyze', () => {
  it('tells of each operator what it handed on, and how long it was waited for', async () => {
    const engine = createEngine({ ...base, source: memorySource(ALL), clock: countingClock() });
    const query = 'sum by (job) (rate(m_total[2m])) + on (job) sum by (job) (m_total)';
    const { analysis } = await engine.range({ query, analyze: true, ...RANGE });
    expect(lines(analysis!)).toEqual([
      'binary vectors + one-to-one on (job) 2/6',
      '  aggregate sum by (job) 2/6',
      '    range-function rate 6/17',
      '      range-select of counter {__name__="m_total"}[120000ms]',
      '  aggregate sum by (job) 2/6',
      '    select {__name__="m_total"} 6/18',
    ]);
    const [left] = analysis!.children;
    expect(left!.timeMs).toBeGreaterThan(0);
    expect(analysis!.timeMs).toBeGreaterThan(left!.timeMs!);
  });

  it('tells of each partition what its operators did, and the same sums however many there are', async () => {
    for (const partitions of [1, 3]) {
      const engine = createEngine({ ...base, fragments: partitioned(ALL, partitions) });
      const { analysis } = await engine.range({ query: 'sum(rate(m_total[2m]))', analyze: true, ...RANGE });
      expect(analysis).toMatchObject({ name: 'aggregate merge sum by ()', series: 1, samples: 3 });
      const [remote] = analysis!.children;
      expect(remote).toMatchObject({ name: 'remote' });
      expect(remote!.children).toHaveLength(partitions);
      const rates = remote!.children.map(({ name, children }) => {
        expect([name, children.length]).toEqual(['aggregate partial sum by ()', 1]);
        return children[0]!;
      });
      expect(rates.reduce((sum, rate) => sum + rate.series!, 0)).toBe(6);
      expect(rates.reduce((sum, rate) => sum + rate.samples!, 0)).toBe(17);
    }
  });

  it('counts what comes from partitions as it is: batches and raw series', async () => {
    const engine = createEngine({ ...base, fragments: partitioned(ALL, 2) });
    const vector = await engine.range({ query: 'm_total', analyze: true, ...RANGE });
    expect(vector.analysis).toMatchObject({ name: 'remote', series: 6, samples: 18 });
    const raw = await engine.instant({ query: 'm_total[2m]', analyze: true, timeMs: 4 * MINUTE });
    expect(raw.analysis).toMatchObject({ name: 'remote', series: 6, samples: 11 });
  });

  it('changes nothing of the answer, and is absent unless asked for', async () => {
    const engine = createEngine({ ...base, fragments: partitioned(ALL, 2) });
    const query = 'topk(2, m_total) / scalar(sum(m_total)) + 1';
    const plain = await engine.range({ query, ...RANGE });
    const { analysis, ...measured } = await engine.range({ query, analyze: true, ...RANGE });
    expect(measured).toEqual(plain);
    expect(analysis).toBeDefined();
  });
});

describe('explain', () => {
  it('shows the plan without running it, with what partitions would do', () => {
    const engine = createEngine({ ...base, fragments: partitioned(ALL, 2) });
    expect(lines(engine.explain({ query: 'sum(rate(m_total[2m] offset 1m))', ...RANGE }))).toEqual([
      'aggregate merge sum by ()',
      '  remote',
      '    aggregate partial sum by ()',
      '      range-function rate',
      '        range-select of counter {__name__="m_total"}[120000ms] offset 60000ms',
    ]);
  });
});
