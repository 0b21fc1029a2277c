// State of a placer: the members it sees, the shards it runs.

import type { Service } from '../../bus/bus.ts';
import type { Announcement } from '../../bus/directory.ts';
import { memberKey } from '../../bus/subjects.ts';
import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import type { PlacementMember } from '../../storage/placement.ts';
import type { ActorContext, World } from '../actor.ts';
import type { LaunchedActor } from '../runtime.ts';
import { announceService } from '../service.ts';
import type { ShardMessages } from '../shard/messages.ts';

/** What a placer is told. */
export interface PlacerConfig {
  /** Starts the shard of a partition in this process; `started` resolves when it answers. */
  readonly startShard: (partition: number) => LaunchedActor<ShardMessages>;
  /** Told when the shard of a partition has left this process. */
  readonly onStopped: (partition: number) => void;
  readonly leaseTtlMs: number;
  /** Processes that hold a partition at once: one that leads and its standbys. */
  readonly owners: number;
  readonly roles: readonly string[];
  readonly startedMs: number;
}

/** What a process tells of itself in the directory. */
export interface MemberFacts extends PlacementMember {
  readonly roles: readonly string[];
  readonly version: string;
  readonly address: string;
  readonly startedMs: number;
  /** False once the process began to drain: nothing is placed on it any more. */
  readonly accepting: boolean;
}

/** Message kinds of the placer. */
export type PlacerMessages = {
  /** Members changed, or a second passed. */
  place: { request: undefined; reply: undefined };
  /** Resolves when every shard that was started has opened, or failed to. */
  settle: { request: undefined; reply: undefined };
  drain: { request: { readonly timeoutMs: number }; reply: undefined };
};

/** One shard of this process. */
export interface PlacedShard extends LaunchedActor<ShardMessages> {
  /** Place of this process among the partition's owners; undefined when it belongs elsewhere. */
  rank: number | undefined;
  /** Processes that the partition belongs to. */
  owners: readonly string[];
  /** The shard is being told its rank. */
  telling: boolean;
  /** Monotonic time since which nobody would miss this shard; undefined while it is needed. */
  surplusSince: number | undefined;
  /** A step of its departure is under way. */
  leaving: boolean;
}

/** What a placer holds. */
export interface PlacerState {
  readonly config: PlacerConfig;
  readonly announcement: Announcement;
  members: readonly MemberFacts[];
  readonly shards: Map<number, PlacedShard>;
  readonly unwatch: () => void;
  /** Shows the placer to `nats micro ls`. */
  readonly service: Service;
  /** No shard is started any more. */
  closed: boolean;
}

/** The facts of this process as others see them. */
export function memberFacts(config: PlacerConfig, world: World, accepting: boolean): MemberFacts {
  const { id, zone, version, address } = world.identity;
  return { id, zone, version, address, roles: config.roles, startedMs: config.startedMs, accepting };
}

/** Announces this process and begins to watch the others. */
export async function openPlacer(
  config: PlacerConfig,
  context: ActorContext<PlacerMessages>,
): Promise<PlacerState> {
  const facts = encodeEnvelope(memberFacts(config, context, true));
  const announcement = await context.directory.announce(
    memberKey(context.identity.id),
    facts,
    config.leaseTtlMs,
  );
  const state: { members: readonly MemberFacts[] } = { members: [] };
  const unwatch = await context.directory.watch('member.', (entries) => {
    state.members = entries.map((entry) => decodeEnvelope<MemberFacts>(entry.value));
    // A change is acted on at once; a full mailbox has a tick coming anyway.
    context.ask('place', undefined).catch(() => {});
  });
  const service = await announceService(context, 'placer', 'Starts and stops the shards of one process');
  return Object.assign(state, {
    config,
    announcement,
    service,
    shards: new Map<number, PlacedShard>(),
    unwatch,
    closed: false,
  });
}

/** Stops every shard of the process and leaves the directory. */
export async function closePlacer(state: PlacerState): Promise<void> {
  state.unwatch();
  state.closed = true;
  await Promise.all([...state.shards.values()].map((shard) => shard.actor.stop()));
  state.shards.clear();
  await state.service.stop();
  await state.announcement.withdraw();
}
