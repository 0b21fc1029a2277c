// A Prometheus and a Skein with the same features switched on and the same series in them.

import { compressSync } from 'snappy';
import {
  encodeWriteRequestV2,
  type HistogramMessage,
  type WriteRequestV2Message,
} from '../../../src/codec/proto/remote-write.ts';
import { histogramMessage } from '../../helpers/histogram-messages.ts';
import { type PrometheusServer, startPrometheus } from '../../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../../helpers/skein-server.ts';
import { type FuzzSample, type FuzzSeries, isStaleMarker } from './data.ts';

/** What is switched on beside the parser's features, which always are. */
export interface WorldFlags {
  readonly delayedNames: boolean;
  readonly startTimes: boolean;
}

/** Two servers to be asked the same. */
export interface World {
  readonly prometheusUrl: string;
  readonly skeinUrl: string;
  dispose(): Promise<void>;
}

/** Servers that run already, in place of ones of our own. */
export interface ServerUrls {
  readonly prometheusUrl?: string;
  readonly skeinUrl?: string;
}

const PARSER_FEATURES = [
  'promql-experimental-functions',
  'promql-extended-range-selectors',
  'promql-binop-fill-modifiers',
];
/** What lets Prometheus store start timestamps; Skein always does. */
const START_STORAGE = ['st-storage', 'xor2-encoding', 'histograms-st-encoding'];
const NICE = 19;
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

/** Starts the servers that are not given and writes the series to both. */
export async function openWorld(
  series: readonly FuzzSeries[],
  flags: WorldFlags,
  given: ServerUrls = {},
): Promise<World> {
  const features = [
    ...PARSER_FEATURES,
    ...(flags.delayedNames ? ['promql-delayed-name-removal'] : []),
    ...(flags.startTimes ? ['use-start-timestamps'] : []),
  ];
  const storage = flags.startTimes ? START_STORAGE : [];
  let prometheus: PrometheusServer | undefined;
  let skein: SkeinServer | undefined;
  const dispose = async (): Promise<void> => {
    await Promise.all([prometheus?.dispose(), skein?.dispose()]);
  };
  try {
    if (given.prometheusUrl === undefined)
      prometheus = await startPrometheus('global: {}\n', [
        '--web.enable-remote-write-receiver',
        `--enable-feature=${[...features, ...storage].join(',')}`,
      ]);
    if (given.skeinUrl === undefined)
      skein = await startSkein([`--enable-feature=${features.join(',')}`], NICE);
    const prometheusUrl = given.prometheusUrl ?? prometheus!.url;
    const skeinUrl = given.skeinUrl ?? skein!.url;
    for (const request of requestsOf(series))
      await Promise.all([prometheusUrl, skeinUrl].map((url) => write(url, request)));
    return { prometheusUrl, skeinUrl, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function write(url: string, message: WriteRequestV2Message): Promise<void> {
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    body: compressSync(Buffer.from(encodeWriteRequestV2(message))),
    headers: { 'content-encoding': 'snappy', 'content-type': V2 },
  });
  const text = await response.text();
  if (response.status !== 204) throw new Error(`cannot write to ${url}: ${response.status} ${text}`);
}

// A time series of a request has floats or histograms; where a series changes its kind the next request goes on.
function requestsOf(series: readonly FuzzSeries[]): WriteRequestV2Message[] {
  const parts = series.map(({ labels, samples }) => ({ labels, runs: runsOf(samples) }));
  const count = Math.max(0, ...parts.map(({ runs }) => runs.length));
  return Array.from({ length: count }, (_, index) => {
    const symbols = new Map<string, number>([['', 0]]);
    const refOf = (text: string): number => {
      if (!symbols.has(text)) symbols.set(text, symbols.size);
      return symbols.get(text)!;
    };
    const timeseries = parts
      .filter(({ runs }) => runs.length > index)
      .map(({ labels, runs }) => {
        const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
        return { labelsRefs: sorted.flat().map(refOf), exemplars: [], ...runMessage(runs[index]!) };
      });
    return { symbols: [...symbols.keys()], timeseries };
  });
}

// Staleness markers behind histograms make runs of their own: in one request with floats Prometheus stores them after these, or not at all.
function runsOf(samples: readonly FuzzSample[]): FuzzSample[][] {
  const runs: FuzzSample[][] = [];
  let kind: 'float' | 'histogram' | 'end of histograms' | undefined;
  for (const sample of samples) {
    const { value } = sample;
    const isEnd = typeof value === 'number' && isStaleMarker(value) && kind !== 'float' && kind !== undefined;
    const next = typeof value !== 'number' ? 'histogram' : isEnd ? 'end of histograms' : 'float';
    if (next === kind) runs.at(-1)!.push(sample);
    else runs.push([sample]);
    kind = next;
  }
  return runs;
}

function runMessage(
  run: readonly FuzzSample[],
): Pick<WriteRequestV2Message['timeseries'][number], 'samples' | 'histograms'> {
  const samples: { value: number; timestamp: number; startTimestamp: number }[] = [];
  const histograms: HistogramMessage[] = [];
  for (const { time, start = 0, value } of run)
    if (typeof value === 'number') samples.push({ value, timestamp: time, startTimestamp: start });
    else histograms.push(histogramMessage(value.columns, value.row, time, start));
  return { samples, histograms };
}
