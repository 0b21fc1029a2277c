// `npm run soak -- --minutes M [--rate N] [--restart-minutes R]`: a cluster under a steady load for a long time, each of its processes
// restarted in turn every R minutes. Ends with memory over time and what became of the load; the exit status says whether anything was
// lost, doubled or wrong, or memory grew.

import { parseArgs } from 'node:util';
import { Load } from '../cluster/load.ts';
import { balance, type Heard, Questions, wrongLately } from '../cluster/questions.ts';
import { type Cluster, sleep, spread, startCluster, until } from '../cluster/rig.ts';
import { missingServers } from '../helpers/servers.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';

const LANES = 10;
/** A scrape every 15 s of data time, in a second: an hour is 15 hours of data, and blocks are cut all along. */
const STEP_MS = 15_000;
const PACE_MS = 1000;
const HOUR_STEPS = 3_600_000 / STEP_MS;
const LOOK_MS = 5000;
const READY_MS_MAX = 120_000;
/** Memory of the last third of the run may be this many times that of the second third: heads and caches are full by then. */
const GROWTH_MAX = 1.1;
const WINDOWS = 12;

interface Look {
  readonly atMs: number;
  /** Resident bytes by process; NaN while it restarts. */
  readonly bytes: ReadonlyMap<string, number>;
}

type Role = 'receiver' | 'shard' | 'querier';

const ROLES: readonly Role[] = ['receiver', 'shard', 'querier'];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      rate: { type: 'string', default: '100000' },
      'restart-minutes': { type: 'string', default: '5' },
    },
  });
  const missing = await missingServers(['nats-server', 'minio']);
  if (missing !== undefined) {
    console.error(`soak: ${missing}`);
    return 2;
  }
  const minutes = Number(values.minutes);
  const rate = Number(values.rate);
  const restartMinutes = Number(values['restart-minutes']);
  console.log(
    `soak: ${minutes} minutes, ${rate} samples/s, every process restarted every ${restartMinutes} minutes`,
  );
  const cluster = await startCluster({ nats: 3, receivers: 2, shards: 3, queriers: 2 });
  try {
    return await soak(cluster, { minutes, rate, restartMinutes });
  } finally {
    await cluster.dispose();
  }
}

interface Plan {
  readonly minutes: number;
  readonly rate: number;
  readonly restartMinutes: number;
}

async function soak(cluster: Cluster, { minutes, rate, restartMinutes }: Plan): Promise<number> {
  const runMs = minutes * 60_000;
  const load = new Load({
    receivers: () => cluster.receivers,
    lanes: LANES,
    seriesPerLane: Math.ceil((rate * PACE_MS) / 1000 / LANES),
    stepMs: STEP_MS,
    backMs: (runMs * STEP_MS) / PACE_MS,
    paceMs: PACE_MS,
  });
  const began = performance.now();
  const watch = watchMemory(cluster, began);
  load.run();
  await until(READY_MS_MAX, async () => Math.min(...load.acked) > 2);
  const questions = new Questions(load, cluster.queriers);
  for (let round = 1; round * restartMinutes < minutes; round++) {
    await sleep(Math.max(0, round * restartMinutes * 60_000 - (performance.now() - began)));
    const ms = await restartAll(cluster);
    console.log(
      `minute ${Math.round((performance.now() - began) / 60_000)}: all restarted in ${Math.round(ms / 1000)} s; ` +
        `${load.samples} samples, ${questions.heard.right} right answers, ${questions.heard.wrong.length} wrong`,
    );
  }
  await sleep(Math.max(0, runMs - (performance.now() - began)));
  const seconds = (performance.now() - began) / 1000;
  const [heard] = await Promise.all([questions.stop(), load.stop()]);
  const looks = watch.stop();
  await until(READY_MS_MAX, async () => (await wrongLately(load, cluster.queriers[0]!)) === undefined).catch(
    (error: unknown) => console.log(`  ! ${String(error)}`),
  );
  return report(cluster, load, { heard, looks, runMs, seconds });
}

/** Every process gets SIGTERM and is started again, one after the other; queries and writes go on meanwhile. Takes so many ms. */
async function restartAll(cluster: Cluster): Promise<number> {
  const began = performance.now();
  for (const role of ROLES)
    for (const server of ofRole(cluster, role)) {
      await server.stop();
      await server.start();
    }
  return performance.now() - began;
}

function ofRole(cluster: Cluster, role: Role): readonly SkeinServer[] {
  return { receiver: cluster.receivers, shard: cluster.shards, querier: cluster.queriers }[role];
}

function watchMemory(cluster: Cluster, began: number): { stop(): readonly Look[] } {
  const looks: Look[] = [];
  const look = (): void => {
    const bytes = new Map<string, number>();
    for (const role of ROLES)
      for (const [i, server] of ofRole(cluster, role).entries())
        bytes.set(`${role} ${i + 1}`, server.pid?.() === undefined ? Number.NaN : server.memory().now);
    looks.push({ atMs: performance.now() - began, bytes });
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    stop() {
      clearInterval(timer);
      return looks;
    },
  };
}

interface Seen {
  readonly heard: Heard;
  readonly looks: readonly Look[];
  readonly runMs: number;
  readonly seconds: number;
}

async function report(cluster: Cluster, load: Load, { heard, looks, runMs, seconds }: Seen): Promise<number> {
  const growth = memoryTable(looks, runMs);
  const { turnedAway, broken, wrong: wrongWrites } = load.trouble;
  const writes = spread(load.latencies);
  const answers = spread([...heard.answerMs.ordinary, ...heard.answerMs.strong]);
  console.log(
    `\n${load.samples} samples acknowledged, ${Math.round(load.samples / seconds)} a second; ` +
      `${turnedAway.length} writes turned away, ${sumOf(broken.values())} broken off, p50 ${writes.p50} ms, p99 ${writes.p99} ms`,
  );
  console.log(
    `${heard.right} right answers, ${heard.partial.length} said to be partial, ` +
      `${heard.turnedAway.length} turned away, ${sumOf(heard.broken.values())} broken off; p50 ${answers.p50} ms, p99 ${answers.p99} ms`,
  );
  const balances = [];
  for (const server of cluster.queriers) balances.push(await balance(load, server, HOUR_STEPS));
  const wrong = [...wrongWrites, ...heard.wrong, ...balances.flatMap((found) => found.wrong)];
  for (const text of wrong.slice(0, 40)) console.log(`  ! ${text}`);
  const lost = Math.max(...balances.map((found) => found.lost));
  const doubled = Math.max(...balances.map((found) => found.doubled));
  console.log(
    `\n${lost} lost, ${doubled} doubled, ${heard.wrong.length} wrong, memory ${growth.toFixed(2)} times that of the second third`,
  );
  return wrong.length === 0 && growth <= GROWTH_MAX ? 0 : 1;
}

/** Prints the mean and the most of each kind of process over time; returns how much the whole grew from the second third to the last. */
function memoryTable(looks: readonly Look[], runMs: number): number {
  console.log(`\nMiB, mean and most of a process   ${ROLES.map((role) => role.padStart(14)).join('')}`);
  for (let window = 0; window < WINDOWS; window++) {
    const [from, to] = [(window * runMs) / WINDOWS, ((window + 1) * runMs) / WINDOWS];
    const cells = ROLES.map((role) => {
      const { mean, most } = memoryOf(looks, from, to, role);
      return `${mebibytes(mean)} / ${mebibytes(most)}`.padStart(14);
    });
    console.log(
      `minute ${(from / 60_000).toFixed(0)} to ${(to / 60_000).toFixed(0)}`.padEnd(33),
      cells.join(''),
    );
  }
  const all = (from: number, to: number): number => memoryOf(looks, from, to, '').mean;
  return all((2 * runMs) / 3, runMs) / all(runMs / 3, (2 * runMs) / 3);
}

function memoryOf(
  looks: readonly Look[],
  from: number,
  to: number,
  role: string,
): { mean: number; most: number } {
  const bytes = looks
    .filter(({ atMs }) => atMs >= from && atMs < to)
    .flatMap((look) => [...look.bytes].filter(([name]) => name.startsWith(role)).map(([, rss]) => rss))
    .filter((rss) => Number.isFinite(rss));
  return { mean: sumOf(bytes) / bytes.length, most: Math.max(...bytes) };
}

const mebibytes = (bytes: number): string => String(Math.round(bytes / 1024 / 1024));

function sumOf(counts: Iterable<number>): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}

process.exit(await main());
