// What every operator of one evaluation shares, and the contract between operators: a vector is a stream of step batches over
// the asked grid, each series in exactly one batch.

import type { Hasher } from '../../codec/hash.ts';
import type { Annotations } from '../../model/annotations.ts';
import { DomainError } from '../../model/errors.ts';
import type { QueryBudget } from '../budget.ts';
import type { EvalModes } from '../modes.ts';
import type { PlanNode } from '../plan/nodes.ts';
import {
  type FragmentRunner,
  type SeriesSource,
  type StepBatch,
  type StepRange,
  stepCount,
} from '../source.ts';
import type { Profile } from './profile.ts';
import { CELL_BYTES } from './step-batch.ts';

/** One evaluation: where series come from (one of the two), what it may use, what it has to say. */
export interface ExecContext extends EvalModes {
  readonly source?: SeriesSource;
  readonly fragments?: FragmentRunner;
  readonly budget: QueryBudget;
  readonly annotations: Annotations;
  readonly lookbackMs: number;
  /** Measures operators, when that was asked for. */
  readonly profile?: Profile;
  /** Only limit_ratio needs it. */
  readonly hasher?: Hasher;
  /**
   * Streams a vector node; operators reach their children through it. With `borrowed` the caller needs each batch only until it
   * asks for the next, so that leaves fill the same memory again.
   */
  stream(node: PlanNode, grid: StepRange, borrowed?: boolean): AsyncIterable<StepBatch>;
  /** A scalar node's value at each step. */
  scalar(node: PlanNode, grid: StepRange): Promise<Float64Array>;
}

/** The grid's last step that is evaluated: `end` aligned down. */
export function lastStep(grid: StepRange): number {
  return grid.start + (stepCount(grid) - 1) * grid.step;
}

/** The grid of what is evaluated once for all steps. */
export function oneStep(grid: StepRange): StepRange {
  const weight = (grid.weight ?? 1) * stepCount(grid);
  return { start: grid.start, end: grid.start, step: 0, weight };
}

/** Refuses a grid whose single row is already more than the query's memory, before anything is allocated. */
export function checkGrid(grid: StepRange, budget: QueryBudget): void {
  const steps = stepCount(grid);
  if (steps * CELL_BYTES <= budget.limits.memoryBytesMax) return;
  throw new DomainError(
    'execution',
    `query needs ${steps} steps, more than ${budget.limits.memoryBytesMax} bytes of memory hold (limit query.memory_bytes_max)`,
  );
}

/** All batches of a stream as one, accounted for as held by the query. */
export async function collect(
  stream: AsyncIterable<StepBatch>,
  steps: number,
  budget: QueryBudget,
): Promise<StepBatch[]> {
  const batches: StepBatch[] = [];
  for await (const batch of stream) {
    budget.holdBytes(batch.labels.length * steps * CELL_BYTES);
    budget.holdSamples(presentCount(batch));
    batches.push(batch);
  }
  return batches;
}

/** Gives back what collect() took for these batches. */
export function release(batches: readonly StepBatch[], budget: QueryBudget): void {
  for (const batch of batches) {
    budget.releaseBytes(batch.labels.length * batch.steps * CELL_BYTES);
    budget.releaseSamples(presentCount(batch));
  }
}

/** Samples of a batch: steps of its series that are there. */
export function presentCount({ present, labels, steps }: StepBatch): number {
  let count = 0;
  const end = labels.length * steps;
  for (let i = 0; i < end; i++) count += present[i]!;
  return count;
}
