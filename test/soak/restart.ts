// `npm run soak:restart -- [--series N] [--minutes M] [--snapshots false]`: one embedded process holds N series and M minutes of log at a sample
// every 15 s, and hours in blocks. It is killed (kill -9) and started again: how soon it answers what is old, how soon everything, and
// with how much memory. The exit status says whether anything was missing at the end, or memory went past 1.1 times that before.

import { parseArgs } from 'node:util';
import { Load } from '../cluster/load.ts';
import { scalarOf, until } from '../cluster/rig.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';

const SERIES_PER_LANE = 10_000;
const LOG_STEP_MS = 15_000;
/** Before the log's minutes: hours with a sample every ten minutes, of which blocks are cut. */
const OLD_STEP_MS = 600_000;
const OLD_MS = 8 * 3_600_000;
const LOAD_MS_MAX = 3_600_000;
const ANSWER_MS_MAX = 600_000;
const GROWTH_MAX = 1.1;
const MIB = 1024 * 1024;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      series: { type: 'string', default: '1000000' },
      minutes: { type: 'string', default: '60' },
      snapshots: { type: 'string', default: 'true' },
    },
  });
  const never = ['--shard.snapshot_interval', '100h', '--shard.snapshot_log_bytes', '1TiB'];
  const flags = values.snapshots === 'false' ? never : [];
  const lanes = Math.ceil(Number(values.series) / SERIES_PER_LANE);
  const server = await startSkein(flags);
  try {
    return await restart(server, lanes, Number(values.minutes));
  } finally {
    await server.dispose();
  }
}

async function restart(server: SkeinServer, lanes: number, minutes: number): Promise<number> {
  const logMs = minutes * 60_000;
  await write(server, lanes, OLD_STEP_MS, logMs + OLD_MS, OLD_MS / OLD_STEP_MS);
  const log = await write(server, lanes, LOG_STEP_MS, logMs, logMs / LOG_STEP_MS);
  const before = server.memory().peak;
  await server.kill();
  const began = performance.now();
  const since = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  const starting = server.start();
  // At a step of theirs: a sample counts for five minutes.
  const old = Math.floor((log.start - OLD_MS / 2) / OLD_STEP_MS) * OLD_STEP_MS;
  await answered(server, 'count(load{lane="0"})', old / 1000, SERIES_PER_LANE);
  console.log(`what is ${OLD_MS / 7_200_000} h older than the log is answered after ${since()}`);
  await starting;
  await answered(server, 'count(load)', log.time(log.acked[0]! - 1), lanes * SERIES_PER_LANE);
  const { peak } = server.memory();
  const growth = peak / before;
  console.log(
    `everything is answered after ${since()}; most memory ${Math.round(peak / MIB)} MiB, ` +
      `${growth.toFixed(2)} times the ${Math.round(before / MIB)} MiB before`,
  );
  const missing = await missingSamples(server, log);
  console.log(`${missing} of ${log.samples} samples of the log missing`);
  return missing === 0 && growth <= GROWTH_MAX ? 0 : 1;
}

/** Writes so many steps of every lane as fast as they are taken. */
async function write(
  server: SkeinServer,
  lanes: number,
  stepMs: number,
  backMs: number,
  steps: number,
): Promise<Load> {
  const load = new Load({
    receivers: () => [server],
    lanes,
    seriesPerLane: SERIES_PER_LANE,
    ...{ stepMs, backMs, paceMs: 0, steps },
  });
  const began = performance.now();
  load.run();
  await until(LOAD_MS_MAX, async () => Math.min(...load.acked) >= steps);
  await load.stop();
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${load.samples} samples written in ${Math.round(seconds)} s, ${Math.round(load.samples / seconds)} a second`,
  );
  return load;
}

/** Until a query at a time (s) gives a number, in an answer that says nothing is missing. */
async function answered(server: SkeinServer, query: string, time: number, expected: number): Promise<void> {
  await until(ANSWER_MS_MAX, async () => (await scalarOf(server, query, time)) === expected);
}

async function missingSamples(server: SkeinServer, load: Load): Promise<number> {
  let found = 0;
  const range = `[${load.acked[0]! * load.stepMs}ms]`;
  for (let lane = 0; lane < load.lanes; lane++) {
    const query = `sum(count_over_time(load{lane="${lane}"}${range}))`;
    found += Number(await scalarOf(server, query, load.time(load.acked[lane]! - 1)));
  }
  return load.samples - found;
}

process.exit(await main());
