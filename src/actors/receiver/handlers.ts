// What the receiver does with a write: decode, judge and append in one step, then wait for the log.

import { decodeSnappy } from '../../codec/snappy.ts';
import { asDomainError, DomainError } from '../../model/errors.ts';
import type { IngestOutcome } from './ingest/ingestor.ts';
import type { WriteReply, WriteRequest } from './messages.ts';
import { newestOf, publisherOf, type ReceiverContext, type ReceiverState, raise } from './state.ts';

/** Takes a write request in. Errors: `bad_data`, `too_large`, `limited`, `unavailable` or `full` (nothing acknowledged). */
export async function onWrite(
  state: ReceiverState,
  message: WriteRequest,
  context: ReceiverContext,
): Promise<WriteReply> {
  const { tenant } = message;
  const { buffer_bytes_max: bufferBytesMax, body_bytes_max: bodyBytesMax } = state.config.receiver;
  if (state.unacknowledged.bytes >= bufferBytesMax)
    throw new DomainError(
      'unavailable',
      `${state.unacknowledged.bytes} bytes wait for the log already (limit receiver.buffer_bytes_max ${bufferBytesMax}); try again later`,
    );
  const began = context.clock.monotonic();
  const length = decodeBody(state, message.body, bodyBytesMax);
  const outcome = state.ingestor.ingest({
    tenant,
    protocol: message.protocol,
    body: state.target.bytes.subarray(0, length),
    now: context.clock.now(),
    newest: (partition) => newestOf(state.newest, tenant, partition),
  });
  await Promise.all(
    outcome.parts.map((part) =>
      publisherOf(state, part.writer, context).settled(part.firstSerial, part.lastSerial),
    ),
  ).catch((error) => {
    state.ingestor.forgetMetadata(tenant);
    throw error;
  });
  for (const part of outcome.parts) raise(state.newest, tenant, part.partition, part.newest);
  count(state, tenant, outcome);
  state.metrics.bodyBytes.add(message.body.length);
  state.metrics.seconds.observe((context.clock.monotonic() - began) / 1000);
  return {
    status: outcome.status,
    text: textOf(outcome),
    samples: outcome.samples,
    histograms: outcome.histograms,
    exemplars: outcome.exemplars,
  };
}

// A body that unpacks to more than the limit is the sender's mistake (400), as Prometheus has it; only a body too large as it
// stands on the wire is 413.
function decodeBody(state: ReceiverState, body: Uint8Array, bytesMax: number): number {
  try {
    return decodeSnappy(body, state.target, bytesMax);
  } catch (error) {
    const failure = asDomainError(error);
    throw failure.code === 'too_large' ? new DomainError('bad_data', failure.message) : failure;
  }
}

function textOf(outcome: IngestOutcome): string {
  const hidden = outcome.errorCount - outcome.errors.length;
  return [...outcome.errors, ...(hidden > 0 ? [`and ${hidden} more`] : [])].join('\n');
}

function count(state: ReceiverState, tenant: string, outcome: IngestOutcome): void {
  if (outcome.samples > 0) state.metrics.samples.add(outcome.samples, { tenant });
  if (outcome.histograms > 0) state.metrics.histograms.add(outcome.histograms, { tenant });
  if (outcome.exemplars > 0) state.metrics.exemplars.add(outcome.exemplars, { tenant });
  for (const [reason, amount] of Object.entries(outcome.rejected))
    if (amount > 0) state.metrics.rejected.add(amount, { tenant, reason });
}

/** Forgets what was not seen for long. */
export function onSweep(state: ReceiverState, _message: undefined, context: ReceiverContext): undefined {
  state.ingestor.sweep(context.clock.now());
  for (const [writer, publisher] of state.publishers)
    if (publisher.idle && state.ingestor.writer(writer.tenant, writer.partition) !== writer)
      state.publishers.delete(writer);
  return undefined;
}
