// The simulator itself: it repeats itself exactly, finds planted bugs, and finds nothing in a number of fixed seeds.

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUGS } from './bugs.ts';
import { drawPlan } from './plan.ts';
import { REGRESSIONS } from './regressions.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulation.ts';
import { withTraps } from './traps.ts';

const SEEDS = 50;
/** Seeds within which a planted bug must be found. */
const SEEDS_TO_FIND = 100;

function traceInOtherProcess(seed: number): string {
  const main = path.join(import.meta.dirname, 'main.ts');
  const text = execFileSync(process.execPath, [main, '--seed', String(seed)], { encoding: 'utf8' });
  return /trace ([0-9a-f]{8})/.exec(text)![1]!;
}

describe('simulation', () => {
  it('does the same for the same seed, in this process and in another one', async () => {
    for (const seed of [1, 6]) {
      const { hash } = await simulate(drawPlan(seed));
      expect((await simulate(drawPlan(seed))).hash).toBe(hash);
      expect(traceInOtherProcess(seed)).toBe(hash);
    }
    expect((await simulate(drawPlan(2))).hash).not.toBe((await simulate(drawPlan(3))).hash);
  }, 120_000);

  it('fails loudly when something real is used', async () => {
    const sprung: string[] = [];
    await withTraps(
      (text) => sprung.push(text),
      async () => {
        expect(() => Date.now()).toThrow(/real/);
        expect(() => setTimeout(() => {}, 1)).toThrow(/real/);
        expect(() => Math.random()).toThrow(/real/);
      },
    );
    expect(sprung).toHaveLength(3);
    expect(Date.now()).toBeGreaterThan(0);
  });

  it('does something: samples are written, cut into blocks, trimmed, read and compared', async () => {
    const sums = { acknowledged: 0, answers: 0, compared: 0, blocks: 0, trimmed: 0 };
    for (let seed = 1; seed <= 5; seed++) {
      const { counts } = await simulate(drawPlan(seed));
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += counts[key];
    }
    for (const [key, sum] of Object.entries(sums)) expect(sum, key).toBeGreaterThan(10);
  }, 60_000);
});

describe('simulated clusters', () => {
  for (let first = 1; first <= SEEDS; first += 10)
    it(`lose, double and falsify nothing with seeds ${first} to ${first + 9}`, async () => {
      for (let seed = first; seed < first + 10; seed++) {
        const { violation } = await simulate(drawPlan(seed));
        expect(violation, `npm run sim -- --seed ${seed}`).toBeUndefined();
      }
    }, 120_000);

  for (const { seed, change, found } of REGRESSIONS)
    it(`do not fail with seed ${seed} any more: ${found}`, async () => {
      expect((await simulate({ ...drawPlan(seed), ...change })).violation).toBeUndefined();
    }, 60_000);
});

describe('planted bugs', () => {
  for (const [name, filter] of Object.entries(BUGS))
    it(`are found: ${name}`, async () => {
      for (let seed = 1; seed <= SEEDS_TO_FIND; seed++)
        if ((await simulate(drawPlan(seed), filter)).violation !== undefined) return;
      expect.fail(`${SEEDS_TO_FIND} seeds did not find it`);
    }, 240_000);

  it('shrink to plans with less in them that fail alike', async () => {
    const plan = drawPlan(1);
    const filter = BUGS['trim one too far']!;
    const { violation } = await simulate(plan, filter);
    const smallest = await shrink(plan, violation!, filter);
    expect(smallest!.outcome.violation!.judge).toBe(violation!.judge);
    expect(smallest!.plan.faults.length).toBe(0);
    expect(smallest!.plan.processes).toBe(1);
  }, 120_000);
});
