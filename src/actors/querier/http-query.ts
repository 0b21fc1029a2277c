// PromQL over HTTP: query, query_range, format_query, parse_query.

import { queryResponsePieces } from '../../codec/prom-json.ts';
import { asDomainError, DomainError } from '../../model/errors.ts';
import type { Expr } from '../../query/parse/ast.ts';
import { goQuote } from '../../query/parse/go-text.ts';
import { parseQuery } from '../../query/parse/parse-query.ts';
import { exprToJson } from '../../query/parse/parse-query-json.ts';
import { prettyExpr } from '../../query/parse/pretty.ts';
import type { QueryValue } from '../../query/result.ts';
import { featureOptions } from './features.ts';
import { type Call, type OpenEdge, partialHeaders, type QuerierEdge, success } from './http-call.ts';
import {
  checkText,
  invalidParameter,
  limitOf,
  optionalDuration,
  optionalTime,
  parseDuration,
  requiredTime,
} from './http-params.ts';
import { type Hold, respond } from './http-respond.ts';
import type { QueryAnswer, QueryRequest } from './messages.ts';
import { statsOf } from './query-stats.ts';

const POINTS_MAX = 11_000;

interface Grid {
  readonly startMs: number;
  readonly endMs: number;
  /** 0: an instant query. */
  readonly stepMs: number;
}

/** GET, POST /query */
export async function instantQuery(edge: OpenEdge, call: Call): Promise<Response> {
  const limit = limitOf(call.params);
  const time = optionalTime(call.params, 'time', edge.clock.now());
  return runQuery(edge, call, limit, { startMs: time, endMs: time, stepMs: 0 });
}

/** GET, POST /query_range */
export async function rangeQuery(edge: OpenEdge, call: Call): Promise<Response> {
  const limit = limitOf(call.params);
  const startMs = requiredTime(call.params, 'start');
  const endMs = requiredTime(call.params, 'end');
  if (endMs < startMs) throw invalidParameter('end', 'end timestamp must not be before start time');
  const stepMs = stepOf(call.params);
  if ((endMs - startMs) / stepMs > POINTS_MAX)
    throw new DomainError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  return runQuery(edge, call, limit, { startMs, endMs, stepMs: Math.max(1, Math.trunc(stepMs)) });
}

function stepOf(params: URLSearchParams): number {
  let stepMs: number;
  try {
    stepMs = parseDuration(params.get('step') ?? '');
  } catch (error) {
    throw invalidParameter('step', asDomainError(error).message);
  }
  if (stepMs > 0) return stepMs;
  const reason = 'zero or negative query resolution step widths are not accepted. Try a positive integer';
  throw invalidParameter('step', reason);
}

async function runQuery(edge: OpenEdge, call: Call, limit: number, grid: Grid): Promise<Response> {
  const query = queryText(edge, call);
  const timeoutMs = optionalDuration(call.params, 'timeout');
  const lookbackMs = lookbackOf(call.params);
  if (timeoutMs !== undefined && timeoutMs <= 0)
    throw new DomainError('timeout', 'query timed out in query execution');
  refuseWhileFull(edge);
  const request: QueryRequest = {
    ...call.asked,
    query,
    ...grid,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
  };
  const answer = await edge.actor.ask('query', request).catch((error) => {
    const failure = asDomainError(error);
    throw failure.code === 'bad_data' ? invalidParameter('query', failure.message) : failure;
  });
  const stats = call.params.get('stats') ?? '';
  const pieces = queryResponsePieces(answer.result, {
    limit,
    ...(stats === '' ? {} : { stats: statsOf(answer, answer.result.statistics) }),
    warnings: statsWarnings(stats),
  });
  return respond(call.request, pieces, 200, partialHeaders(answer.partial), holdResult(edge, answer));
}

function refuseWhileFull({ sending, config }: OpenEdge): void {
  const { answers_bytes_max: max } = config.query;
  if (sending.bytes > max)
    throw new DomainError(
      'unavailable',
      `results of ${sending.bytes} bytes wait for their readers (limit query.answers_bytes_max ${max}); try again later`,
    );
}

// Counts a result until it is sent; a reader that takes too long is left.
function holdResult({ sending, clock, config }: OpenEdge, { result }: QueryAnswer): Hold {
  const bytes = resultBytes(result.value);
  const late = new AbortController();
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    sending.bytes -= bytes;
    cancel();
  };
  const cancel = clock.after(config.limits.http_write_timeout, () => {
    release();
    late.abort(new DomainError('timeout', 'the reader of an answer took too long'));
  });
  sending.bytes += bytes;
  return { signal: late.signal, release };
}

function resultBytes(value: QueryValue): number {
  if (value.type === 'vector' || value.type === 'matrix')
    return value.batch.values.byteLength + value.batch.present.byteLength;
  if (value.type !== 'raw-matrix') return 0;
  return value.series.reduce((sum, { values }) => sum + 2 * values.byteLength, 0);
}

function queryText(edge: QuerierEdge, call: Call): string {
  const query = call.params.get('query') ?? '';
  checkText(edge.config, 'query', query.length);
  return query;
}

// Zero and less mean the configured one.
function lookbackOf(params: URLSearchParams): number | undefined {
  const text = params.get('lookback_delta') ?? '';
  if (text === '') return undefined;
  try {
    const ms = parseDuration(text);
    return ms > 0 ? ms : undefined;
  } catch (error) {
    const { message } = asDomainError(error);
    throw new DomainError('bad_data', `error parsing lookback delta duration: ${message}`);
  }
}

function statsWarnings(stats: string): string[] {
  if (stats === '' || stats === 'true' || stats === 'all') return [];
  return [
    `value ${goQuote(stats)} for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`,
  ];
}

/** GET, POST /format_query */
export function formatQuery(edge: QuerierEdge, call: Call): Response {
  return withParsed(edge, call, prettyExpr);
}

/** GET, POST /parse_query */
export function parsedQuery(edge: QuerierEdge, call: Call): Response {
  return withParsed(edge, call, exprToJson);
}

function withParsed(edge: QuerierEdge, call: Call, show: (expr: Expr) => unknown): Response {
  const text = queryText(edge, call);
  try {
    const { features } = featureOptions(edge.config.query.enable_feature);
    return success(call, show(parseQuery(text, features)));
  } catch (error) {
    throw invalidParameter('query', asDomainError(error).message);
  }
}
