// The calls that are made to Skein and to a real Prometheus alike, and the data both have: odd values, odd names, exemplars.

import { encodeWriteRequest, type WriteRequestMessage } from '../../src/codec/proto/remote-write.ts';

/** A call to both servers. */
export interface ApiCase {
  readonly path: string;
  /** Query string, or the form when the method is POST. */
  readonly params?: string | readonly (readonly [string, string])[];
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What of the answer is compared; `all` by default. `shape` compares the names of fields, `status` the status alone. */
  readonly compare?: 'all' | 'shape' | 'status';
}

type Params = readonly (readonly [string, string])[];

const STALE = (() => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, 0x7ff0000000000002n);
  return view.getFloat64(0);
})();
const VALUES = [1, 2.5, Number.NaN, Infinity, -Infinity, 0, -0, 1e21, 1e-7, 123456789.123, STALE, 5e-324];

/** What both servers are told, in two requests; samples every 15 s for ten minutes from `base` (ms). */
export function apiData(base: number): Uint8Array[] {
  const timeseries: WriteRequestMessage['timeseries'][number][] = [];
  const series = (
    labels: Record<string, string>,
    value: (i: number) => number,
    exemplars: WriteRequestMessage['timeseries'][number]['exemplars'] = [],
  ): void => {
    timeseries.push({
      labels: Object.entries(labels)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, text]) => ({ name, value: text })),
      samples: Array.from({ length: 40 }, (_, i) => ({ value: value(i), timestamp: base + i * 15_000 })),
      exemplars,
      histograms: [],
    });
  };
  for (let i = 0; i < 12; i++) {
    series({ __name__: 'odd', n: String(i) }, (step) => VALUES[(i + step) % VALUES.length]!);
    series(
      { __name__: 'http_requests_total', code: i % 2 ? '500' : '200', pod: `p${i}` },
      (step) => step * i,
    );
  }
  series({ __name__: 'up', job: 'a', instance: 'x:1' }, () => 1);
  series({ __name__: 'up', job: 'b', instance: 'y:1' }, () => 0);
  series({ __name__: 'dotted.name', 'a.label': 'v1', 'b label': 'é"\\\n' }, (step) => step);
  series({ __name__: 'größe', 'k-ey': '<&>\u2028😀' }, (step) => -step);
  for (const [at, bound] of ['0.1', '1', '+Inf'].entries())
    series({ __name__: 'request_seconds_bucket', le: bound }, (step) => step * (at + 1), [
      { labels: [{ name: 'trace_id', value: `t${at}` }], value: at / 4, timestamp: base + 300_000 + at },
    ]);
  return [encodeWriteRequest({ timeseries, metadata: [] })];
}

const seconds = (ms: number): string => String(ms / 1000);

/** All calls about that data. */
export function apiCases(base: number): ApiCase[] {
  const now = seconds(base + 585_000);
  const start = seconds(base + 60_000);
  const end = seconds(base + 540_000);
  const match = (...texts: string[]): Params => texts.map((text) => ['match[]', text] as const);
  const instant = (query: string, more: Params = []): ApiCase => ({
    path: '/api/v1/query',
    params: [['query', query], ['time', now], ...more],
  });
  const range = (query: string, more: Params = [['step', '30']]): ApiCase => ({
    path: '/api/v1/query_range',
    params: [['query', query], ['start', start], ['end', end], ...more],
  });
  const post = (one: ApiCase): ApiCase => ({ ...one, method: 'POST' });
  const queries = [
    'up',
    'odd',
    '{__name__=~"odd|up"}',
    '{"dotted.name"}',
    '{"dotted.name","a.label"="v1"}',
    'größe',
    '1+1',
    '"text"',
    'vector(NaN)',
    'time()',
    'sum by (code) (http_requests_total)',
    'rate(http_requests_total[2m])',
    'http_requests_total[1m]',
    'odd[2m]',
    'histogram_quantile(0.9, request_seconds_bucket)',
    'rate(up[1m])',
    'absent(nothing)',
    'nothing',
    'topk(2, http_requests_total)',
    'sort_desc(http_requests_total)',
    'label_replace(up, "x", "$1", "job", "(.*)")',
    'count_values("v", odd)',
    'http_requests_total offset 1m',
    'up @ end()',
    'max_over_time(http_requests_total[2m:30s])',
    '-{__name__=~"u.*"}',
    'scalar(up{job="a"})',
  ];
  const wrong = [
    '',
    'up{',
    'up{job=~"("}',
    'sum(',
    'rate(up)',
    'rate(up[0s])',
    'up[5m',
    '1 +',
    'foo bar',
    '{}',
    '{job=""}',
    '{__name__="a",__name__="b"}',
    'up{job="a" job="b"}',
    'up @ x',
    'up offset 1',
    'histogram_quantile("a", up)',
    'nofunction(up)',
    'sum by (x y) (up)',
    'up + on(job) up{',
    'up and 1',
    '1 == 1',
    '"unterminated',
    'count_values("", up)',
    'label_replace(up, "x", "$1", "job", "(")',
    'up[5m][5m]',
    'sum(up[5m])',
    '#',
    'up\xff',
    '5 5',
    'http_requests_total[99999999999y]',
  ];
  const times = [
    '',
    '0',
    '1e3',
    'abc',
    '2020-01-01T00:00:00Z',
    '2020-01-01T00:00:00.5+02:00',
    '-1',
    '-0.0005',
    '1.0005',
  ];
  const durations = [
    '',
    '0',
    '-1',
    'x',
    '1m',
    '1h30m',
    '5',
    '0.5',
    '1e300',
    'Inf',
    '1w2d',
    '1d1w',
    '1ms',
    '90s1m',
    '0s',
  ];
  const limits = ['', '0', '1', '3', '-1', 'x', '1.5', '999999999999999999999', '+2'];
  const selectors = [
    'up',
    '{__name__=~"odd|up"}',
    '{"dotted.name"}',
    'nothing',
    '{}',
    '{job=""}',
    '{job=~".*"}',
    'up{',
    'rate(up[1m])',
    '',
    '{job!=""}',
  ];
  const cases: ApiCase[] = [];
  const add = (...more: ApiCase[]): void => void cases.push(...more);
  for (const query of [...queries, ...wrong]) add(instant(query), post(instant(query)), range(query));
  for (const query of [...queries, ...wrong, 'up{job="a",} == on (job) group_left (x) sum without(a) (up)'])
    add(
      { path: '/api/v1/parse_query', params: [['query', query]] },
      { path: '/api/v1/format_query', params: [['query', query]], method: 'POST' },
    );
  for (const time of times) {
    add({
      path: '/api/v1/query',
      params: [
        ['query', '1'],
        ['time', time],
      ],
      ...(time === '' ? { compare: 'shape' as const } : {}),
    });
    for (const path of ['/api/v1/series', '/api/v1/labels', '/api/v1/label/job/values'])
      add(
        { path, params: [...match('up'), ['start', time]] },
        { path, params: [...match('up'), ['end', time]] },
      );
    add({
      path: '/api/v1/query_range',
      params: [
        ['query', '1'],
        ['start', time],
        ['end', end],
        ['step', '60000000'],
      ],
    });
    add({
      path: '/api/v1/query_range',
      params: [
        ['query', '1'],
        ['start', start],
        ['end', time],
        ['step', '60000000'],
      ],
    });
    add({
      path: '/api/v1/query_exemplars',
      params: [
        ['query', 'up'],
        ['start', time],
      ],
    });
  }
  for (const text of durations)
    add(
      range('up', [['step', text]]),
      // Of a timeout that is over before it begins, or as soon as it has, the answer depends on who notices first.
      ...(/^-|^0s?$|^1ms$/.test(text)
        ? []
        : [
            instant('up', [['timeout', text]]),
            range('up', [
              ['step', '30'],
              ['timeout', text],
            ]),
          ]),
      range('up', [
        ['step', '30'],
        ['lookback_delta', text],
      ]),
      instant('up', [['lookback_delta', text]]),
    );
  for (const limit of limits) {
    add(instant('up', [['limit', limit]]), instant('http_requests_total[1m]', [['limit', limit]]));
    add(
      instant('1', [['limit', limit]]),
      range('http_requests_total', [
        ['step', '60'],
        ['limit', limit],
      ]),
    );
    add(
      instant('topk(3, http_requests_total)', [
        ['limit', limit],
        ['stats', ''],
      ]),
    );
    add({ path: '/api/v1/labels', params: [['limit', limit]] });
    // Prometheus cuts off before it sorts: which values stay is by chance.
    add({ path: '/api/v1/label/pod/values', params: [['limit', limit]], compare: 'shape' });
    add({ path: '/api/v1/series', params: [...match('up'), ['limit', limit]] });
    add({ path: '/api/v1/metadata', params: [['limit', limit]] });
    add({ path: '/api/v1/metadata', params: [['limit_per_metric', limit]] });
    add({ path: '/api/v1/status/tsdb', params: [['limit', limit]], compare: 'shape' });
  }
  for (const stats of ['true', 'all', '1', 'x', 'false'])
    add(
      { ...instant('up', [['stats', stats]]), compare: 'shape' },
      {
        ...range('up', [
          ['step', '30'],
          ['stats', stats],
        ]),
        compare: 'shape',
      },
    );
  for (const selector of selectors)
    for (const path of ['/api/v1/series', '/api/v1/labels', '/api/v1/label/job/values']) {
      add({ path, params: match(selector) }, { path, params: match('up', selector) });
      if (!path.includes('label/')) add({ path, params: match(selector), method: 'POST' });
    }
  add({ path: '/api/v1/series' }, { path: '/api/v1/labels' }, { path: '/api/v1/labels', method: 'POST' });
  add({ path: '/api/v1/series', params: [...match('up'), ['start', '100'], ['end', '50']] });
  for (const name of [
    'job',
    'nothing',
    'a.label',
    'U__a_2e_label',
    'U__b_20_label',
    'U__k_2d_ey',
    'U__',
    'U____name____',
    'U__job',
    'U__a_zz_',
    'b%20label',
    '%ff',
    '__name__',
    'U__a_2E_label',
    'U__a_d800_',
    'U___',
    'U__a_',
    'le',
  ])
    add(
      { path: `/api/v1/label/${name}/values` },
      { path: `/api/v1/label/${name}/values`, params: match('up') },
    );
  add({ path: '/api/v1/label/job' });
  for (const query of [
    'request_seconds_bucket',
    'rate(request_seconds_bucket{le="1"}[5m])',
    'test',
    '1',
    '"x"',
    'up{',
    '',
  ])
    add({
      path: '/api/v1/query_exemplars',
      params: [
        ['query', query],
        ['start', start],
        ['end', end],
      ],
    });
  add({
    path: '/api/v1/query_exemplars',
    params: [
      ['query', 'up'],
      ['start', '9'],
      ['end', '1'],
    ],
  });
  add({ path: '/api/v1/query_exemplars', params: [['query', 'request_seconds_bucket']], method: 'POST' });
  add(
    {
      path: '/api/v1/query_range',
      params: [
        ['query', 'up'],
        ['start', end],
        ['end', start],
        ['step', '30'],
      ],
    },
    range('up', [['step', '0.01']]),
    range('up', [['step', '0.0001']]),
    range('up', [['step', '0.0439']]),
    range('up', [
      ['step', '1m'],
      ['step', '2m'],
    ]),
    {
      path: '/api/v1/query_range',
      params: [
        ['query', 'up'],
        ['start', '0'],
        ['end', '11000'],
        ['step', '1'],
      ],
    },
    {
      path: '/api/v1/query_range',
      params: [
        ['query', 'up'],
        ['start', '0'],
        ['end', '11001'],
        ['step', '1'],
      ],
    },
    {
      path: '/api/v1/query_range',
      params: [
        ['query', 'time()'],
        ['start', '0.1239'],
        ['end', '10.5'],
        ['step', '3.3333'],
      ],
    },
  );
  for (const path of [
    '/api/v1/query',
    '/api/v1/query_range',
    '/api/v1/labels',
    '/api/v1/series',
    '/api/v1/label/job/values',
    '/api/v1/metadata',
    '/api/v1/rules',
    '/api/v1/status/buildinfo',
    '/-/healthy',
    '/-/ready',
    '/metrics',
    '/version',
    '/api/v1/write',
    '/api/v1/nothing',
    '/nothing',
  ])
    for (const method of [
      'HEAD',
      'PUT',
      'DELETE',
      'OPTIONS',
      'PATCH',
      ...(path.endsWith('write') ? ['GET'] : ['POST']),
    ])
      add({ path, method, compare: method === 'HEAD' || path === '/metrics' ? 'status' : 'all' });
  for (const path of ['/api/v1/nothing', '/nothing', '/api/v1/status', '/-/nothing']) add({ path });
  for (const path of ['/api/v1/status/runtimeinfo', '/api/v1/status/buildinfo', '/api/v1/status/tsdb'])
    add({ path, compare: 'shape' });
  for (const path of [
    '/version',
    '/api/v1/status/flags',
    '/api/v1/status/config',
    '/metrics',
    '/-/healthy',
    '/-/ready',
  ])
    add({ path, compare: 'status' });
  for (const path of ['/api/v1/rules', '/api/v1/alerts']) add({ path });
  add({ path: '/api/v1/rules', params: [['type', 'alert']] });
  add(
    { path: '/api/v1/features', compare: 'status' },
    { path: '/api/v1/query_exemplars', params: [['query', 'test']] },
  );
  const origin = { origin: 'http://grafana.example' };
  add(
    {
      path: '/api/v1/query',
      params: [
        ['query', '1'],
        ['time', now],
      ],
      headers: origin,
    },
    { path: '/api/v1/query', params: [['query', '(']], headers: origin },
    {
      path: '/api/v1/query',
      method: 'OPTIONS',
      headers: { ...origin, 'access-control-request-method': 'POST' },
    },
    { ...range('up', [['step', '1']]), headers: { 'accept-encoding': 'gzip' } },
    { ...range('up', [['step', '1']]), headers: { 'accept-encoding': 'deflate, gzip' } },
    { ...instant('1'), headers: { accept: 'text/html' } },
    { ...instant('1'), headers: { accept: 'application/json' } },
    {
      path: '/api/v1/query',
      params: [
        ['query', '1'],
        ['time', now],
      ],
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
    },
    { path: `/api/v1/query?query=2&time=${now}`, params: [['query', '1']], method: 'POST' },
    { path: `/api/v1/series?match[]=up`, params: [['match[]', '{"dotted.name"}']], method: 'POST' },
    { path: '/api/v1/query?query=%zz' },
    { path: '/api/v1/query?query=1;time=3' },
    { path: `/api/v1/query?query=1%2b1&time=${now}` },
  );
  return cases;
}
