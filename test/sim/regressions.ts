// Seeds that failed once, each with what it found. They stay: `npm test` runs them.

import type { Plan } from './plan.ts';

/** A plan that failed. */
export interface Regression {
  readonly seed: number;
  /** What of the seed's plan is different in the smallest plan that failed. */
  readonly change: Partial<Plan>;
  /** What was wrong. */
  readonly found: string;
}

/** All of them. */
export const REGRESSIONS: readonly Regression[] = [
  {
    seed: 187,
    change: {},
    found: 'what a replica tells of itself stays old in the directory when an update failed that had arrived',
  },
];
