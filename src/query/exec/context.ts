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
import { batchBytes, batchSamples, CELL_BYTES, concatBatches } from './step-batch.ts';

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

/** A vector in memory in parts, and what the query holds for it. */
export interface HeldParts {
  readonly batches: readonly StepBatch[];
  readonly bytes: number;
  readonly samples: number;
}

/** A whole vector in memory, and what the query holds for it. */
export interface Held extends Omit<HeldParts, 'batches'> {
  readonly batch: StepBatch;
}

/** All batches of a stream, accounted for as held by the query until release(). */
export async function collectParts(
  stream: AsyncIterable<StepBatch>,
  budget: QueryBudget,
): Promise<HeldParts> {
  const batches: StepBatch[] = [];
  let bytes = 0;
  let samples = 0;
  for await (const batch of stream) {
    const [moreBytes, moreSamples] = [batchBytes(batch), batchSamples(batch)];
    budget.holdBytes(moreBytes);
    budget.holdSamples(moreSamples);
    bytes += moreBytes;
    samples += moreSamples;
    batches.push(batch);
  }
  return { batches, bytes, samples };
}

/** As collectParts, in one batch. */
export async function collect(
  stream: AsyncIterable<StepBatch>,
  steps: number,
  budget: QueryBudget,
): Promise<Held> {
  const { batches, bytes, samples } = await collectParts(stream, budget);
  // Parts and whole stand beside each other for a moment.
  const copied = batches.length > 1 ? bytes : 0;
  budget.holdBytes(copied);
  const batch = await concatBatches(batches, steps, budget.pause);
  budget.releaseBytes(copied);
  return { batch, bytes, samples };
}

/** Gives back what collect() or collectParts() took. */
export function release({ bytes, samples }: Omit<Held, 'batch'>, budget: QueryBudget): void {
  budget.releaseBytes(bytes);
  budget.releaseSamples(samples);
}
