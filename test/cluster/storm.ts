// Something happens to a cluster while it is written to and asked: what became of writes and answers meanwhile, and how long it took
// until everything acknowledged was there.

import type { SkeinServer } from '../helpers/skein-server.ts';
import type { Load, WriteTrouble } from './load.ts';
import { type Heard, Questions, wrongTotals } from './questions.ts';
import { type Cluster, report, type Spread, sleep, spread, until } from './rig.ts';

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
  /** How long acknowledged writes took before it and while it happened. */
  readonly writeMs: { readonly before: Spread; readonly during: Spread };
  readonly recoveryMs: number;
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
  const writeMs = { before: spread(before.latencies), during: spread(latencies) };
  report(storm.name, {
    samples: load.samples,
    samplesPerSecond: Math.round((load.samples - samples) / seconds),
    seconds: Math.round(seconds * 10) / 10,
    writeMs,
    writes: { ...trouble, turnedAway: trouble.turnedAway.length, broken: [...trouble.broken] },
    answers: {
      ...heard,
      partial: heard.partial.length,
      broken: [...heard.broken],
      answerMs: { ordinary: spread(heard.answerMs.ordinary), strong: spread(heard.answerMs.strong) },
    },
    recoveryMs,
  });
  return { heard, trouble, writeMs, recoveryMs };
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
