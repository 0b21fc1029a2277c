// PromQL over HTTP: query, query_range, their plans, format_query, parse_query.

import { queryResponsePieces } from '../../codec/prom-json.ts';
import { asDomainError, DomainError } from '../../model/errors.ts';
import type { Expr } from '../../query/parse/ast.ts';
import { goQuote } from '../../query/parse/go-text.ts';
import { parseQuery } from '../../query/parse/parse-query.ts';
import { exprToJson } from '../../query/parse/parse-query-json.ts';
import { prettyExpr } from '../../query/parse/pretty.ts';
import { resultBytes } from '../../query/result-bytes.ts';
import { featureOptions } from './features.ts';
import { type Call, partialHeaders, type QuerierEdge, success } from './http-call.ts';
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
import { analysisJson, statsOf } from './query-stats.ts';

const POINTS_MAX = 11_000;

interface Grid {
  readonly startMs: number;
  readonly endMs: number;
  /** 0: an instant query. */
  readonly stepMs: number;
}

/** GET, POST /query */
export async function instantQuery(edge: QuerierEdge, call: Call): Promise<Response> {
  return runQuery(edge, call, limitOf(call.params), instantGrid(edge, call));
}

/** GET, POST /query_range */
export async function rangeQuery(edge: QuerierEdge, call: Call): Promise<Response> {
  return runQuery(edge, call, limitOf(call.params), rangeGrid(call));
}

/** GET, POST /query_explain, as Thanos */
export async function explainInstant(edge: QuerierEdge, call: Call): Promise<Response> {
  return explainQuery(edge, call, instantGrid(edge, call));
}

/** GET, POST /query_range_explain, as Thanos */
export async function explainRange(edge: QuerierEdge, call: Call): Promise<Response> {
  return explainQuery(edge, call, rangeGrid(call));
}

function instantGrid(edge: QuerierEdge, { params }: Call): Grid {
  const time = optionalTime(params, 'time', edge.clock.now());
  return { startMs: time, endMs: time, stepMs: 0 };
}

function rangeGrid({ params }: Call): Grid {
  const startMs = requiredTime(params, 'start');
  const endMs = requiredTime(params, 'end');
  if (endMs < startMs) throw invalidParameter('end', 'end timestamp must not be before start time');
  const stepMs = stepOf(params);
  if ((endMs - startMs) / stepMs > POINTS_MAX)
    throw new DomainError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  return { startMs, endMs, stepMs: Math.max(1, Math.trunc(stepMs)) };
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

async function runQuery(edge: QuerierEdge, call: Call, limit: number, grid: Grid): Promise<Response> {
  const request = requestOf(edge, call, grid);
  const answer = await edge.actor.ask('query', request).catch(blameQuery);
  const stats = call.params.get('stats') ?? '';
  const { statistics, analysis } = answer.result;
  const pieces = queryResponsePieces(answer.result, {
    limit,
    ...(stats === '' ? {} : { stats: statsOf(answer, statistics) }),
    ...(analysis === undefined ? {} : { analysis: analysisJson(analysis) }),
    warnings: statsWarnings(stats),
    printer: edge.printer,
  });
  return respond(call.request, pieces, 200, partialHeaders(answer.partial), holdResult(edge, answer));
}

async function explainQuery(edge: QuerierEdge, call: Call, grid: Grid): Promise<Response> {
  const tree = await edge.actor.ask('explain', requestOf(edge, call, grid)).catch(blameQuery);
  return success(call, analysisJson(tree));
}

function requestOf(edge: QuerierEdge, call: Call, grid: Grid): QueryRequest {
  const { params, asked } = call;
  const query = queryText(edge, call);
  const timeoutMs = optionalDuration(params, 'timeout');
  const maxResolutionMs = maxResolutionOf(params, grid.stepMs);
  const lookbackMs = lookbackOf(params);
  if (timeoutMs !== undefined && timeoutMs <= 0)
    throw new DomainError('timeout', 'query timed out in query execution');
  const analyze = params.get('analyze');
  return {
    ...asked,
    query,
    ...grid,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
    ...(analyze === 'true' || analyze === '1' ? { analyze: true } : {}),
    ...(maxResolutionMs === 0 ? {} : { maxResolutionMs }),
  };
}

function blameQuery(error: unknown): never {
  const failure = asDomainError(error);
  throw failure.code === 'bad_data' ? invalidParameter('query', failure.message) : failure;
}

// Counts a result until it is sent; a reader that takes too long is left.
function holdResult({ memory, turns, clock, config }: QuerierEdge, { result }: QueryAnswer): Hold {
  const bytes = resultBytes(result.value);
  const late = new AbortController();
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    memory?.give(bytes);
    cancel();
  };
  const cancel = clock.after(config.limits.http_write_timeout, () => {
    release();
    late.abort(new DomainError('timeout', 'the reader of an answer took too long'));
  });
  memory?.hold(bytes);
  const taker = { turns: 0 };
  return { signal: late.signal, release, pause: () => turns?.take(taker) };
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

// Thanos's parameter, with its messages: `auto` is a fifth of the step, of an instant query raw.
function maxResolutionOf(params: URLSearchParams, stepMs: number): number {
  const text = params.get('max_source_resolution') ?? '';
  if (text === '') return 0;
  if (text === 'auto') return stepMs / 5;
  let ms: number;
  try {
    ms = parseDuration(text);
  } catch (error) {
    const { message } = asDomainError(error);
    throw new DomainError('bad_data', `'max_source_resolution' parameter: ${message}`);
  }
  if (ms >= 0) return ms;
  throw new DomainError(
    'bad_data',
    "negative 'max_source_resolution' is not accepted. Try a positive integer",
  );
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
