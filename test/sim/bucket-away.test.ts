// S3 away for ten minutes and for an hour of virtual time, while half a day and a day of data are written: no write is turned away, logs
// and heads hold what no block can be made of, and when it is back blocks catch up, logs are trimmed and heads let go.

import { describe, expect, it } from 'vitest';
import type { Metrics } from '../../src/platform/metrics.ts';
import { START_MS } from './cluster.ts';
import type { PortsFilter } from './node.ts';
import { type FaultKind, type Plan, QUIET } from './plan.ts';
import { simulate } from './simulation.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const AWAY_AT_MS = 15 * MINUTE;
const AFTERWARDS_MS = 15 * MINUTE;
/** What is left to do when it is back may take this long. */
const CATCH_UP_MS = MINUTE;

const BLOCKS_CUT = 'skein_shard_blocks_cut_total';
const HELD = ['skein_shard_log_bytes', 'skein_shard_head_bytes'];

/** A value that a process told by its metrics. */
interface Told {
  readonly atMs: number;
  readonly name: string;
  readonly series: string;
  readonly value: number;
}

// Notes what these metrics of all processes are set to.
function listen(names: readonly string[], told: Told[]): PortsFilter {
  return (world, host) => {
    const note =
      (name: string) =>
      (value = 1, labels: Record<string, string> = {}): void => {
        if (!names.includes(name)) return;
        const series = `${host.name}/${labels['partition'] ?? ''}`;
        told.push({ atMs: world.clock.now() - START_MS, name, series, value });
      };
    const metrics: Metrics = {
      ...world.metrics,
      counter: (name) => ({ add: note(name) }),
      gauge: (name) => ({ set: note(name), remove: () => {} }),
    };
    return { ...world, metrics };
  };
}

/** Largest sum over all series of what was told last, looked at each minute of a stretch of virtual time. */
function peak(told: readonly Told[], name: string, start: number, end: number): number {
  let most = 0;
  for (let at = start; at <= end; at += MINUTE) {
    const last = new Map<string, number>();
    for (const one of told) if (one.name === name && one.atMs <= at) last.set(one.series, one.value);
    most = Math.max(
      most,
      [...last.values()].reduce((sum, value) => sum + value, 0),
    );
  }
  return most;
}

function planOf(kind: FaultKind, awayMs: number, speed: number): Plan {
  return {
    ...QUIET,
    seed: 1,
    processes: 2,
    partitions: 2,
    standbys: 1,
    tenants: 1,
    writers: 2,
    seriesPerWriter: 8,
    durationMs: AWAY_AT_MS + awayMs + AFTERWARDS_MS,
    speed,
    writeEveryMs: 10_000,
    readEveryMs: 15_000,
    leaseTtlMs: 15_000,
    epochMs: 20_000,
    snapshotMs: 120_000,
    windowMs: HOUR,
    faults: [{ kind, atMs: AWAY_AT_MS, lastsMs: awayMs, target: 0 }],
  };
}

describe('a bucket', () => {
  it.each([
    { kind: 'bucket-silent', awayMs: 10 * MINUTE, speed: 72 },
    { kind: 'bucket-refuses', awayMs: HOUR, speed: 24 },
  ] as const)(
    'that is away ($kind for $awayMs ms) costs no write, and what waited is cut, uploaded, trimmed and let go when it is back',
    async ({ kind, awayMs, speed }) => {
      const told: Told[] = [];
      const plan = planOf(kind, awayMs, speed);
      // Every acknowledged sample is readable, nothing is twice, no log is trimmed of what is in no block: the judges.
      const { violation, counts } = await simulate(plan, listen([BLOCKS_CUT, ...HELD], told));
      expect(violation).toBeUndefined();
      expect({ refused: counts.refused, failed: counts.errors }).toEqual({ refused: 0, failed: 0 });

      const backAtMs = AWAY_AT_MS + awayMs;
      const cut = (start: number, end: number): number =>
        told
          .filter(({ name, atMs }) => name === BLOCKS_CUT && atMs > start && atMs <= end)
          .reduce((sum, { value }) => sum + value, 0);
      const ranges = Math.floor((awayMs * speed) / (2 * HOUR));
      expect(cut(0, AWAY_AT_MS)).toBeGreaterThan(0);
      expect(cut(AWAY_AT_MS + MINUTE, backAtMs)).toBe(0);
      expect(cut(backAtMs, backAtMs + CATCH_UP_MS)).toBeGreaterThanOrEqual(plan.partitions * ranges);

      for (const name of HELD) {
        const before = peak(told, name, 0, AWAY_AT_MS);
        const away = peak(told, name, AWAY_AT_MS, backAtMs);
        const after = peak(told, name, backAtMs + CATCH_UP_MS, plan.durationMs);
        expect(away, name).toBeGreaterThan(2 * before);
        expect(after, name).toBeLessThan(1.5 * before);
      }
    },
    120_000,
  );
});
