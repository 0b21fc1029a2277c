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

await describeWithServers(['prometheus'], 'native histograms in Skein and in Prometheus', () => {
  const start = Math.floor(Date.now() / 60_000) * 60_000 - 40 * 60_000;
  let prometheus: PrometheusServer;
  let skein: SkeinServer;

  beforeAll(async () => {
    prometheus = await startPrometheus('global: {}\n', ['--web.enable-remote-write-receiver']);
    skein = await startSkein();
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
});
