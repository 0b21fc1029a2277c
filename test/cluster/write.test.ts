// Remote write beside a real Prometheus: the same requests, the same status, headers and texts; and what of it can be read
// afterwards.

import { appendFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type RawAnswer, rawRequest } from '../helpers/raw-http.ts';
import { describeWithServers, type PrometheusServer, startPrometheus } from '../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { type WriteCase, writeCases } from './write-cases.ts';

const HEADERS = [
  'content-type',
  'x-prometheus-remote-write-samples-written',
  'x-prometheus-remote-write-histograms-written',
  'x-prometheus-remote-write-exemplars-written',
];
const NOW = Math.floor(Date.now() / 1000) * 1000 - 60_000;

function compared({ status, headers, body }: RawAnswer, { compare }: WriteCase): unknown {
  if (compare === 'status') return status;
  // Skein sends the Written headers with every answer to remote write 2.0, Prometheus not with 415.
  const shown = (status === 415 ? [] : HEADERS).map((name) => [name, headers[name]]);
  return { status, headers: Object.fromEntries(shown), text: body.toString() };
}

async function samples(url: string): Promise<unknown> {
  const query = encodeURIComponent('{__name__=~".+"}[2h]');
  const path = `/api/v1/query?query=${query}&time=${NOW / 1000 + 1800}`;
  const { body } = await rawRequest(url, { path });
  const { data } = JSON.parse(body.toString()) as { data: { result: { metric: unknown }[] } };
  return data.result.sort((a, b) => (JSON.stringify(a.metric) < JSON.stringify(b.metric) ? -1 : 1));
}

await describeWithServers(['prometheus'], 'remote write beside Prometheus', () => {
  let prometheus: PrometheusServer;
  let skein: SkeinServer;

  beforeAll(async () => {
    prometheus = await startPrometheus('storage: { tsdb: { out_of_order_time_window: 1h } }\n', [
      '--web.enable-remote-write-receiver',
      '--enable-feature=exemplar-storage',
    ]);
    skein = await startSkein();
  });

  afterAll(async () => {
    await Promise.all([prometheus?.dispose(), skein?.dispose()]);
  });

  it('answers alike, and the same samples are there', async () => {
    const differences: unknown[] = [];
    for (const one of writeCases(NOW)) {
      const request = { method: 'POST', path: '/api/v1/write', headers: one.headers, body: one.body };
      const [theirs, ours] = await Promise.all([
        rawRequest(prometheus.url, request),
        rawRequest(skein.url, request),
      ]);
      const [expected, actual] = one.statuses
        ? [one.statuses, [theirs.status, ours.status]]
        : [compared(theirs, one), compared(ours, one)];
      if (!isDeepStrictEqual(expected, actual)) differences.push({ call: one.title, expected, actual });
    }
    if (process.env['API_DIFFERENCES'] !== undefined)
      appendFileSync(
        process.env['API_DIFFERENCES'],
        differences.map((one) => `${JSON.stringify(one)}\n`).join(''),
      );
    expect(differences).toEqual([]);
  });

  it('keeps the same samples', async () => {
    await vi.waitFor(async () => {
      const [theirs, ours] = await Promise.all([samples(prometheus.url), samples(skein.url)]);
      expect(ours).toEqual(theirs);
    }, 5_000);
  });
});
