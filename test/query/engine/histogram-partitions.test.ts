// Seeded series of native histograms, resets, gauges, custom buckets, changes of layout and staleness markers among them: the same
// answer, to the last bit of its JSON, from one engine over all series and from fragments over 2 and 8 partitions.

import { describe, expect, it } from 'vitest';
import { queryResponsePieces } from '../../../src/codec/prom-json.ts';
import type { BucketList } from '../../../src/model/bucket-list.ts';
import { FloatHistogram } from '../../../src/model/float-histogram.ts';
import { exponentialBound } from '../../../src/model/histogram-buckets.ts';
import { labelsOf } from '../../../src/model/labels.ts';
import { isStaleAt } from '../../../src/model/samples.ts';
import { QueryBudget } from '../../../src/query/budget.ts';
import { createEngine, type Engine, runFragment } from '../../../src/query/engine.ts';
import { decodeReply, encodeReply } from '../../../src/query/exec/step-batch-codec.ts';
import { ALL_PARSE_FEATURES } from '../../../src/query/parse/options.ts';
import { histogramSequence } from '../../helpers/histogram-sequences.ts';
import { MemorySource } from '../../promql/memory-source.ts';
import type { SequenceValue } from '../../promql/series.ts';

const MINUTE = 60_000;
const OPTIONS = {
  lookbackMs: 5 * MINUTE,
  defaultStepMs: MINUTE,
  features: ALL_PARSE_FEATURES,
  limits: { samplesMax: 1e6, seriesMax: 1000, memoryBytesMax: 1e8 },
};

const RECONCILED = /mismatched custom buckets were reconciled during aggregation/;

const QUERIES = [
  'h',
  'h offset 3m',
  'h smoothed',
  'rate(h[5m])',
  'increase(h[7m] anchored)',
  'rate(h[7m] smoothed)',
  'irate(h[5m])',
  'idelta(h[5m])',
  'delta(h[5m])',
  'resets(h[10m])',
  'changes(h[10m])',
  'sum_over_time(h[5m])',
  'last_over_time(h[5m])',
  'count_over_time(h[5m])',
  'max_over_time(h[5m])',
  'sum by (i) (h)',
  'sum(rate(h[5m]))',
  'count by (i) (h)',
  'group(h)',
  'max(h)',
  'topk(2, h)',
  'limitk(3, h)',
  'limit_ratio(0.5, h)',
  'count_values("v", h)',
  'quantile(0.5, h)',
  'histogram_count(h)',
  'histogram_sum(rate(h[5m]))',
  'histogram_stddev(h)',
  'histogram_quantile(0.9, h)',
  'histogram_quantile(0.9, sum by (i) (rate(h[5m])))',
  'histogram_quantiles(h, "q", 0.1, 0.9)',
  'histogram_fraction(-1, 10, h)',
  'h * 2',
  '-h / 4',
  'h </ 3',
  'h >/ 0',
  'h + on (i, k) h',
  'h == h',
  'h and on (k) h{i="1"}',
  'h or f',
  'absent(h{i="77"})',
  'sum_over_time(h[5m:1m])',
  'rate(h[6m:2m])',
  'label_replace(h, "x", "$1", "i", "(.)")',
  'sort_by_label(h, "i")',
  'timestamp(h)',
  'scalar(h)',
];

// Whether buckets inside a histogram's own zero bucket count in a sum hangs on the order of its parts, in Prometheus too.
function dropCovered({ isCustom, schema, zeroThreshold }: FloatHistogram, side: BucketList): void {
  let covered = 0;
  while (covered < side.count && exponentialBound(side.numbers[covered]! - 1, schema) < zeroThreshold)
    covered++;
  if (!isCustom) side.dropFirst(covered);
}

function sourceOf(seed: number): MemorySource {
  const source = new MemorySource();
  for (let k = 0; k < 8; k++) {
    const { histograms } = histogramSequence(100 * seed + k);
    const values: SequenceValue[] = [];
    for (let row = 0; row < histograms.count; row++) {
      if (isStaleAt(histograms.sumBits, row)) values.push({ kind: 'stale' });
      else if ((row + seed) % 17 === 0) values.push({ kind: 'float', value: row });
      else {
        const histogram = new FloatHistogram().load({ columns: histograms, row });
        dropCovered(histogram, histogram.positive);
        dropCovered(histogram, histogram.negative);
        values.push({ kind: 'histogram', histogram, hasHint: true });
      }
    }
    const labels = labelsOf({ __name__: 'h', i: String(k % 3), k: String(k) });
    source.append(labels, { values, stepMs: MINUTE });
    const floats: SequenceValue[] = [1, 2, 3, 4, 5, 6, 7].map((value) => ({ kind: 'float', value }));
    source.append(labelsOf({ __name__: 'f', k: String(k) }), { values: floats, stepMs: MINUTE });
  }
  return source;
}

function engineOver(source: MemorySource, partitions: number): Engine {
  if (partitions === 1) return createEngine({ ...OPTIONS, source });
  const fragments = {
    async *run(fragment: Uint8Array, { limits, signal }: QueryBudget) {
      for (const part of source.partitions(partitions))
        for await (const reply of runFragment(fragment, part, new QueryBudget(limits, signal)))
          yield decodeReply(encodeReply(reply));
    },
  };
  return createEngine({ ...OPTIONS, fragments });
}

async function answer(engine: Engine, query: string): Promise<unknown> {
  const { value, annotations } = await engine.range({
    query,
    startMs: 0,
    endMs: 20 * MINUTE,
    stepMs: 90_000,
  });
  const json = Buffer.concat([...queryResponsePieces({ value, annotations: [] })]).toString();
  // Parts of a group that cannot be added up may have been reconciled among themselves before that is known.
  const notes = annotations.map(({ text }) => text).filter((text) => !RECONCILED.test(text));
  return { json, notes: notes.sort() };
}

describe('native histograms in partitions', () => {
  it.each(QUERIES)('%s', async (query) => {
    for (const seed of [1, 2, 3]) {
      const source = sourceOf(seed);
      const whole = await answer(engineOver(source, 1), query);
      for (const partitions of [2, 8])
        expect(await answer(engineOver(source, partitions), query), `seed ${seed}`).toEqual(whole);
    }
  });
});
