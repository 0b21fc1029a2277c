// Numbers about a head as /api/v1/status/tsdb shows them (Prometheus's MemPostings.Stats): counts and the longest lists.

import { METRIC_NAME } from '../../model/labels.ts';
import type { SampleStore } from './sample-store.ts';
import type { SeriesIndex } from './series-index.ts';

/** A name with its number. */
export interface NamedCount {
  readonly name: string;
  readonly value: number;
}

/** Counters and top lists; times in ms, 0 without samples. */
export interface HeadNumbers {
  readonly numSeries: number;
  readonly numLabelPairs: number;
  readonly chunkCount: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly seriesCountByMetricName: readonly NamedCount[];
  readonly labelValueCountByLabelName: readonly NamedCount[];
  readonly memoryInBytesByLabelName: readonly NamedCount[];
  readonly seriesCountByLabelValuePair: readonly NamedCount[];
}

/** Gathers the numbers; lists have at most `limit` entries, largest first, equal ones by name. O(label pairs). */
export function headNumbers(index: SeriesIndex, store: SampleStore, limit: number): HeadNumbers {
  const metrics = new TopList(limit);
  const values = new TopList(limit);
  const memory = new TopList(limit);
  const pairs = new TopList(limit);
  for (const [name, entry] of index.names) {
    const nameBytes = Buffer.byteLength(name);
    let bytes = 0;
    for (const [value, pair] of entry.values) {
      const series = index.pairSeries(pair);
      // As Prometheus counts: name and value with a length byte each, once per series (labels.SizeOfLabels).
      bytes += (nameBytes + Buffer.byteLength(value) + 2) * series;
      if (name === METRIC_NAME) metrics.add(value, series);
      if (pairs.wants(series)) pairs.add(`${name}=${value}`, series);
    }
    values.add(name, entry.values.size);
    memory.add(name, bytes);
  }
  return {
    numSeries: index.count,
    numLabelPairs: index.pairCount,
    chunkCount: store.chunkCount,
    minTime: Number.isFinite(store.minTime) ? store.minTime : 0,
    maxTime: Number.isFinite(store.maxTime) ? store.maxTime : 0,
    seriesCountByMetricName: metrics.sorted(),
    labelValueCountByLabelName: values.sorted(),
    memoryInBytesByLabelName: memory.sorted(),
    seriesCountByLabelValuePair: pairs.sorted(),
  };
}

// The `limit` largest; kept at up to twice as many and trimmed now and then.
class TopList {
  readonly #limit: number;
  #entries: NamedCount[] = [];
  #least = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  wants(value: number): boolean {
    return value >= this.#least;
  }

  add(name: string, value: number): void {
    if (!this.wants(value)) return;
    this.#entries.push({ name, value });
    if (this.#entries.length >= 2 * this.#limit + 64) this.#trim();
  }

  sorted(): NamedCount[] {
    this.#trim();
    return this.#entries;
  }

  #trim(): void {
    this.#entries.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
    this.#entries.length = Math.min(this.#entries.length, this.#limit);
    if (this.#entries.length === this.#limit) this.#least = this.#entries[this.#limit - 1]?.value ?? 0;
  }
}
