// A SeriesSource over samples in memory: what promqltest's `load` fills, and what tests of the engine read. It can be split
// into partitions by a hash of the labels, as shards split a tenant.

import { compileMatcher } from '../../src/codec/regex.ts';
import { compareLabels, type Labels, labelsKey, labelValue } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import {
  growColumns,
  type SampleColumns,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  sampleColumns,
} from '../../src/model/samples.ts';
import type { SelectRequest, SeriesBatch, SeriesSource } from '../../src/query/source.ts';
import type { SequenceValue } from './series.ts';

/** One stored series. Histogram samples are only counted: the engine has none yet. */
export interface MemorySeries {
  readonly labels: Labels;
  readonly samples: SampleColumns;
  histograms: number;
}

/** What a load line says of one series. */
interface Sequence {
  readonly values: readonly SequenceValue[];
  readonly starts?: readonly (number | undefined)[] | undefined;
  readonly stepMs: number;
}

/** Series in memory. */
export class MemorySource implements SeriesSource {
  readonly #series = new Map<string, MemorySeries>();

  /** Forgets everything. */
  clear(): void {
    this.#series.clear();
  }

  /** The series with these labels, made when it is new. */
  series(labels: Labels): MemorySeries {
    const key = labelsKey(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, samples: sampleColumns(16), histograms: 0 };
      this.#series.set(key, series);
    }
    return series;
  }

  /** Appends a sequence whose value i stands at i * stepMs, its start timestamp `starts[i]` ms from there. */
  append(labels: Labels, { values, starts, stepMs }: Sequence): MemorySeries {
    const series = this.series(labels);
    if (starts !== undefined && series.samples.starts === undefined)
      series.samples.starts = new Float64Array(series.samples.values.length);
    for (const [index, value] of values.entries()) {
      const time = index * stepMs;
      const offset = starts?.[index];
      const start = offset === undefined ? 0 : time + offset;
      if (value.kind === 'histogram') series.histograms++;
      else if (value.kind === 'float') appendSample(series.samples, { time, value: value.value, start });
      else if (value.kind === 'stale') appendSample(series.samples, { time, value: Number.NaN, start }, true);
    }
    return series;
  }

  /** Series that satisfy every matcher, sorted by labels. */
  matching(matchers: readonly Matcher[]): MemorySeries[] {
    const compiled = matchers.map(compileMatcher);
    return [...this.#series.values()]
      .filter(({ labels }) =>
        compiled.every(({ matcher, matches }) => matches(labelValue(labels, matcher.name))),
      )
      .sort((a, b) => compareLabels(a.labels, b.labels));
  }

  /** Splits the series into `count` sources, each series in one of them. */
  partitions(count: number): MemorySource[] {
    const sources = Array.from({ length: count }, () => new MemorySource());
    for (const [key, series] of this.#series) {
      let hash = 2_166_136_261;
      for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 16_777_619) >>> 0;
      (sources[hash % count] as MemorySource).#series.set(key, series);
    }
    return sources;
  }

  async *select(request: SelectRequest): AsyncIterable<SeriesBatch> {
    const found = this.matching(request.matchers).filter(({ samples }) => {
      const first = lowerBound(samples, request.start);
      return first < samples.count && (samples.timestamps[first] as number) <= request.end;
    });
    if (found.length === 0) return;
    yield {
      labels: found.map(({ labels }) => labels),
      read: (index, start, end, target) => copySamples(found[index]?.samples, start, end, target),
    };
  }
}

// Samples stay in time order; one that comes again at a stored time is dropped, as a database does.
function appendSample(
  samples: SampleColumns,
  { time, value, start }: { time: number; value: number; start: number },
  isStale = false,
): void {
  const at = lowerBound(samples, time);
  if (at < samples.count && samples.timestamps[at] === time) return;
  growColumns(samples, samples.count + 1);
  samples.timestamps.copyWithin(at + 1, at, samples.count);
  samples.bits.copyWithin(2 * at + 2, 2 * at, 2 * samples.count);
  samples.starts?.copyWithin(at + 1, at, samples.count);
  if (samples.starts !== undefined) samples.starts[at] = start;
  samples.timestamps[at] = time;
  samples.values[at] = value;
  if (isStale) {
    samples.bits[2 * at] = STALE_NAN_LOW;
    samples.bits[2 * at + 1] = STALE_NAN_HIGH;
  }
  samples.count++;
}

function lowerBound(samples: SampleColumns, time: number): number {
  let low = 0;
  let high = samples.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((samples.timestamps[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function copySamples(
  samples: SampleColumns | undefined,
  start: number,
  end: number,
  target: SampleColumns,
): void {
  target.count = 0;
  target.starts = undefined;
  if (samples === undefined) return;
  const first = lowerBound(samples, start);
  let last = first;
  while (last < samples.count && (samples.timestamps[last] as number) <= end) last++;
  growColumns(target, last - first);
  target.timestamps.set(samples.timestamps.subarray(first, last));
  target.bits.set(samples.bits.subarray(2 * first, 2 * last));
  target.starts = samples.starts?.slice(first, last);
  target.count = last - first;
}
