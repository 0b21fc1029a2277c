// Applying log messages to heads: synchronous and in order, so that state never stands between two messages.

import type { LogMessage } from '../../bus/durable-log.ts';
import type { DecodedFrame } from '../../codec/frame.ts';
import { decodeFrame } from '../../codec/frame-reader.ts';
import { errorText } from '../../model/errors.ts';
import { epochLife, type ShardContext, type ShardState, tenantStore } from './state.ts';

const DAMAGE_MAX = 100;

/** Applies a batch; afterwards `state.applied` is its last sequence. */
export function applyBatch(state: ShardState, batch: readonly LogMessage[], context: ShardContext): void {
  let samples = 0;
  for (const message of batch) {
    samples += applyMessage(state, message, context);
    state.applied = message.sequence;
    state.unsavedBytes += message.payload.length;
  }
  if (state.applied > state.tail) state.tail = state.applied;
  state.freshness.applied(state.applied);
  for (const waiter of state.waiters) if (waiter.sequence <= state.applied) waiter.settle(true);
  const labels = { partition: String(state.partition) };
  state.metrics.samples.add(samples, labels);
  state.metrics.frames.add(batch.length, labels);
  state.metrics.applied.set(state.applied, labels);
}

function applyMessage(state: ShardState, message: LogMessage, context: ShardContext): number {
  let frame: DecodedFrame;
  try {
    frame = decodeFrame(message.payload);
  } catch (error) {
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
