// load_with_nhcb: classic histograms of a load command as native ones with custom buckets (Prometheus util/convertnhcb).

import { COUNT, FloatHistogram, SUM } from '../../src/model/float-histogram.ts';
import { CUSTOM_BUCKETS_SCHEMA } from '../../src/model/histogram.ts';
import { type Labels, labelsKey, labelsWith, labelValue, METRIC_NAME } from '../../src/model/labels.ts';
import type { LoadedSeries } from './script.ts';
import { parseNumber, type SequenceValue } from './series.ts';

/** What is known of a classic histogram at one time. */
interface ClassicHistogram {
  readonly buckets: Map<number, number>;
  count: number | undefined;
  sum: number;
}

/** The native twins of all classic histograms among the series. Throws Error for one that cannot be. */
export function nativeTwins(series: readonly LoadedSeries[]): LoadedSeries[] {
  const twins = new Map<string, { labels: Labels; histograms: Map<number, ClassicHistogram> }>();
  for (const { labels, values } of series) {
    const [, base, suffix] = /^(.*)_(bucket|count|sum)$/.exec(labelValue(labels, METRIC_NAME)) ?? [];
    if (base === undefined) continue;
    const bound = parseNumber(labelValue(labels, 'le').replace(/^\+/, ''));
    if (suffix === 'bucket' && Number.isNaN(bound)) continue;
    const own = labelsWith(labelsWith(labels, METRIC_NAME, base), 'le', '');
    const twin = twins.get(labelsKey(own)) ?? { labels: own, histograms: new Map() };
    twins.set(labelsKey(own), twin);
    for (const [step, value] of values.entries()) {
      if (value.kind !== 'float') continue;
      const histogram = twin.histograms.get(step) ?? { buckets: new Map(), count: undefined, sum: 0 };
      twin.histograms.set(step, histogram);
      if (suffix === 'count') histogram.count = value.value;
      else if (suffix === 'sum') histogram.sum = value.value;
      else if (!histogram.buckets.has(bound)) histogram.buckets.set(bound, value.value);
    }
  }
  return [...twins.values()].map(({ labels, histograms }) => ({ labels, values: sequence(histograms) }));
}

function sequence(histograms: ReadonlyMap<number, ClassicHistogram>): SequenceValue[] {
  const values: SequenceValue[] = [];
  for (const [step, classic] of histograms) {
    while (values.length <= step) values.push({ kind: 'omitted' });
    values[step] = { kind: 'histogram', histogram: convert(classic), hasHint: false };
  }
  return values;
}

function convert({ buckets, count, sum }: ClassicHistogram): FloatHistogram {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = count ?? sorted.at(-1)?.[1] ?? 0;
  if (sorted.at(-1)?.[0] !== Number.POSITIVE_INFINITY) sorted.push([Number.POSITIVE_INFINITY, total]);
  if (sorted.at(-1)?.[1] !== total) throw new Error(`count ${total} is not that of the highest bucket`);
  const histogram = new FloatHistogram();
  histogram.schema = CUSTOM_BUCKETS_SCHEMA;
  histogram.totals[COUNT] = total;
  histogram.totals[SUM] = sum;
  histogram.bounds = Float64Array.from(sorted.slice(0, -1), ([bound]) => bound);
  let before = 0;
  for (const [number, [bound, cumulative]] of sorted.entries()) {
    if (cumulative < before) throw new Error(`bucket ${bound} has ${cumulative}, less than the one below`);
    histogram.positive.push(number, cumulative - before);
    before = cumulative;
  }
  return histogram.compact();
}
