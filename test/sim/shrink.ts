// Makes a failing plan smaller: parts of it are left out as long as the same judge still complains.

import type { PortsFilter } from './node.ts';
import type { Plan } from './plan.ts';
import { type Outcome, simulate, type Violation } from './simulation.ts';

const RUNS_MAX = 80;

/** What is left of a plan, and how its run ends. */
export interface Shrunk {
  readonly plan: Plan;
  readonly outcome: Outcome;
  readonly runs: number;
}

/** The smallest plan found in which the judge of `violation` complains. */
export async function shrink(
  plan: Plan,
  violation: Violation,
  filter?: PortsFilter,
): Promise<Shrunk | undefined> {
  let best: Shrunk | undefined;
  let smallest = plan;
  let runs = 0;
  const attempt = async (smaller: Plan): Promise<boolean> => {
    if (runs >= RUNS_MAX) return false;
    runs++;
    const outcome = await simulate(smaller, filter);
    if (outcome.violation?.judge !== violation.judge) return false;
    smallest = smaller;
    best = { plan: smaller, outcome, runs };
    return true;
  };
  // Nothing that comes after the complaint can have led to it.
  const until = violation.atMs + 1;
  if (violation.atMs < plan.durationMs)
    await attempt({ ...plan, faults: plan.faults.filter(({ atMs }) => atMs < until) });
  for (
    let size = Math.ceil(smallest.faults.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  )
    for (let at = 0; at < smallest.faults.length; ) {
      const faults = smallest.faults.filter((_, i) => i < at || i >= at + size);
      if (!(await attempt({ ...smallest, faults }))) at += size;
    }
  for (const quiet of QUIET) if (isLouder(smallest, quiet)) await attempt({ ...smallest, ...quiet });
  for (const key of COUNTS)
    while (smallest[key] > (key === 'standbys' ? 0 : 1))
      if (!(await attempt({ ...smallest, [key]: lower(key, smallest[key]) }))) break;
  return best === undefined ? undefined : { ...best, runs };
}

const QUIET: readonly Partial<Plan>[] = [
  { lose: 0 },
  { duplicate: 0 },
  { slow: 0 },
  { bucketRefuse: 0 },
  { bucketSlow: 0 },
  { skewMs: 0 },
];
const COUNTS = ['processes', 'partitions', 'standbys', 'tenants', 'writers', 'seriesPerWriter'] as const;

function isLouder(plan: Plan, quiet: Partial<Plan>): boolean {
  return Object.entries(quiet).some(([key, value]) => plan[key as keyof Plan] !== value);
}

// The number of partitions is a power of two.
function lower(key: (typeof COUNTS)[number], value: number): number {
  return key === 'partitions' ? value / 2 : value - 1;
}
