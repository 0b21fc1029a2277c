// Something happens to a cluster while it is written to and asked: what became of writes and answers meanwhile, and how long it took
// until everything acknowledged was there.

import type { SkeinServer } from '../helpers/skein-server.ts';
import type { Load, WriteTrouble } from './load.ts';
import { type Heard, Questions, wrongTotals } from './questions.ts';
import { type Cluster, report, sleep, until } from './rig.ts';

const CALM_MS = 1000;

/** What happens, and to whom. */
export interface Storm {
  readonly name: string;
  readonly happens: () => Promise<void>;
  /** Longest time until every acknowledged sample can be asked for, ms. */
  readonly recoveryMsMax: number;
}

/** What was seen while it happened. */
export interface Aftermath {
  readonly heard: Heard;
  readonly trouble: WriteTrouble;
  readonly recoveryMs: number;
}

/** Milliseconds below which the part `share` of these lies, rounded; 0 of none. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
}

/** Writes and asks for a while in peace, then while it happens, and a while after; then counts and sums all there is. */
export async function weather(cluster: Cluster, load: Load, storm: Storm): Promise<Aftermath> {
  const queriers = [...cluster.queriers];
  load.run();
  await sleep(CALM_MS);
  const before = load.forget();
  const questions = new Questions(load, queriers);
  await sleep(CALM_MS);
  const samples = load.samples;
  const began = performance.now();
  try {
    await storm.happens();
    await sleep(CALM_MS);
  } finally {
    await Promise.all([questions.stop(), load.stop()]);
  }
  const seconds = (performance.now() - began) / 1000;
  const { heard } = questions;
  const { trouble, latencies } = load.forget();
  const recoveryMs = Math.max(
    ...(await Promise.all(queriers.map((server) => recovered(load, server, storm.recoveryMsMax)))),
  );
  report(storm.name, {
    samples: load.samples,
    samplesPerSecond: Math.round((load.samples - samples) / seconds),
    seconds: Math.round(seconds * 10) / 10,
    writeMs: { before: writeTimes(before.latencies), during: writeTimes(latencies) },
    writes: { ...trouble, turnedAway: trouble.turnedAway.length, broken: [...trouble.broken] },
    answers: { ...heard, partial: heard.partial.length, broken: [...heard.broken] },
    recoveryMs,
  });
  return { heard, trouble, recoveryMs };
}

function writeTimes(latencies: readonly number[]): object {
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), max: quantile(latencies, 1) };
}

/** Waits until every acknowledged sample of every lane is counted and summed right; how long that took, ms. */
export function recovered(load: Load, server: SkeinServer, msMax: number): Promise<number> {
  let last: unknown;
  return until(
    msMax,
    async () => {
      last = await wrongTotals(load, server);
      return last === undefined;
    },
    () => last,
  );
}
