// Samples refused after they had been acknowledged, of all partitions.

import type { RefusalReason } from '../../model/refusal.ts';
import { compareText } from '../../model/text.ts';
import { gather } from './handlers.ts';
import type { PartitionRefusal, QuerierMessages, Rows } from './messages.ts';
import type { QuerierState } from './state.ts';

/** One row for each reason: all partitions counted together, the last error of any. */
export async function onRefusals(
  state: QuerierState,
  message: QuerierMessages['refusals']['request'],
): Promise<Rows<PartitionRefusal>> {
  const rows = new Map<RefusalReason, PartitionRefusal>();
  const request = { tenant: message.tenant };
  const heard = await gather(state, 'shard.refusals', 'refusals', request, message, (reply) => {
    for (const refusal of reply.refusals) {
      const known = rows.get(refusal.reason);
      const samples = refusal.samples + (known?.samples ?? 0);
      const last =
        known !== undefined && known.lastTime > refusal.lastTime
          ? known
          : { ...refusal, partition: reply.partition };
      rows.set(refusal.reason, { ...last, samples });
    }
  });
  return { ...heard, rows: [...rows.values()].sort((a, b) => compareText(a.reason, b.reason)) };
}
