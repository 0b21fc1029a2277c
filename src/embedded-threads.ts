// The threads of an embedded process, as its main thread sees them: partition p lives in thread p modulo their number, the main thread
// being number 0. A query asks all partitions, so that their work goes on side by side.

import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { World } from './actors/actor.ts';
import type { ActorRef, LaunchedActor } from './actors/runtime.ts';
import type { ShardMessages } from './actors/shard/messages.ts';
import type { Bus } from './bus/bus.ts';
import { serveDirectory } from './bus/local/directory-service.ts';
import type { LocalBus } from './bus/local/local-bus.ts';
import { serveLogs } from './bus/local/log-service.ts';
import { bridgeThread } from './bus/local/thread-bus.ts';
import { threadSubject } from './bus/subjects.ts';
import { decodeEnvelope } from './codec/envelope.ts';
import {
  type ActorFacts,
  askThread,
  FACTS,
  type FactsEvent,
  type ShardReply,
  type ThreadStart,
} from './embedded-protocol.ts';
import { DomainError } from './model/errors.ts';
import type { Config } from './platform/config.ts';
import { type LaunchShard, shardLauncher } from './roles.ts';

/** A world whose shards live in the threads of the process. */
export interface ThreadedWorld {
  /** Starts shards, each in its thread. */
  readonly launchShard: LaunchShard;
  /** Cuts the workers off this world; its shards have been stopped before. */
  close(): Promise<void>;
}

/** The worker threads of a process. */
export interface Threads extends ThreadedWorld {
  /** How many, the main thread among them. */
  readonly count: number;
  /** Opens a stage beside the process's own world: in a folder of its own, and with a hub of its own. */
  openStage(world: World, bus: LocalBus, folder: string): Promise<ThreadedWorld>;
}

/** What threads are made of. */
export interface ThreadOptions {
  readonly config: Config;
  readonly version: string;
  readonly world: World;
  /** The hub, whose handles the workers get. */
  readonly bus: LocalBus;
  /** How many, the main thread among them. */
  readonly threads: number;
}

const METRICS_DEADLINE_MS = 5000;
/** For new objects of a worker, as --max-semi-space-size=8 gives it to the main thread; more costs memory and wins no time. */
const YOUNG_MEBIBYTES = 12;

/** Starts `threads` - 1 workers. A worker that dies takes the process with it, as an error on the main thread would. */
export async function startThreads(options: ThreadOptions): Promise<Threads> {
  const workers = Array.from({ length: options.threads - 1 }, (_, i) => startWorker(i + 1));
  const close = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.end()));
  };
  try {
    const main = await openWorldIn(workers, options, undefined);
    for (const { thread } of workers) includeMetrics(options, thread);
    for (const worker of workers) worker.watch();
    return {
      count: options.threads,
      launchShard: main.launchShard,
      openStage: (world, bus, folder) => openWorldIn(workers, { ...options, world, bus }, folder),
      async close() {
        await main.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openWorldIn(
  workers: readonly ShardWorker[],
  options: ThreadOptions,
  stage: string | undefined,
): Promise<ThreadedWorld> {
  const { config, world, bus, threads } = options;
  const here = shardLauncher(config, world, threads);
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.reverse()) await step();
  };
  try {
    if (workers.length > 0)
      undo.push(await serveLogs(bus, world.logs), await serveDirectory(bus, world.directory));
    for (const worker of workers) undo.push(await worker.open(options, stage));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    launchShard(partition, onChange) {
      const thread = partition % threads;
      return thread === 0 ? here(partition, onChange) : launchRemote(bus, thread, partition, onChange);
    },
    close,
  };
}

/** A worker thread as the main one has it. */
interface ShardWorker {
  readonly thread: number;
  /** Opens a world in it; returns what cuts it off that world again. */
  open(options: ThreadOptions, stage: string | undefined): Promise<() => Promise<void>>;
  /** From now on its end is an error of the process. */
  watch(): void;
  end(): Promise<void>;
}

function startWorker(thread: number): ShardWorker {
  const worker = new Worker(new URL('../bin/thread.js', import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEBIBYTES },
    name: `skein-${thread}`,
  });
  return {
    thread,
    async open({ config, version, world, bus, threads }, stage) {
      const { identity, cluster, clock, logs } = world;
      const { port1, port2 } = new MessageChannel();
      const cutOff = bridgeThread(bus.share(), port1, clock);
      const { payloadBytesMax: logPayloadBytesMax } = logs;
      const start = { thread, threads, config, version, identity, cluster, logPayloadBytesMax, stage };
      worker.postMessage({ start: start satisfies ThreadStart, port: port2 }, [port2]);
      const over = new AbortController();
      try {
        await Promise.race([
          once(worker, 'message', { signal: over.signal }),
          ended(worker, thread, over.signal),
        ]);
      } catch (error) {
        await cutOff();
        throw error;
      } finally {
        over.abort();
      }
      return cutOff;
    },
    watch() {
      ended(worker, thread).catch((error) => {
        throw error;
      });
    },
    async end() {
      worker.removeAllListeners();
      await worker.terminate();
    },
  };
}

// Rejects when the worker ends, with what ended it.
async function ended(worker: Worker, thread: number, signal?: AbortSignal): Promise<never> {
  const [code] = await once(worker, 'exit', signal && { signal }); // rejects with the worker's own error, which comes first
  throw new DomainError('internal', `thread ${thread} ended with exit code ${code}`);
}

function includeMetrics({ world, bus }: ThreadOptions, thread: number): void {
  const call = { deadlineMs: METRICS_DEADLINE_MS };
  world.metrics.include(
    async () => (await askThread(bus, thread, 'metrics', undefined, call)).snapshot,
    world.log.with({ thread }),
  );
}

function launchRemote(
  bus: Bus,
  thread: number,
  partition: number,
  onChange?: () => void,
): LaunchedActor<ShardMessages> {
  const actor = new RemoteShard(bus, thread, partition, onChange);
  return { actor, started: actor.start() };
}

/** A shard in another thread. */
class RemoteShard implements ActorRef<ShardMessages> {
  readonly role = 'shard';
  readonly name: string;
  readonly #bus: Bus;
  readonly #thread: number;
  readonly #partition: number;
  readonly #onChange: () => void;
  readonly #unsubscribe: () => Promise<void>;
  #facts: ActorFacts = { lifecycle: 'starting', waiting: 0, lastError: undefined };
  #stopped: Promise<void> | undefined;

  constructor(bus: Bus, thread: number, partition: number, onChange: () => void = () => {}) {
    this.name = `shard-${partition}`;
    this.#bus = bus;
    this.#thread = thread;
    this.#partition = partition;
    this.#onChange = onChange;
    this.#unsubscribe = bus.subscribe(threadSubject(thread, FACTS), (payload) => {
      const event = decodeEnvelope<FactsEvent>(payload);
      if (event.partition === partition) this.#learn(event.facts);
    });
  }

  async start(): Promise<void> {
    try {
      this.#take(await askThread(this.#bus, this.#thread, 'start', { partition: this.#partition }));
    } catch (error) {
      await this.#unsubscribe();
      throw error;
    }
  }

  async ask<K extends keyof ShardMessages>(
    kind: K,
    message: ShardMessages[K]['request'],
  ): Promise<ShardMessages[K]['reply']> {
    const asked = { partition: this.#partition, kind, message };
    return this.#take(await askThread(this.#bus, this.#thread, 'ask', asked)) as ShardMessages[K]['reply'];
  }

  lifecycle(): ActorFacts['lifecycle'] {
    return this.#facts.lifecycle;
  }

  waiting(): number {
    return this.#facts.waiting;
  }

  lastError(): string | undefined {
    return this.#facts.lastError;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#take(await askThread(this.#bus, this.#thread, 'stop', { partition: this.#partition }));
    await this.#unsubscribe();
  }

  #take({ reply, facts }: ShardReply): unknown {
    this.#learn(facts);
    return reply;
  }

  #learn(facts: ActorFacts): void {
    const changed = facts.lifecycle !== this.#facts.lifecycle;
    this.#facts = facts;
    if (changed) this.#onChange();
  }
}
