// The main thread's logs for the worker threads of its process, over the bus between them. The worker's side is remote-log.ts.

import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import type { Bus, Payload, Service, Unsubscribe } from '../bus.ts';
import type { DurableLog, DurableLogs, LogMessage } from '../durable-log.ts';

/** What is asked about the logs as a whole. */
export interface LogsRequest {
  readonly partition: number;
}

/** What is asked about one log; an appended payload travels as it is. */
export interface LogRequest {
  /** First sequence to read, or to keep. */
  readonly first: number;
}

/** What can be asked of the logs as a whole. */
export const LOGS_SUBJECTS: { readonly create: string; readonly open: string } = {
  create: 'logs.create',
  open: 'logs.open',
};

/** Subject of a request about the log of a partition; served once the log has been opened. */
export function logSubject(partition: number, verb: 'append' | 'read' | 'bounds' | 'trim'): string {
  return `log.${partition}.${verb}`;
}

const nothing = {};

/** Serves `logs` on `bus` until the returned function is called. */
export async function serveLogs(bus: Bus, logs: DurableLogs): Promise<Unsubscribe> {
  const info = { name: 'logs', version: '1.0.0', description: 'Logs of the process', metadata: {} };
  const service = await bus.service(info);
  const served = new Map<DurableLog, Promise<void>>();
  await service.serve(LOGS_SUBJECTS.create, async (payload) => {
    await logs.create(decodeEnvelope<LogsRequest>(payload).partition);
    return encodeEnvelope(nothing);
  });
  await service.serve(LOGS_SUBJECTS.open, async (payload) => {
    const { partition } = decodeEnvelope<LogsRequest>(payload);
    const log = await logs.open(partition);
    const serving = served.get(log) ?? serveLog(service, partition, log, bus.payloadBytesMax);
    served.set(log, serving);
    await serving;
    return encodeEnvelope(nothing);
  });
  return () => service.stop();
}

async function serveLog(
  service: Service,
  partition: number,
  log: DurableLog,
  frameBytesMax: number,
): Promise<void> {
  await service.serve(logSubject(partition, 'append'), async (payload) =>
    encodeEnvelope({ sequence: await log.append(payload) }),
  );
  await service.serve(logSubject(partition, 'bounds'), async () => encodeEnvelope(await log.bounds()));
  await service.serve(logSubject(partition, 'trim'), async (payload) => {
    await log.trim(decodeEnvelope<LogRequest>(payload).first);
    return encodeEnvelope(nothing);
  });
  await service.serveMany(logSubject(partition, 'read'), async (payload, send, { signal }) => {
    for await (const batch of log.read(decodeEnvelope<LogRequest>(payload).first, signal))
      for (const frame of packed(batch, frameBytesMax)) await send(frame);
  });
}

/**
 * Messages in pairs of frames: the lengths of the payloads (u32, this machine's byte order), then the payloads one behind the other. Their
 * sequences follow from the first one asked for.
 */
function* packed(batch: readonly LogMessage[], frameBytesMax: number): Generator<Payload> {
  const countMax = frameBytesMax / Uint32Array.BYTES_PER_ELEMENT;
  for (let start = 0; start < batch.length; ) {
    let bytes = batch[start]!.payload.length;
    let end = start + 1;
    while (end < batch.length && end - start < countMax) {
      const next = batch[end]!.payload.length;
      if (bytes + next > frameBytesMax) break;
      bytes += next;
      end++;
    }
    yield* pair(batch, { start, end, bytes });
    start = end;
  }
}

function* pair(
  batch: readonly LogMessage[],
  run: { readonly start: number; readonly end: number; readonly bytes: number },
): Generator<Payload> {
  const { start, end, bytes } = run;
  const lengths = new Uint32Array(end - start);
  const payloads = new Uint8Array(bytes);
  let offset = 0;
  for (let i = start; i < end; i++) {
    const { payload } = batch[i]!;
    payloads.set(payload, offset);
    offset += payload.length;
    lengths[i - start] = payload.length;
  }
  yield new Uint8Array(lengths.buffer);
  yield payloads;
}
