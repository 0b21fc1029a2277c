// The engine's FragmentRunner over the bus: a fragment goes to every shard, replies come back as step batches and notes.

import { DomainError } from '../../model/errors.ts';
import { isLack } from '../../model/partial.ts';
import { decodeReply } from '../../query/exec/step-batch-codec.ts';
import type { FragmentReply, FragmentRunner } from '../../query/source.ts';
import { type FanoutSettings, fanOut } from './fanout.ts';

/** How the fragments of one kind of query travel. */
export interface FragmentSettings extends FanoutSettings {
  readonly tenant: string;
  /** Whether shards wait until they have applied what was in their logs. */
  readonly strong: boolean;
  /** Called with the kind and length of each reply that is used; nobody is told when absent. */
  readonly onReply?: (kind: FragmentReply['kind'], bytes: number) => void;
}

/** A runner for one tenant. */
export function fragmentRunner(settings: FragmentSettings): FragmentRunner {
  const { tenant, strong, partialResponse, onReply } = settings;
  const frame = (bytes: Uint8Array): FragmentReply => {
    const reply = decodeReply(bytes);
    onReply?.(reply.kind, bytes.length);
    if (!partialResponse && reply.kind === 'notes') refuseLacks(reply.notes.map((note) => note.text));
    return reply;
  };
  const missing = (text: string): FragmentReply => ({ kind: 'notes', notes: [{ level: 'warning', text }] });
  return {
    run(fragment, budget) {
      const message = { tenant, fragment, limits: budget.limits, ...(strong ? { strong } : {}) };
      const asked = { kind: 'shard.query', verb: 'query', message } as const;
      return fanOut<'shard.query', FragmentReply>(settings, asked, budget.signal, { frame, missing });
    },
  };
}

/** Throws `unavailable` with the first sentence that tells what an answer lacks, for whoever does not want a partial one. */
export function refuseLacks(texts: readonly string[]): void {
  const lack = texts.find(isLack);
  if (lack !== undefined) throw new DomainError('unavailable', lack);
}
