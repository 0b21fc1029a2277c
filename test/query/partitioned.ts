// A FragmentRunner over partitions in memory: each runs the fragment over its share, replies go through their bytes.

import { QueryBudget } from '../../src/query/budget.ts';
import { runFragment } from '../../src/query/engine.ts';
import { decodeReply, encodeReply } from '../../src/query/exec/step-batch-codec.ts';
import type { FragmentRunner, SeriesSource } from '../../src/query/source.ts';
import { type MemorySeries, memorySource } from './memory-source.ts';

/** Spreads series over `count` partitions by a hash of their labels. */
export function partitioned(all: readonly MemorySeries[], count: number): FragmentRunner {
  return partitionedOver(
    Array.from({ length: count }, (_, p) =>
      memorySource(all.filter(({ labels }) => hash(labels.join()) % count === p)),
    ),
  );
}

/** Runs fragments over each of these sources. */
export function partitionedOver(parts: readonly SeriesSource[]): FragmentRunner {
  return {
    async *run(fragment, budget) {
      for (const source of parts)
        for await (const reply of runFragment(
          fragment,
          source,
          new QueryBudget(budget.limits, budget.signal),
        ))
          yield decodeReply(encodeReply(reply));
    },
  };
}

function hash(text: string): number {
  let sum = 7;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) >>> 0;
  return sum >>> 3;
}
