// What the parts of a simulation share.

import type { Random } from '../../src/platform/random.ts';
import type { SimLoop } from './loop.ts';
import type { Model } from './model.ts';
import type { SimNetwork } from './network.ts';
import type { SimNode } from './node.ts';
import type { Plan } from './plan.ts';

/** What a run counts, so that one sees that it did something. */
export interface SimCounts {
  acknowledged: number;
  /** Writes that were turned away or not answered, each time they were tried. */
  refused: number;
  answers: number;
  partial: number;
  errors: number;
  compared: number;
}

/** A simulation as writers, readers and faults see it. */
export interface SimWorld {
  readonly plan: Plan;
  readonly loop: SimLoop;
  readonly network: SimNetwork;
  readonly model: Model;
  readonly counts: SimCounts;
  /** The time of new samples, ms since the epoch. */
  readonly dataNow: () => number;
  /** A process that is up, or undefined. */
  readonly anyNode: (random: Random) => SimNode | undefined;
  /** Something is wrong: the simulation ends. */
  readonly blame: (judge: string, text: string) => void;
}
