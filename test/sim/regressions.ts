// Plans that failed once, as they were shrunk, each with what it found. They stay: `npm test` runs them.

import { type Plan, QUIET } from './plan.ts';

/** A plan that failed. It is kept whole: seeds mean something else when the draws change. */
export interface Regression {
  /** What was wrong. */
  readonly found: string;
  readonly plan: Plan;
}

/** All of them. */
export const REGRESSIONS: readonly Regression[] = [
  {
    found: 'what a replica tells of itself stays old in the directory when an update failed that had arrived',
    plan: {
      ...QUIET,
      seed: 187,
      processes: 1,
      partitions: 4,
      standbys: 0,
      tenants: 1,
      writers: 1,
      seriesPerWriter: 1,
      durationMs: 60_000,
      speed: 300,
      writeEveryMs: 1000,
      readEveryMs: 3000,
      leaseTtlMs: 3000,
      epochMs: 20_000,
      snapshotMs: 120_000,
      windowMs: 1_800_000,
      faults: [{ kind: 'cut', atMs: 26_409, lastsMs: 11_910, target: 1 }],
    },
  },
  {
    found:
      'a replica that opens while the bucket is slow knows the block of a later pass only, and forgets what an earlier block has',
    plan: {
      seed: 30259,
      processes: 2,
      partitions: 4,
      standbys: 0,
      tenants: 1,
      writers: 2,
      seriesPerWriter: 8,
      durationMs: 100000,
      speed: 200,
      writeEveryMs: 2000,
      readEveryMs: 3000,
      leaseTtlMs: 3000,
      epochMs: 5000,
      snapshotMs: 120000,
      windowMs: 3600000,
      skewMs: 20000,
      lose: 100,
      duplicate: 200,
      slow: 0,
      slowMs: 50,
      bucketRefuse: 0,
      bucketSlow: 3000,
      bucketSlowMs: 10000,
      faults: [
        { kind: 'kill', atMs: 80665, lastsMs: 27734, target: 2 },
        { kind: 'disk-full', atMs: 82041, lastsMs: 4269, target: 5 },
        { kind: 'disk-lost', atMs: 94713, lastsMs: 4104, target: 4 },
        { kind: 'kill', atMs: 95293, lastsMs: 566, target: 7 },
      ],
    },
  },
  {
    found:
      'a shard that is asked to hand over while it opens, and fails to, waits for its own answer for ever',
    plan: {
      ...QUIET,
      seed: 25805,
      processes: 3,
      partitions: 4,
      standbys: 2,
      tenants: 1,
      writers: 3,
      seriesPerWriter: 4,
      durationMs: 140_000,
      speed: 200,
      writeEveryMs: 1000,
      readEveryMs: 3000,
      leaseTtlMs: 5000,
      epochMs: 20_000,
      snapshotMs: 5000,
      windowMs: 1_800_000,
      skewMs: 20_000,
      lose: 20,
      slowMs: 3000,
      bucketSlowMs: 10_000,
      faults: [
        { kind: 'pause', atMs: 34_668, lastsMs: 507, target: 4 },
        { kind: 'bucket-refuses', atMs: 67_422, lastsMs: 16_398, target: 4 },
        { kind: 'disk-lost', atMs: 73_950, lastsMs: 7459, target: 2 },
        { kind: 'disk-lost', atMs: 84_011, lastsMs: 923, target: 4 },
      ],
    },
  },
  {
    found:
      'a replica that begins after a trim takes a frame for lost that was under way when the first one it meets was sent',
    plan: {
      ...QUIET,
      seed: 1_795_454_140,
      processes: 2,
      partitions: 2,
      standbys: 1,
      tenants: 1,
      writers: 3,
      seriesPerWriter: 2,
      durationMs: 140_000,
      speed: 300,
      writeEveryMs: 3000,
      readEveryMs: 1500,
      leaseTtlMs: 3000,
      epochMs: 5000,
      snapshotMs: 120_000,
      windowMs: 7_200_000,
      slow: 500,
      slowMs: 500,
      bucketSlowMs: 10_000,
      faults: [
        { kind: 'cut', atMs: 12_435, lastsMs: 10_020, target: 3 },
        { kind: 'cut', atMs: 51_369, lastsMs: 22_953, target: 0 },
        { kind: 'disk-lost', atMs: 83_777, lastsMs: 3826, target: 3 },
      ],
    },
  },
];
