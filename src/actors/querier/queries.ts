// The life of a query in the querier: it waits for its turn, is evaluated over all partitions, and ends with an answer, an error, its
// time limit, or because somebody wants no answer any more.

import { asDomainError, DomainError } from '../../model/errors.ts';
import { isLack } from '../../model/partial.ts';
import type { QueryResult } from '../../query/result.ts';
import type { ActorContext } from '../actor.ts';
import type { QueryLife } from './active-queries.ts';
import { retryLost } from './fanout.ts';
import type { QuerierMessages, QueryAnswer, QueryRequest } from './messages.ts';
import { engineOf, type QuerierState } from './state.ts';

type Context = ActorContext<QuerierMessages>;

/** Evaluates a query within its time limit, when its turn comes. */
export async function onQuery(
  state: QuerierState,
  message: QueryRequest,
  context: Context,
): Promise<QueryAnswer> {
  const life = state.active.begin(message);
  const timeoutMs = Math.min(message.timeoutMs ?? state.config.query.timeout, state.config.query.timeout);
  const cancelTimer = context.clock.after(timeoutMs, () => {
    const where = life.state === 'queued' ? 'query queue' : 'query execution';
    life.cutOff(new DomainError('timeout', `query timed out in ${where}`));
  });
  try {
    return await state.queue.run(message.tenant, life.signal, () => answer(state, life, context));
  } catch (error) {
    throw life.cause ?? asDomainError(error);
  } finally {
    if (life.state === 'queued' && life.signal.aborted)
      noteQueued(state, context.clock.monotonic() - life.askedAt);
    cancelTimer();
    state.active.end(life);
  }
}

async function answer(state: QuerierState, life: QueryLife, { clock }: Context): Promise<QueryAnswer> {
  life.state = 'running';
  const began = clock.monotonic();
  const queuedMs = began - life.askedAt;
  noteQueued(state, queuedMs);
  const result = await evaluate(state, life);
  const evaluatedMs = clock.monotonic() - began;
  state.metrics.slices.observe(evaluatedMs / 1000, { slice: 'inner_eval' });
  const kind = life.request.stepMs === 0 ? 'instant' : 'range';
  state.metrics.seconds.observe(evaluatedMs / 1000, { kind });
  state.metrics.samples.add(result.statistics.samplesRead);
  const partial = result.annotations.some((note) => isLack(note.text));
  if (partial) state.metrics.partial.add();
  return { result, partial, queuedMs, evaluatedMs };
}

function noteQueued({ metrics }: QuerierState, ms: number): void {
  metrics.slices.observe(ms / 1000, { slice: 'queue_time' });
}

function evaluate(state: QuerierState, life: QueryLife): Promise<QueryResult> {
  const { request, signal } = life;
  const { query, lookbackMs, startMs, endMs, stepMs } = request;
  const engine = engineOf(state, request);
  const shared = {
    query,
    signal,
    onAccount: (account: typeof life.account) => {
      life.account = account;
    },
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
  };
  return retryLost(state.fanout, signal, () =>
    stepMs === 0
      ? engine.instant({ ...shared, timeMs: startMs })
      : engine.range({ ...shared, startMs, endMs, stepMs }),
  );
}
