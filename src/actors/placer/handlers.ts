// What the placer does when members change, every second, and when the process drains.

import { encodeEnvelope } from '../../codec/envelope.ts';
import { errorText } from '../../model/errors.ts';
import { sleep } from '../../platform/clock.ts';
import { placePartitions } from '../../storage/placement.ts';
import type { ActorContext } from '../actor.ts';
import { memberFacts, type PlacerMessages, type PlacerState } from './state.ts';

type Context = ActorContext<PlacerMessages>;

// A shard that lost its partition goes on answering this long: queriers that asked it a moment ago are still being served.
const SURPLUS_GRACE_MS = 3000;

/** Starts shards that belong here and are missing; stops those another process has taken over. */
export async function onPlace(state: PlacerState, _message: undefined, context: Context): Promise<undefined> {
  const candidates = state.members.filter((member) => member.accepting && member.roles.includes('shard'));
  const wanted = new Set<number>();
  for (const [partition, [owner]] of placePartitions(context.cluster.partitions, candidates, 1).entries())
    if (owner?.id === context.identity.id) wanted.add(partition);
  for (const partition of wanted)
    if (!state.shards.has(partition)) await startShard(state, partition, context);
  const now = context.clock.monotonic();
  for (const [partition, shard] of state.shards) {
    if (wanted.has(partition)) {
      shard.surplusSince = undefined;
      continue;
    }
    const status = await shard.actor.ask('status', undefined).catch(() => undefined);
    if (!status?.replacedBy) continue;
    shard.surplusSince ??= now;
    if (now - shard.surplusSince < SURPLUS_GRACE_MS) continue;
    state.shards.delete(partition);
    context.log.info('partition moved', { partition, to: status.replacedBy });
    await shard.actor.stop();
  }
  return undefined;
}

async function startShard(state: PlacerState, partition: number, context: Context): Promise<void> {
  try {
    const actor = await state.config.startShard(partition, context);
    state.shards.set(partition, { actor, surplusSince: undefined });
  } catch (error) {
    context.log.error('cannot start the shard of a partition', { partition, error: errorText(error) });
  }
}

/** Tells the others to take over, waits until they have (or nobody is left to), up to the timeout. */
export async function onDrain(
  state: PlacerState,
  message: { timeoutMs: number },
  context: Context,
): Promise<undefined> {
  await state.announcement.update(encodeEnvelope(memberFacts(state.config, context, false)));
  const giveUp = context.clock.monotonic() + message.timeoutMs;
  for (;;) {
    const others = state.members.filter(
      (member) => member.accepting && member.id !== context.identity.id && member.roles.includes('shard'),
    );
    if (others.length === 0 || context.clock.monotonic() >= giveUp) return undefined;
    const statuses = await Promise.all(
      [...state.shards.values()].map((shard) => shard.actor.ask('status', undefined).catch(() => undefined)),
    );
    if (statuses.every((status) => status?.replacedBy)) return undefined;
    await sleep(context.clock, 100);
  }
}
