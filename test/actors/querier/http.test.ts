import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { querierRoutes } from '../../../src/actors/querier/http.ts';
import type {
  Asked,
  QuerierMessages,
  QueryAnswer,
  QueryRequest,
} from '../../../src/actors/querier/messages.ts';
import type { ActorRef } from '../../../src/actors/runtime.ts';
import { DomainError, type ErrorCode } from '../../../src/model/errors.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { readConfig } from '../../../src/platform/config-reader.ts';
import { MemoryPool } from '../../../src/platform/memory.ts';
import { realTurns } from '../../../src/platform/turns.ts';
import { type RawAnswer, type RawRequest, rawRequest } from '../../helpers/raw-http.ts';
import { ordered } from '../../query/ordered-series.ts';

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
});

type Ask = (kind: keyof QuerierMessages, message: Asked) => Promise<unknown>;
type Get = (path: string, request?: Partial<RawRequest>) => Promise<RawAnswer>;

async function open(ask: Ask, flags: Record<string, string> = {}, memory?: MemoryPool): Promise<Get> {
  const edge = {
    actor: { ask } as unknown as ActorRef<QuerierMessages>,
    config: readConfig({ flags }),
    clock: realClock(),
    ...(memory === undefined ? {} : { memory }),
    turns: realTurns(),
    processId: 'p1',
    version: '1.2.3',
    startedMs: 0,
    flags: { '--a': 'b' },
    hostname: 'host',
    folder: '/folder',
  };
  const app = new Hono();
  app.route('/api/v1', querierRoutes(edge));
  const listening = createServer(getRequestListener(app.fetch));
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  return (path, request = {}) => rawRequest(url, { path: `/api/v1${path}`, ...request });
}

/** Asks and reads nothing of the answer. */
async function unread(path: string, encoding: string): Promise<Socket> {
  const socket = connect((server!.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write(`GET /api/v1${path} HTTP/1.1\r\nhost: x\r\naccept-encoding: ${encoding}\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return socket;
}

const json = ({ body }: RawAnswer): unknown => JSON.parse(body.toString());

function matrix(series: number, steps: number, more: Partial<QueryAnswer> = {}): QueryAnswer {
  const labels = Array.from({ length: series }, (_, i) => ['__name__', 'm', 'i', `${i}`]);
  const values = Float64Array.from({ length: series * steps }, (_, i) => i / 7);
  const batch = { labels, steps, values, present: new Uint8Array(values.length).fill(1) };
  const range = { start: 0, end: (steps - 1) * 1000, step: 1000 };
  const statistics = { samplesRead: 5, samplesQueryable: 8, samplesPeak: 3, seriesSeen: 1, bytesPeak: 9 };
  const result = {
    value: { type: 'matrix' as const, range, series: ordered(batch) },
    annotations: [],
    statistics,
  };
  return { result, partial: false, queuedMs: 1, evaluatedMs: 2, ...more };
}

const RANGE = '/query_range?query=m&start=0&end=1000&step=1';

describe('the query edge', () => {
  it('hands on the coarsest resolution that is wanted', async () => {
    const asked: (number | undefined)[] = [];
    const get = await open(async (_kind, message) => {
      asked.push((message as QueryRequest).maxResolutionMs);
      return matrix(1, 1);
    });
    const range = '/query_range?query=m&start=0&end=1000&step=3000';
    for (const text of ['', '0s', '5m', '3600', '1h', 'auto']) {
      await get(`${range}&max_source_resolution=${text}`);
      await get(`/query?query=m&max_source_resolution=${text}`);
    }
    const of = [undefined, undefined, 300_000, 3_600_000, 3_600_000];
    expect(asked).toEqual([...of.flatMap((ms) => [ms, ms]), 600_000, undefined]);
    const refused = json(await get(`${range}&max_source_resolution=-1`));
    expect(refused).toMatchObject({
      errorType: 'bad_data',
      error: "negative 'max_source_resolution' is not accepted. Try a positive integer",
    });
    expect(json(await get('/query?query=m&max_source_resolution=x'))).toMatchObject({
      error: `'max_source_resolution' parameter: cannot parse "x" to a valid duration`,
    });
  });

  it('cancels a query whose client goes away', async () => {
    const aborted = Promise.withResolvers<number>();
    const asked = Promise.withResolvers<void>();
    const get = await open(
      (_kind, { signal }) =>
        new Promise((_resolve, reject) => {
          asked.resolve();
          signal.addEventListener('abort', () => {
            aborted.resolve(performance.now());
            reject(new DomainError('canceled', 'gone'));
          });
        }),
    );
    const client = new AbortController();
    const answer = get('/query?query=m', { signal: client.signal });
    await asked.promise;
    const began = performance.now();
    client.abort();
    await expect(answer).rejects.toThrow();
    expect((await aborted.promise) - began).toBeLessThan(1000);
  });

  it('asks for strong consistency when X-Read-Consistency says so, and refuses what it does not know', async () => {
    const heard: (boolean | undefined)[] = [];
    const get = await open(async (_kind, { strong }) => {
      heard.push(strong);
      return { rows: [], warnings: [], partial: false };
    });
    for (const consistency of ['strong', 'bounded'])
      expect((await get('/labels', { headers: { 'x-read-consistency': consistency } })).status).toBe(200);
    expect((await get('/labels')).status).toBe(200);
    expect(heard).toEqual([true, undefined, undefined]);
    const refused = await get('/labels', { headers: { 'x-read-consistency': 'linearizable' } });
    expect([refused.status, json(refused)]).toMatchObject([
      400,
      { error: 'X-Read-Consistency is "linearizable": allowed are strong and bounded' },
    ]);
  });

  it.each<[ErrorCode, number, string]>([
    ['bad_data', 400, 'bad_data'],
    ['execution', 422, 'execution'],
    ['limited', 429, 'too_many_requests'],
    ['timeout', 503, 'timeout'],
    ['canceled', 499, 'canceled'],
    ['unavailable', 503, 'unavailable'],
    ['full', 503, 'unavailable'],
    ['internal', 500, 'internal'],
  ])('answers %s with %d and the error type %s', async (code, status, errorType) => {
    const get = await open(async () => {
      throw new DomainError(code, 'why');
    });
    const answer = await get('/labels');
    expect([answer.status, json(answer)]).toEqual([status, { status: 'error', errorType, error: 'why' }]);
    expect(answer.headers['retry-after']).toBe(
      ['unavailable', 'full', 'limited'].includes(code) ? '5' : undefined,
    );
  });

  it('hands tenant, partial mode, time limit and lookback on', async () => {
    let seen: Partial<QueryRequest> = {};
    const get = await open(async (_kind, message) => {
      seen = message as QueryRequest;
      return matrix(0, 1);
    });
    await get(`${RANGE}&timeout=3&lookback_delta=1m&partial_response=false`, {
      headers: { 'x-scope-orgid': 'team' },
    });
    expect(seen).toMatchObject({
      tenant: 'team',
      partialResponse: false,
      timeoutMs: 3000,
      lookbackMs: 60_000,
      stepMs: 1000,
    });
    await get(RANGE);
    expect(seen).toMatchObject({ tenant: 'default-tenant' });
    expect('partialResponse' in seen || 'timeoutMs' in seen || 'lookbackMs' in seen).toBe(false);
  });

  it('marks an answer that lacks a partition, and keeps it out of caches', async () => {
    const get = await open(async () => matrix(1, 2, { partial: true }));
    const { headers } = await get(RANGE);
    expect([headers['x-skein-partial'], headers['cache-control']]).toEqual(['true', 'no-store']);
    const whole = await (await open(async () => matrix(1, 2)))(RANGE);
    expect([whole.headers['x-skein-partial'], whole.headers['cache-control']]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('shows statistics when asked', async () => {
    const get = await open(async () => matrix(1, 2));
    expect(json(await get(`${RANGE}&stats=all`))).toMatchObject({
      data: {
        stats: {
          timings: { evalTotalTime: 0.002, execQueueTime: 0.001, execTotalTime: 0.003 },
          samples: { totalQueryableSamples: 8, samplesRead: 5, peakSamples: 3 },
        },
      },
    });
    expect(json(await get(`${RANGE}&stats=1`))).toHaveProperty('warnings');
  });

  it('shows plans, and what operators did when asked to analyze', async () => {
    const tree = { name: 'remote', timeMs: 1.23456, series: 2, bytes: 7, children: [] };
    const asked: Partial<QueryRequest>[] = [];
    const get = await open(async (kind, { signal, ...message }) => {
      asked.push(message);
      if (kind === 'explain') return { name: 'negate', children: [{ name: 'remote', children: [] }] };
      const { analyze } = message as QueryRequest;
      const answer = matrix(1, 1);
      return analyze ? { ...answer, result: { ...answer.result, analysis: tree } } : answer;
    });
    const plan = { status: 'success', data: { name: 'negate', children: [{ name: 'remote' }] } };
    expect(json(await get('/query_explain?query=m&time=5'))).toEqual(plan);
    expect(json(await get(RANGE.replace('query_range', 'query_range_explain')))).toEqual(plan);
    expect(asked).toMatchObject([
      { query: 'm', startMs: 5000, endMs: 5000, stepMs: 0 },
      { query: 'm', startMs: 0, endMs: 1_000_000, stepMs: 1000 },
    ]);
    expect(json(await get('/query_explain?query=m&time=x'))).toMatchObject({ errorType: 'bad_data' });
    const analysis = { name: 'remote', executionTime: '1.235ms', series: 2, bytes: 7 };
    for (const more of ['&analyze=true', '&analyze=1&stats=all'])
      expect(json(await get(RANGE + more))).toMatchObject({ data: { resultType: 'matrix', analysis } });
    expect(json(await get(RANGE))).not.toHaveProperty('data.analysis');
  });

  it('sends a large answer in pieces, packed and unpacked, and goes on when the client leaves in the middle', async () => {
    const get = await open(async () => matrix(1000, 300));
    const plain = await get(RANGE);
    expect(plain.headers['content-length']).toBeUndefined();
    expect((json(plain) as { data: { result: unknown[] } }).data.result).toHaveLength(1000);
    const packed = await get(RANGE, { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    for (const encoding of ['identity', 'gzip']) {
      const client = new AbortController();
      const half = get(RANGE, { signal: client.signal, headers: { 'accept-encoding': encoding } });
      setTimeout(() => client.abort(), 5);
      await half.catch(() => {});
    }
    expect((await get(RANGE)).body.equals(plain.body)).toBe(true);
  });

  it('counts results as memory of queries until they are read, and leaves readers that take too long', async () => {
    const flags = { 'limits.http_write_timeout': '1s' };
    for (const encoding of ['identity', 'gzip']) {
      const ask: Ask = async (_kind, asked) =>
        (asked as QueryRequest).query === '1' ? matrix(1, 1) : matrix(1000, 2000);
      const memory = new MemoryPool('query.process_memory_bytes_max', 1e6);
      const get = await open(ask, flags, memory);
      const slow = await unread(RANGE, encoding);
      await expect.poll(() => memory.held).toBeGreaterThan(1000 * 2000 * 9);
      expect((await get('/query?query=1')).status).toBe(200);
      const ended = new Promise((resolve) => slow.once('close', resolve));
      await new Promise((resolve) => setTimeout(resolve, 1200));
      slow.resume();
      await ended;
      expect(memory.held).toBe(0);
      expect((await get('/query?query=1')).status).toBe(200);
      server?.closeAllConnections();
      server?.close();
    }
  });

  it('parses by the features that are switched on, and lists them', async () => {
    const plain = await open(async () => undefined);
    const query = encodeURIComponent('sort_by_label(x, "a") + fill (0) y');
    expect(json(await plain(`/format_query?query=${query}`))).toMatchObject({ errorType: 'bad_data' });
    expect(json(await plain('/features'))).toMatchObject({
      data: {
        promql: { fill: false, delayed_name_removal: false, at_modifier: true },
        promql_functions: { sort_by_label: false, rate: true },
        promql_operators: { limitk: false, topk: true },
      },
    });
    server?.close();
    const enabled = 'promql-experimental-functions,promql-binop-fill-modifiers,promql-delayed-name-removal';
    const featured = await open(async () => undefined, { 'query.enable_feature': enabled });
    expect(json(await featured(`/format_query?query=${query}`))).toMatchObject({ status: 'success' });
    expect(json(await featured('/features'))).toMatchObject({
      data: {
        promql: { fill: true, delayed_name_removal: true, anchored: false },
        promql_functions: { sort_by_label: true },
        promql_operators: { limitk: true },
      },
    });
  });

  it('lists active queries and kills one, for its tenant when the request names one, and says who did', async () => {
    const query = { id: 'p1-x-1', process: 'p1', tenant: 'a', query: 'm', kind: 'query_range' as const };
    const times = { start: 1000, end: 9_007_199_254_740_991, step: 500, since: 2500, ageMs: 1500 };
    const facts = { ...query, ...times, state: 'running', samples: 3, memoryBytes: 4 };
    const heard: unknown[] = [];
    const get = await open(async (kind, { signal, ...message }) => {
      heard.push({ kind, ...message });
      if (kind === 'kill' && heard.length > 3) throw new DomainError('not_found', 'no such query');
      return kind === 'kill' ? facts : { rows: [facts], warnings: ['p2 is missing'], partial: true };
    });
    const shown = {
      ...query,
      state: 'running',
      samples: 3,
      memoryBytes: 4,
      start: '1970-01-01T00:00:01.000Z',
      end: '9007199254740991 ms',
      step: 0.5,
      since: '1970-01-01T00:00:02.500Z',
      age: 1.5,
    };
    expect(json(await get('/status/active_queries'))).toEqual({
      status: 'success',
      data: { process: 'p1', queries: [shown] },
      warnings: ['p2 is missing'],
    });
    const headers = { 'x-scope-orgid': 'a' };
    const kill = { path: '/api/v1/status/active_queries/p1-x-1', method: 'DELETE' };
    expect(json(await get('', { ...kill, headers }))).toEqual({ status: 'success', data: shown });
    await get('', kill);
    const by = 'with DELETE /api/v1/status/active_queries/p1-x-1';
    expect(heard).toEqual([
      { kind: 'active' },
      { kind: 'kill', id: 'p1-x-1', tenant: 'a', by: `127.0.0.1 for tenant a ${by}` },
      { kind: 'kill', id: 'p1-x-1', by: `127.0.0.1 ${by}` },
    ]);
    const unknown = await get('', kill);
    expect([unknown.status, json(unknown)]).toMatchObject([404, { errorType: 'not_found' }]);
    expect((await get('', { ...kill, method: 'GET' })).status).toBe(405);
  });

  it('tells what was refused of the tenant after it had been acknowledged', async () => {
    const lastError = 'cannot append 6 at 1970-01-01T00:00:00.000Z to m: it has 5 at that time already';
    const row = { reason: 'duplicate_timestamp', samples: 3, partition: 1, lastError };
    const get = await open(async (kind, { tenant }) => {
      expect([kind, tenant]).toEqual(['refusals', 'team-a']);
      return { rows: [{ ...row, lastTime: 1500 }], warnings: [], partial: false };
    });
    const answer = await get('/status/refusals', { headers: { 'x-scope-orgid': 'team-a' } });
    expect(json(answer)).toEqual({
      status: 'success',
      data: { tenant: 'team-a', refusals: [{ ...row, lastTime: '1970-01-01T00:00:01.500Z' }] },
    });
  });

  it('tells Grafana which Prometheus it speaks like, and people which Skein it is', async () => {
    const get = await open(async () => undefined);
    expect(json(await get('/status/buildinfo'))).toMatchObject({
      data: { version: '3.14.0', revision: 'skein-1.2.3' },
    });
  });

  it('writes series and metadata whose names JavaScript objects treat specially', async () => {
    const get = await open(async (kind) =>
      kind === 'metadata'
        ? {
            rows: [{ metric: '__proto__', metadata: { type: 'gauge', help: 'h', unit: '' } }],
            warnings: [],
            partial: false,
          }
        : { rows: [['__name__', 'm', '__proto__', 'x', '10', 'y', '9', 'z']], warnings: [], partial: false },
    );
    expect((await get('/series?match[]=m')).body.toString()).toBe(
      '{"status":"success","data":[{"__name__":"m","__proto__":"x","10":"y","9":"z"}]}',
    );
    expect((await get('/metadata')).body.toString()).toBe(
      '{"status":"success","data":{"__proto__":[{"type":"gauge","help":"h","unit":""}]}}',
    );
  });

  it('takes forms up to 10 MiB, announced or not', async () => {
    const get = await open(async () => matrix(0, 1));
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const small = 'query=m&start=0&end=1&step=1';
    for (const more of [{}, { 'transfer-encoding': 'chunked' }]) {
      const post = { method: 'POST', headers: { ...headers, ...more } };
      expect((await get('/query_range', { ...post, body: small })).status).toBe(200);
      const large = await get('/query_range', {
        ...post,
        body: `${small}&x=${'x'.repeat(11 * 1024 * 1024)}`,
      });
      expect([large.status, (json(large) as { error: string }).error]).toEqual([
        400,
        expect.stringContaining('POST too large'),
      ]);
    }
  });
});
