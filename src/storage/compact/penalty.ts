// Deduplication of two replicas of a series as Thanos does it (pkg/dedup/iter.go): samples are taken from one replica as long as it
// goes on; the other is turned to only when that one has a gap of about three intervals, so that the result is not denser than one
// replica is.

import { pushSample, type SampleColumns } from '../../model/samples.ts';
import { forgetNoReset } from '../block/merge-samples.ts';

/** By how much the replica that is passed by is held back while no interval is known, ms. */
const FIRST_PENALTY_MS = 5000;

/** Appends to `target` the samples of two replicas, each in time order, without duplicates. Both are borrowed. */
export function mergeReplicas(a: SampleColumns, b: SampleColumns, target: SampleColumns): void {
  const replicas = [a, b] as const;
  const at: [number, number] = [0, 0];
  const penalties: [number, number] = [0, 0];
  let lastTime = Number.NEGATIVE_INFINITY;
  let last = 0;
  let lastIndex = -1;
  for (;;) {
    at[0] = seekTime(a, at[0], lastTime + 1 + penalties[0]);
    at[1] = seekTime(b, at[1], lastTime + 1 + penalties[1]);
    const hasA = at[0] < a.count;
    const hasB = at[1] < b.count;
    if (!hasA && !hasB) return;
    const taken = hasA && (!hasB || a.timestamps[at[0]]! <= b.timestamps[at[1]]!) ? 0 : 1;
    const time = replicas[taken].timestamps[at[taken]]!;
    penalties[taken] = 0;
    if (hasA && hasB)
      penalties[1 - taken] = lastTime === Number.NEGATIVE_INFINITY ? FIRST_PENALTY_MS : 2 * (time - lastTime);
    pushSample(target, replicas[taken], at[taken]);
    if (taken !== last || at[taken] !== lastIndex + 1) forgetNoReset(target);
    lastTime = time;
    last = taken;
    lastIndex = at[taken];
  }
}

function seekTime({ timestamps, count }: SampleColumns, from: number, time: number): number {
  let at = from;
  while (at < count && timestamps[at]! < time) at++;
  return at;
}
