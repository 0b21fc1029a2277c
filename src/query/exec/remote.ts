// Leaves of a querier's plan: a fragment goes to every partition, the replies come back as step batches, aggregation states or
// raw series. Notes and counters that travel with them are taken in here.

import { DomainError } from '../../model/errors.ts';
import { modesOf } from '../modes.ts';
import type { RemoteNode } from '../plan/nodes.ts';
import { encodeFragment } from '../plan/plan-codec.ts';
import type { FragmentReply, RawColumns, StepBatch, StepRange } from '../source.ts';
import { stepCount } from '../source.ts';
import { collect, type ExecContext, release } from './context.ts';
import { DistinctLabels, mergeEqualSeries } from './step-batch.ts';
import { REPLY_STEPS_MAX } from './step-batch-codec.ts';

/** Streams the series of a remote vector. */
export async function* streamRemote(
  node: RemoteNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const steps = stepCount(grid);
  if (steps > REPLY_STEPS_MAX) {
    // A very wide grid comes in slices of the same series: join them.
    const slices = await collect(remoteBatches(node, grid, context), steps, context.budget);
    yield await mergeEqualSeries(slices.batch, context.budget.pause);
    release(slices, context.budget);
    return;
  }
  const distinct = node.distinct ? new DistinctLabels() : undefined;
  for await (const batch of remoteBatches(node, grid, context)) {
    if (distinct !== undefined) for (const labels of batch.labels) distinct.add(labels);
    yield batch;
  }
}

async function* remoteBatches(
  node: RemoteNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const steps = stepCount(grid);
  for await (const reply of remoteReplies(node, grid, context)) {
    if (reply.kind !== 'batch') throw unexpected(reply, 'a step batch');
    if (reply.batch.steps !== steps)
      throw new DomainError(
        'corrupt',
        `cannot use reply: ${reply.batch.steps} steps, ${steps} were asked for`,
      );
    yield reply.batch;
  }
}

/** Streams the aggregation states of a remote partial aggregation. */
export async function* streamPartials(
  node: RemoteNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<Uint8Array> {
  for await (const reply of remoteReplies(node, grid, context)) {
    if (reply.kind !== 'partial') throw unexpected(reply, 'an aggregation state');
    yield reply.bytes;
  }
}

/** Streams the raw series of a remote range selector. */
export async function* streamRaw(
  node: RemoteNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<readonly RawColumns[]> {
  for await (const reply of remoteReplies(node, grid, context)) {
    if (reply.kind !== 'raw') throw unexpected(reply, 'raw series');
    yield reply.series;
  }
}

function unexpected(reply: FragmentReply, wanted: string): DomainError {
  return new DomainError('corrupt', `cannot use reply of kind ${reply.kind}: ${wanted} was asked for`);
}

async function* remoteReplies(
  node: RemoteNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<FragmentReply> {
  const { fragments, budget, annotations, lookbackMs } = context;
  if (fragments === undefined)
    throw new DomainError('internal', 'cannot run fragment: this process has no fragment runner');
  budget.check();
  const fragment = encodeFragment({
    grid,
    lookbackMs,
    node: node.fragment,
    ...(context.profile === undefined ? {} : { analyze: true }),
    ...modesOf(context),
  });
  const replies = fragments.run(fragment, budget);
  for await (const reply of context.profile?.receive(node, replies) ?? replies) {
    if (reply.kind === 'notes') annotations.addAll(reply.notes);
    else if (reply.kind === 'statistics') {
      budget.countSamples(reply.samplesRead, reply.samplesQueryable);
      budget.addSeries(reply.seriesSeen);
    } else yield reply;
    const pause = budget.breathe();
    if (pause !== undefined) await pause;
  }
}
