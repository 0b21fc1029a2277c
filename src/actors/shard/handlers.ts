// What a shard does every second and when it is asked to hand over: lease, reports, cut and upload, snapshot, trim.

import { call, emit } from '../../bus/rpc.ts';
import { leaseKey, partitionEventSubject, replicaSubject } from '../../bus/subjects.ts';
import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { asDomainError, DomainError, errorText, InvariantError, invariant } from '../../model/errors.ts';
import { adoptBlocks, beginPass, findBlocks, runPass, wantsCut } from './blocks.ts';
import type { ShardStatus } from './messages.ts';
import { writeShardSnapshot } from './snapshot.ts';
import { epochLife, replicaFacts, type ShardContext, type ShardState } from './state.ts';
import { coverageOf } from './tenant-store.ts';

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
  const steps = [refreshTail, tryLease, cutBlocks, saveSnapshot, trimLog, report];
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
    owner: state.lease !== undefined && !state.lease.lost.aborted,
  };
}

/** The placement as it is now: a partition that belongs elsewhere is served on, but its lease is not asked for. */
export function onPlaced(state: ShardState, message: { wanted: boolean }): undefined {
  state.wanted = message.wanted;
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
  state.wanted = false;
  await lease.release();
  context.log.info('partition handed over', { partition: state.partition, to: message.to });
  return { released: true };
}

async function refreshTail(state: ShardState, context: ShardContext): Promise<void> {
  const bounds = await state.log.bounds();
  state.tail = Math.max(state.applied, bounds.last);
  state.logFirst = bounds.first;
  const labels = { partition: String(state.partition) };
  const facts = replicaFacts(state, 'ready', context);
  state.metrics.logBytes.set(bounds.bytes, labels);
  state.metrics.lag.set(facts.lag, labels);
  state.metrics.series.set(facts.series, labels);
  let bytes = 0;
  for (const store of state.tenants.values()) bytes += store.memoryBytes();
  state.metrics.headBytes.set(bytes, labels);
}

// Ownership is decided by the lease alone. Who holds it and is not wanted any more is asked to hand it over.
async function tryLease(state: ShardState, context: ShardContext): Promise<void> {
  if (state.lease?.lost.aborted) {
    context.log.warn('lease lost', { partition: state.partition });
    state.lease = undefined;
  }
  if (state.lease !== undefined || !state.wanted) return;
  const key = leaseKey(state.partition);
  const value = encodeEnvelope({ process: context.identity.id });
  state.lease = await context.directory.acquire(key, value, state.config.nats.lease_ttl);
  if (state.lease === undefined) {
    const [entry] = await context.directory.list(key);
    const holder = entry && decodeEnvelope<{ process: string }>(entry.value).process;
    if (holder === undefined || holder === context.identity.id) return;
    const subject = replicaSubject(context.cluster.prefix, state.partition, holder, 'handover');
    try {
      const reply = await call(
        context.bus,
        'replica.handover',
        subject,
        { to: context.identity.id },
        { signal: context.stopping },
      );
      if (reply.released)
        state.lease = await context.directory.acquire(key, value, state.config.nats.lease_ttl);
    } catch (error) {
      // The holder may be dead: its lease runs out by itself.
      if (asDomainError(error).code !== 'unavailable') throw error;
    }
  }
  if (state.lease === undefined) return;
  context.log.info('partition owned', { partition: state.partition, token: state.lease.token });
  await refuseStaleView(state);
}

// A pass that another owner finished after we read the bucket covers messages we hold in the head, and which of ours it does not
// cover cannot be told any more: the shard starts over, from the bucket as it is now.
async function refuseStaleView(state: ShardState): Promise<void> {
  for (const [tenant, metas] of await findBlocks(state.place)) {
    const store = state.tenants.get(tenant);
    const news = metas.filter((meta) => !store?.blocks.has(meta.ulid));
    invariant(
      news.every((meta) => coverageOf(meta) === undefined),
      `partition ${state.partition} was cut by another owner while it was replayed here; starting over`,
    );
    if (store) await adoptBlocks(state.place, store, news);
  }
}

function assertOwner(state: ShardState): void {
  if (state.lease === undefined || state.lease.lost.aborted)
    throw new DomainError('conflict', `partition ${state.partition} is not ours any more`);
}

async function cutBlocks(state: ShardState, context: ShardContext): Promise<void> {
  if (state.lease === undefined) return;
  for (const [tenant, store] of state.tenants) {
    while (wantsCut(store, state.config) && !context.stopping.aborted) {
      assertOwner(state);
      const began = context.clock.monotonic();
      const pass = beginPass(store, state.applied, state.config);
      try {
        const blocks = await runPass(state.place, store, pass, {
          assertOwner: () => assertOwner(state),
          frameLog: () => state.frameLog,
          lock: state.lock,
          signal: context.stopping,
        });
        state.ledger.cut(tenant, pass.end, pass.applied);
        state.metrics.blocksCut.add(blocks, { partition: String(state.partition) });
        state.metrics.cutSeconds.observe((context.clock.monotonic() - began) / 1000);
        state.unsavedBytes = Number.POSITIVE_INFINITY; // what was cut must not be replayed: save soon
      } catch (error) {
        state.metrics.cutFailures.add(1, { partition: String(state.partition) });
        throw error;
      }
    }
  }
}

async function saveSnapshot(state: ShardState, context: ShardContext): Promise<void> {
  const { snapshot_interval: interval, snapshot_log_bytes: bytes } = state.config.shard;
  const due = context.clock.monotonic() - state.savedAt >= interval && state.unsavedBytes > 0;
  if (due || state.unsavedBytes >= bytes) await writeShardSnapshot(state, context);
}

async function trimLog(state: ShardState, context: ShardContext): Promise<void> {
  if (state.lease === undefined) return;
  const now = context.clock.now();
  state.frameLog.forgetBegunBefore(now - epochLife(state.config));
  const from = state.ledger.keepFrom(state.applied, now);
  if (from <= state.logFirst) return;
  assertOwner(state);
  await state.log.trim(from);
  state.logFirst = from;
  state.ledger.trimmed(from, now);
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
  if (reported !== told.reported || now - told.reportedAt >= ANNOUNCE_MS) {
    emit<'partition.report'>(
      context.bus,
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
  await state.announcement?.update(encodeEnvelope(facts));
  told.announced = announced;
}
