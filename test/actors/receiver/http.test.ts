import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { receiverHandler } from '../../../src/actors/receiver/http.ts';
import type { ReceiverMessages, WriteReply, WriteRequest } from '../../../src/actors/receiver/messages.ts';
import type { ActorRef } from '../../../src/actors/runtime.ts';
import { DomainError, type ErrorCode } from '../../../src/model/errors.ts';
import { readConfig } from '../../../src/platform/config-reader.ts';
import { type RawAnswer, type RawRequest, rawRequest } from '../../helpers/raw-http.ts';

const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
const STORED: WriteReply = { status: 204, text: '', samples: 3, histograms: 4, exemplars: 2 };

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
});

interface Edge {
  readonly url: string;
  readonly writes: WriteRequest[];
  readonly statuses: number[];
  post(request?: Partial<RawRequest>): Promise<RawAnswer>;
}

async function openEdge(
  reply: (write: WriteRequest) => Promise<WriteReply> = async () => STORED,
  flags: Record<string, string> = {},
): Promise<Edge> {
  const writes: WriteRequest[] = [];
  const statuses: number[] = [];
  const ask = (_kind: string, write: WriteRequest): Promise<WriteReply> => {
    writes.push(write);
    return reply(write);
  };
  const handler = receiverHandler({
    actor: { ask } as unknown as ActorRef<ReceiverMessages>,
    config: readConfig({ flags }),
    onAnswer: (status) => statuses.push(status),
  });
  const listening = createServer((request, response) => {
    if (!handler(request, response)) response.writeHead(404).end();
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  const post = (request: Partial<RawRequest> = {}): Promise<RawAnswer> =>
    rawRequest(url, { method: 'POST', path: '/api/v1/write', body: 'body', ...request });
  return { url, writes, statuses, post };
}

const written = ({ headers }: RawAnswer): (string | undefined)[] =>
  ['samples', 'histograms', 'exemplars'].map((what) => headers[`x-prometheus-remote-write-${what}-written`]);

describe('the write edge', () => {
  it('hands body, tenant and protocol on, and answers 204 without a body', async () => {
    const edge = await openEdge();
    const answer = await edge.post({ headers: { 'thanos-tenant': 'a', 'x-scope-orgid': 'b' } });
    expect([answer.status, answer.body.toString(), written(answer)]).toEqual([
      204,
      '',
      [undefined, undefined, undefined],
    ]);
    await edge.post({ path: '/api/v1/receive?x=1', headers: { 'x-scope-orgid': 'b', 'content-type': V2 } });
    await edge.post();
    expect(
      edge.writes.map(({ tenant, protocol, body }) => [tenant, protocol, Buffer.from(body).toString()]),
    ).toEqual([
      ['a', 'v1', 'body'],
      ['b', 'v2', 'body'],
      ['default-tenant', 'v1', 'body'],
    ]);
    expect(edge.statuses).toEqual([204, 204, 204]);
  });

  it.each<[ErrorCode, number, string | undefined]>([
    ['bad_data', 400, undefined],
    ['too_large', 413, undefined],
    ['limited', 429, '5'],
    ['unavailable', 503, '5'],
    ['full', 503, '5'],
    ['timeout', 503, '5'],
    ['internal', 500, undefined],
  ])(
    'answers %s with %d, and remote write 2.0 with what was written: nothing',
    async (code, status, retryAfter) => {
      const edge = await openEdge(async () => {
        throw new DomainError(code, `because of ${code}`);
      });
      const answer = await edge.post({ headers: { 'content-type': V2 } });
      expect([answer.status, answer.body.toString(), answer.headers['retry-after'], written(answer)]).toEqual(
        [status, `because of ${code}\n`, retryAfter, ['0', '0', '0']],
      );
    },
  );

  it('says what of a partly bad request was written', async () => {
    const edge = await openEdge(async () => ({
      status: 400,
      text: 'too old sample',
      samples: 7,
      histograms: 3,
      exemplars: 1,
    }));
    const answer = await edge.post({ headers: { 'content-type': V2 } });
    expect([answer.status, answer.body.toString(), written(answer)]).toEqual([
      400,
      'too old sample\n',
      ['7', '3', '1'],
    ]);
  });

  it.each([
    [
      'application/json',
      'snappy',
      'expected application/x-protobuf as the first (media) part, got application/json content-type',
    ],
    [
      'application/x-protobuf',
      'gzip',
      'gzip encoding (compression) is not accepted by this server; only snappy is acceptable',
    ],
    ['application/x-protobuf;proto=x', 'snappy', 'unknown type for remote write protobuf message x'],
    ['application/x-protobuf;proto', 'snappy', 'expected parameters to be key-values, got proto'],
  ])('answers 415 to %s with %s and asks nobody', async (type, encoding, text) => {
    const edge = await openEdge();
    const answer = await edge.post({ headers: { 'content-type': type, 'content-encoding': encoding } });
    expect(answer.status).toBe(415);
    expect(answer.body.toString()).toContain(text);
    expect(edge.writes).toEqual([]);
  });

  it('answers 413 to a body above the limit, announced or not, before it has all of it', async () => {
    const edge = await openEdge(undefined, { 'receiver.body_bytes_max': '64KiB' });
    const body = Buffer.alloc(20_000_000);
    const announced = await edge.post({ body });
    const chunked = await edge.post({ body, headers: { 'transfer-encoding': 'chunked' } });
    expect([announced.status, chunked.status, edge.writes.length]).toEqual([413, 413, 0]);
    expect(announced.body.toString()).toContain('receiver.body_bytes_max of 65536 bytes');
    expect((await edge.post()).status).toBe(204);
  });

  it('answers 503 while bodies take too much memory, and takes them again afterwards', async () => {
    const release: (() => void)[] = [];
    const wait = (): Promise<WriteReply> => new Promise((resolve) => release.push(() => resolve(STORED)));
    const edge = await openEdge(wait, { 'receiver.bodies_bytes_max': '1MiB' });
    const first = edge.post({ body: Buffer.alloc(900_000) });
    await expect.poll(() => release.length).toBe(1);
    const second = await edge.post({ body: Buffer.alloc(200_000) });
    expect([second.status, second.headers['retry-after']]).toEqual([503, '5']);
    release[0]!();
    expect((await first).status).toBe(204);
    const third = edge.post({ body: Buffer.alloc(900_000) });
    await expect.poll(() => release.length).toBe(2);
    release[1]!();
    expect((await third).status).toBe(204);
  });

  it('gives the memory of a sender back that goes away in the middle of its body', async () => {
    const edge = await openEdge(undefined, { 'receiver.bodies_bytes_max': '1MiB' });
    for (let i = 0; i < 3; i++) {
      const socket = connect(Number(new URL(edge.url).port), '127.0.0.1');
      socket.write('POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n');
      socket.write(Buffer.alloc(900_000));
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.destroy();
      await expect.poll(() => edge.statuses.length).toBe(i + 1);
    }
    expect((await edge.post({ body: Buffer.alloc(900_000) })).status).toBe(204);
  });

  it('takes nothing but POST, and leaves other paths to others', async () => {
    const edge = await openEdge();
    const get = await edge.post({ method: 'GET', body: '' });
    const options = await edge.post({ method: 'OPTIONS', body: '' });
    const other = await edge.post({ path: '/api/v1/writes' });
    expect([get.status, get.headers['allow'], get.body.toString()]).toEqual([
      405,
      'OPTIONS, POST',
      'Method Not Allowed\n',
    ]);
    expect([options.status, other.status, edge.writes.length]).toEqual([204, 404, 0]);
  });

  it.each(['../x', 'a/b', 'a b', '.', 'x'.repeat(151)])('refuses the tenant %s', async (tenant) => {
    const edge = await openEdge();
    const answer = await edge.post({ headers: { 'thanos-tenant': tenant } });
    expect(answer.status).toBe(400);
    expect(answer.body.toString()).toContain('is not allowed');
  });
});
