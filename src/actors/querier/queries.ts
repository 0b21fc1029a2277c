// The life of a query in the querier: it waits for its turn, is evaluated over all partitions, and ends with an answer, an error, its
// time limit, or because somebody wants no answer any more.

import { asDomainError, DomainError } from '../../model/errors.ts';
import { isLack } from '../../model/partial.ts';
import type { QueryLimits } from '../../query/budget.ts';
import type { InstantQuery, RangeQuery } from '../../query/engine.ts';
import type { OperatorTree } from '../../query/operator-tree.ts';
import type { QueryResult } from '../../query/result.ts';
import type { ActorContext } from '../actor.ts';
import type { QueryLife } from './active-queries.ts';
import { retryLost } from './fanout.ts';
import { runInTurn } from './light-lane.ts';
import type { QuerierMessages, QueryAnswer, QueryRequest } from './messages.ts';
import { logQuery } from './query-log.ts';
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
    const reply = await runInTurn(state, life, (limits) => answer(state, life, limits));
    logQuery(state.queryLog, life, reply.partial ? 'partial' : 'answered');
    return reply;
  } catch (error) {
    const failure = life.cause ?? asDomainError(error);
    logQuery(state.queryLog, life, failure);
    throw failure;
  } finally {
    cancelTimer();
    state.metrics.slices.observe(life.times().queuedMs / 1000, { slice: 'queue_time' });
    state.active.end(life);
  }
}

async function answer(
  state: QuerierState,
  life: QueryLife,
  limits: QueryLimits | undefined,
): Promise<QueryAnswer> {
  life.start();
  const result = await evaluate(state, life, limits);
  const times = life.times();
  const seconds = times.evaluatedMs / 1000;
  state.metrics.slices.observe(seconds, { slice: 'inner_eval' });
  state.metrics.seconds.observe(seconds, { kind: life.request.stepMs === 0 ? 'instant' : 'range' });
  state.metrics.samples.add(result.statistics.samplesRead);
  const partial = result.annotations.some((note) => isLack(note.text));
  if (partial) state.metrics.partial.add();
  return { result, partial, ...times };
}

function evaluate(
  state: QuerierState,
  life: QueryLife,
  limits: QueryLimits | undefined,
): Promise<QueryResult> {
  const { request, signal } = life;
  const query: InstantQuery | RangeQuery = {
    ...engineQuery(request),
    signal,
    ...(limits === undefined ? {} : { limits }),
    onAccount: (account) => {
      life.account = account;
    },
  };
  const engine = engineOf(state, request);
  return retryLost(state.fanout, signal, () =>
    'timeMs' in query ? engine.instant(query) : engine.range(query),
  );
}

/** The plan of a query; it is not run. */
export function onExplain(state: QuerierState, message: QueryRequest): OperatorTree {
  return engineOf(state, message).explain(engineQuery(message));
}

function engineQuery({
  query,
  startMs,
  endMs,
  stepMs,
  lookbackMs,
  maxResolutionMs,
  analyze = false,
}: QueryRequest): InstantQuery | RangeQuery {
  const shared = {
    query,
    analyze,
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
    ...(maxResolutionMs === undefined ? {} : { maxResolutionMs }),
  };
  return stepMs === 0 ? { ...shared, timeMs: startMs } : { ...shared, startMs, endMs, stepMs };
}
