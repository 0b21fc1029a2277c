// A canary over a made-up Prometheus: samples in a map behind a fake HTTP client, and everything that can go wrong with it.

import type { World } from '../../../src/actors/actor.ts';
import { canary } from '../../../src/actors/canary/canary.ts';
import type { CanaryMessages } from '../../../src/actors/canary/messages.ts';
import { type ActorRef, startActor } from '../../../src/actors/runtime.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { decodeWriteRequest } from '../../../src/codec/proto/remote-write.ts';
import { decodeSnappy, SnappyTarget } from '../../../src/codec/snappy.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { readConfig } from '../../../src/platform/config-reader.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '../../../src/platform/http-client.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { createMetrics } from '../../../src/platform/metrics.ts';
import { seededRandom } from '../../../src/platform/random.ts';
import { createMemoryDisk, type MemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock, type VirtualClock } from '../../helpers/virtual-clock.ts';

/** A sample as it is stored. */
export interface StoredSample {
  readonly series: number;
  readonly timeMs: number;
  value: number;
  /** How often it is in an answer. */
  copies: number;
  /** Only strongly consistent queries see it. */
  hidden: boolean;
}

/** The samples of the made-up Prometheus; one of a time and series replaces another. */
export class SampleStore {
  readonly #byTime: Map<number, Map<number, StoredSample>> = new Map();

  get size(): number {
    return [...this.#byTime.values()].reduce((sum, { size }) => sum + size, 0);
  }

  put(sample: StoredSample): void {
    let row = this.#byTime.get(sample.timeMs);
    if (row === undefined) this.#byTime.set(sample.timeMs, (row = new Map()));
    row.set(sample.series, sample);
  }

  /** Samples after `startMs`, not after `endMs`, in order of time. */
  between(startMs: number, endMs: number): StoredSample[] {
    const times = [...this.#byTime.keys()].filter((timeMs) => timeMs > startMs && timeMs <= endMs);
    return times.sort((a, b) => a - b).flatMap((timeMs) => [...this.#byTime.get(timeMs)!.values()]);
  }

  /** Takes out the samples from `startMs` on, before `endMs`; gives them. */
  take(startMs: number, endMs: number): StoredSample[] {
    const taken = this.between(startMs - 1, endMs - 1);
    for (const { timeMs, series } of taken) this.#byTime.get(timeMs)!.delete(series);
    return taken;
  }
}

/** What the made-up Prometheus does wrong; everything may change while it runs. */
export interface Faults {
  /** Told of each sample of an accepted write; false loses it. */
  onSample: (sample: StoredSample) => boolean;
  /** Answer of a write, or undefined for 204 after storing. `error` breaks the connection after `stores`. */
  onWrite: () => { status?: number; retryAfter?: string; stores?: boolean; error?: DomainError } | undefined;
  /** Status of a query's answer, or an error. */
  onQuery: () => number | DomainError | undefined;
  /** Samples an answer leaves out, saying so by this header or warning. */
  partial: { by: 'header' | 'warning'; leavesOut: (sample: StoredSample) => boolean } | undefined;
}

/** What a test of the canary works with. */
export interface CanaryRig {
  readonly clock: VirtualClock;
  readonly faults: Faults;
  /** Everything stored. */
  readonly samples: SampleStore;
  /** Every request, oldest first. */
  readonly requests: HttpRequest[];
  readonly disk: MemoryDisk;
  /** Starts a canary on the rig's disk with these settings besides; one at a time. */
  start(flags?: Readonly<Record<string, string>>): Promise<ActorRef<CanaryMessages>>;
  /** Ends it as kill -9 does. */
  kill(): void;
  /** Value of a metric of the present life, such as `skein_canary_lost_samples_total{window="recent"}`. */
  metric(name: string): Promise<number>;
}

const TENANT = 'watcher';

/** A canary with 100 series every 5 s. */
export function openCanaryRig(seed = 1): CanaryRig {
  const clock = createVirtualClock();
  const disk = createMemoryDisk();
  const samples = new SampleStore();
  const requests: HttpRequest[] = [];
  const faults: Faults = {
    onSample: () => true,
    onWrite: () => undefined,
    onQuery: () => undefined,
    partial: undefined,
  };
  let metrics = createMetrics({ withProcess: false });
  let life = new AbortController();
  const http = (ended: AbortSignal): HttpClient => ({
    async send(request) {
      if (ended.aborted) return new Promise(() => {});
      requests.push(request);
      return request.method === 'POST'
        ? takeWrite(request, samples, faults)
        : answer(request, samples, faults);
    },
  });
  return {
    clock,
    faults,
    samples,
    requests,
    disk,
    async start(flags = {}) {
      metrics = createMetrics({ withProcess: false });
      life = new AbortController();
      const { canary: settings } = readConfig({
        flags: { 'canary.tenant': TENANT, 'canary.write_url': 'http://w/write', ...flags },
      });
      const world = {
        clock,
        metrics,
        disk,
        bus: createLocalBus({ clock }),
        identity: { id: 'feedc0ffee00', zone: '', version: '1', address: 'here:1' },
        cluster: { id: 'c', prefix: 'skein', partitions: 1 },
        random: seededRandom(seed),
        log: silentLogger(),
      } as unknown as World;
      const roles = new Set(['querier', 'canary']);
      return startActor(canary, { settings, roles, http: http(life.signal) }, world);
    },
    kill: () => life.abort(),
    async metric(name) {
      const { text } = await metrics.expose();
      const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
      if (line === undefined) throw new Error(`there is no ${name} in\n${text}`);
      return Number(line.slice(name.length + 1));
    },
  };
}

function reply(status: number, body = '', headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return { status, body: Buffer.from(body), header: (name) => headers[name] };
}

function checkTenant({ headers }: HttpRequest): void {
  if (headers['thanos-tenant'] !== TENANT || headers['x-scope-orgid'] !== TENANT)
    throw new Error(`a request is not of tenant ${TENANT}`);
}

function takeWrite(request: HttpRequest, samples: SampleStore, faults: Faults): HttpAnswer {
  checkTenant(request);
  if (request.url !== 'http://w/write') throw new Error(`a write goes to ${request.url}`);
  const fault = faults.onWrite();
  if (fault === undefined || fault.stores) {
    const target = new SnappyTarget();
    const length = decodeSnappy(request.body!, target, 10_000_000);
    for (const { labels, samples: columns } of decodeWriteRequest(target.bytes.subarray(0, length))
      .timeseries) {
      const series = Number(labels.find(({ name }) => name === 'series')!.value);
      for (const { timestamp, value } of columns) {
        const sample: StoredSample = { series, timeMs: timestamp, value, copies: 1, hidden: false };
        if (faults.onSample(sample)) samples.put(sample);
      }
    }
  }
  if (fault?.error) throw fault.error;
  const { status = 204, retryAfter } = fault ?? {};
  return reply(status, '', retryAfter === undefined ? {} : { 'retry-after': retryAfter });
}

function answer(request: HttpRequest, samples: SampleStore, faults: Faults): HttpAnswer {
  checkTenant(request);
  const { origin, pathname, searchParams } = new URL(request.url);
  if (`${origin}${pathname}` !== 'http://here:1/api/v1/query')
    throw new Error(`a query goes to ${request.url}`);
  const fault = faults.onQuery();
  if (fault instanceof DomainError) throw fault;
  if (fault !== undefined) return reply(fault, '{"status":"error"}');
  const query = searchParams.get('query')!;
  const endMs = Math.round(Number(searchParams.get('time')) * 1000);
  const selector = 'skein_canary_sine{canary="feedc0ffee00"}';
  if (!query.includes(selector)) throw new Error(`a query is not of the canary: ${query}`);
  const rangeMs = Number(/\[(\d+)ms\]/.exec(query)?.[1] ?? 300_000);
  const strong = request.headers['x-read-consistency'] === 'strong';
  const { partial } = faults;
  const found = samples
    .between(endMs - rangeMs, endMs)
    .filter((sample) => (strong || !sample.hidden) && !partial?.leavesOut(sample));
  const result = resultOf(query.replace(selector, '').replace(/\[.*\]/, ''), found, endMs);
  const warnings = partial?.by === 'warning' ? { warnings: ['partition 1 has no owner'] } : {};
  const body = JSON.stringify({ status: 'success', data: result, ...warnings });
  return reply(200, body, partial?.by === 'header' ? { 'x-skein-partial': 'true' } : {});
}

function resultOf(shape: string, found: readonly StoredSample[], endMs: number): object {
  const vector = (value: number): object => ({
    resultType: 'vector',
    result: found.length === 0 ? [] : [{ metric: {}, value: [endMs / 1000, String(value)] }],
  });
  if (shape === 'sum(count_over_time())') return vector(found.reduce((sum, { copies }) => sum + copies, 0));
  if (shape === 'max(timestamp())') return vector(Math.max(...found.map(({ timeMs }) => timeMs)) / 1000);
  if (shape !== '') throw new Error(`the made-up Prometheus does not know ${shape}`);
  const bySeries = Map.groupBy(found, ({ series }) => series);
  const result = [...bySeries].map(([series, list]) => ({
    metric: { __name__: 'skein_canary_sine', canary: 'feedc0ffee00', series: String(series) },
    values: list.flatMap(({ timeMs, value, copies }) =>
      Array.from({ length: copies }, () => [timeMs / 1000, String(value)]),
    ),
  }));
  return { resultType: 'matrix', result };
}
