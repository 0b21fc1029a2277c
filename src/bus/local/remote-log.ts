// The logs of the main thread as a worker thread of its process has them: every call is a request over the bus between the two,
// answered by log-service.ts.

import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import type { Bus, Payload, RequestOptions } from '../bus.ts';
import type { DurableLog, DurableLogs, LogBounds, LogMessage } from '../durable-log.ts';
import { LOGS_SUBJECTS, type LogRequest, type LogsRequest, logSubject } from './log-service.ts';

// The disk of this very machine answers, or the process ends.
const untilDone: RequestOptions = { deadlineMs: Number.POSITIVE_INFINITY };

/** The logs served on `bus`, whose largest message has `payloadBytesMax` bytes. Closing ends their readers, and leaves `bus` open. */
export function remoteLogs(bus: Bus, payloadBytesMax: number): DurableLogs {
  const closing = new AbortController();
  const checkOpen = (): void => {
    if (closing.signal.aborted) throw new DomainError('unavailable', 'cannot use the logs: they are closed');
  };
  const ask = async (subject: string, partition: number): Promise<void> => {
    checkOpen();
    await bus.request(subject, encodeEnvelope({ partition } satisfies LogsRequest), untilDone);
  };
  return {
    payloadBytesMax,
    create: (partition) => ask(LOGS_SUBJECTS.create, partition),
    async open(partition) {
      await ask(LOGS_SUBJECTS.open, partition);
      return remoteLog(bus, partition, closing.signal);
    },
    async close() {
      closing.abort();
    },
  };
}

function remoteLog(bus: Bus, partition: number, closed: AbortSignal): DurableLog {
  const ask = (verb: 'append' | 'bounds' | 'trim', payload: Payload): Promise<Payload> => {
    if (closed.aborted)
      throw new DomainError('unavailable', `cannot ${verb} the log of partition ${partition}: it is closed`);
    return bus.request(logSubject(partition, verb), payload, untilDone);
  };
  return {
    async append(payload) {
      return decodeEnvelope<{ sequence: number }>(await ask('append', payload)).sequence;
    },
    bounds: async () => decodeEnvelope<LogBounds>(await ask('bounds', encodeEnvelope({}))),
    async trim(first) {
      await ask('trim', encodeEnvelope({ first } satisfies LogRequest));
    },
    async *read(from, signal) {
      const subject = logSubject(partition, 'read');
      const options = { ...untilDone, signal: AbortSignal.any([signal, closed]) };
      const request = encodeEnvelope({ first: from } satisfies LogRequest);
      try {
        yield* unpacked(bus.requestMany(subject, request, options), from);
      } catch (error) {
        if (signal.aborted) return;
        if (closed.aborted)
          throw new DomainError('unavailable', `cannot read the log of partition ${partition}: it is closed`);
        throw error;
      }
    },
  };
}

// Pairs of frames: lengths, then payloads. The messages own their memory.
async function* unpacked(
  frames: AsyncIterable<Payload>,
  first: number,
): AsyncGenerator<readonly LogMessage[], void, undefined> {
  let sequence = first;
  let lengths: Uint32Array | undefined;
  for await (const frame of frames) {
    if (lengths === undefined) {
      lengths = lengthsOf(frame);
      continue;
    }
    const batch: LogMessage[] = [];
    let offset = 0;
    for (const length of lengths) {
      batch.push({ sequence, payload: frame.subarray(offset, offset + length) });
      offset += length;
      sequence++;
    }
    invariant(offset === frame.length, `messages of ${offset} bytes in a frame of ${frame.length}`);
    lengths = undefined;
    yield batch;
  }
}

function lengthsOf(frame: Payload): Uint32Array {
  invariant(
    frame.length % Uint32Array.BYTES_PER_ELEMENT === 0,
    `lengths in a frame of ${frame.length} bytes`,
  );
  const lengths = new Uint32Array(frame.length / Uint32Array.BYTES_PER_ELEMENT);
  new Uint8Array(lengths.buffer).set(frame);
  return lengths;
}
