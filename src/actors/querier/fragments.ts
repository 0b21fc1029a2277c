// The engine's FragmentRunner over the bus: a fragment goes to every shard, replies come back as step batches and notes.

import { decodeReply } from '../../query/exec/step-batch-codec.ts';
import type { FragmentReply, FragmentRunner } from '../../query/source.ts';
import { type FanoutSettings, fanOut, missingText } from './fanout.ts';

/** Prefix by which a note is recognised as telling of a missing partition. */
export const PARTIAL_PREFIX = 'partial response: ';

/** A runner for one tenant. */
export function fragmentRunner(settings: FanoutSettings, tenant: string): FragmentRunner {
  return {
    async *run(fragment, budget): AsyncGenerator<FragmentReply> {
      const message = { tenant, fragment, limits: budget.limits };
      for await (const item of fanOut(settings, 'shard.query', 'query', message, budget.signal)) {
        if (item.kind === 'frame') yield decodeReply(item.frame);
        else
          yield {
            kind: 'notes',
            notes: [{ level: 'warning', text: missingText(item.partition, item.reason) }],
          };
      }
    },
  };
}
