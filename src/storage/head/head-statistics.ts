// Numbers about a head as /api/v1/status/tsdb shows them (Prometheus's MemPostings.Stats): counts and the longest lists.

import type { HeadStatistics, NameCount } from '../../model/head-statistics.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type { SampleStore } from './sample-store.ts';
import type { SeriesIndex } from './series-index.ts';

/** Gathers the numbers; lists have at most `limit` entries, that of label names and their values `namesMax`. O(label pairs). */
export function headStatistics(
  index: SeriesIndex,
  store: SampleStore,
  limit: number,
  namesMax: number,
): HeadStatistics {
  const metrics = new TopList(limit);
  const values = new TopList(namesMax);
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
  #entries: NameCount[] = [];
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

  sorted(): NameCount[] {
    this.#trim();
    return this.#entries;
  }

  #trim(): void {
    this.#entries.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
    this.#entries.length = Math.min(this.#entries.length, this.#limit);
    if (this.#entries.length === this.#limit) this.#least = this.#entries[this.#limit - 1]?.value ?? 0;
  }
}
