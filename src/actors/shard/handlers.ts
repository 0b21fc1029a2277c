// What a shard does every second and when it is asked to hand over: lease, reports, cut and upload, snapshot, trim.

import { call, emit } from '../../bus/rpc.ts';
import { leaseKey, partitionEventSubject, replicaSubject } from '../../bus/subjects.ts';
import { encodeEnvelope } from '../../codec/envelope.ts';
import { asDomainError, DomainError, errorText, InvariantError } from '../../model/errors.ts';
import { runPass } from './blocks.ts';
import { demandReview, learnBlocks } from './bucket-view.ts';
import { lookAtLog } from './catch-up.ts';
import type { ShardStatus } from './messages.ts';
import { writeShardSnapshot } from './snapshot.ts';
import { epochLife, replicaFacts, type ShardContext, type ShardState } from './state.ts';
import type { CutPass, TenantStore } from './tenant-store.ts';

// A replica's entry in the directory costs a replicated write: it follows changes this often, and is renewed by its own.
const ANNOUNCE_MS = 5000;

/** Every second. One step failing does not keep the others from running; a broken invariant ends this life of the shard. */
export async function onTick(
  state: ShardState,
  _message: undefined,
  context: ShardContext,
): Promise<undefined> {
  if (state.stalled?.code === 'not_found') {
    state.failed = true;
    throw new InvariantError(`partition ${state.partition} fell behind its log: ${state.stalled.message}`);
  }
  const steps = [refreshTail, tryLease, learnBlocks, cutBlocks, saveSnapshot, trimLog, report];
  for (const step of steps) {
    if (context.stopping.aborted) break;
    try {
      await step(state, context);
    } catch (error) {
      if (error instanceof InvariantError) {
        state.failed = true;
        throw error;
      }
      context.log.warn('a shard step failed and will be tried again', {
        partition: state.partition,
        step: step.name,
        error: errorText(error),
      });
    }
  }
  return undefined;
}

/** How the shard stands. */
export function onStatus(state: ShardState): ShardStatus {
  return {
    partition: state.partition,
    applied: state.applied,
    owner: isOwner(state),
  };
}

/** The placement as it is now: a partition that belongs elsewhere is served on, but its lease is not asked for. */
export function onPlaced(state: ShardState, message: { rank: number | undefined }): undefined {
  state.rank = message.rank;
  return undefined;
}

/** Gives the lease to a process that has caught up. Runs between ticks, hence never in the middle of a cut. */
export async function onHandover(
  state: ShardState,
  message: { to: string },
  context: ShardContext,
): Promise<{ released: boolean }> {
  if (state.lease === undefined) return { released: false };
  const lease = state.lease;
  state.lease = undefined;
  // Whoever asks leads by a newer placement than the one told here.
  if (state.rank === 0) state.rank = 1;
  await lease.release();
  context.log.info('partition handed over', { partition: state.partition, to: message.to });
  return { released: true };
}

async function refreshTail(state: ShardState, context: ShardContext): Promise<void> {
  const now = context.clock.now();
  const bounds = await lookAtLog(state, context);
  state.tail = Math.max(state.applied, bounds.last);
  state.tailAt = now;
  state.logFirst = bounds.first;
  state.logBytes = bounds.bytes;
  const labels = { partition: String(state.partition) };
  const facts = replicaFacts(state, 'ready', context);
  state.metrics.logBytes.set(bounds.bytes, labels);
  state.metrics.lag.set(facts.lag, labels);
  state.metrics.series.set(facts.series, labels);
  let bytes = 0;
  for (const store of state.tenants.values()) bytes += store.memoryBytes();
  state.metrics.headBytes.set(bytes, labels);
}

// Ownership is decided by the lease alone. The first of the owners asks whoever holds it to hand it over; the others take it only when
// nobody has had it for a while, each a tick later than the one before.
async function tryLease(state: ShardState, context: ShardContext): Promise<void> {
  if (state.lease?.lost.aborted) {
    context.log.warn('lease lost', { partition: state.partition });
    state.lease = undefined;
  }
  const { rank, holder } = state;
  state.ticksWithoutHolder = holder === undefined ? state.ticksWithoutHolder + 1 : 0;
  if (state.lease !== undefined || rank === undefined) return;
  if (rank > 0 && state.ticksWithoutHolder <= rank) return;
  if (holder !== undefined && holder !== context.identity.id && !(await askForLease(state, holder, context)))
    return;
  const value = encodeEnvelope({ process: context.identity.id });
  state.lease = await context.directory.acquire(
    leaseKey(state.partition),
    value,
    state.config.nats.lease_ttl,
  );
  if (state.lease === undefined) return;
  context.log.info('partition owned', { partition: state.partition, token: state.lease.token });
  // An earlier owner may have cut what is still waiting to be cut here.
  demandReview(state);
}

async function askForLease(state: ShardState, holder: string, context: ShardContext): Promise<boolean> {
  const { prefix } = context.cluster;
  const subject = replicaSubject(prefix, state.partition, holder, 'handover');
  const message = { to: context.identity.id };
  try {
    const reply = await call(context.bus, 'replica.handover', subject, message, { signal: context.stopping });
    return reply.released;
  } catch (error) {
    // The holder may be dead: its lease runs out by itself.
    if (asDomainError(error).code !== 'unavailable') throw error;
    return false;
  }
}

function assertOwner(state: ShardState): void {
  if (!isOwner(state)) throw new DomainError('conflict', `partition ${state.partition} is not ours any more`);
}

// Asking the lease asks the clock: a process that stood still knows at once that it is not the owner any more.
function isOwner(state: ShardState): boolean {
  return state.lease !== undefined && !state.lease.lost.aborted;
}

async function cutBlocks(state: ShardState, context: ShardContext): Promise<void> {
  for (const store of state.tenants.values())
    for (let pass = store.passes[0]; pass !== undefined; pass = store.passes[0]) {
      if (!isOwner(state) || state.bucket.reviewDue || context.stopping.aborted) return;
      await cutPass(state, store, pass, context);
    }
}

async function cutPass(
  state: ShardState,
  store: TenantStore,
  pass: CutPass,
  context: ShardContext,
): Promise<void> {
  const began = context.clock.monotonic();
  try {
    const blocks = await runPass(state.place, store, pass, {
      assertOwner: () => assertOwner(state),
      signal: context.stopping,
    });
    state.metrics.blocksCut.add(blocks, { partition: String(state.partition) });
  } catch (error) {
    state.metrics.cutFailures.add(1, { partition: String(state.partition) });
    throw error;
  }
  const release = await state.lock.write();
  try {
    store.noteCoverage(pass, state.applied, state.frameLog);
    state.ledger.cut(store.tenant, pass.end, pass.applied);
  } finally {
    release();
  }
  state.metrics.cutSeconds.observe((context.clock.monotonic() - began) / 1000);
  state.unsavedBytes = Number.POSITIVE_INFINITY; // what was cut must not be replayed: save soon
}

async function saveSnapshot(state: ShardState, context: ShardContext): Promise<void> {
  const { snapshot_interval: interval, snapshot_log_bytes: bytes } = state.config.shard;
  const due = context.clock.monotonic() - state.savedAt >= interval && state.unsavedBytes > 0;
  if (due || state.unsavedBytes >= bytes) await writeShardSnapshot(state, context);
}

// Judged by the time at which the log ended where this replica stands: frames that came later may need what is older. A standby only
// forgets what nobody needs any more.
async function trimLog(state: ShardState): Promise<void> {
  if (state.applied < state.tail) return;
  state.frameLog.forgetBegunBefore(state.tailAt - epochLife(state.config));
  if (isOwner(state) && !state.bucket.reviewDue) {
    const from = state.ledger.keepFrom(state.applied, state.tailAt);
    if (from > state.logFirst) {
      assertOwner(state);
      await state.log.trim(from);
      state.logFirst = from;
    }
  }
  state.ledger.trimmed(state.logFirst, state.tailAt);
}

// Told when something changed, and every ANNOUNCE_MS for who came meanwhile; the directory's entry at most that often.
async function report(state: ShardState, context: ShardContext): Promise<void> {
  const { told, partition, applied } = state;
  const now = context.clock.monotonic();
  const tenants = [...state.tenants]
    .map(([tenant, store]) => ({ tenant, maxTime: store.maxTime() }))
    .filter((entry) => Number.isFinite(entry.maxTime));
  const message = { partition, applied, tenants };
  const reported = JSON.stringify(message);
  if (isOwner(state) && (reported !== told.reported || now - told.reportedAt >= ANNOUNCE_MS)) {
    emit(
      context.bus,
      'partition.report',
      partitionEventSubject(context.cluster.prefix, partition, 'report'),
      message,
    );
    told.reported = reported;
    told.reportedAt = now;
  }
  const facts = replicaFacts(state, 'ready', context);
  const announced = JSON.stringify(facts);
  if (announced === told.announced || now - told.announcedAt < ANNOUNCE_MS) return;
  told.announcedAt = now;
  // Whether one that fails has arrived is not known: whatever comes next is told again.
  told.announced = '';
  await state.announcement?.update(encodeEnvelope(facts));
  told.announced = announced;
}
