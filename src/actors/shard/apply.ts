// Applying log messages to heads: synchronous and in order, so that state never stands between two messages.

import type { LogMessage } from '../../bus/durable-log.ts';
import type { DecodedFrame } from '../../codec/frame.ts';
import { decodeFrame } from '../../codec/frame-reader.ts';
import { errorText } from '../../model/errors.ts';
import { epochLife, type ShardContext, type ShardState, tenantStore } from './state.ts';

const DAMAGE_MAX = 100;
/** A replay keeps the other work of its process, queries among it, waiting for no longer than this, ms. */
const SLICE_MS = 20;

/**
 * Applies messages of a batch from index `from` on for as long as others may be kept waiting; returns the index of the first that is left.
 * Afterwards `state.applied` is the sequence before it. It stops as well before a message that cannot be read and is `state.suspect` from
 * then on: read again, it is either good, and the way here was to blame, or damage of the log.
 */
export function applySome(
  state: ShardState,
  batch: readonly LogMessage[],
  from: number,
  context: ShardContext,
): number {
  const until = context.clock.monotonic() + SLICE_MS;
  let samples = 0;
  let next = from;
  do {
    const message = batch[next]!;
    const applied = applyMessage(state, message, context);
    if (applied === undefined) break;
    next++;
    samples += applied;
    state.applied = message.sequence;
    state.unsavedBytes += message.payload.length;
  } while (next < batch.length && context.clock.monotonic() < until);
  if (state.applied > state.tail) state.tail = state.applied;
  state.freshness.applied(state.applied);
  for (const waiter of state.waiters) if (waiter.sequence <= state.applied) waiter.settle(true);
  const labels = { partition: String(state.partition) };
  state.metrics.samples.add(samples, labels);
  state.metrics.frames.add(next - from, labels);
  state.metrics.applied.set(state.applied, labels);
  return next;
}

// Samples applied; undefined when the message is to be read again.
function applyMessage(state: ShardState, message: LogMessage, context: ShardContext): number | undefined {
  let frame: DecodedFrame;
  try {
    frame = decodeFrame(message.payload);
  } catch (error) {
    if (state.suspect !== message.sequence) {
      state.suspect = message.sequence;
      context.log.warn('a message of the log cannot be read, reading it again', {
        partition: state.partition,
        sequence: message.sequence,
        error: errorText(error),
      });
      return undefined;
    }
    reportDamage(
      state,
      `message ${message.sequence} of partition ${state.partition} cannot be read: ${errorText(error)}`,
      context,
    );
    return 0;
  }
  const outcome = state.frameLog.accept(frame, message.sequence);
  const writer = Buffer.from(frame.writer.buffer, frame.writer.byteOffset, frame.writer.length).toString(
    'hex',
  );
  const openUntil = frame.epochBegun + epochLife(state.config);
  const store = tenantStore(state, frame.tenant);
  let newest = Number.NEGATIVE_INFINITY;
  let late = false;
  let applied = 0;
  if (!outcome.repeated) {
    if (outcome.gap)
      reportDamage(
        state,
        `${outcome.gap.count} acknowledged frames of writer ${writer} are missing before message ${message.sequence} of partition ${state.partition} (counters ${outcome.gap.from} to ${outcome.gap.to})`,
        context,
      );
    const result = store.apply(frame, outcome.refs, message.sequence);
    if (result.undefinedRefs > 0)
      reportDamage(
        state,
        `${result.undefinedRefs} samples of message ${message.sequence} of partition ${state.partition} have no series definition`,
        context,
      );
    newest = result.newest;
    late = result.late;
    applied = result.appended;
  }
  state.ledger.note(
    message.sequence,
    frame.tenant,
    newest,
    late,
    `${writer}/${frame.tenant}/${frame.epoch}`,
    openUntil,
  );
  return applied;
}

/** Something acknowledged is missing or broken: counted, logged, and told in every answer of this shard. */
function reportDamage(state: ShardState, text: string, context: ShardContext): void {
  context.log.error('log damage', { partition: state.partition, damage: text });
  state.metrics.damage.add(1, { partition: String(state.partition) });
  if (state.damage.length < DAMAGE_MAX) state.damage.push(text);
}
