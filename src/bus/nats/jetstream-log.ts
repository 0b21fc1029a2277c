// The durable logs on JetStream: one stream per partition (file storage, R replicas, discard new, no age limit). Streams are
// only ever created by `create`; a stream that is missing later is an error, never a new empty log.

import { asDomainError, DomainError } from '../../model/errors.ts';
import { type Clock, sleep } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { DurableLog, DurableLogs, LogMessage } from '../durable-log.ts';
import { AppendQueue } from './append-queue.ts';
import type { NatsLink } from './connection.ts';
import { Consumer } from './consumer.ts';
import {
  ensureStream,
  type JetstreamContext,
  jetstreamApi,
  nanoseconds,
  streamBounds,
} from './jetstream-api.ts';
import { headroomBytes } from './wire.ts';

/** How the logs of a cluster are kept. */
export interface JetstreamLogsOptions {
  readonly connection: NatsLink;
  /** Begins every stream name and subject; dots become underscores in names. */
  readonly prefix: string;
  /** Copies of each log, 1 to 5; used when a log is created. */
  readonly replicas: number;
  /** Most bytes one log may keep before it refuses; used when a log is created. */
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const duplicateWindowMs = 120_000;
const retryMs = 250;
const retryMsMax = 2_000;

/** Opens the logs of a cluster over `connection`, which stays open when they are closed. */
export async function openJetstreamLogs(options: JetstreamLogsOptions): Promise<DurableLogs> {
  const { connection: link, clock, log, prefix } = options;
  const context: JetstreamContext = { link, clock, log };
  const payloadBytesMax = link.serverPayloadBytesMax - headroomBytes;
  const queues = new Set<AppendQueue>();
  const streamOf = (partition: number): string => `${prefix.replaceAll('.', '_')}_wal_${partition}`;
  const subjectOf = (partition: number): string => `${prefix}.wal.${partition}`;
  return {
    payloadBytesMax,
    create: (partition) =>
      ensureStream(context, streamOf(partition), {
        subjects: [subjectOf(partition)],
        description: `Skein: write-ahead log of partition ${partition}`,
        storage: 'file',
        retention: 'limits',
        discard: 'new',
        num_replicas: options.replicas,
        max_bytes: options.bytesMax,
        max_age: 0,
        allow_direct: true,
        duplicate_window: nanoseconds(duplicateWindowMs),
      }).catch((error: unknown) => {
        const failure = asDomainError(error);
        if (failure.code !== 'full') throw failure;
        throw new DomainError(
          'config',
          `cannot create the log of partition ${partition}: ${failure.message}; JetStream reserves ${options.bytesMax} bytes for each of ${options.replicas} copies: lower nats.log_bytes_max, or give the servers more room (max_file_store)`,
          { cause: failure },
        );
      }),
    async open(partition) {
      const stream = streamOf(partition);
      await streamBounds(context, stream);
      const queue = new AppendQueue(context, {
        stream,
        subject: subjectOf(partition),
        payloadBytesMax,
      });
      queues.add(queue);
      return jetstreamLog(context, stream, queue);
    },
    async close() {
      for (const queue of queues) queue.close();
      queues.clear();
    },
  };
}

function jetstreamLog(context: JetstreamContext, stream: string, queue: AppendQueue): DurableLog {
  return {
    append: (payload, msMax) => queue.append(payload, msMax),
    read: (from, signal) => readStream(context, stream, from, signal),
    bounds: () => streamBounds(context, stream),
    async trim(first) {
      const bounds = await streamBounds(context, stream);
      const keep = Math.min(first, bounds.last + 1);
      if (keep <= bounds.first) return;
      await jetstreamApi(context, `STREAM.PURGE.${stream}`, { seq: keep });
    },
  };
}

/** Messages from `from` on for ever: a broken consumer is replaced by one that begins after the last message handed out. */
async function* readStream(
  context: JetstreamContext,
  stream: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<readonly LogMessage[], void, undefined> {
  let next = from;
  let failures = 0;
  while (!signal.aborted) {
    let consumer: Consumer | undefined;
    try {
      await checkStart(context, stream, next);
      consumer = await Consumer.open(context, stream, { sequence: next });
      for (;;) {
        const batch = await consumer.next(signal);
        if (signal.aborted) return;
        if (batch.length === 0) break;
        if (!isContiguous(batch, next)) await failOnGap(context, stream, batch, next);
        next += batch.length;
        failures = 0;
        yield batch;
      }
      context.log.warn('reading a log again after a break', { stream, next, reason: consumer.broken });
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
      context.log.warn('cannot read a log yet, trying again', { stream, next, error: error.message });
    } finally {
      consumer?.close();
    }
    const delayMs = Math.min(retryMsMax, retryMs * 2 ** failures++);
    await sleep(context.clock, delayMs, signal).catch(() => undefined);
  }
}

async function checkStart(context: JetstreamContext, stream: string, next: number): Promise<void> {
  const { first } = await streamBounds(context, stream);
  if (next < first)
    throw new DomainError(
      'not_found',
      `cannot read log ${stream} from ${next}: messages ${next} to ${first - 1} are not kept any more`,
    );
}

function isContiguous(batch: readonly LogMessage[], next: number): boolean {
  return batch[0]!.sequence === next && batch[batch.length - 1]!.sequence === next + batch.length - 1;
}

/** The consumer itself lost nothing, so the stream has a hole: trimmed meanwhile, or damaged. Always throws. */
async function failOnGap(
  context: JetstreamContext,
  stream: string,
  batch: readonly LogMessage[],
  next: number,
): Promise<never> {
  await checkStart(context, stream, next);
  let expected = next;
  let found = expected;
  for (const message of batch) {
    found = message.sequence;
    if (found !== expected) break;
    expected++;
  }
  throw new DomainError(
    'corrupt',
    `cannot read log ${stream}: messages ${expected} to ${found - 1} are missing although older ones are kept`,
  );
}
