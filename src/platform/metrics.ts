// Own metrics: a thin port over prom-client, so that every actor of a process shares one registry without a global one.

import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { errorText } from '../model/errors.ts';
import type { Logger } from './log.ts';

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

/** Metrics of a registry as plain data: prom-client's own form. */
export type MetricsSnapshot = readonly object[];

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
  /** The text exposition format of everything, other threads included. */
  expose(): Promise<{ contentType: string; text: string }>;
  /** What was counted, as plain data for the thread that exposes it. */
  snapshot(): Promise<MetricsSnapshot>;
  /** From now on `expose` adds what another thread counted. When `read` fails its thread is left out, with a warning. */
  include(read: () => Promise<MetricsSnapshot>, log: Logger): void;
  /** Name, type, help and labels of every metric made so far, for docs/metrics.md. */
  describe(): { name: string; type: string; help: string; labelNames: readonly string[] }[];
}

/** A registry of its own, with Node's process metrics when `withProcess`. */
export function createMetrics(options: { withProcess: boolean }): Metrics {
  const registry = new Registry();
  // Apart: what tells of the process as a whole is not to be added up.
  const ofProcess = new Registry();
  if (options.withProcess) collectDefaultMetrics({ register: ofProcess });
  const threads: (() => Promise<MetricsSnapshot | undefined>)[] = [];
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
    async expose() {
      const others = await Promise.all(threads.map((read) => read()));
      const heard = others.filter((snapshot) => snapshot !== undefined);
      const all =
        heard.length === 0
          ? registry
          : AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), ...heard]);
      const text = `${await ofProcess.metrics()}${await all.metrics()}`;
      return { contentType: registry.contentType, text };
    },
    snapshot: () => registry.getMetricsAsJSON(),
    include(read, log) {
      threads.push(() =>
        read().catch((error) => {
          log.warn('cannot read the metrics of a thread', { error: errorText(error) });
          return undefined;
        }),
      );
    },
    describe: () =>
      [...made]
        .map(([name, { type, help, labelNames }]) => ({ name, type, help, labelNames }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}
