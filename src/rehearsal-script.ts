// What a rehearsal (rehearsal.ts) plays: made-up series that look like real ones, and the usual kinds of queries about them. Code that
// meets a new type or a new way in real use falls back to its slow form, so both are as varied as what users have.

import { encodeWriteRequest } from './codec/proto/remote-write.ts';

const MINUTE_MS = 60_000;
/** Time between two samples of a series. */
export const SCRAPE_MS: number = 2 * MINUTE_MS;
/** The samples of some instances are early by up to this much, never by the same time. */
const JITTER_MS = 300;
/** Enough time for two blocks or more of each partition to be cut and some to stay in the head. */
const SPAN_HOURS = 7;
/** As ms: how long before the end the series begin. */
export const SPAN_MS: number = SPAN_HOURS * 60 * MINUTE_MS;
/** Enough series for the ways that only larger sets take. */
const INSTANCES = 48;
const BUCKETS = ['0.1', '1', '+Inf'];

type Series = Parameters<typeof encodeWriteRequest>[0]['timeseries'][number];

/** The remote-write request of one scrape of all instances, at `scrape` ms. */
export function writeRequestAt(scrape: number): Uint8Array {
  return encodeWriteRequest({ timeseries: samplesAt(scrape), metadata: [] });
}

// Of each instance a counter that starts again now and then, gauges with no, two and many decimals, and a classic histogram. Some
// instances are scraped to the moment, some are not, and one is missed at times.
function samplesAt(scrape: number): Series[] {
  const series: Series[] = [];
  const minutes = scrape / MINUTE_MS;
  for (let i = 0; i < INSTANCES; i++) {
    if (i === 7 && minutes % 20 === 0) continue;
    const timestamp = scrape - (i % 2 === 0 ? 0 : (minutes * 7919 + i * 104_729) % JITTER_MS);
    const wave = Math.sin(minutes + i);
    const add = (name: string, value: number, more: Record<string, string> = {}): void => {
      const pairs = Object.entries({ __name__: `rehearsal_${name}`, ...labelsOfInstance(i, name), ...more });
      const labels = pairs.map(([name, value]) => ({ name, value }));
      series.push({ labels, samples: [{ timestamp, value }], exemplars: [], histograms: [] });
    };
    add('total', (minutes * (i + 1)) % 100_000, { code: '200' });
    add('bytes', i % 2 === 0 ? Math.round(wave * 1e9) : wave * 1e6);
    add('load', i === 0 ? Number.NaN : Math.round(wave * 100) / 100);
    for (const [n, le] of BUCKETS.entries()) add('seconds_bucket', minutes * (n + 1) * (i + 1), { le });
  }
  return series;
}

// Few and many values, short and long ones, and one that only some partitions know of.
function labelsOfInstance(i: number, name: string): Record<string, string> {
  return {
    instance: `host-${i}:9100`,
    job: `job-${i % 3}`,
    namespace: `rehearsal-${i % 5}`,
    pod: `rehearsal-deployment-${i % 12}-${(i * 7919).toString(36).padStart(10, '0')}`,
    uid: `${name}-${i}`,
  };
}

const EXPRESSIONS: readonly string[] = [
  'rehearsal_bytes{instance="host-1:9100"}',
  'rehearsal_load{instance="host-2:9100"}',
  '{__name__=~"rehearsal_.+"}',
  'absent(rehearsal_bytes{job="none"})',
  'rehearsal_bytes{instance=~"host-1.*", job!="job-2"} / 1024',
  'sum by (pod) (rehearsal_load{namespace=~"rehearsal-.*|other", pod=~".*-[b-n].*"})',
  'rate(rehearsal_total{instance="host-1:9100",code="200"}[5m])',
  'sum by (job) (rate(rehearsal_total[5m]))',
  'sum by (job) (rehearsal_load) / sum by (job) (rehearsal_bytes{job=~"job-.*|other"})',
  'sum(rate(rehearsal_total{code=~"5.."}[5m])) / sum(rate(rehearsal_total[5m]))',
  'histogram_quantile(0.9, sum by (le, job) (rate(rehearsal_seconds_bucket[5m])))',
  'topk(3, rehearsal_bytes)',
  'rehearsal_bytes / on (instance) group_left (code) rehearsal_total',
  'count by (__name__) ({job="job-1"})',
  'max_over_time(rehearsal_bytes[10m])',
  'max_over_time(sum(rehearsal_bytes)[10m:1m])',
  'predict_linear(rehearsal_bytes[10m], 4 * 3600) < 0',
  'increase(rehearsal_total[10m])',
  'quantile by (job) (0.9, rehearsal_bytes)',
  'avg by (instance) (rehearsal_bytes) or up',
];

/** Paths of one round, below /api/v1: every expression now, over the head, and over head and blocks; and the lists. */
export function scriptUntil(endMs: number): string[] {
  const end = endMs / 1000;
  const within = (hours: number): string => `start=${end - hours * 3600}&end=${end}`;
  const paths: string[] = [];
  for (const expression of EXPRESSIONS) {
    const query = new URLSearchParams({ query: expression });
    paths.push(`/query?${query}&time=${end}`);
    paths.push(`/query_range?${query}&${within(1)}&step=60`);
    paths.push(`/query_range?${query}&${within(SPAN_HOURS)}&step=300`);
  }
  const matches = ['rehearsal_bytes{job="job-1"}', 'rehearsal_total{job=~"job-1|job-2"}'].map(
    (selector) => new URLSearchParams({ 'match[]': selector }),
  );
  for (const hours of [1, SPAN_HOURS])
    for (const path of ['/labels', '/label/instance/values', '/label/uid/values', '/label/__name__/values']) {
      paths.push(`${path}?${within(hours)}`);
      for (const match of matches) paths.push(`${path}?${within(hours)}&${match}`);
    }
  for (const hours of [1, SPAN_HOURS])
    for (const match of matches) paths.push(`/series?${within(hours)}&${match}`);
  return paths;
}
