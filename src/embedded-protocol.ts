// What the threads of an embedded process say to each other about the shards that run in them, besides what actors say over the bus.

import type { ClusterFacts, Lifecycle, ProcessIdentity } from './actors/actor.ts';
import type { ShardMessages } from './actors/shard/messages.ts';
import type { Bus, Service } from './bus/bus.ts';
import { threadSubject } from './bus/subjects.ts';
import { decodeEnvelope, encodeEnvelope } from './codec/envelope.ts';
import type { Config } from './platform/config.ts';
import type { MetricsSnapshot } from './platform/metrics.ts';

/** What a thread opens a world with; the port to that world's bus comes with it. */
export interface ThreadStart {
  /** Its number; the main thread is 0. */
  readonly thread: number;
  readonly threads: number;
  readonly config: Config;
  readonly version: string;
  readonly identity: ProcessIdentity;
  readonly cluster: ClusterFacts;
  /** Largest message of a log. */
  readonly logPayloadBytesMax: number;
  /** The world is a stage for a rehearsal, in this folder alone: silent, and gone when its port closes. */
  readonly stage: string | undefined;
}

/** What a thread says to its port when a world is open. */
export const OPENED = 'opened';

/** How an actor of another thread stands. */
export interface ActorFacts {
  readonly lifecycle: Lifecycle;
  readonly waiting: number;
  readonly lastError: string | undefined;
}

/** A reply with how the shard stands after it. */
export interface ShardReply {
  readonly reply: unknown;
  readonly facts: ActorFacts;
}

/** Requests to a thread. */
export interface ThreadMessages {
  /** Starts the shard of a partition; the reply comes when it has opened, or failed for good. */
  start: { request: { readonly partition: number }; reply: ShardReply };
  ask: {
    request: { readonly partition: number; readonly kind: keyof ShardMessages; readonly message: unknown };
    reply: ShardReply;
  };
  stop: { request: { readonly partition: number }; reply: ShardReply };
  metrics: { request: undefined; reply: { readonly snapshot: MetricsSnapshot } };
}

/** Event of a thread: a shard of it changed. */
export interface FactsEvent {
  readonly partition: number;
  readonly facts: ActorFacts;
}

/** The verb of FactsEvent. */
export const FACTS = 'facts';

/** How long a request may take. */
export interface ThreadCall {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** Asks a thread. Errors: the handler's, `unavailable` when the thread is gone. */
export async function askThread<K extends keyof ThreadMessages>(
  bus: Bus,
  thread: number,
  kind: K,
  message: ThreadMessages[K]['request'],
  options: ThreadCall = { deadlineMs: Number.POSITIVE_INFINITY },
): Promise<ThreadMessages[K]['reply']> {
  const payload = encodeEnvelope(message ?? {});
  return decodeEnvelope(await bus.request(threadSubject(thread, kind), payload, options));
}

/** Answers requests to a thread. */
export function serveThread<K extends keyof ThreadMessages>(
  service: Service,
  thread: number,
  kind: K,
  handler: (
    message: ThreadMessages[K]['request'],
    signal: AbortSignal,
  ) => Promise<ThreadMessages[K]['reply']>,
): Promise<void> {
  return service.serve(threadSubject(thread, kind), async (payload, { signal }) =>
    encodeEnvelope(await handler(decodeEnvelope(payload), signal)),
  );
}
