// Scatter and gather: one request to one replica of every partition. Answers are handed on in partition order, whatever order
// they arrive in, so that the same data gives the same bytes. A partition without a replica is waited for, then named as missing.

import type { Bus } from '../../bus/bus.ts';
import { CATALOGUE, type Kind } from '../../bus/contract.ts';
import { callManyOnEach, type RequestOf } from '../../bus/rpc.ts';
import { replicaSubject, shardSubject } from '../../bus/subjects.ts';
import { asDomainError, DomainError } from '../../model/errors.ts';
import { lackText } from '../../model/partial.ts';
import { type Clock, sleep } from '../../platform/clock.ts';
import { type Race, raceReplicas } from './replica-race.ts';
import type { Routes } from './routes.ts';

const RETRY_MS = 50;
const ALWAYS = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };

/** What a fan-out needs of the world and of the configuration. */
export interface FanoutSettings {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly prefix: string;
  readonly partitions: number;
  /** How long to wait for a partition that has no owner. */
  readonly ownerWaitMs: number;
  /** Which replicas to ask, and when to ask a second one; without it whoever serves the partition's shared subject is asked. */
  readonly routes?: Routes;
  readonly hedgeAfterMs?: number;
  /** True: a missing partition is reported and passed over; false: it is an error. */
  readonly partialResponse: boolean;
}

/** What becomes of what a fan-out hears. */
export interface FanoutReader<T> {
  readonly frame: (frame: Uint8Array) => T;
  /** A partition is missing; `text` names it. */
  readonly missing: (text: string) => T;
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

/** Sends `message` to every partition and yields what `read` makes of their frames, partition after partition. All work at once. */
export async function* fanOut<K extends Kind, T>(
  settings: FanoutSettings,
  asked: { readonly kind: K; readonly verb: string; readonly message: RequestOf<K> },
  signal: AbortSignal,
  read: FanoutReader<T>,
): AsyncGenerator<T> {
  const ask = callManyOnEach(settings.bus, asked.kind, asked.message);
  const options = { signal, deadlineMs: CATALOGUE[asked.kind].deadlineMs };
  const streams: PartitionStream[] = [];
  try {
    for (let partition = 0; partition < settings.partitions; partition++) {
      const askReplicas = (): Race =>
        startRace(settings, partition, asked.verb, (subject) => ask(subject, options));
      streams.push(openStream(settings, signal, askReplicas));
    }
    for (let partition = 0; partition < settings.partitions; partition++) {
      const stream = streams[partition]!;
      for (let item = await stream.first; ; item = await nextOf(stream, partition)) {
        if (item.kind === 'end') break;
        if (item.kind === 'frame') yield read.frame(item.frame);
        else {
          const text = lackText(partition, { ...ALWAYS, reason: item.error.message });
          if (!settings.partialResponse) throw new DomainError('unavailable', text);
          yield read.missing(text);
          break;
        }
      }
    }
  } finally {
    for (const stream of streams) {
      stream.race?.abandon();
      if (!stream.over) void stream.iterator?.return?.()?.catch?.(() => {});
    }
  }
}

type StreamItem =
  | { kind: 'frame'; frame: Uint8Array }
  | { kind: 'end' }
  | { kind: 'lost'; error: DomainError };

interface PartitionStream {
  /** Until one replica answers. */
  race: Race | undefined;
  iterator: AsyncIterator<Uint8Array> | undefined;
  first: Promise<StreamItem>;
  /** Whether it ended by itself. */
  over: boolean;
}

// Asks the replicas of a partition, the best one first.
function startRace(
  { clock, prefix, routes, hedgeAfterMs = Number.POSITIVE_INFINITY }: FanoutSettings,
  partition: number,
  verb: string,
  ask: (subject: string) => AsyncIterable<Uint8Array>,
): Race {
  const processes = routes?.replicasOf(partition) ?? [];
  routes?.noteRequest();
  const subjects =
    processes.length === 0
      ? [shardSubject(prefix, partition, verb)]
      : processes.map((process) => replicaSubject(prefix, partition, process, verb));
  return raceReplicas(
    subjects.map((subject) => () => ask(subject)),
    {
      clock,
      hedgeAfterMs,
      takeHedge: () => routes?.takeHedge() ?? false,
      onSlow: (place) => {
        const process = processes[place];
        if (process !== undefined) routes?.noteSlow(process);
      },
    },
  );
}

function openStream(settings: FanoutSettings, signal: AbortSignal, ask: () => Race): PartitionStream {
  const stream: PartitionStream = {
    race: undefined,
    iterator: undefined,
    first: Promise.resolve({ kind: 'end' }),
    over: false,
  };
  stream.first = firstItem(settings, signal, ask, stream);
  // Reported when its turn comes; until then a rejection must not count as unhandled.
  stream.first.catch(() => {});
  return stream;
}

// The first frame, trying again while nobody serves the partition: nothing was handed on yet, so a retry is safe.
async function firstItem(
  settings: FanoutSettings,
  signal: AbortSignal,
  ask: () => Race,
  stream: PartitionStream,
): Promise<StreamItem> {
  const giveUp = settings.clock.monotonic() + settings.ownerWaitMs;
  for (;;) {
    stream.race = ask();
    try {
      const { iterator, first } = await stream.race.begun;
      stream.iterator = iterator;
      return itemOf(first, stream);
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
    return itemOf(await stream.iterator!.next(), stream);
  } catch (error) {
    const failure = asDomainError(error);
    throw failure.code === 'unavailable' ? new StreamLost(partition, failure) : failure;
  }
}

function itemOf(result: IteratorResult<Uint8Array>, stream: PartitionStream): StreamItem {
  if (!result.done) return { kind: 'frame', frame: result.value };
  stream.over = true;
  return { kind: 'end' };
}
