// The same native histograms by remote write 1.0 and 2.0 to Skein and to Prometheus: both must answer with the same bytes.

import { compressSync } from 'snappy';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeWriteRequest, encodeWriteRequestV2 } from '../../../src/codec/proto/remote-write.ts';
import { histogramMessage } from '../../helpers/histogram-messages.ts';
import { histogramSequence } from '../../helpers/histogram-sequences.ts';
import { describeWithServers, type PrometheusServer, startPrometheus } from '../../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../../helpers/skein-server.ts';

const SEEDS = 40;
const STEP_MS = 20_000;
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

/** The sequence of a seed, a sample every STEP_MS, as a request of 1.0 or (odd seeds) 2.0. */
function bodyOf(seed: number, start: number): { body: Uint8Array; count: number; type: string } {
  const { histograms, times } = histogramSequence(seed);
  const messages = times.map((_, row) => histogramMessage(histograms, row, start + row * STEP_MS));
  if (seed % 2 === 1) {
    const series = { labelsRefs: [1, 2, 3, 4], samples: [], exemplars: [], histograms: messages };
    const symbols = ['', '__name__', 'h', 'seed', String(seed)];
    const body = encodeWriteRequestV2({ symbols, timeseries: [series] });
    return { body, count: messages.length, type: V2 };
  }
  const labels = [
    { name: '__name__', value: 'h' },
    { name: 'seed', value: String(seed) },
  ];
  const body = encodeWriteRequest({
    timeseries: [{ labels, samples: [], exemplars: [], histograms: messages }],
    metadata: [],
  });
  return { body, count: messages.length, type: 'application/x-protobuf' };
}

const FEATURES = 'promql-experimental-functions,promql-extended-range-selectors';

/** Expressions over groups of sequences, `{}` standing for their matcher. */
const EXPRESSIONS = [
  'rate(h{}[3m])',
  'increase(h{}[95s])',
  'delta(h{}[3m])',
  'irate(h{}[3m])',
  'idelta(h{}[3m])',
  'increase(h{}[2m] anchored)',
  'rate(h{}[2m] smoothed)',
  'delta(h{}[70s] smoothed)',
  'h{} smoothed',
  'resets(h{}[5m])',
  'changes(h{}[5m])',
  'sum_over_time(h{}[3m])',
  'avg_over_time(h{}[3m])',
  'count_over_time(h{}[3m])',
  'last_over_time(h{}[3m])',
  'first_over_time(h{}[3m])',
  'sum_over_time(h{}[3m:33s])',
  'rate(h{}[5m:40s])',
  'histogram_count(h{})',
  'histogram_sum(rate(h{}[3m]))',
  'histogram_avg(h{})',
  'histogram_stddev(h{})',
  'histogram_stdvar(h{})',
  // Of histograms with NaN observations Prometheus interpolates in the highest bucket (docs/api.md).
  'histogram_quantile(0, h{}) and histogram_sum(h{}) < Inf',
  'histogram_quantile(0.4, h{}) and histogram_sum(h{}) < Inf',
  'histogram_quantile(0.97, h{}) and histogram_sum(h{}) < Inf',
  'histogram_quantile(1, rate(h{}[3m])) and histogram_sum(rate(h{}[3m])) < Inf',
  'histogram_quantiles(h{}, "q", 0.1, 0.9) and ignoring (q) histogram_sum(h{}) < Inf',
  'histogram_fraction(-2, 3, h{})',
  'histogram_fraction(0.1, +Inf, h{})',
  'h{} * 3',
  'h{} / -7',
  '-h{}',
  'h{} </ 2',
  'h{} >/ 0.01',
  'h{} >/ -1',
  'h{} - h{} offset 1m',
  'h{} + h{} offset 1m',
  'h{} == h{} offset 20s',
  'h{} != bool h{} offset 20s',
  'h{} and h{} offset 10m',
  'max(h{})',
  'count(h{})',
  'group by (seed) (h{})',
  'sum by (seed) (h{})',
  'avg by (seed) (rate(h{}[3m]))',
  'topk(2, h{})',
  'count_values("v", h{})',
  'quantile(0.5, h{})',
  'absent(h{})',
  'timestamp(h{})',
  'label_replace(h{}, "x", "$1", "seed", "(.).*")',
  'h{} @ end()',
];

interface Series {
  readonly metric: object;
  readonly values?: readonly [number, unknown][];
  readonly histograms?: readonly [number, unknown][];
}

/** What an answer says: its notes, and by series and time a float or a histogram. */
function sayings(text: string): Map<string, string> {
  const { error, data, warnings = [], infos = [] } = JSON.parse(text);
  const out = new Map<string, string>([['error', error ?? 'none']]);
  // What a note on NaN observations points at is the vector in Prometheus's tests, the first argument in 3.14.
  for (const note of [...warnings, ...infos])
    out.set(note.replace(/(has NaN observations.*) \(.*\)$/, '$1'), 'noted');
  for (const { metric, values = [], histograms = [] } of (data?.result ?? []) as Series[])
    for (const [time, value] of [...values, ...histograms])
      out.set(`${JSON.stringify(metric)} @ ${time}`, JSON.stringify(value));
  return out;
}

/** The first difference between two answers. */
function difference(theirs: Map<string, string>, ours: Map<string, string>): string | undefined {
  for (const [what, said] of theirs) {
    const found = ours.get(what);
    if (found === undefined) return `${what}: theirs ${said}, ours nothing`;
    if (!alike(said, found)) return `${what}:\n    theirs ${said}\n    ours   ${found}`;
  }
  for (const [what, said] of ours) if (!theirs.has(what)) return `${what}: theirs nothing, ours ${said}`;
  return undefined;
}

const NUMBER = /"([-+]?(?:[0-9][-+0-9.e]*|Inf|NaN))"/g;

function alike(a: string, b: string): boolean {
  const numbers = (text: string): number[] =>
    [...text.matchAll(NUMBER)].map(([, number = '']) => Number(number.replace('Inf', 'Infinity')));
  const [theirs, ours] = [numbers(a), numbers(b)];
  return a.replace(NUMBER, '#') === b.replace(NUMBER, '#') && theirs.every((n, i) => near(n, ours[i]!));
}

function near(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)) || a === b;
}

await describeWithServers(['prometheus'], 'native histograms in Skein and in Prometheus', () => {
  const start = Math.floor(Date.now() / 60_000) * 60_000 - 40 * 60_000;
  let prometheus: PrometheusServer;
  let skein: SkeinServer;

  beforeAll(async () => {
    const features = `--enable-feature=${FEATURES}`;
    prometheus = await startPrometheus('global: {}\n', ['--web.enable-remote-write-receiver', features]);
    skein = await startSkein([features]);
  }, 60_000);
  afterAll(async () => {
    await skein?.dispose();
    await prometheus?.dispose();
  });

  it('are taken in, counted and answered alike, at one time and over a range', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { body, count, type } = bodyOf(seed, start);
      for (const { url } of [prometheus, skein]) {
        const answer = await fetch(`${url}/api/v1/write`, {
          method: 'POST',
          body: compressSync(Buffer.from(body)),
          headers: { 'content-encoding': 'snappy', 'content-type': type },
        });
        expect([answer.status, await answer.text()], `seed ${seed} to ${url}`).toEqual([204, '']);
        if (type === V2)
          expect(answer.headers.get('x-prometheus-remote-write-histograms-written')).toBe(String(count));
      }
    }
    const seconds = (after: number): number => (start + after) / 1000;
    for (let seed = 0; seed < SEEDS; seed++)
      for (const query of [
        `query?query=h{seed="${seed}"}&time=${seconds(300_000)}`,
        `query_range?query=h{seed="${seed}"}&start=${seconds(0)}&end=${seconds(1_500_000)}&step=20`,
      ]) {
        const [theirs, ours] = await Promise.all(
          [prometheus, skein].map(async ({ url }) => (await fetch(`${url}/api/v1/${query}`)).text()),
        );
        expect(ours, query).toBe(theirs);
      }
  }, 60_000);

  it('go through every kind of expression alike', async () => {
    const differing: string[] = [];
    for (let seed = 0; seed < SEEDS; seed += 4)
      for (const expression of EXPRESSIONS) {
        const seeds = [seed, seed + 1, seed + 2, seed + 3].join('|');
        const query = expression.replaceAll('{}', `{seed=~"${seeds}"}`);
        const params = new URLSearchParams({
          query,
          start: String(start / 1000),
          end: String(start / 1000 + 1_500),
          step: '50',
        });
        const [theirs = '', ours = ''] = await Promise.all(
          [prometheus, skein].map(async ({ url }) =>
            (await fetch(`${url}/api/v1/query_range?${params}`)).text(),
          ),
        );
        const found = difference(sayings(theirs), sayings(ours));
        if (found !== undefined) differing.push(`${query}\n  ${found}`);
      }
    expect(differing).toEqual([]);
  }, 80_000);
});
