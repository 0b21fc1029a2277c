// The simulator finds what is planted, and makes what it finds smaller.

import { describe, expect, it } from 'vitest';
import { BUGS } from './bugs.ts';
import { drawPlan } from './plan.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulation.ts';

/** Seeds within which a planted bug must be found. */
const SEEDS_TO_FIND = 100;

describe('planted bugs', () => {
  for (const [name, filter] of Object.entries(BUGS))
    it(`are found: ${name}`, async () => {
      for (let seed = 1; seed <= SEEDS_TO_FIND; seed++)
        if ((await simulate(drawPlan(seed), filter)).violation !== undefined) return;
      expect.fail(`${SEEDS_TO_FIND} seeds did not find it`);
    }, 240_000);

  it('shrink to plans with less in them that fail alike', async () => {
    const filter = BUGS['trim one too far']!;
    let seed = 1;
    let { violation } = await simulate(drawPlan(seed), filter);
    while (violation === undefined) ({ violation } = await simulate(drawPlan(++seed), filter));
    const smallest = await shrink(drawPlan(seed), violation, filter);
    expect(smallest!.outcome.violation!.judge).toBe(violation.judge);
    expect(smallest!.plan.faults.length).toBe(0);
    expect(smallest!.plan.processes).toBe(1);
  }, 120_000);
});
