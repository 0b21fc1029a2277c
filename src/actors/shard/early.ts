// What a shard answers while its snapshot is loaded: a million series take a while, and what lies in blocks can be had without them. It
// is a state of its own, which knows the blocks and nothing of the log, and is thrown away when the snapshot is there.

import type { Announcement } from '../../bus/directory.ts';
import type { BlockMeta } from '../../storage/block/block-meta.ts';
import { adopt, noteReview } from './bucket-view.ts';
import { serveShard } from './serve.ts';
import { announceReplica, type ShardContext, type ShardState } from './state.ts';

/** A shard that answers for its blocks alone. */
export interface EarlyShard {
  /** The replica's place in the directory, which the shard takes over. */
  readonly announcement: Announcement;
  /** Ends the answers: whoever waits for what is newer asks again. */
  close(): Promise<void>;
}

/** Opens it; `state` is empty and used for nothing else. `found` is all that the bucket has of the partition. */
export async function openEarly(
  state: ShardState,
  found: ReadonlyMap<string, readonly BlockMeta[]>,
  context: ShardContext,
): Promise<EarlyShard> {
  await adopt(state, found);
  noteReview(state);
  const service = await serveShard(state, context);
  const close = async (): Promise<void> => {
    state.closing = true;
    for (const waiter of state.waiters) waiter.settle(false);
    await service.stop();
    const release = await state.lock.write();
    release();
    for (const store of state.tenants.values()) await store.close();
  };
  try {
    return { announcement: await announceReplica(state, context), close };
  } catch (error) {
    await close();
    throw error;
  }
}
