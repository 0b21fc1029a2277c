// Modes of evaluation reach the shards, and what they note comes back.

import { describe, expect, it } from 'vitest';
import { createEngine, type EngineOptions } from '../../../src/query/engine.ts';
import type { SelectRequest, SeriesSource } from '../../../src/query/source.ts';
import { memorySource, series } from '../memory-source.ts';
import { partitioned, partitionedOver } from '../partitioned.ts';

const ALL = [
  series({ __name__: 'jobs', __type__: 'gauge', i: '1' }, [1, 2, 3, 4]),
  series({ __name__: 'jobs', __type__: 'counter', i: '2' }, [1, 2, 3, 4]),
  series({ __name__: 'work_total', i: '3' }, [1, 2, 3, 4]),
];

async function notesOf(query: string, modes: Partial<EngineOptions>): Promise<string[][]> {
  const answers: string[][] = [];
  for (const where of [{ source: memorySource(ALL) }, { fragments: partitioned(ALL, 3) }]) {
    const engine = createEngine({
      lookbackMs: 300_000,
      defaultStepMs: 60_000,
      limits: { samplesMax: 1e6, seriesMax: 1e5, memoryBytesMax: 1e8 },
      ...where,
      ...modes,
    });
    const { annotations } = await engine.instant({ query, timeMs: 180_000 });
    answers.push(annotations.map(({ text }) => text).sort());
  }
  return answers;
}

describe('modes of evaluation', () => {
  it('tell counters by name, or by their type label', async () => {
    const byName = [
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "jobs" (1:10)',
    ];
    const byType = ['"": "work_total"', '"gauge": "jobs"'].map(
      (got) =>
        `PromQL info: metric might not be a counter, __type__ label is not set to "counter" or "histogram", got ${got} (1:10)`,
    );
    const query = 'sum(rate({__name__=~".+"}[5m]))';
    expect(await notesOf(query, {})).toEqual([byName, byName]);
    expect(await notesOf(query, { typeLabels: true })).toEqual([byType, byType]);
  });

  it('note that operators of native histograms give nothing for floats, whatever stands beside them', async () => {
    for (const query of ['jobs </ 3', '3 >/ jobs', 'jobs </ jobs']) {
      const op = query.includes('</') ? '</' : '>/';
      const note = `PromQL info: incompatible sample types encountered for binary operator "${op}": float ${op} float (1:1)`;
      expect(await notesOf(query, {})).toEqual([[note], [note]]);
    }
  });

  it('let series that are named by their values lose those names, at once or at the end', async () => {
    const query = 'sum(sgn(count_values("__name__", jobs or work_total + 1)))';
    await expect(notesOf(query, {})).rejects.toThrow('vector cannot contain metrics with the same labelset');
    expect(await notesOf(query, { delayedNames: true })).toEqual([[], []]);
  });

  it('ask the source for the resolution that a range can do with, on shards too', async () => {
    const asked: SelectRequest[] = [];
    const source: SeriesSource = {
      select(request, budget) {
        asked.push(request);
        return memorySource(ALL).select(request, budget);
      },
    };
    const limits = { samplesMax: 1e6, seriesMax: 1e5, memoryBytesMax: 1e8 };
    for (const where of [{ source }, { fragments: partitionedOver([source]) }]) {
      const engine = createEngine({ lookbackMs: 300_000, defaultStepMs: 60_000, limits, ...where });
      const wanted = async (query: string, maxResolutionMs?: number): Promise<unknown[]> => {
        asked.length = 0;
        await engine.instant({
          query,
          timeMs: 180_000,
          ...(maxResolutionMs === undefined ? {} : { maxResolutionMs }),
        });
        return asked.map(({ maxResolutionMs: max, aggregate, lookbackMs }) => [max, aggregate, lookbackMs]);
      };
      expect(await wanted('jobs')).toEqual([[undefined, undefined, 300_000]]);
      expect(await wanted('max(jobs)', 3_600_000)).toEqual([[3_600_000, 'max', 300_000]]);
      expect(await wanted('sum(rate(jobs[10m]))', 3_600_000)).toEqual([[300_000, 'counter', undefined]]);
      expect(await wanted('sum_over_time(jobs[10m])', 3_600_000)).toEqual([[600_000, 'sum', undefined]]);
      expect(await wanted('avg_over_time(jobs[1d])', 300_000)).toEqual([[300_000, undefined, undefined]]);
    }
  });
});
