// The query log: a line in the process's log for each query that took long, and for each that failed. Fields are those of Prometheus's
// query log (promql/engine.go, util/httputil/context.go as of 3.14), and a few of our own.

import type { DomainError } from '../../model/errors.ts';
import { isoTime } from '../../model/units.ts';
import type { Logger } from '../../platform/log.ts';
import type { QueryLife } from './active-queries.ts';
import { type QueryCounts, statsOf } from './query-stats.ts';

const NOTHING_USED: QueryCounts = { samplesQueryable: 0, samplesRead: 0, samplesPeak: 0 };

/** Where queries are logged. */
export interface QueryLog {
  readonly log: Logger;
  /** Queries that took no longer are not logged unless they failed; 0: none is logged at all. */
  readonly longerThanMs: number;
}

/** Logs a query at its end, if it is of interest. A query that was wrong in itself (`bad_data`) is not: it took nothing. */
export function logQuery(
  { log, longerThanMs }: QueryLog,
  life: QueryLife,
  end: 'answered' | 'partial' | DomainError,
): void {
  if (longerThanMs === 0) return;
  const failed = typeof end !== 'string';
  const times = life.times();
  if (failed ? end.code === 'bad_data' : times.queuedMs + times.evaluatedMs <= longerThanMs) return;
  const { tenant, query, startMs, endMs, stepMs, caller } = life.request;
  log.info('promql query logged', {
    params: { query, start: isoTime(startMs), end: isoTime(endMs), step: Math.trunc(stepMs / 1000) },
    ...(failed ? { error: end.message } : {}),
    stats: statsOf(times, life.account ?? NOTHING_USED),
    ...(caller === undefined
      ? {}
      : { httpRequest: { clientIP: caller.address, method: caller.method, path: caller.path } }),
    tenant,
    id: life.id,
    outcome: failed ? outcomeOf(life, end) : end,
  });
}

function outcomeOf({ cause, request }: QueryLife, { code }: DomainError): string {
  if (cause?.code === 'canceled') return 'killed';
  if (cause?.code === 'timeout') return 'timeout';
  if (request.signal.aborted) return 'canceled';
  return code === 'limited' || code === 'full' ? 'refused' : 'failed';
}
