// Skein's HTTP API beside a real Prometheus's: the same data, the same calls, the same answers.

import { appendFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync, inflateSync } from 'node:zlib';
import { compressSync } from 'snappy';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { describeWithServers, type PrometheusServer, startPrometheus } from '../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { type ApiCase, apiCases, apiData } from './api-cases.ts';

/** Headers that are part of the API. */
const HEADERS = [
  'content-type',
  'content-encoding',
  'vary',
  'allow',
  'access-control-allow-origin',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
];
const BASE = Math.floor(Date.now() / 60_000) * 60_000 - 20 * 60_000;

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

function ask(url: string, one: ApiCase): Promise<Answer> {
  const form =
    one.params === undefined
      ? ''
      : typeof one.params === 'string'
        ? one.params
        : new URLSearchParams(one.params as [string, string][]).toString();
  const method = one.method ?? 'GET';
  const inBody = method === 'POST';
  const target = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: target.hostname,
        port: target.port,
        method,
        path: `${one.path}${!inBody && form !== '' ? `?${form}` : ''}`,
        headers: {
          ...(inBody ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
          ...one.headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const headers: Record<string, string> = {};
          for (const name of HEADERS)
            if (response.headers[name] !== undefined)
              headers[name] = String(response.headers[name]).replace(', X-Skein-Partial', '');
          resolve({ status: response.statusCode!, headers, body: bodyOf(Buffer.concat(chunks), headers) });
        });
      },
    );
    request.on('error', reject);
    request.end(inBody ? form : undefined);
  });
}

function bodyOf(bytes: Buffer, headers: Record<string, string>): unknown {
  const packed = headers['content-encoding'];
  const plain =
    bytes.length === 0
      ? bytes
      : packed === 'gzip'
        ? gunzipSync(bytes)
        : packed === 'deflate'
          ? inflateSync(bytes)
          : bytes;
  const text = plain.toString();
  return headers['content-type']?.startsWith('application/json') && text !== '' ? JSON.parse(text) : text;
}

interface Body {
  data?: { resultType?: string; result?: { metric: unknown }[] } | { seriesLabels?: unknown }[];
}

// Prometheus promises no order of vectors (unless the query sorts), series and exemplars.
function ordered(answer: Answer, one: ApiCase): Answer {
  const body = answer.body as Body;
  const by = (key: (row: unknown) => string) => (a: unknown, b: unknown) => (key(a) < key(b) ? -1 : 1);
  const data = body?.data;
  if (data === undefined || data === null) return answer;
  const params = JSON.stringify(one.params ?? '');
  if (Array.isArray(data)) data.sort(by((row) => JSON.stringify(row)));
  else if (Array.isArray(data.result) && typeof data.result[0] === 'object' && !/topk|sort/.test(params))
    data.result.sort(by((row) => JSON.stringify((row as { metric: unknown }).metric)));
  return answer;
}

function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shape(value[0])];
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .sort()
        .map(([key, inner]) => [key, shape(inner)]),
    );
  return typeof value;
}

function compared(answer: Answer, one: ApiCase): unknown {
  if (one.compare === 'status') return answer.status;
  if (one.compare === 'shape' && answer.status === 200) return { ...answer, body: shape(answer.body) };
  return ordered(answer, one);
}

await describeWithServers(['prometheus'], 'the HTTP API beside Prometheus', () => {
  let prometheus: PrometheusServer;
  let skein: SkeinServer;

  beforeAll(async () => {
    prometheus = await startPrometheus('global: {}\n', [
      '--web.enable-remote-write-receiver',
      '--enable-feature=exemplar-storage',
    ]);
    skein = await startSkein();
    for (const body of apiData(BASE))
      for (const { url } of [prometheus, skein]) {
        const response = await fetch(`${url}/api/v1/write`, {
          method: 'POST',
          body: new Uint8Array(compressSync(body)),
          headers: {
            'content-type': 'application/x-protobuf',
            'content-encoding': 'snappy',
            'x-prometheus-remote-write-version': '0.1.0',
          },
        });
        expect([response.status, await response.text()]).toEqual([204, '']);
      }
    const whole: ApiCase = { path: '/api/v1/series?match[]={__name__!=""}' };
    await vi.waitFor(async () => {
      const [theirs, ours] = await Promise.all([ask(prometheus.url, whole), ask(skein.url, whole)]);
      expect(ordered(ours, whole).body).toEqual(ordered(theirs, whole).body);
    }, 10_000);
  });

  afterAll(async () => {
    await Promise.all([prometheus?.dispose(), skein?.dispose()]);
  });

  const byPath = Map.groupBy(apiCases(BASE), (one) =>
    one.path.split('?', 1)[0]!.replace(/label\/.*/, 'label/…'),
  );
  it.each([...byPath])('answers %s alike', async (_path, cases) => {
    const differences: unknown[] = [];
    for (const one of cases) {
      const [theirs, ours] = await Promise.all([ask(prometheus.url, one), ask(skein.url, one)]);
      const [expected, actual] = [compared(theirs, one), compared(ours, one)];
      if (!isDeepStrictEqual(expected, actual)) differences.push({ call: callText(one), expected, actual });
    }
    if (process.env['API_DIFFERENCES'] !== undefined)
      appendFileSync(
        process.env['API_DIFFERENCES'],
        differences.map((one) => `${JSON.stringify(one)}\n`).join(''),
      );
    expect(differences).toEqual([]);
  });
});

function callText({ method = 'GET', path, params = [], headers = {} }: ApiCase): string {
  const texts =
    typeof params === 'string' ? params : params.map(([name, value]) => `${name}=${value}`).join(' & ');
  return [method, path, texts, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join(
    ' ',
  );
}
