// A SeriesSource over samples in memory: what promqltest's `load` fills, and what tests of the engine read. It can be split
// into partitions by a hash of the labels, as shards split a tenant.

import { ALL_TIMES, type Chunk } from '../../src/codec/chunk.ts';
import { readHistograms } from '../../src/codec/histogram-chunk.ts';
import { compileMatcher } from '../../src/codec/regex.ts';
import type { FloatHistogram } from '../../src/model/float-histogram.ts';
import { HistogramColumns } from '../../src/model/histogram.ts';
import { compareLabels, type Labels, labelsKey, labelValue } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import {
  clearSamples,
  growColumns,
  histogramAt,
  isStaleAt,
  pushSample,
  type SampleColumns,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  sampleColumns,
  startsOf,
} from '../../src/model/samples.ts';
import type { SelectRequest, SeriesBatch, SeriesSource } from '../../src/query/source.ts';
import { HistogramLanes, staleRow } from '../../src/storage/head/histogram-lanes.ts';
import type { SequenceValue } from './series.ts';

/** How long a chunk of histograms may become: what promqltest's storage has. */
const CHUNK_RANGE_MS = 24 * 3_600_000;
const STALE = { low: STALE_NAN_LOW, high: STALE_NAN_HIGH };

/** One stored series; `samples` are as they were appended, `stored()` as a database hands them out. */
export class MemorySeries {
  readonly labels: Labels;
  readonly samples: SampleColumns = sampleColumns(16);
  #stored: SampleColumns | undefined;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  /** Whether any sample is a native histogram. */
  get hasHistograms(): boolean {
    return this.samples.histograms !== undefined;
  }

  /** Puts a sample in its place; one that comes again at a stored time is dropped, as a database does. */
  append(sample: SampleColumns): void {
    const time = sample.timestamps[0] as number;
    const at = lowerBound(this.samples, time);
    if (at < this.samples.count && this.samples.timestamps[at] === time) return;
    const later = sampleColumns(1);
    for (let i = at; i < this.samples.count; i++) pushSample(later, this.samples, i);
    this.samples.count = at;
    pushSample(this.samples, sample, 0);
    for (let i = 0; i < later.count; i++) pushSample(this.samples, later, i);
    this.#stored = undefined;
  }

  /** The samples with what chunks know of the counter resets of histograms. */
  stored(): SampleColumns {
    this.#stored ??= this.hasHistograms ? throughChunks(this.samples) : this.samples;
    return this.#stored;
  }
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
      series = new MemorySeries(labels);
      this.#series.set(key, series);
    }
    return series;
  }

  /** Appends a sequence whose value i stands at i * stepMs, its start timestamp `starts[i]` ms from there. */
  append(labels: Labels, { values, starts, stepMs }: Sequence): MemorySeries {
    const series = this.series(labels);
    if (starts !== undefined) startsOf(series.samples);
    for (const [index, value] of values.entries()) {
      if (value.kind === 'omitted') continue;
      const time = index * stepMs;
      const offset = starts?.[index];
      if (value.kind === 'histogram') series.append(histogramSample(value.histogram, time, offset));
      else series.append(floatSample(value.kind === 'float' ? value.value : 'stale', time, offset));
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
      read: (index, start, end, target) => copySamples(found[index]?.stored(), start, end, target),
    };
  }
}

function floatSample(value: number | 'stale', time: number, offset: number | undefined): SampleColumns {
  const sample = sampleColumns(1);
  sample.timestamps[0] = time;
  sample.values[0] = value === 'stale' ? Number.NaN : value;
  if (value === 'stale') {
    sample.bits[0] = STALE_NAN_LOW;
    sample.bits[1] = STALE_NAN_HIGH;
  }
  if (offset !== undefined) sample.starts = Float64Array.of(time + offset);
  sample.count = 1;
  return sample;
}

function histogramSample(histogram: FloatHistogram, time: number, offset: number | undefined): SampleColumns {
  const sample = floatSample(histogram.sum, time, offset);
  sample.histograms = new HistogramColumns(1);
  sample.rows = Int32Array.of(histogram.store(sample.histograms));
  return sample;
}

// Writes the histograms of a series into chunks as the head does, and reads them again.
function throughChunks(samples: SampleColumns): SampleColumns {
  const lanes = new HistogramLanes(CHUNK_RANGE_MS);
  const read = sampleColumns(samples.count);
  const finish = (chunk: Chunk): void => readHistograms(chunk, ALL_TIMES, read);
  const wasHistogram: boolean[] = [];
  for (let i = 0; i < samples.count; i++) {
    const time = samples.timestamps[i] as number;
    const histogram = histogramAt(samples, i);
    const lane = lanes.lanes.get(0);
    const marker = lane !== undefined && isStaleAt(samples.bits, i) ? staleRow(lane, STALE) : undefined;
    const stored = histogram ?? marker;
    wasHistogram.push(stored !== undefined);
    if (stored !== undefined) lanes.append(0, time, stored, finish);
    else {
      const ended = lanes.take(0);
      if (ended !== undefined) finish(ended);
    }
  }
  const ended = lanes.take(0);
  if (ended !== undefined) finish(ended);
  const out = sampleColumns(samples.count);
  for (let i = 0, next = 0; i < samples.count; i++) {
    if (wasHistogram[i] === true) pushSample(out, read, next++);
    else pushSample(out, samples, i);
  }
  if (samples.starts !== undefined) out.starts = samples.starts.slice(0, Math.max(1, out.values.length));
  return out;
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
  clearSamples(target);
  if (samples === undefined) return;
  const first = lowerBound(samples, start);
  let last = first;
  while (last < samples.count && (samples.timestamps[last] as number) <= end) last++;
  growColumns(target, last - first);
  for (let i = first; i < last; i++) pushSample(target, samples, i);
}
