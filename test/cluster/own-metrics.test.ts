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

const MESSAGES = ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'] as const;
type Message = (typeof MESSAGES)[number];

const config = (ownPort: number, skeins: ReadonlyMap<Message, SkeinServer>): string => `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [{ job_name: self, static_configs: [{ targets: ['127.0.0.1:${ownPort}'] }] }]
remote_write:
${[...skeins].map(([message, { url }]) => `- { url: '${url}/api/v1/write', protobuf_message: ${message}, ${QUEUE} }`).join('\n')}
`;
const QUEUE = 'metadata_config: { send_interval: 1s }, queue_config: { batch_send_deadline: 200ms }';

await describeWithServers(['prometheus'], "Prometheus's own metrics", () => {
  const skeins = new Map<Message, SkeinServer>();
  let prometheus: PrometheusServer;

  beforeAll(async () => {
    for (const message of MESSAGES) skeins.set(message, await startSkein());
    const [scraped = 0] = await freePorts(1);
    // It also listens where its own scrape configuration expects it.
    prometheus = await startPrometheus(config(scraped, skeins), [
      `--web.listen-address=127.0.0.1:${scraped}`,
    ]);
  });

  afterAll(async () => {
    await prometheus?.dispose();
    await Promise.all([...skeins.values()].map((skein) => skein.dispose()));
  });

  it.each(MESSAGES)('are the same in Skein by %s', async (message) => {
    const { url } = skeins.get(message)!;
    await vi.waitFor(
      async () => {
        const { data } = await ask(url, 'query?query=count_over_time(prometheus_build_info[1m])>6');
        expect(data.result).toHaveLength(1);
      },
      { timeout: 30_000, interval: 500 },
    );
    const time = Math.floor(Date.now() / 1000) - 3;
    for (const query of QUERIES) {
      const path = `query?query=${encodeURIComponent(query)}&time=${time}`;
      expect({ query, ...(await ask(url, path)) }).toEqual({ query, ...(await ask(prometheus.url, path)) });
    }
    // Prometheus 3.14 puts no metadata into its remote write 2.0 requests (none of 2,000 series per request has any).
    const metadata = message === 'prometheus.WriteRequest' ? ['metadata'] : [];
    for (const path of ['labels', 'label/__name__/values', 'label/handler/values', ...metadata])
      expect({ path, ...(await ask(url, path)) }).toEqual({ path, ...(await ask(prometheus.url, path)) });
  });
});
