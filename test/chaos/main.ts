// `npm run chaos -- --minutes M [--seed N] [--only TEXT]`: a real cluster under load while its processes are killed and held, its
// connections cut and slowed, its disks filled and its servers restarted. Ends with a table of what was done; the exit status says
// whether anything was lost, doubled or wrong, or did not come back.

import { parseArgs } from 'node:util';
import { type Random, seededRandom } from '../../src/platform/random.ts';
import { missingServers } from '../helpers/servers.ts';
import { type ChaosCluster, startChaosCluster } from './chaos-cluster.ts';
import { FAULTS, type Fault } from './faults.ts';
import { judgeAll, judgeWindow, Questions } from './judge.ts';
import { KnownLoad, STEP_MS, sleep } from './known-load.ts';

const LANES = 8;
/** Data time that a run covers, however long it takes: a dozen blocks are cut. */
const SPAN_MS = 26 * 3_600_000;
const RECOVERY_MS_MAX = 60_000;
const PAUSE_MS = 2000;
/** Runs shorter than this have faults cut short, so that every kind comes. */
const LONG_MINUTES = 5;
const SHORT_MS_MAX = 5000;
const HOUR_STEPS = 3_600_000 / STEP_MS;

interface Row {
  readonly fault: string;
  times: number;
  skipped: number;
  recoveryMsMax: number;
  readonly notRecovered: string[];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      only: { type: 'string', default: '' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const missing = await missingServers(['nats-server', 'minio']);
  if (missing !== undefined) {
    console.error(`chaos: ${missing}`);
    return 2;
  }
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  const faults = FAULTS.filter(({ name }) => name.includes(values.only));
  console.log(`chaos: ${minutes} minutes, seed ${seed}, ${faults.length} kinds of faults`);
  const cluster = await startChaosCluster();
  try {
    return await run(cluster, { faults, minutes, random: seededRandom(seed), seed, verbose: values.verbose });
  } finally {
    await cluster.dispose();
  }
}

interface Plan {
  readonly faults: readonly Fault[];
  readonly minutes: number;
  readonly random: Random;
  readonly seed: number;
  readonly verbose: boolean;
}

async function run(cluster: ChaosCluster, plan: Plan): Promise<number> {
  const runMs = plan.minutes * 60_000;
  const servers = (role: 'receiver' | 'querier') => () => cluster.of(role).map(({ server }) => server);
  const load = new KnownLoad({
    receivers: servers('receiver'),
    lanes: LANES,
    start: Math.floor((Date.now() - SPAN_MS) / STEP_MS) * STEP_MS,
    paceMs: (runMs * STEP_MS) / SPAN_MS,
  });
  const questions = new Questions();
  load.run();
  questions.run(load, servers('querier'), seededRandom(plan.seed + 1));
  const rows = new Map<string, Row>();
  const end = performance.now() + runMs;
  let bag: Fault[] = [];
  await recovered(cluster, load);
  while (performance.now() < end) {
    // Every kind once, in an order of its own, before any comes again.
    if (bag.length === 0) bag = shuffled(plan.faults, plan.random);
    await strike(cluster, load, bag.pop()!, rows, plan);
  }
  await load.stop();
  await questions.stop();
  return report(cluster, load, questions, [...rows.values()]);
}

async function strike(
  cluster: ChaosCluster,
  load: KnownLoad,
  fault: Fault,
  rows: Map<string, Row>,
  { random, verbose, minutes }: Plan,
): Promise<void> {
  const row = rows.get(fault.name) ?? {
    fault: fault.name,
    times: 0,
    skipped: 0,
    recoveryMsMax: 0,
    notRecovered: [],
  };
  rows.set(fault.name, row);
  const [least, most] = fault.seconds;
  const drawnMs = least * 1000 + random.integer((most - least) * 1000 + 1);
  const lastsMs = minutes < LONG_MINUTES ? Math.min(drawnMs, SHORT_MS_MAX) : drawnMs;
  const begun = await fault.begin(cluster, random);
  if (begun === undefined) {
    row.skipped++;
    return;
  }
  row.times++;
  await sleep(lastsMs);
  await begun.heal();
  const recovery = await recovered(cluster, load);
  if (typeof recovery === 'number') row.recoveryMsMax = Math.max(row.recoveryMsMax, recovery);
  else row.notRecovered.push(`${begun.victim}: ${recovery}`);
  if (verbose)
    console.log(
      `${fault.name} (${begun.victim}) for ${Math.round(lastsMs)} ms, right again after ${String(recovery)} ms`,
    );
  await sleep(PAUSE_MS);
}

// Until every lane is written on and every querier is right about it: ms, or what is still not.
async function recovered(cluster: ChaosCluster, load: KnownLoad): Promise<number | string> {
  const began = performance.now();
  const before = [...load.acked];
  const lanes = before.map((_, lane) => lane);
  let last: unknown = 'no lane was written';
  while (performance.now() - began < RECOVERY_MS_MAX) {
    if (load.acked.every((steps, lane) => steps > before[lane]!)) {
      const known = Math.min(...load.acked) - 1;
      const verdicts = await Promise.all(
        cluster.of('querier').map(({ server }) => judgeWindow(server, load, lanes, known, 10)),
      );
      const bad = verdicts.find(({ kind }) => kind !== 'right');
      if (bad === undefined) return Math.round(performance.now() - began);
      last = JSON.stringify(bad);
    }
    await sleep(100);
  }
  return String(last);
}

async function report(
  cluster: ChaosCluster,
  load: KnownLoad,
  questions: Questions,
  rows: Row[],
): Promise<number> {
  const width = Math.max(...rows.map(({ fault }) => fault.length));
  console.log(`\n${'fault'.padEnd(width)}  times  skipped  slowest recovery`);
  for (const { fault, times, skipped, recoveryMsMax } of rows)
    console.log(
      `${fault.padEnd(width)}  ${String(times).padStart(5)}  ${String(skipped).padStart(7)}  ${(recoveryMsMax / 1000).toFixed(1)} s`,
    );
  const stuck = rows.flatMap(({ fault, notRecovered }) => notRecovered.map((text) => `${fault}: ${text}`));
  const balances = [];
  for (const { server } of cluster.of('querier')) balances.push(await judgeAll(server, load, HOUR_STEPS));
  const { counts, latencies } = questions;
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
  console.log(
    `\n${load.samples} samples acknowledged, ${load.retries} writes tried again; ` +
      `${counts.right} right answers (p50 ${at(0.5)} ms, p99 ${at(0.99)} ms), ${counts.partial} said to be partial, ${counts.failed} failed`,
  );
  for (const [text, times] of questions.texts) console.log(`  ${times} x ${text}`);
  const wrong = [...questions.wrong, ...balances.flatMap((balance) => balance.wrong)];
  for (const text of [...load.surprises, ...stuck, ...wrong].slice(0, 40)) console.log(`  ! ${text}`);
  const lost = Math.max(...balances.map((balance) => balance.lost));
  const doubled = Math.max(...balances.map((balance) => balance.doubled));
  console.log(
    `\n${lost} lost, ${doubled} doubled, ${questions.wrong.length} wrong, ${stuck.length} not recovered`,
  );
  return wrong.length + stuck.length + load.surprises.length === 0 ? 0 : 1;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const k = random.integer(i + 1);
    [out[i], out[k]] = [out[k]!, out[i]!];
  }
  return out;
}

process.exit(await main());
