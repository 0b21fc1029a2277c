// The engine's FragmentRunner over the bus: a fragment goes to every shard, replies come back as step batches and notes.

import { decodeReply } from '../../query/exec/step-batch-codec.ts';
import type { FragmentReply, FragmentRunner } from '../../query/source.ts';
import { type FanoutSettings, fanOut } from './fanout.ts';

/** Prefix by which a note is recognised as telling of a missing partition. */
export const PARTIAL_PREFIX = 'partial response: ';

/** A runner for one tenant. */
export function fragmentRunner(settings: FanoutSettings, tenant: string): FragmentRunner {
  return {
    run(fragment, budget) {
      const message = { tenant, fragment, limits: budget.limits };
      return fanOut<'shard.query', FragmentReply>(
        settings,
        { kind: 'shard.query', verb: 'query', message },
        budget.signal,
        { frame: decodeReply, missing: (text) => ({ kind: 'notes', notes: [{ level: 'warning', text }] }) },
      );
    },
  };
}
