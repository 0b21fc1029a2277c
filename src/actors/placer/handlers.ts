// What the placer does when members change, every second, and when the process drains.

import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { errorText } from '../../model/errors.ts';
import { sleep } from '../../platform/clock.ts';
import { placePartitions } from '../../storage/placement.ts';
import type { ActorContext } from '../actor.ts';
import type { ReplicaFacts } from '../shard/messages.ts';
import { memberFacts, type PlacedShard, type PlacerMessages, type PlacerState } from './state.ts';

type Context = ActorContext<PlacerMessages>;

// A shard that lost its partition goes on answering this long: queriers that asked it a moment ago are still being served.
const SURPLUS_GRACE_MS = 3000;

/**
 * Starts shards that belong here and are missing; stops those another process answers for. Decides in one step and waits for
 * nothing: a shard that replays or cuts does not hold the others up.
 */
export function onPlace(state: PlacerState, _message: undefined, context: Context): undefined {
  if (state.closed || context.stopping.aborted) return undefined;
  const candidates = state.members.filter((member) => member.accepting && member.roles.includes('shard'));
  const placed = placePartitions(context.cluster.partitions, candidates, state.config.owners);
  for (const [partition, members] of placed.entries()) {
    const owners = members.map(({ id }) => id);
    const rank = owners.indexOf(context.identity.id);
    if (rank >= 0 && !state.shards.has(partition)) startShard(state, partition, context);
    const shard = state.shards.get(partition);
    if (shard === undefined) continue;
    shard.owners = owners;
    shard.rank = rank < 0 ? undefined : rank;
    tellRank(shard);
    if (rank >= 0) shard.surplusSince = undefined;
    else void leave(state, partition, shard, context);
  }
  return undefined;
}

// Told again and again: a shard that started over has forgotten it.
function tellRank(shard: PlacedShard): void {
  if (shard.telling) return;
  shard.telling = true;
  shard.actor
    .ask('place', { rank: shard.rank })
    .catch(() => {})
    .finally(() => {
      shard.telling = false;
    });
}

/** Waits for the shards that are opening. */
export async function onSettle(state: PlacerState): Promise<undefined> {
  await Promise.all([...state.shards.values()].map((shard) => shard.started));
  return undefined;
}

function startShard(state: PlacerState, partition: number, context: Context): void {
  const { actor, started } = state.config.startShard(partition);
  const shard: PlacedShard = {
    actor,
    started: started.catch((error) => {
      if (state.shards.get(partition) === shard) state.shards.delete(partition);
      state.config.onStopped(partition);
      if (!state.closed)
        context.log.error('cannot start the shard of a partition', { partition, error: errorText(error) });
    }),
    rank: undefined,
    owners: [],
    telling: false,
    surplusSince: undefined,
    leaving: false,
  };
  state.shards.set(partition, shard);
}

// One step of a shard on its way out: it stays until it has handed the lease over and all who have the partition now answer, and a
// little longer.
async function leave(
  state: PlacerState,
  partition: number,
  shard: PlacedShard,
  context: Context,
): Promise<void> {
  if (shard.leaving) return;
  shard.leaving = true;
  try {
    const now = context.clock.monotonic();
    if (!(await isReplaced(partition, shard, shard.owners.length, context))) shard.surplusSince = undefined;
    else shard.surplusSince ??= now;
    if (shard.rank !== undefined || shard.surplusSince === undefined) return;
    if (now - shard.surplusSince < SURPLUS_GRACE_MS || state.shards.get(partition) !== shard) return;
    context.log.info('partition moved', { partition });
    await shard.actor.stop();
    state.config.onStopped(partition);
    state.shards.delete(partition);
  } catch (error) {
    context.log.warn('a shard that is not needed here any more goes on', {
      partition,
      error: errorText(error),
    });
  } finally {
    shard.leaving = false;
  }
}

// Whether nobody would miss this shard: it never answered, or it does not lead and `needed` other processes have the partition complete.
async function isReplaced(
  partition: number,
  shard: PlacedShard,
  needed: number,
  context: Context,
): Promise<boolean> {
  const lifecycle = shard.actor.lifecycle();
  if (lifecycle === 'starting' || lifecycle === 'replaying') return true;
  const status = await shard.actor.ask('status', undefined).catch(() => undefined);
  if (status === undefined || status.owner) return false;
  const replicas = await context.directory.list(`replica.${partition}.`);
  const others = replicas
    .map((entry) => decodeEnvelope<ReplicaFacts>(entry.value))
    .filter((replica) => replica.process !== context.identity.id && replica.lifecycle === 'ready');
  return others.length >= Math.max(1, needed);
}

/**
 * Tells the others to take over, waits until one of them leads and answers for each partition (or nobody is left to), up to the
 * timeout. A new standby is not waited for.
 */
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
    const replaced = await Promise.all(
      [...state.shards].map(([partition, shard]) => isReplaced(partition, shard, 1, context)),
    );
    if (replaced.every((done) => done)) return undefined;
    await sleep(context.clock, 200);
  }
}
