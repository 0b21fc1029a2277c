// Waiting for the log: a replica answers from what it has applied, and sees to it that this is not too old.

import type { LogBounds } from '../../bus/durable-log.ts';
import { DomainError } from '../../model/errors.ts';
import { linkedController, orAborted } from '../../platform/abort.ts';
import type { ShardContext, ShardState, Waiter } from './state.ts';

/** Longest wait of an ordinary request for a replica that is behind; then it is answered with what is there. */
const WAIT_MS_MAX = 2000;

/** Asks where the log ends, and remembers when that was. */
export async function lookAtLog(
  state: ShardState,
  { clock }: Pick<ShardContext, 'clock'>,
): Promise<LogBounds> {
  const at = clock.monotonic();
  const bounds = await state.log.bounds();
  state.freshness.looked(at, bounds.last, state.applied);
  return bounds;
}

/**
 * Resolves when everything that is in the log now is applied. Errors: `unavailable` when it will not be or the log cannot be asked,
 * the signal's reason.
 */
export async function caughtUp(
  state: ShardState,
  context: Pick<ShardContext, 'clock'>,
  signal: AbortSignal,
): Promise<undefined> {
  const { last } = await orAborted(lookAtLog(state, context), signal);
  await applied(state, last, signal);
}

/**
 * Resolves when everything is applied that was in the log `shard.stale_after` ago: nearly always at once. When that cannot be had soon:
 * the wall time since which this replica does not know its log.
 */
export async function freshEnough(
  state: ShardState,
  context: Pick<ShardContext, 'clock'>,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { clock } = context;
  const isStale = (): boolean => clock.monotonic() - state.freshness.at > state.config.shard.stale_after;
  if (!isStale()) return undefined;
  const waiting = linkedController(signal);
  const cancel = clock.after(WAIT_MS_MAX, () =>
    waiting.abort(new DomainError('timeout', `partition ${state.partition} is behind its log`)),
  );
  try {
    state.looking ??= lookAtLog(state, context)
      .then(({ last }) => last)
      .finally(() => {
        state.looking = undefined;
      });
    await applied(state, await orAborted(state.looking, waiting.signal), waiting.signal);
    return undefined;
  } catch {
    signal.throwIfAborted();
    return clock.now() - (clock.monotonic() - state.freshness.at);
  } finally {
    cancel();
    waiting.unlink();
  }
}

async function applied(state: ShardState, last: number, signal: AbortSignal): Promise<void> {
  if (state.applied >= last) return;
  const failure = (): DomainError =>
    new DomainError(
      'unavailable',
      `partition ${state.partition} cannot be read consistently: message ${state.applied} of ${last} is applied, and ${state.stalled?.message ?? 'it stops'}`,
    );
  if (state.stalled !== undefined || state.closing) throw failure();
  await new Promise<void>((resolve, reject) => {
    const leave = (): void => {
      state.waiters.delete(waiter);
      signal.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      leave();
      reject(signal.reason);
    };
    const waiter: Waiter = {
      sequence: last,
      settle: (isApplied) => {
        leave();
        if (isApplied) resolve();
        else reject(failure());
      },
    };
    state.waiters.add(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
