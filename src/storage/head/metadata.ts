// Metric metadata of one tenant: the latest type, help and unit by metric name.

import type { MetricMetadata } from '../../model/exemplar.ts';

/** A bounded table; the metric heard of longest ago makes room. */
export class MetadataTable {
  readonly #limit: number;
  readonly #byMetric = new Map<string, MetricMetadata>();

  /** Keeps at most `limit` metrics. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Estimate of the memory held. */
  get bytes(): number {
    return this.#byMetric.size * 300;
  }

  /** Takes the latest word on a metric. */
  set(metric: string, metadata: MetricMetadata): void {
    this.#byMetric.delete(metric);
    if (this.#byMetric.size >= this.#limit) {
      const [oldest] = this.#byMetric.keys();
      if (oldest === undefined || this.#limit <= 0) return;
      this.#byMetric.delete(oldest);
    }
    this.#byMetric.set(metric, metadata);
  }

  /** Metadata of one metric, or with '' of all, at most `limit` (0: all), in order of last mention. */
  list(metric: string, limit: number): { readonly metric: string; readonly metadata: MetricMetadata }[] {
    if (metric !== '') {
      const metadata = this.#byMetric.get(metric);
      return metadata === undefined ? [] : [{ metric, metadata }];
    }
    const out: { readonly metric: string; readonly metadata: MetricMetadata }[] = [];
    for (const [name, metadata] of this.#byMetric) {
      if (limit > 0 && out.length === limit) break;
      out.push({ metric: name, metadata });
    }
    return out;
  }
}
