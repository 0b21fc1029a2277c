// A real Prometheus that scrapes itself and remote-writes into Skein, by both protocols: Skein tells the same of it.

import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { rawRequest } from '../helpers/raw-http.ts';
import {
  describeWithServers,
  freePorts,
  type PrometheusServer,
  startPrometheus,
} from '../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';

const QUERIES = [
  '{__name__=~".+"}',
  'count by (__name__) ({__name__=~".+"})',
  'rate(prometheus_http_requests_total[4s])',
  'sum by (handler) (increase(prometheus_http_request_duration_seconds_count[4s]))',
  'histogram_quantile(0.9, sum by (le) (prometheus_http_request_duration_seconds_bucket))',
  'go_memstats_alloc_bytes{job="self"}[3s]',
  'topk(5, scrape_samples_scraped)',
];

interface Data {
  readonly data: { readonly result?: { readonly metric: Record<string, string> }[] };
}

async function ask(url: string, path: string): Promise<Data> {
  const { status, body } = await rawRequest(url, { path: `/api/v1/${path}` });
  expect([status, path]).toEqual([200, path]);
  const answer = JSON.parse(body.toString()) as Data;
  answer.data.result?.sort((a, b) => (JSON.stringify(a.metric) < JSON.stringify(b.metric) ? -1 : 1));
  return answer;
}

const config = (ownPort: number, skeinUrl: string, message: string): string => `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [{ job_name: self, static_configs: [{ targets: ['127.0.0.1:${ownPort}'] }] }]
remote_write: [{ url: '${skeinUrl}/api/v1/write', protobuf_message: ${message}, metadata_config: { send_interval: 1s }, queue_config: { batch_send_deadline: 200ms } }]
`;

for (const message of ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'])
  await describeWithServers(['prometheus'], `Prometheus's own metrics by ${message}`, () => {
    let prometheus: PrometheusServer;
    let skein: SkeinServer;

    beforeAll(async () => {
      skein = await startSkein();
      const [scraped = 0] = await freePorts(1);
      // It also listens where its own scrape configuration expects it.
      prometheus = await startPrometheus(config(scraped, skein.url, message), [
        `--web.listen-address=127.0.0.1:${scraped}`,
      ]);
    });

    afterAll(async () => {
      await prometheus?.dispose();
      await skein?.dispose();
    });

    it('are the same in Skein', async () => {
      await vi.waitFor(
        async () => {
          const { data } = await ask(skein.url, 'query?query=count_over_time(prometheus_build_info[1m])>6');
          expect(data.result).toHaveLength(1);
        },
        { timeout: 30_000, interval: 500 },
      );
      const time = Math.floor(Date.now() / 1000) - 3;
      for (const query of QUERIES) {
        const path = `query?query=${encodeURIComponent(query)}&time=${time}`;
        expect({ query, ...(await ask(skein.url, path)) }).toEqual({
          query,
          ...(await ask(prometheus.url, path)),
        });
      }
      // Prometheus 3.14 puts no metadata into its remote write 2.0 requests (none of 2,000 series per request has any).
      const metadata = message === 'prometheus.WriteRequest' ? ['metadata'] : [];
      for (const path of ['labels', 'label/__name__/values', 'label/handler/values', ...metadata])
        expect({ path, ...(await ask(skein.url, path)) }).toEqual({
          path,
          ...(await ask(prometheus.url, path)),
        });
    });
  });
