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

/** What an ordinary read wants. */
export interface Wanted {
  readonly tenant: string;
  /** The newest sample time it may look at, ms; asked only when that matters. */
  readonly newest: () => number;
}

/**
 * Resolves when everything is applied that was in the log `shard.stale_after` ago: nearly always at once. When that cannot be had soon:
 * why the answer may lack what is newer than TenantStore.openStart(). Reads of what is older do not wait.
 */
export async function freshEnough(
  state: ShardState,
  context: Pick<ShardContext, 'clock'>,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { clock } = context;
  const { shard, query } = state.config;
  if (clock.monotonic() - state.freshness.at <= shard.stale_after) return undefined;
  const store = state.tenants.get(wanted.tenant);
  if (store !== undefined && wanted.newest() < store.openStart()) return undefined;
  const waiting = linkedController(signal);
  // A replay is waited for like an owner; what is late for another reason should come at once.
  const cancel = clock.after(state.replaying ? query.owner_wait : WAIT_MS_MAX, () =>
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
    // Whoever comes after, here or elsewhere, may have it.
    if (state.closing) throw new DomainError('unavailable', `partition ${state.partition} closes here`);
    if (state.replaying) return 'the log is being replayed';
    const since = new Date(clock.now() - (clock.monotonic() - state.freshness.at));
    return `what was written since ${since.toISOString()} is not applied yet`;
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
