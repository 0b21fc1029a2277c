// What one run of the simulation does, drawn from its seed: which faults are on, how large the cluster is, what the load looks like.
// A plan is plain data, so that a failing one can be made smaller.

import type { Random } from '../../src/platform/random.ts';
import { seededRandom } from '../../src/platform/random.ts';

/** What can happen, and how long it lasts. `target` is a process or a partition, whichever the fault is about. */
export interface PlannedFault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly lastsMs: number;
  readonly target: number;
}

/** Kinds of faults. */
export const FAULT_KINDS = [
  'kill',
  'pause',
  'drain',
  'cut',
  'bucket-cut',
  'bucket-refuses',
  'bucket-silent',
  'log-away',
  'log-leader',
  'log-full',
  'directory-away',
  'disk-full',
  'disk-broken',
  'disk-lost',
  'snapshot-flip',
] as const;

/** A kind of fault. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** One run. */
export interface Plan {
  readonly seed: number;
  readonly processes: number;
  readonly partitions: number;
  readonly standbys: number;
  readonly tenants: number;
  readonly writers: number;
  readonly seriesPerWriter: number;
  /** Virtual time with load and faults, ms. */
  readonly durationMs: number;
  /** Data time that passes in a virtual second, s. */
  readonly speed: number;
  readonly writeEveryMs: number;
  readonly readEveryMs: number;
  readonly leaseTtlMs: number;
  readonly epochMs: number;
  readonly snapshotMs: number;
  readonly windowMs: number;
  readonly skewMs: number;
  /** Chances in 10,000 for every message. */
  readonly lose: number;
  readonly duplicate: number;
  readonly slow: number;
  readonly slowMs: number;
  readonly bucketRefuse: number;
  readonly bucketSlow: number;
  readonly bucketSlowMs: number;
  readonly faults: readonly PlannedFault[];
}

/** What a plan has where nothing but its faults goes wrong. */
export const QUIET: Pick<
  Plan,
  'skewMs' | 'lose' | 'duplicate' | 'slow' | 'slowMs' | 'bucketRefuse' | 'bucketSlow' | 'bucketSlowMs'
> = {
  skewMs: 0,
  lose: 0,
  duplicate: 0,
  slow: 0,
  slowMs: 50,
  bucketRefuse: 0,
  bucketSlow: 0,
  bucketSlowMs: 1000,
};

/** Draws the plan of a seed. */
export function drawPlan(seed: number): Plan {
  const random = seededRandom(seed);
  const one = <T>(values: readonly T[]): T => values[random.integer(values.length)]!;
  const sometimes = (ratio: number, value: number): number => (random.integer(ratio) === 0 ? value : 0);
  const durationMs = one([75_000, 100_000, 140_000]);
  const processes = one([1, 2, 2, 3, 3, 4]);
  const partitions = one([1, 1, 2, 2, 4]);
  const plan = {
    seed,
    processes,
    partitions,
    standbys: one([0, 1, 1, 1, 2]),
    tenants: one([1, 1, 2]),
    writers: one([1, 2, 3]),
    seriesPerWriter: one([2, 4, 8]),
    durationMs,
    speed: one([120, 200, 300]),
    writeEveryMs: one([1000, 2000, 3000]),
    readEveryMs: one([1500, 3000, 5000]),
    leaseTtlMs: one([3000, 5000, 10_000, 15_000]),
    epochMs: one([1000, 5000, 20_000]),
    snapshotMs: one([5000, 20_000, 120_000]),
    windowMs: one([1_800_000, 3_600_000, 7_200_000]),
    skewMs: sometimes(2, 20_000),
    lose: sometimes(3, one([5, 20, 100])),
    duplicate: sometimes(3, one([20, 200])),
    slow: sometimes(2, one([50, 500])),
    slowMs: one([50, 500, 3000]),
    bucketRefuse: sometimes(3, one([100, 1000])),
    bucketSlow: sometimes(3, one([500, 3000])),
    bucketSlowMs: one([1000, 10_000]),
  };
  return { ...plan, faults: drawFaults(random, plan) };
}

function drawFaults(
  random: Random,
  { durationMs, processes, partitions }: Pick<Plan, 'durationMs' | 'processes' | 'partitions'>,
): PlannedFault[] {
  const on = FAULT_KINDS.filter(() => random.integer(4) === 0);
  const faults: PlannedFault[] = [];
  for (let i = on.length === 0 ? 0 : 1 + random.integer(8); i > 0; i--) {
    const kind = on[random.integer(on.length)]!;
    faults.push({
      kind,
      atMs: 5000 + random.integer(durationMs - 5000),
      lastsMs: 200 + random.integer([2000, 10_000, 40_000][random.integer(3)]!),
      target: random.integer(processes * partitions),
    });
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}
