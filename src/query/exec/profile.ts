// Measures the operators of one evaluation, for analyze. It stands between an operator and whoever reads it, and knows neither.

import type { QueryBudget } from '../budget.ts';
import type { OperatorTree } from '../operator-tree.ts';
import { childrenOf, type PlanNode, type RemoteNode } from '../plan/nodes.ts';
import { nodeText } from '../plan/plan-text.ts';
import type { FragmentReply, StepBatch } from '../source.ts';
import { rawSamples } from './raw-series.ts';
import { batchSamples } from './step-batch.ts';

interface Measured {
  timeMs: number;
  series: number;
  samples: number;
  /** What partitions have said of their part. */
  readonly partitions: OperatorTree[];
}

/** The measurements of one evaluation. */
export class Profile {
  readonly #budget: QueryBudget;
  readonly #measured = new Map<PlanNode, Measured>();

  /** The budget tells the time; without a clock all times are 0. */
  constructor(budget: QueryBudget) {
    this.#budget = budget;
  }

  /** Hands on an operator's batches. */
  watch(node: PlanNode, batches: AsyncIterable<StepBatch>): AsyncIterable<StepBatch> {
    const measured = this.#of(node);
    return this.#timed(measured, batches, (batch) => {
      count(measured, batch);
      return true;
    });
  }

  /** Hands on what partitions reply to a fragment, but for their analysis. */
  receive(node: RemoteNode, replies: AsyncIterable<FragmentReply>): AsyncIterable<FragmentReply> {
    const measured = this.#of(node);
    return this.#timed(measured, replies, (reply) => {
      if (reply.kind === 'batch') count(measured, reply.batch);
      if (reply.kind === 'raw') for (const series of reply.series) countRow(measured, rawSamples(series));
      if (reply.kind === 'analysis') measured.partitions.push(reply.operator);
      return reply.kind !== 'analysis';
    });
  }

  /** Waits for an operator whose result comes at once. */
  async time<T>(node: PlanNode, result: Promise<T>): Promise<T> {
    const measured = this.#of(node);
    const began = this.#budget.now();
    try {
      return await result;
    } finally {
      measured.timeMs += this.#budget.now() - began;
    }
  }

  /** The plan from `node` on with what was measured. */
  tree(node: PlanNode): OperatorTree {
    const measured = this.#measured.get(node);
    if (measured === undefined) return { name: nodeText(node), children: this.#children(node) };
    const { partitions, timeMs, series, samples } = measured;
    const bytes = partitions.reduce((sum, partition) => sum + (partition.bytes ?? 0), 0);
    return {
      name: nodeText(node),
      timeMs,
      series,
      samples,
      ...(node.kind === 'remote' ? { bytes } : {}),
      children: partitions.length > 0 ? partitions : this.#children(node),
    };
  }

  #children(node: PlanNode): OperatorTree[] {
    return childrenOf(node).map((child) => this.tree(child));
  }

  #of(node: PlanNode): Measured {
    const known = this.#measured.get(node) ?? { timeMs: 0, series: 0, samples: 0, partitions: [] };
    this.#measured.set(node, known);
    return known;
  }

  // Yields the items that `take` lets through; time counts while the next one is waited for.
  async *#timed<T>(
    measured: Measured,
    items: AsyncIterable<T>,
    take: (item: T) => boolean,
  ): AsyncGenerator<T> {
    let asked = this.#budget.now();
    for await (const item of items) {
      measured.timeMs += this.#budget.now() - asked;
      if (take(item)) yield item;
      asked = this.#budget.now();
    }
    measured.timeMs += this.#budget.now() - asked;
  }
}

function count(measured: Measured, batch: StepBatch): void {
  measured.series += batch.labels.length;
  measured.samples += batchSamples(batch);
}

function countRow(measured: Measured, samples: number): void {
  measured.series++;
  measured.samples += samples;
}
