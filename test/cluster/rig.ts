// A cluster for tests: one nats-server, one MinIO, every role in its own process; and a load whose every sample is known, so that
// an answer is either right or not.

import { rawRequest } from '../helpers/raw-http.ts';
import { type MinioServer, type NatsServer, startMinio, startNats } from '../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { bodyV1, series, V1, writeHeaders } from './write-cases.ts';

/** A running cluster. */
export interface Cluster {
  readonly nats: NatsServer;
  readonly minio: MinioServer;
  readonly receivers: SkeinServer[];
  readonly shards: SkeinServer[];
  readonly queriers: SkeinServer[];
  /** Starts one more process. */
  add(role: 'receiver' | 'shard' | 'querier'): Promise<SkeinServer>;
  dispose(): Promise<void>;
}

/** Starts servers and processes; `flags` go to every process. */
export async function startCluster(
  counts: { receivers: number; shards: number; queriers: number },
  flags: readonly string[] = [],
): Promise<Cluster> {
  const [nats, minio] = await Promise.all([startNats(), startMinio()]);
  const common = [
    ...['--nats.servers', nats.url, '--nats.log_bytes_max', '256MiB'],
    ...['--s3.endpoint', `127.0.0.1:${minio.port}`, '--s3.insecure', 'true', '--s3.create_bucket', 'true'],
    ...['--s3.access_key', minio.accessKey, '--s3.secret_key', minio.secretKey],
    ...flags,
  ];
  const groups = { receiver: [], shard: [], querier: [] } as Record<string, SkeinServer[]>;
  const cluster: Cluster = {
    nats,
    minio,
    receivers: groups['receiver']!,
    shards: groups['shard']!,
    queriers: groups['querier']!,
    async add(role) {
      const server = await startSkein(['--roles', role, ...common]);
      groups[role]!.push(server);
      return server;
    },
    async dispose() {
      await Promise.all(Object.values(groups).flatMap((group) => group.map((server) => server.dispose())));
      await Promise.all([nats.dispose(), minio.dispose()]);
    },
  };
  try {
    // One after another as far as the first of each kind: the cluster is made once.
    for (const [role, count] of [
      ['shard', counts.shards],
      ['receiver', counts.receivers],
      ['querier', counts.queriers],
    ] as const)
      await Promise.all(Array.from({ length: count }, () => cluster.add(role)));
  } catch (error) {
    await cluster.dispose();
    throw error;
  }
  return cluster;
}

/** How long `work` took, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return Math.round(performance.now() - began);
}

/** Waits until `check` is true; fails after `ms` with what `detail` says. */
export async function until(
  ms: number,
  check: () => Promise<boolean>,
  detail: () => unknown = () => '',
): Promise<number> {
  const began = performance.now();
  while (!(await check().catch(() => false))) {
    if (performance.now() - began > ms) throw new Error(`not within ${ms} ms: ${String(detail())}`);
    await sleep(50);
  }
  return Math.round(performance.now() - began);
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data?: {
    readonly result: readonly { readonly metric: object; readonly value: [number, string] }[];
  };
}

/** An instant query at `time` (s); its status and body. */
export async function instant(
  server: SkeinServer,
  query: string,
  time: number,
): Promise<{ status: number; answer: Answer }> {
  const path = `/api/v1/query?query=${encodeURIComponent(query)}&time=${time}`;
  const { status, body } = await rawRequest(server.url, { path, signal: AbortSignal.timeout(60_000) });
  return { status, answer: JSON.parse(body.toString()) as Answer };
}

/** Value of a query with one series, or what went wrong as text. */
export async function scalarOf(server: SkeinServer, query: string, time: number): Promise<number | string> {
  const { status, answer } = await instant(server, query, time);
  if (status !== 200) return `${status}: ${answer.error}`;
  if (answer.warnings) return `warnings: ${answer.warnings.join('; ')}`;
  return Number(answer.data?.result[0]?.value[1] ?? 'NaN');
}

const SERIES_PER_LANE = 100;
const STEP_MS = 1000;

/**
 * Writes lanes of series one step at a time, a lane never in parallel. Step s of every series is s at start + s seconds, so the
 * right answer to a count up to any acknowledged step is known.
 */
export class Load {
  readonly start: number;
  /** Steps acknowledged, by lane. */
  readonly acked: number[];
  /** Writes that were not answered with 2xx, with the answer or error. */
  readonly failures: string[] = [];
  /** Longest time a write took, ms. */
  slowestMs = 0;
  readonly #receivers: () => readonly SkeinServer[];
  readonly #lanes: number;
  #running = false;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(receivers: () => readonly SkeinServer[], lanes = 8) {
    this.#receivers = receivers;
    this.#lanes = lanes;
    this.start = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
    this.acked = new Array(lanes).fill(0);
  }

  /** Samples acknowledged. */
  get samples(): number {
    return this.acked.reduce((sum, steps) => sum + steps, 0) * SERIES_PER_LANE;
  }

  run(): void {
    this.#running = true;
    this.#ended = Promise.all(Array.from({ length: this.#lanes }, (_, lane) => this.#lane(lane)));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #lane(lane: number): Promise<void> {
    for (let step = this.acked[lane]!; this.#running; ) {
      const rows = Array.from({ length: SERIES_PER_LANE }, (_, i) =>
        series(
          [
            ['__name__', 'load'],
            ['i', String(i)],
            ['lane', String(lane)],
          ],
          [[this.start + step * STEP_MS, step]],
        ),
      );
      if (await this.#write(lane, bodyV1(...rows))) this.acked[lane] = ++step;
      await sleep(20);
    }
  }

  async #write(lane: number, body: Uint8Array): Promise<boolean> {
    const receivers = this.#receivers();
    const server = receivers[lane % receivers.length]!;
    const began = performance.now();
    try {
      const answer = await rawRequest(server.url, {
        method: 'POST',
        path: '/api/v1/write',
        headers: writeHeaders(V1),
        body,
        signal: AbortSignal.timeout(30_000),
      });
      if (answer.status >= 200 && answer.status < 300) return true;
      this.failures.push(`${answer.status} ${answer.body.toString().slice(0, 200)}`);
    } catch (error) {
      this.failures.push(String(error));
    } finally {
      this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
    }
    await sleep(100);
    return false;
  }

  /** Every sample up to the step that all lanes have: undefined when the answer is exactly right, else what is wrong. */
  async check(server: SkeinServer, steps: number = Math.min(...this.acked)): Promise<string | undefined> {
    if (steps === 0) return undefined;
    const time = (this.start + (steps - 1) * STEP_MS) / 1000;
    const expected = [
      steps * SERIES_PER_LANE * this.#lanes,
      (steps * (steps - 1) * SERIES_PER_LANE * this.#lanes) / 2,
    ];
    const found = [
      await scalarOf(server, 'sum(count_over_time(load[2h]))', time),
      await scalarOf(server, 'sum(sum_over_time(load[2h]))', time),
    ];
    if (found[0] === expected[0] && found[1] === expected[1]) return undefined;
    return `at step ${steps}: expected ${expected.join(' and ')}, got ${found.join(' and ')}`;
  }
}

/** Asks again and again until stopped; notes answers that are not right. Asks for what was acknowledged a second ago. */
export class Questions {
  readonly wrong: string[] = [];
  asked = 0;
  slowestMs = 0;
  #running = false;
  #ended: Promise<unknown> = Promise.resolve();

  run(load: Load, queriers: () => readonly SkeinServer[]): void {
    this.#running = true;
    this.#ended = Promise.all([0, 1].map((index) => this.#ask(load, queriers, index)));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #ask(load: Load, queriers: () => readonly SkeinServer[], index: number): Promise<void> {
    while (this.#running) {
      const steps = Math.min(...load.acked);
      await sleep(1000);
      const all = queriers();
      const began = performance.now();
      const wrong = await load.check(all[index % all.length]!, steps).catch((error) => String(error));
      this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
      this.asked++;
      if (wrong !== undefined) this.wrong.push(wrong);
    }
  }
}

/** Partitions of a process by its metrics: applied sequences by partition. */
export async function gauges(server: SkeinServer, name: string): Promise<Map<string, number>> {
  const { body } = await rawRequest(server.url, { path: '/metrics' });
  const found = new Map<string, number>();
  for (const match of body.toString().matchAll(new RegExp(`^${name}\\{partition="(\\d+)"\\} (\\S+)$`, 'gm')))
    found.set(match[1]!, Number(match[2]));
  return found;
}

/** Shows what was measured when SKEIN_TEST_REPORT=1. */
export function report(what: string, facts: object): void {
  if (process.env['SKEIN_TEST_REPORT'] === '1') console.log(what, JSON.stringify(facts));
}
