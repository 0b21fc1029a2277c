import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpApp, openHttpApp } from '../../src/actors/http-app.ts';
import { type ProcessEdge, processRoutes } from '../../src/actors/http-process.ts';
import type { HttpLimits } from '../../src/actors/http-server.ts';
import { realClock } from '../../src/platform/clock.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { type RawAnswer, rawRequest } from '../helpers/raw-http.ts';

const opened: HttpApp[] = [];
afterEach(async () => {
  for (const app of opened.splice(0)) await app.server.stop(0);
});

interface Opened {
  readonly app: HttpApp;
  readonly get: (path: string, method?: string) => Promise<RawAnswer>;
  readonly connect: () => Socket;
}

async function open(limits: Partial<HttpLimits> = {}): Promise<Opened> {
  const app = await openHttpApp(
    '127.0.0.1:0',
    { connectionsMax: 100, readTimeoutMs: 60_000, ...limits },
    realClock(),
  );
  opened.push(app);
  const url = `http://${app.server.address}`;
  return {
    app,
    get: (path, method = 'GET') => rawRequest(url, { path, method }),
    connect: () => connect(Number(new URL(url).port), '127.0.0.1'),
  };
}

function edge(more: Partial<ProcessEdge> = {}): ProcessEdge {
  return {
    metrics: createMetrics({ withProcess: false }),
    version: '1.2.3',
    unready: () => undefined,
    status: async (url) => ({
      version: '1',
      cluster: 'c',
      url,
      nowMs: 0,
      standbys: 0,
      logBytesMax: 1,
      processes: [],
      partitions: [],
      actors: [],
    }),
    targets: async () => [{ targets: ['a:1'], labels: {} }],
    ...more,
  };
}

const text = ({ status, body }: RawAnswer): [number, string] => [status, body.toString()];

describe('the HTTP address of a process', () => {
  it('answers 503 until there are routes, then 404 to what nobody takes', async () => {
    const { app, get } = await open();
    const early = await get('/-/ready');
    expect([...text(early), early.headers['retry-after']]).toEqual([
      503,
      'Service Unavailable: Skein is starting\n',
      '1',
    ]);
    app.mount([{ path: '/', app: new Hono().get('/here', (http) => http.text('yes')) as Hono }]);
    expect(text(await get('/here'))).toEqual([200, 'yes']);
    expect(text(await get('/there'))).toEqual([404, '404 page not found\n']);
  });

  it('lets the raw handler go first', async () => {
    const { app, get } = await open();
    app.mount([], (request, response) => {
      if (request.url !== '/raw') return false;
      response.end('raw');
      return true;
    });
    expect(text(await get('/raw'))).toEqual([200, 'raw']);
    expect((await get('/other')).status).toBe(404);
  });

  it('refuses with words a connection beyond the limit, and takes one again when another ends', async () => {
    const { app, get, connect: open1 } = await open({ connectionsMax: 2 });
    app.mount([{ path: '/', app: processRoutes(edge()) }]);
    const sockets = [open1(), open1()];
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const refused = await get('/-/ready');
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
    expect(refused.body.toString()).toContain('limits.http_connections_max');
    sockets[0]!.destroy();
    await expect.poll(async () => (await get('/-/ready')).status).toBe(200);
    sockets[1]!.destroy();
  });

  it('ends requests that do not arrive in time', async () => {
    const { connect: open1 } = await open({ readTimeoutMs: 200 });
    const socket = open1();
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.write('GET / HTTP/1.1\r\nhost:');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).toContain('408 Request Timeout');
  });

  it('takes long addresses, but not endless ones', async () => {
    const { app, get } = await open();
    app.mount([{ path: '/', app: processRoutes(edge()) }]);
    expect((await get(`/-/healthy?x=${'x'.repeat(200_000)}`)).status).toBe(200);
    // Node closes on what it has not read, which may take its answer from the client.
    const endless = get(`/-/healthy?x=${'x'.repeat(300_000)}`).then(
      ({ status }) => status,
      () => 'closed',
    );
    expect([431, 'closed']).toContain(await endless);
  });

  it('lets a request under way end before it stops', async () => {
    const { app, get } = await open();
    const release = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const slow = new Hono().get('/slow', async (http) => {
      asked.resolve();
      await release.promise;
      return http.text('done');
    });
    app.mount([{ path: '/', app: slow as Hono }]);
    const answer = get('/slow');
    await asked.promise;
    const stopped = app.server.stop(10_000);
    release.resolve();
    expect(text(await answer)).toEqual([200, 'done']);
    await stopped;
    await expect(get('/slow')).rejects.toThrow('ECONNREFUSED');
  });

  it('says what uses the port', async () => {
    const { app } = await open();
    await expect(
      openHttpApp(app.server.address, { connectionsMax: 1, readTimeoutMs: 1000 }, realClock()),
    ).rejects.toThrow('another process uses that port; stop it or choose another with --listen HOST:PORT');
  });
});

describe('what every process answers', () => {
  it('tells health, readiness, version, metrics and targets', async () => {
    let missing: string | undefined = 'shard-0 is replaying';
    const { app, get } = await open();
    app.mount([{ path: '/', app: processRoutes(edge({ unready: () => missing })) }]);
    expect(text(await get('/-/healthy'))).toEqual([200, 'Skein is Healthy.\n']);
    expect(text(await get('/-/ready'))).toEqual([503, 'Service Unavailable: shard-0 is replaying\n']);
    missing = undefined;
    expect(text(await get('/-/ready'))).toEqual([200, 'Skein is Ready.\n']);
    expect(text(await get('/-/ready', 'HEAD'))).toEqual([200, '']);
    expect(JSON.parse((await get('/version')).body.toString())).toMatchObject({ version: '1.2.3' });
    expect((await get('/metrics')).headers['content-type']).toContain('text/plain');
    expect(text(await get('/-/targets'))).toEqual([200, '[{"targets":["a:1"],"labels":{}}]']);
    expect((await get('/')).body.toString()).toContain('<h1>Skein</h1>');
    const refused = await get('/-/ready', 'DELETE');
    expect([...text(refused), refused.headers['allow']]).toEqual([
      405,
      'Method Not Allowed\n',
      'GET, HEAD, OPTIONS',
    ]);
  });

  it('says why the status page cannot be shown', async () => {
    const { app, get } = await open();
    const status = async (): Promise<never> => {
      throw new Error('no directory');
    };
    app.mount([{ path: '/', app: processRoutes(edge({ status })) }]);
    expect(text(await get('/'))).toEqual([503, 'cannot show the status: no directory\n']);
  });
});
