// Own metrics: a thin port over prom-client, so that every actor of a process shares one registry without a global one.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** One counter with fixed labels. */
export interface CounterMetric {
  add(amount?: number, labels?: Record<string, string>): void;
}
/** One gauge. */
export interface GaugeMetric {
  set(value: number, labels?: Record<string, string>): void;
  /** Forgets the series with these labels. */
  remove(labels: Record<string, string>): void;
}
/** One histogram, in seconds or bytes as its name says. */
export interface HistogramMetric {
  observe(value: number, labels?: Record<string, string>): void;
}

/** Creates metrics; asking again for a name gives the same metric. */
export interface Metrics {
  counter(name: string, help: string, labelNames?: readonly string[]): CounterMetric;
  gauge(
    name: string,
    help: string,
    labelNames?: readonly string[],
    collect?: (gauge: GaugeMetric) => void,
  ): GaugeMetric;
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames?: readonly string[],
  ): HistogramMetric;
  /** The text exposition format of everything. */
  expose(): Promise<{ contentType: string; text: string }>;
  /** Name, type, help and labels of every metric made so far, for docs/metrics.md. */
  describe(): { name: string; type: string; help: string; labelNames: readonly string[] }[];
}

/** A registry of its own, with Node's process metrics when `withProcess`. */
export function createMetrics(options: { withProcess: boolean }): Metrics {
  const registry = new Registry();
  if (options.withProcess) collectDefaultMetrics({ register: registry });
  const made = new Map<
    string,
    { metric: unknown; type: string; help: string; labelNames: readonly string[] }
  >();
  const once = <T>(
    name: string,
    type: string,
    help: string,
    labelNames: readonly string[],
    make: () => T,
  ): T => {
    const found = made.get(name);
    if (found) return found.metric as T;
    const metric = make();
    made.set(name, { metric, type, help, labelNames });
    return metric;
  };
  return {
    counter: (name, help, labelNames = []) =>
      once(name, 'counter', help, labelNames, () => {
        const inner = new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
        return { add: (amount = 1, labels) => (labels ? inner.inc(labels, amount) : inner.inc(amount)) };
      }),
    gauge: (name, help, labelNames = [], collect) =>
      once(name, 'gauge', help, labelNames, () => {
        const metric: GaugeMetric = {
          set: (value, labels) => (labels ? inner.set(labels, value) : inner.set(value)),
          remove: (labels) => inner.remove(labels),
        };
        const inner = new Gauge({
          name,
          help,
          labelNames: [...labelNames],
          registers: [registry],
          ...(collect ? { collect: () => collect(metric) } : {}),
        });
        return metric;
      }),
    histogram: (name, help, buckets, labelNames = []) =>
      once(name, 'histogram', help, labelNames, () => {
        const inner = new Histogram({
          name,
          help,
          buckets: [...buckets],
          labelNames: [...labelNames],
          registers: [registry],
        });
        return { observe: (value, labels) => (labels ? inner.observe(labels, value) : inner.observe(value)) };
      }),
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    describe: () =>
      [...made]
        .map(([name, { type, help, labelNames }]) => ({ name, type, help, labelNames }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}
