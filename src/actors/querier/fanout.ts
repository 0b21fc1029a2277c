// Scatter and gather: one request to the shard of every partition. Answers are handed on in partition order, whatever order
// they arrive in, so that the same data gives the same bytes. A partition without an owner is waited for, then named as missing.

import type { Bus } from '../../bus/bus.ts';
import { CATALOGUE, type Kind } from '../../bus/contract.ts';
import { callMany, type RequestOf } from '../../bus/rpc.ts';
import { shardSubject } from '../../bus/subjects.ts';
import { asDomainError, DomainError } from '../../model/errors.ts';
import { type Clock, sleep } from '../../platform/clock.ts';

const RETRY_MS = 50;

/** What a fan-out needs of the world and of the configuration. */
export interface FanoutSettings {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly prefix: string;
  readonly partitions: number;
  /** How long to wait for a partition that has no owner. */
  readonly ownerWaitMs: number;
  /** True: a missing partition is reported and passed over; false: it is an error. */
  readonly partialResponse: boolean;
}

/** One frame of one partition, or the news that a partition is missing. */
export type FanoutItem =
  | { readonly kind: 'frame'; readonly partition: number; readonly frame: Uint8Array }
  | { readonly kind: 'missing'; readonly partition: number; readonly reason: string };

/** The sentence that names a missing partition, in warnings and errors. */
export function missingText(partition: number, reason: string): string {
  return `partial response: partition ${partition} is missing: ${reason}`;
}

/**
 * A partition's answer broke off after part of it had been used. What was made of the whole fan-out must be thrown away; asking again
 * from the start is safe.
 */
export class StreamLost extends DomainError {
  constructor(partition: number, cause: DomainError) {
    super('unavailable', `the answer of partition ${partition} broke off: ${cause.message}`, { cause });
  }
}

/** Runs `work`, again from the start when an answer broke off midway, for as long as a partition may be without an owner. */
export async function retryLost<T>(
  settings: Pick<FanoutSettings, 'clock' | 'ownerWaitMs'>,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const giveUp = settings.clock.monotonic() + settings.ownerWaitMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StreamLost) || signal.aborted || settings.clock.monotonic() >= giveUp)
        throw error;
      await sleep(settings.clock, RETRY_MS, signal);
    }
  }
}

/** Sends `message` to every partition and yields their frames, partition after partition. All of them work at once. */
export async function* fanOut<K extends Kind>(
  settings: FanoutSettings,
  kind: K,
  verb: string,
  message: RequestOf<K>,
  signal: AbortSignal,
): AsyncGenerator<FanoutItem> {
  const streams: PartitionStream[] = [];
  try {
    for (let partition = 0; partition < settings.partitions; partition++)
      streams.push(
        openStream(settings, kind, shardSubject(settings.prefix, partition, verb), message, signal),
      );
    for (let partition = 0; partition < settings.partitions; partition++) {
      const stream = streams[partition]!;
      for (let item = await stream.first; ; item = await nextOf(stream, partition)) {
        if (item.kind === 'end') break;
        if (item.kind === 'frame') yield { kind: 'frame', partition, frame: item.frame };
        else {
          if (!settings.partialResponse)
            throw new DomainError('unavailable', missingText(partition, item.error.message));
          yield { kind: 'missing', partition, reason: item.error.message };
          break;
        }
      }
    }
  } finally {
    for (const stream of streams) void stream.iterator?.return?.()?.catch?.(() => {});
  }
}

type StreamItem =
  | { kind: 'frame'; frame: Uint8Array }
  | { kind: 'end' }
  | { kind: 'lost'; error: DomainError };

interface PartitionStream {
  iterator: AsyncIterator<Uint8Array> | undefined;
  first: Promise<StreamItem>;
}

function openStream<K extends Kind>(
  settings: FanoutSettings,
  kind: K,
  subject: string,
  message: RequestOf<K>,
  signal: AbortSignal,
): PartitionStream {
  const stream: PartitionStream = { iterator: undefined, first: Promise.resolve({ kind: 'end' }) };
  stream.first = firstItem(settings, kind, subject, message, signal, stream);
  // Reported when its turn comes; until then a rejection must not count as unhandled.
  stream.first.catch(() => {});
  return stream;
}

// The first frame, trying again while nobody serves the partition: nothing was handed on yet, so a retry is safe.
async function firstItem<K extends Kind>(
  settings: FanoutSettings,
  kind: K,
  subject: string,
  message: RequestOf<K>,
  signal: AbortSignal,
  stream: PartitionStream,
): Promise<StreamItem> {
  const giveUp = settings.clock.monotonic() + settings.ownerWaitMs;
  for (;;) {
    const iterator = callMany(settings.bus, kind, subject, message, {
      signal,
      deadlineMs: CATALOGUE[kind].deadlineMs,
    })[Symbol.asyncIterator]();
    stream.iterator = iterator;
    try {
      return itemOf(await iterator.next());
    } catch (error) {
      const failure = asDomainError(error);
      if (failure.code !== 'unavailable') throw failure;
      if (settings.clock.monotonic() >= giveUp) return { kind: 'lost', error: failure };
      await sleep(settings.clock, RETRY_MS, signal);
    }
  }
}

// A stream that breaks after its first frame cannot be mended: part of it has been used already.
async function nextOf(stream: PartitionStream, partition: number): Promise<StreamItem> {
  try {
    return itemOf(await stream.iterator!.next());
  } catch (error) {
    const failure = asDomainError(error);
    throw failure.code === 'unavailable' ? new StreamLost(partition, failure) : failure;
  }
}

function itemOf(result: IteratorResult<Uint8Array>): StreamItem {
  return result.done ? { kind: 'end' } : { kind: 'frame', frame: result.value };
}
