// The shape of every actor: a table of what it is, what it handles and when it wakes. The runtime (runtime.ts) does the rest.

import type { Bus } from '../bus/bus.ts';
import type { Directory } from '../bus/directory.ts';
import type { DurableLogs } from '../bus/durable-log.ts';
import type { Kernels } from '../kernels/kernels.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import type { MemoryPool } from '../platform/memory.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Random } from '../platform/random.ts';
import type { Turns } from '../platform/turns.ts';
import type { ObjectStore } from '../storage/objects/object-store.ts';

/** Where an actor is in its life; published in the directory. */
export type Lifecycle = 'starting' | 'replaying' | 'ready' | 'draining' | 'stopped' | 'failed';

/** What names this process to others. */
export interface ProcessIdentity {
  readonly id: string;
  readonly zone: string;
  readonly version: string;
  /** HOST:PORT of the process's HTTP address. */
  readonly address: string;
}

/** The cluster's fixed facts, from its record. */
export interface ClusterFacts {
  /** Random name of this making of the cluster. */
  readonly id: string;
  /** Subject prefix; also the cluster's name. */
  readonly prefix: string;
  /** Number of partitions, a power of two. */
  readonly partitions: number;
}

/** The world as an actor sees it: everything it may touch, and nothing else. */
export interface World {
  readonly identity: ProcessIdentity;
  readonly cluster: ClusterFacts;
  readonly bus: Bus;
  readonly logs: DurableLogs;
  readonly directory: Directory;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly metrics: Metrics;
  /** Working memory of all queries of the process together; without it each is bounded by its own limit alone. */
  readonly memory?: MemoryPool;
  /** WebAssembly kernels of this thread; without them their twins in TypeScript run. */
  readonly kernels?: Kernels | undefined;
  /** What queries that compute for long take turns by; without it each gives way by itself. */
  readonly turns?: Turns;
  readonly log: Logger;
}

/** What a handler gets besides state and message. */
export interface ActorContext<Messages extends MessageTypes> extends World {
  /** Sends this actor a message; resolves with its handler's reply. */
  ask<K extends keyof Messages>(kind: K, message: Messages[K]['request']): Promise<Messages[K]['reply']>;
  /** Publishes the lifecycle. */
  become(lifecycle: Lifecycle): void;
  /** Aborts when this life of the actor ends: it is being stopped, or it failed and will be opened anew. */
  readonly stopping: AbortSignal;
}

/** Message kinds of one actor: request and reply types. */
export type MessageTypes = Record<string, { request: unknown; reply: unknown }>;

/** One handler: runs with the state; what it does before its first await is one atomic step. */
export type Handler<State, Messages extends MessageTypes, K extends keyof Messages> = (
  state: State,
  message: Messages[K]['request'],
  context: ActorContext<Messages>,
) => Promise<Messages[K]['reply']> | Messages[K]['reply'];

/** A message the actor sends itself again and again. A tick that finds the previous one still queued is dropped. */
export interface TimerSpec<Messages extends MessageTypes> {
  readonly everyMs: number;
  readonly send: keyof Messages & string;
}

/** The bounded queue in front of an actor. */
export interface MailboxSpec {
  /** Messages waiting at most; one more is refused with `full`. */
  readonly capacity: number;
  /** Handlers under way at once. More than 1 only where each handler is atomic up to its first await. */
  readonly concurrency: number;
}

/** An actor as a table. */
export interface ActorDefinition<Config, State, Messages extends MessageTypes> {
  readonly role: string;
  readonly mailbox: MailboxSpec;
  /** Kinds of the catalogue this actor answers, for docs and checks. */
  readonly serves: readonly string[];
  readonly publishes: readonly string[];
  readonly open: (config: Config, context: ActorContext<Messages>) => Promise<State>;
  readonly handlers: { readonly [K in keyof Messages]: Handler<State, Messages, K> };
  readonly timers: readonly TimerSpec<Messages>[];
  /** Drains: flushes what is owed, leaves the directory. */
  readonly close: (state: State, context: ActorContext<Messages>) => Promise<void>;
}

/** Gives the definition its types; returns it unchanged. */
export function defineActor<Config, State, Messages extends MessageTypes>(
  definition: ActorDefinition<Config, State, Messages>,
): ActorDefinition<Config, State, Messages> {
  return definition;
}
