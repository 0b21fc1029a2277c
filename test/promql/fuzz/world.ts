// A Prometheus and a Skein with the same features switched on and the same series in them.

import { compressSync } from 'snappy';
import { encodeWriteRequestV2, type WriteRequestV2Message } from '../../../src/codec/proto/remote-write.ts';
import { type PrometheusServer, startPrometheus } from '../../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../../helpers/skein-server.ts';
import { type WrittenSeries, writeRequests } from '../../helpers/write-requests.ts';

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
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

/** Starts the servers that are not given and writes the series to both. */
export async function openWorld(
  series: readonly WrittenSeries[],
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
    if (given.skeinUrl === undefined) skein = await startSkein([`--enable-feature=${features.join(',')}`]);
    const prometheusUrl = given.prometheusUrl ?? prometheus!.url;
    const skeinUrl = given.skeinUrl ?? skein!.url;
    for (const request of writeRequests(series))
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
