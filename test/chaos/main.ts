// `npm run chaos -- --minutes M [--seed N] [--only TEXT]`: a real cluster under load while its processes are killed and held, its
// connections cut and slowed, its disks filled and its servers restarted. Ends with a table of what was done; the exit status says
// whether anything was lost, doubled or wrong, or did not come back.

import { parseArgs } from 'node:util';
import { type Random, seededRandom } from '../../src/platform/random.ts';
import { Load } from '../cluster/load.ts';
import { balance, type Heard, Questions, wrongLately } from '../cluster/questions.ts';
import { sleep, spread } from '../cluster/rig.ts';
import { missingServers } from '../helpers/servers.ts';
import { type ChaosCluster, startChaosCluster } from './chaos-cluster.ts';
import { FAULTS, type Fault } from './faults.ts';

const LANES = 8;
const SERIES_PER_LANE = 250;
const STEP_MS = 10_000;
/** Data time that a run covers, however long it takes: a dozen blocks are cut. */
const SPAN_MS = 26 * 3_600_000;
const RECOVERY_MS_MAX = 60_000;
/** A balancer in front of the receivers sends a write to another one after this. */
const WRITE_MS_MAX = 10_000;
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
  const servers = (role: 'receiver' | 'querier') => cluster.of(role).map(({ server }) => server);
  const load = new Load({
    receivers: () => servers('receiver'),
    lanes: LANES,
    seriesPerLane: SERIES_PER_LANE,
    stepMs: STEP_MS,
    backMs: SPAN_MS,
    paceMs: (runMs * STEP_MS) / SPAN_MS,
    writeMsMax: WRITE_MS_MAX,
  });
  load.run();
  const questions = new Questions(load, servers('querier'));
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
  return report(cluster, load, await questions.stop(), [...rows.values()]);
}

async function strike(
  cluster: ChaosCluster,
  load: Load,
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
async function recovered(cluster: ChaosCluster, load: Load): Promise<number | string> {
  const began = performance.now();
  const before = [...load.acked];
  let last: unknown = 'no lane was written';
  while (performance.now() - began < RECOVERY_MS_MAX) {
    if (load.acked.every((steps, lane) => steps > before[lane]!)) {
      const found = await Promise.all(cluster.of('querier').map(({ server }) => wrongLately(load, server)));
      last = found.find((text) => text !== undefined);
      if (last === undefined) return Math.round(performance.now() - began);
    }
    await sleep(100);
  }
  return String(last);
}

async function report(cluster: ChaosCluster, load: Load, heard: Heard, rows: Row[]): Promise<number> {
  const width = Math.max(...rows.map(({ fault }) => fault.length));
  console.log(`\n${'fault'.padEnd(width)}  times  skipped  slowest recovery`);
  for (const { fault, times, skipped, recoveryMsMax } of rows)
    console.log(
      `${fault.padEnd(width)}  ${String(times).padStart(5)}  ${String(skipped).padStart(7)}  ${(recoveryMsMax / 1000).toFixed(1)} s`,
    );
  const stuck = rows.flatMap(({ fault, notRecovered }) => notRecovered.map((text) => `${fault}: ${text}`));
  const balances = [];
  for (const { server } of cluster.of('querier')) balances.push(await balance(load, server, HOUR_STEPS));
  const { turnedAway, broken, wrong: wrongWrites } = load.trouble;
  const failed = heard.turnedAway.length + sumOf(heard.broken.values());
  const { ordinary, strong } = heard.answerMs;
  const { p50, p99 } = spread([...ordinary, ...strong]);
  console.log(
    `\n${load.samples} samples acknowledged, ${turnedAway.length + sumOf(broken.values())} writes tried again; ` +
      `${heard.right} right answers, ${heard.partial.length} said to be partial, ${failed} failed; p50 ${p50} ms, p99 ${p99} ms of them all`,
  );
  for (const [text, times] of kindsOf([...heard.partial, ...heard.turnedAway.map(({ text }) => text)]))
    console.log(`  ${times} x ${text}`);
  const wrong = [...heard.wrong, ...balances.flatMap((found) => found.wrong)];
  for (const text of [...wrongWrites, ...stuck, ...wrong].slice(0, 40)) console.log(`  ! ${text}`);
  const lost = Math.max(...balances.map((found) => found.lost));
  const doubled = Math.max(...balances.map((found) => found.doubled));
  console.log(
    `\n${lost} lost, ${doubled} doubled, ${heard.wrong.length} wrong, ${stuck.length} not recovered`,
  );
  return wrong.length + stuck.length + wrongWrites.length === 0 ? 0 : 1;
}

function sumOf(counts: Iterable<number>): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}

// What was said, without the numbers in it, and how often.
function kindsOf(texts: readonly string[]): Map<string, number> {
  const kinds = new Map<string, number>();
  for (const text of texts) {
    const said = /: (\d{3} .*)$/s.exec(text)?.[1] ?? text;
    const kind = said.replace(/\d+/g, 'N').slice(0, 160);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
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
