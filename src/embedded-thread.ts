// The entry of a worker thread of an embedded process: it runs the shards of some partitions in worlds whose bus, logs and directory are
// the main thread's, reached over a port for each world. Started by embedded-threads.ts through bin/thread.js.

import { type MessagePort, parentPort } from 'node:worker_threads';
import type { World } from './actors/actor.ts';
import type { ActorRef } from './actors/runtime.ts';
import type { ShardMessages } from './actors/shard/messages.ts';
import type { Bus } from './bus/bus.ts';
import { remoteDirectory } from './bus/local/remote-directory.ts';
import { remoteLogs } from './bus/local/remote-log.ts';
import { connectThreadBus } from './bus/local/thread-bus.ts';
import { threadSubject } from './bus/subjects.ts';
import { encodeEnvelope } from './codec/envelope.ts';
import {
  type ActorFacts,
  FACTS,
  type FactsEvent,
  OPENED,
  type ShardReply,
  serveThread,
  type ThreadStart,
} from './embedded-protocol.ts';
import { DomainError, invariant } from './model/errors.ts';
import { realClock } from './platform/clock.ts';
import { keepCompiledCode } from './platform/compiled-code.ts';
import { realDisk } from './platform/disk.ts';
import { type LogLevel, realLogger, silentLogger } from './platform/log.ts';
import { createMetrics } from './platform/metrics.ts';
import { realRandom } from './platform/random.ts';
import { realTurns } from './platform/turns.ts';
import { type LaunchShard, shardLauncher } from './roles.ts';
import { stageData, stageObjects } from './stage.ts';
import { openObjects, queryKernels, queryMemory } from './world.ts';

type Shard = ActorRef<ShardMessages>;

async function openThreadWorld(start: ThreadStart, bus: Bus): Promise<World> {
  const { config, identity, cluster, thread, threads, logPayloadBytesMax, stage } = start;
  const clock = realClock();
  const isStage = stage !== undefined;
  const log = isStage
    ? silentLogger()
    : realLogger(config.process.log_level as LogLevel).with({ process: identity.id, thread });
  const disk = realDisk(isStage ? stage : config.process.data);
  const metrics = createMetrics({ withProcess: false });
  return {
    identity,
    cluster,
    bus,
    logs: remoteLogs(bus, logPayloadBytesMax),
    directory: remoteDirectory(bus, clock),
    objects: isStage ? stageObjects(disk) : await openObjects(config, disk, clock, log),
    clock,
    random: realRandom(),
    disk: isStage ? stageData(disk) : disk,
    metrics,
    memory: queryMemory(config, metrics, threads),
    turns: realTurns(),
    kernels: queryKernels(log),
    log,
  };
}

function factsOf(shard: Shard): ActorFacts {
  return { lifecycle: shard.lifecycle(), waiting: shard.waiting(), lastError: shard.lastError() };
}

/** The shards of this thread, and what the main thread may ask of them. */
class ThreadShards {
  readonly #shards = new Map<number, Shard>();
  readonly #launch: LaunchShard;
  readonly #tell: (event: FactsEvent) => void;

  constructor(launch: LaunchShard, tell: (event: FactsEvent) => void) {
    this.#launch = launch;
    this.#tell = tell;
  }

  async start(partition: number): Promise<ShardReply> {
    invariant(!this.#shards.has(partition), `shard ${partition} runs in this thread already`);
    const { actor, started } = this.#launch(partition, () => {
      const shard = this.#shards.get(partition);
      if (shard) this.#tell({ partition, facts: factsOf(shard) });
    });
    this.#shards.set(partition, actor);
    try {
      await started;
    } catch (error) {
      this.#shards.delete(partition);
      throw error;
    }
    return { reply: undefined, facts: factsOf(actor) };
  }

  async ask(partition: number, kind: keyof ShardMessages, message: unknown): Promise<ShardReply> {
    const shard = this.#of(partition);
    return { reply: await shard.ask(kind, message as never), facts: factsOf(shard) };
  }

  async stop(partition: number): Promise<ShardReply> {
    const shard = this.#of(partition);
    await shard.stop();
    if (this.#shards.get(partition) === shard) this.#shards.delete(partition);
    return { reply: undefined, facts: factsOf(shard) };
  }

  #of(partition: number): Shard {
    const shard = this.#shards.get(partition);
    if (shard === undefined)
      throw new DomainError('unavailable', `no shard of partition ${partition} runs in this thread`);
    return shard;
  }
}

async function runWorld(start: ThreadStart, port: MessagePort): Promise<void> {
  const { thread, threads, config, version } = start;
  // Whoever rehearsed has compiled what the next start need not compile again.
  port.once('close', keepCompiledCode);
  const bus = connectThreadBus(port, { clock: realClock() });
  const world = await openThreadWorld(start, bus);
  const shards = new ThreadShards(shardLauncher(config, world, threads), (event) =>
    bus.publish(threadSubject(thread, FACTS), encodeEnvelope(event)),
  );
  const service = await bus.service({
    name: `thread-${thread}`,
    version,
    description: 'Shards of a thread',
    metadata: {},
  });
  await serveThread(service, thread, 'start', ({ partition }) => shards.start(partition));
  await serveThread(service, thread, 'ask', ({ partition, kind, message }) =>
    shards.ask(partition, kind, message),
  );
  await serveThread(service, thread, 'stop', ({ partition }) => shards.stop(partition));
  await serveThread(service, thread, 'metrics', async () => ({ snapshot: await world.metrics.snapshot() }));
}

// A world that cannot be opened ends the thread, which says why.
parentPort!.on('message', ({ start, port }: { start: ThreadStart; port: MessagePort }) => {
  void runWorld(start, port).then(() => {
    if (start.stage === undefined && !start.config.process.rehearsal) keepCompiledCode();
    parentPort!.postMessage(OPENED);
  });
});
