// Bad input against a real embedded process: every request gets a clear answer of the right code within bounded memory, the
// process answers afterwards, and nothing that was acknowledged is lost. Each bound is the resident memory the process may reach.

import { connect, type Socket } from 'node:net';
import { compressSync } from 'snappy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWriteRequest } from '../../src/codec/proto/remote-write.ts';
import { type RawAnswer, rawRequest } from '../helpers/raw-http.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { bodyV1, bodyV2, series, V1, V2, writeHeaders } from './write-cases.ts';

const MIB = 1024 * 1024;
const NOW = Math.floor(Date.now() / 1000) * 1000 - 10 * 60_000;
const STEPS = 40;

let skein: SkeinServer;
/** Samples of `kept` that were acknowledged: time → value. */
const acknowledged = new Map<number, number>();

beforeAll(async () => {
  skein = await startSkein(['--limits.http_connections_max', '50', '--limits.http_read_timeout', '2s']);
  for (let i = 0; i < 20; i++) {
    const all = Array.from({ length: 500 }, (_, s) =>
      series(
        [
          ['__name__', `metric_${s % 10}`],
          ['i', `${i}`],
          ['s', `${s}`],
          ['text', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
        ],
        Array.from({ length: STEPS }, (_unused, at): [number, number] => [NOW + at * 15_000, at * s]),
      ),
    );
    expect((await write(bodyV1(...all))).status).toBe(204);
  }
});

afterAll(async () => {
  await skein?.dispose();
});

function write(body: Uint8Array, contentType = V1): Promise<RawAnswer> {
  return rawRequest(skein.url, {
    method: 'POST',
    path: '/api/v1/write',
    headers: writeHeaders(contentType),
    body,
  });
}

function query(
  path: string,
  params: Record<string, string> | readonly [string, string][],
): Promise<RawAnswer> {
  const body = new URLSearchParams(params as Record<string, string>).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return rawRequest(skein.url, { method: 'POST', path: `/api/v1/${path}`, headers, body });
}

/** Keeps one more sample, and expects all that were ever kept to be there. */
async function nothingIsLost(): Promise<void> {
  const timestamp = NOW + acknowledged.size * 1000;
  const value = Math.random();
  expect((await write(bodyV1(series([['__name__', 'kept']], [[timestamp, value]])))).status).toBe(204);
  acknowledged.set(timestamp, value);
  await expect
    .poll(
      async () => {
        const answer = await query('query', { query: 'kept[1d]', time: String(NOW / 1000 + 3600) });
        const { data } = JSON.parse(answer.body.toString()) as {
          data: { result: { values: [number, string][] }[] };
        };
        return data.result[0]?.values.map(([at, text]) => [Math.round(at * 1000), Number(text)]);
      },
      { timeout: 20_000, interval: 100 },
    )
    .toEqual([...acknowledged]);
}

/** Runs `work` and expects the most resident memory there ever was to stay below `mebibytes`. */
async function within(mebibytes: number, work: () => Promise<void>): Promise<void> {
  await work();
  const { peak, now } = skein.memory();
  if (process.env['SHOW_MEMORY'])
    console.log(
      expect.getState().currentTestName,
      'peak',
      Math.round(peak / MIB),
      'now',
      Math.round(now / MIB),
    );
  expect(peak / MIB).toBeLessThan(mebibytes);
}

const snappyOf = (claimed: number, rest: Uint8Array): Uint8Array => {
  const head: number[] = [];
  let left = claimed;
  for (; left >= 0x80; left = Math.floor(left / 128)) head.push((left % 128) | 0x80);
  return Buffer.concat([Buffer.from([...head, left]), rest]);
};

describe('bad writes', () => {
  const good = bodyV1(series([['__name__', 'm']], [[NOW, 1]]));
  const later = NOW + 60 * 60_000;
  it.each<[string, () => Uint8Array, string, number, RegExp]>([
    ['truncated snappy', () => good.subarray(0, good.length - 3), V1, 400, /snappy/],
    [
      'snappy that claims 4 GB',
      () => snappyOf(0xffffffff, Buffer.alloc(100)),
      V1,
      400,
      /decoded size 4294967295 bytes exceeds the limit of 33554432 bytes/,
    ],
    [
      'snappy that claims what its bytes cannot hold',
      () => snappyOf(30 * MIB, Buffer.alloc(100)),
      V1,
      400,
      /claimed/,
    ],
    ['a bomb of 31 MiB of zeros', () => compressSync(Buffer.alloc(31 * MIB)), V1, 400, /./],
    ['a length past the end', () => compressSync(Buffer.from('0aff7f', 'hex')), V1, 400, /./],
    ['a length of 2^63', () => compressSync(Buffer.from('0affffffffffffffffff01', 'hex')), V1, 400, /./],
    ['a varint that never ends', () => compressSync(Buffer.alloc(1000, 0xff)), V1, 400, /./],
    [
      'random bytes',
      () => compressSync(Buffer.from(Array.from({ length: 10_000 }, (_, i) => (i * 7919) % 251))),
      V1,
      400,
      /./,
    ],
    [
      'random bytes as 2.0',
      () => compressSync(Buffer.from(Array.from({ length: 10_000 }, (_, i) => (i * 7919) % 251))),
      V2,
      400,
      /./,
    ],
    [
      'refs past the symbols',
      () =>
        bodyV2(['__name__', 'm'], {
          labelsRefs: [1, 4_000_000_000],
          samples: [],
          histograms: [],
          exemplars: [],
        }),
      V2,
      400,
      /./,
    ],
    [
      'duplicate label names',
      () =>
        bodyV1(
          series(
            [
              ['__name__', 'm'],
              ['a', '1'],
              ['a', '2'],
            ],
            [[NOW, 1]],
          ),
        ),
      V1,
      400,
      /duplicated label a/,
    ],
    [
      'invalid UTF-8',
      () => compressSync(Buffer.from('0a1c0a0d0a085f5f6e616d655f5f1201ff120b09000000000000f03f1001', 'hex')),
      V1,
      400,
      /invalid metric name or labels/,
    ],
    [
      'a time too far ahead',
      () => bodyV1(series([['__name__', 'm']], [[later, 1]])),
      V1,
      400,
      /too far in the future/,
    ],
    [
      'a time before all times',
      () => bodyV1(series([['__name__', 'metric_1']], [[-(2 ** 53), 1]])),
      V1,
      400,
      /out of bounds|too old/,
    ],
    [
      'a label value of 10 MB',
      () =>
        bodyV1(
          series(
            [
              ['__name__', 'm'],
              ['a', 'x'.repeat(10_000_000)],
            ],
            [[NOW, 1]],
          ),
        ),
      V1,
      400,
      /labels of 10000028 bytes exceed the limit/,
    ],
    [
      'a label name of 10 MB',
      () =>
        bodyV1(
          series(
            [
              ['__name__', 'm'],
              ['x'.repeat(10_000_000), 'a'],
            ],
            [[NOW, 1]],
          ),
        ),
      V1,
      400,
      /labels of 10000028 bytes exceed the limit/,
    ],
    [
      'a label value of 66,000 bytes',
      () =>
        bodyV1(
          series(
            [
              ['__name__', 'm'],
              ['a', 'x'.repeat(66_000)],
            ],
            [[NOW, 1]],
          ),
        ),
      V1,
      400,
      /66\d\d\d bytes exceed/,
    ],
    [
      'a label name of 2,000 bytes',
      () =>
        bodyV1(
          series(
            [
              ['__name__', 'm'],
              ['x'.repeat(2000), 'a'],
            ],
            [[NOW, 1]],
          ),
        ),
      V1,
      400,
      /label name of 2000 bytes exceeds the limit of 1024/,
    ],
    [
      '200 labels',
      () =>
        bodyV1(
          series(
            [['__name__', 'm'], ...Array.from({ length: 200 }, (_, i): [string, string] => [`l${i}`, 'v'])],
            [[NOW, 1]],
          ),
        ),
      V1,
      400,
      /series has 201 labels, the limit is 128/,
    ],
    [
      '10,000 labels',
      () =>
        bodyV1(
          series(
            [
              ['__name__', 'm'],
              ...Array.from({ length: 10_000 }, (_, i): [string, string] => [`l${i}`, 'v']),
            ],
            [[NOW, 1]],
          ),
        ),
      V1,
      400,
      /labels of 118905 bytes exceed the limit/,
    ],
    [
      'a native histogram of no known schema',
      () =>
        bodyV1({ ...series([['__name__', 'm']], []), histograms: [{ timestamp: NOW, sum: 1, schema: 60 }] }),
      V1,
      400,
      /histogram has an invalid schema, .* got schema 60/,
    ],
  ])('are refused: %s', async (_what, body, contentType, status, text) => {
    await within(500, async () => {
      const answer = await write(body(), contentType);
      expect(answer.body.toString().slice(0, 2000)).toMatch(text);
      expect(answer.status).toBe(status);
      expect(answer.body.length).toBeLessThan(8192);
    });
    await nothingIsLost();
  });

  it('take unsorted labels and store NaN, infinities and -0 bit by bit', async () => {
    const odd = [Number.NaN, Infinity, -Infinity, -0, 5e-324];
    const samples = odd.map((value, i): [number, number] => [NOW + i, value]);
    const labels: [string, string][] = [
      ['z', '1'],
      ['__name__', 'odd'],
      ['a', 'b'],
    ];
    expect((await write(bodyV1(series(labels, samples)))).status).toBe(204);
    await nothingIsLost();
    const answer = await query('query', { query: 'odd[1h]', time: String(NOW / 1000 + 60) });
    const { data } = JSON.parse(answer.body.toString()) as {
      data: { result: { metric: unknown; values: [number, string][] }[] };
    };
    expect(data.result[0]!.metric).toEqual({ __name__: 'odd', a: 'b', z: '1' });
    expect(data.result[0]!.values.map(([, value]) => value)).toEqual(['NaN', '+Inf', '-Inf', '-0', '5e-324']);
  });

  it('refuse a request with a million series', async () => {
    const labels = (i: number): { name: string; value: string }[] => [{ name: '__name__', value: `m${i}` }];
    const timeseries = Array.from({ length: 1_000_000 }, (_, i) => ({
      ...series([], []),
      labels: labels(i),
    }));
    const body = compressSync(encodeWriteRequest({ timeseries, metadata: [] }));
    await within(900, async () => {
      const answer = await write(body);
      expect([answer.status, answer.body.toString()]).toEqual([413, expect.stringMatching(/500000/)]);
    });
    await nothingIsLost();
  }, 120_000);

  it('refuse a body above the limit', async () => {
    const answer = await write(Buffer.alloc(40 * MIB));
    expect([answer.status, answer.body.toString()]).toEqual([
      413,
      expect.stringContaining('receiver.body_bytes_max'),
    ]);
    await nothingIsLost();
  });

  it('end when they do not arrive in time', async () => {
    const began = performance.now();
    const { port } = new URL(skein.url);
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1');
      let received = '';
      socket.write('POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 200);
      socket.on('data', (chunk) => (received += chunk.toString()));
      socket.on('error', reject);
      socket.on('close', () => {
        clearInterval(drip);
        resolve(received);
      });
    });
    expect(text).toContain('408 Request Timeout');
    expect(performance.now() - began).toBeLessThan(8000);
    await nothingIsLost();
  });

  it('on too many connections are told so', async () => {
    const { port } = new URL(skein.url);
    const sockets: Socket[] = [];
    for (let i = 0; i < 50; i++) sockets.push(connect(Number(port), '127.0.0.1').on('error', () => {}));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const refused = await write(bodyV1(series([['__name__', 'm']], [[NOW, 1]])));
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
    for (const socket of sockets) socket.destroy();
    await expect
      .poll(async () => (await rawRequest(skein.url, { path: '/-/ready' })).status, { timeout: 5000 })
      .toBe(200);
    await nothingIsLost();
  });
});

/** A query over a range that keeps a process busy for a minute. */
function minuteOfWork(): Record<string, string> {
  const sums = Array.from({ length: 20 }, (_, i) => `sum(rate({__name__=~".+"}[5m] offset ${i}ms))`);
  const from = NOW / 1000;
  return { query: sums.join('+'), start: `${from}`, end: `${from + 1000}`, step: '0.1' };
}

describe('bad queries', () => {
  const start = String(NOW / 1000);
  const end = String(NOW / 1000 + 600);
  const year = 365 * 86_400;
  const deep = (count: number): string => `${'('.repeat(count)}metric_1${')'.repeat(count)}`;
  const nested = (open: string, count: number, close: string): string =>
    `${open.repeat(count)}metric_1${close.repeat(count)}`;
  const matchers = (count: number): string =>
    `{__name__="metric_1",${Array.from({ length: count }, (_, i) => `l${i}!="x${i}"`).join(',')}}`;
  const cases: [string, string, Record<string, string>, number, RegExp][] = [
    ['everything, raw', 'query', { query: '{__name__=~".+"}[1y]', time: end }, 200, /"matrix"/],
    [
      'everything over a range',
      'query_range',
      { query: '{__name__=~".+"}', start, end, step: '1' },
      200,
      /"matrix"/,
    ],
    [
      'everything, many times over',
      'query_range',
      {
        query: Array.from({ length: 50 }, (_, i) => `count({__name__=~".+"} offset ${i}ms)`).join('+'),
        start,
        end,
        step: '1',
      },
      200,
      /"matrix"/,
    ],
    [
      'a subquery of everything',
      'query_range',
      { query: 'max_over_time({__name__=~".+"}[1d:1ms])', start, end, step: '1', timeout: '4' },
      422,
      /would load too many samples/,
    ],
    [
      'more work than their time allows',
      'query_range',
      { ...minuteOfWork(), timeout: '2' },
      503,
      /query timed out in query execution/,
    ],
    [
      'a subquery of a constant',
      'query',
      { query: 'max_over_time(vector(1)[10y:1ms])', time: end },
      422,
      /./,
    ],
    [
      'step 1 ms over a year',
      'query_range',
      { query: 'metric_1', start: '0', end: String(year), step: '0.001' },
      400,
      /exceeded maximum resolution of 11,000 points/,
    ],
    [
      'step 1 ns',
      'query_range',
      { query: 'metric_1', start, end, step: '0.000000001' },
      400,
      /exceeded maximum resolution/,
    ],
    ['10,000 parentheses', 'query', { query: deep(10_000) }, 400, /nested|deep/i],
    ['10,000 open parentheses', 'query', { query: '('.repeat(10_000) }, 400, /./],
    ['10,000 minus signs', 'query', { query: `${'-'.repeat(10_000)}1` }, 400, /nested|deep/i],
    ['5,000 sums', 'query', { query: nested('sum(', 5000, ')') }, 400, /nested|deep/i],
    [
      '10,000 additions',
      'query',
      { query: Array.from({ length: 10_000 }, () => '1').join('+') },
      400,
      /nested|deep/i,
    ],
    ['a regex that explodes elsewhere', 'query', { query: `{text=~"(a+)+$"}`, time: end }, 200, /"vector"/],
    ['nested repetition', 'query', { query: '{text=~"((a{1,1000}){1,1000}){1,1000}"}' }, 400, /./],
    ['a regex of 100 KB', 'query', { query: `{text=~"${'(a|b)*'.repeat(16_000)}"}`, time: end }, 400, /./],
    [
      'a query of 5 MB',
      'query',
      { query: `metric_1{a="${'x'.repeat(5_000_000)}"}` },
      400,
      /query.text_bytes_max is 131072/,
    ],
    ['a form of 20 MB', 'query', { query: 'x'.repeat(20_000_000) }, 400, /POST too large/],
    [
      'a selector of 5 MB',
      'series',
      { 'match[]': `metric_1{a="${'x'.repeat(5_000_000)}"}` },
      400,
      /query.text_bytes_max/,
    ],
    ['5,000 matchers', 'query', { query: matchers(5000), time: end }, 200, /"vector"/],
    [
      '10,000 short matchers',
      'query',
      { query: `{__name__="metric_1",${'i!="x",'.repeat(10_000)}}`, time: end },
      200,
      /"vector"/,
    ],
    ['10,000 matchers', 'query', { query: matchers(10_000), time: end }, 400, /query.text_bytes_max/],
    ['a range of 300,000 years', 'query', { query: 'metric_1[300000y]', time: end }, 400, /./],
    [
      'a huge label_replace',
      'query',
      { query: 'label_replace(metric_1, "x", "$1$1$1$1$1$1$1$1", "text", "(.*)")', time: end },
      200,
      /"vector"/,
    ],
    [
      'a cross product',
      'query',
      { query: 'count(metric_1 * on() group_left metric_2)', time: end },
      422,
      /many-to-many/,
    ],
    [
      'count_values of all',
      'query',
      { query: 'count_values("v", {__name__=~".+"})', time: end },
      200,
      /"vector"/,
    ],
  ];
  it.each(cases)(
    'are answered: %s',
    async (_what, path, params, status, text) => {
      const began = performance.now();
      await within(1400, async () => {
        const answer = await query(path, params);
        expect(answer.body.toString('utf8', 0, 2000)).toMatch(text);
        expect(answer.status).toBe(status);
        if (status !== 200) expect(answer.body.length).toBeLessThan(8192);
      });
      expect(performance.now() - began).toBeLessThan(60_000);
      await nothingIsLost();
    },
    120_000,
  );

  it('share the memory there is when ten come at once', async () => {
    await within(2048, async () => {
      const all = { query: '{__name__=~".+"}', start, end, step: '1' };
      for (const answer of await Promise.all(Array.from({ length: 10 }, () => query('query_range', all))))
        expect([answer.status, answer.body.length > MIB]).toEqual([200, true]);
    });
    await nothingIsLost();
  }, 120_000);

  it('keep nobody waiting: a small query is answered while large ones run', async () => {
    const large = Array.from({ length: 10 }, () =>
      query('query_range', {
        query: 'sum({__name__=~".+"}) + sum(rate({__name__=~".+"}[5m]))',
        start,
        end,
        step: '1',
      }),
    );
    let ended = 0;
    for (const answer of large) void answer.then(() => ended++);
    expect((await query('query', { query: '1' })).status).toBe(200);
    expect(ended).toBeLessThan(large.length);
    for (const answer of await Promise.all(large)) expect(answer.status).toBe(200);
    await nothingIsLost();
  }, 120_000);
});

describe('a client that goes away', () => {
  it('ends its query everywhere', async () => {
    const client = new AbortController();
    const path = `/api/v1/query_range?${new URLSearchParams(minuteOfWork())}`;
    const request = { path, signal: client.signal };
    const answer = rawRequest(skein.url, request);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const busy = await skein.cpuShare(1000);
    client.abort();
    await expect(answer).rejects.toThrow();
    expect(busy).toBeGreaterThan(0.2);
    // Left alone it would compute for a minute.
    await expect.poll(() => skein.cpuShare(500), { timeout: 10_000 }).toBeLessThan(0.1);
    await nothingIsLost();
  });
});

describe('afterwards', () => {
  it('a second life of the process has everything', async () => {
    await skein.stop();
    await skein.start();
    await nothingIsLost();
  });
});
