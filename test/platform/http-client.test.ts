import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { asDomainError } from '../../src/model/errors.ts';
import { realClock } from '../../src/platform/clock.ts';
import { type HttpRequest, realHttpClient } from '../../src/platform/http-client.ts';

const client = realHttpClient(realClock());
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/path?a=b`;
}

const get = (url: string, change: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url,
  headers: {},
  timeoutMs: 5000,
  bytesMax: 1000,
  signal: new AbortController().signal,
  ...change,
});

const codeOf = (request: HttpRequest): Promise<string> =>
  client.send(request).then(
    ({ status }) => `answered ${status}`,
    (error) => asDomainError(error).code,
  );

describe('HTTP client', () => {
  it('sends method, headers and body, and gives status, headers and body of the answer', async () => {
    const url = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        response.writeHead(503, { 'Retry-After': '7' });
        response.end(`${request.method} ${request.url} ${request.headers['x-a']} ${Buffer.concat(chunks)}`);
      });
    });
    const answer = await client.send(
      get(url, { method: 'POST', headers: { 'x-a': '1' }, body: Buffer.from('hello') }),
    );
    expect([answer.status, answer.header('retry-after'), answer.header('x-none')]).toEqual([
      503,
      '7',
      undefined,
    ]);
    expect(Buffer.from(answer.body).toString()).toBe('POST /path?a=b 1 hello');
  });

  it('does not follow redirects', async () => {
    const url = await serve((_request, response) => response.writeHead(302, { location: '/else' }).end());
    expect(await codeOf(get(url))).toBe('answered 302');
  });

  it('tells a slow answer, a long one, a broken one, none at all and one nobody wants apart', async () => {
    const hanging = await serve((_request, response) => void response.write('a'));
    expect(await codeOf(get(hanging, { timeoutMs: 50 }))).toBe('timeout');
    const long = await serve((_request, response) => response.end('x'.repeat(1001)));
    expect(await codeOf(get(long))).toBe('too_large');
    expect(await codeOf(get(long, { bytesMax: 1001 }))).toBe('answered 200');
    const broken = await serve((_request, response) => {
      response.write('a');
      setImmediate(() => response.destroy());
    });
    expect(await codeOf(get(broken))).toBe('unavailable');
    expect(await codeOf(get('http://127.0.0.1:1/'))).toBe('unavailable');
    const leaving = new AbortController();
    const unwanted = codeOf(get(hanging, { signal: leaving.signal }));
    leaving.abort();
    expect(await unwanted).toBe('canceled');
  });
});
