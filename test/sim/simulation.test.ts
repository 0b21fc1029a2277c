// The simulator repeats itself exactly, and finds nothing in a number of fixed seeds.

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawPlan } from './plan.ts';
import { REGRESSIONS } from './regressions.ts';
import { simulate } from './simulation.ts';
import { withTraps } from './traps.ts';

const SEEDS = 50;

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

  for (const { found, plan } of REGRESSIONS)
    it(`do not fail any more: ${found}`, async () => {
      expect((await simulate(plan)).violation).toBeUndefined();
    }, 60_000);
});
