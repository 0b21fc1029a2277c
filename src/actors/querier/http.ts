// The Prometheus HTTP API of the querier: parameters in, messages to the actor, JSON out (features of web/api/v1 as of 3.14).

import { type Context, Hono } from 'hono';
import { compileMatcher } from '../../codec/regex.ts';
import { asDomainError, DomainError, type ErrorCode } from '../../model/errors.ts';
import { type Labels, labelsToRecord } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { TIME_MAX, TIME_MIN } from '../../model/units.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config.ts';
import { configText } from '../../platform/config.ts';
import { encodeQueryResponse } from '../../query/json/response.ts';
import { extractSelectors } from '../../query/parse/ast-walk.ts';
import { parseQuery, parseSelector } from '../../query/parse/parse-query.ts';
import { exprToJson } from '../../query/parse/parse-query-json.ts';
import { prettyExpr } from '../../query/parse/pretty.ts';
import type { ActorRef } from '../runtime.ts';
import { tenantOf } from '../tenant.ts';
import {
  invalidParameter,
  limitOf,
  optionalDuration,
  optionalTime,
  parseDuration,
  requiredTime,
  unescapeLabelName,
} from './http-params.ts';
import { respond } from './http-respond.ts';
import type { Asked, QuerierMessages, QueryRequest } from './messages.ts';

const POINTS_MAX = 11_000;
const TRUNCATED = 'results truncated due to limit';

/** What the edge needs to know of its process. */
export interface QuerierEdge {
  readonly actor: ActorRef<QuerierMessages>;
  readonly config: Config;
  readonly clock: Clock;
  readonly version: string;
  readonly startedMs: number;
  /** Command-line flags as given, for status/flags. */
  readonly flags: Readonly<Record<string, string>>;
  readonly hostname: string;
  readonly folder: string;
}

interface Call {
  readonly params: URLSearchParams;
  readonly asked: Asked;
  readonly http: Context;
}

/** The routes below /api/v1. */
export function querierRoutes(edge: QuerierEdge): Hono {
  const app = new Hono();
  const both = (path: string, answer: (call: Call) => Promise<Response>): void => {
    app.on(['GET', 'POST'], path, (http) => answerCall(http, answer));
  };
  const get = (path: string, answer: (call: Call) => Promise<Response>): void => {
    app.get(path, (http) => answerCall(http, answer));
  };
  both('/query', (call) => instantQuery(edge, call));
  both('/query_range', (call) => rangeQuery(edge, call));
  both('/query_exemplars', (call) => exemplars(edge, call));
  both('/format_query', (call) => formatQuery(call));
  both('/parse_query', (call) => parsedQuery(call));
  both('/series', (call) => series(edge, call));
  both('/labels', (call) => labelRows(edge, call, 'names', ''));
  get('/label/:name/values', (call) =>
    labelRows(edge, call, 'values', labelNameOf(call.http.req.param('name') ?? '')),
  );
  get('/metadata', (call) => metadata(edge, call));
  get('/status/tsdb', (call) => tsdbStatus(edge, call));
  get('/status/buildinfo', (call) =>
    success(call, {
      version: edge.version,
      revision: '',
      branch: '',
      buildUser: '',
      buildDate: '',
      goVersion: `node ${process.version}`,
    }),
  );
  get('/status/runtimeinfo', (call) => success(call, runtimeInfo(edge)));
  get('/status/flags', (call) => success(call, edge.flags));
  get('/status/config', (call) => success(call, { yaml: configText(edge.config) }));
  // Grafana asks for these of every Prometheus; rules come with the ruler.
  get('/rules', (call) => success(call, { groups: [] }));
  get('/alerts', (call) => success(call, { alerts: [] }));
  get('/features', (call) => success(call, {}));
  return app;
}

const HTTP_STATUS: Record<ErrorCode, [type: string, status: number]> = {
  bad_data: ['bad_data', 400],
  config: ['bad_data', 400],
  execution: ['execution', 422],
  too_large: ['execution', 422],
  limited: ['execution', 422],
  canceled: ['canceled', 499],
  timeout: ['timeout', 503],
  unavailable: ['unavailable', 503],
  full: ['unavailable', 503],
  not_found: ['not_found', 404],
  conflict: ['internal', 500],
  corrupt: ['internal', 500],
  internal: ['internal', 500],
};

async function answerCall(http: Context, answer: (call: Call) => Promise<Response>): Promise<Response> {
  try {
    const params = new URL(http.req.url).searchParams;
    if (http.req.method === 'POST') {
      const type = http.req.header('content-type') ?? '';
      if (type.startsWith('application/x-www-form-urlencoded')) mergeForm(params, await http.req.text());
    }
    const partial = params.get('partial_response');
    const asked: Asked = {
      tenant: tenantOf((name) => http.req.header(name)),
      signal: http.req.raw.signal,
      ...(partial === null ? {} : { partialResponse: partial === 'true' || partial === '1' }),
    };
    return await answer({ params, asked, http });
  } catch (error) {
    const failure = asDomainError(error);
    const [errorType, status] = HTTP_STATUS[failure.code];
    const body = JSON.stringify({ status: 'error', errorType, error: failure.message });
    return respond(http.req.raw, [body], status, failure.retryable ? { 'retry-after': '5' } : {});
  }
}

// A form value comes before a query-string value of the same name, as Go's FormValue has it.
function mergeForm(params: URLSearchParams, body: string): void {
  const form = new URLSearchParams(body);
  const fromUrl = [...params];
  for (const [name] of fromUrl) params.delete(name);
  for (const [name, value] of form) params.append(name, value);
  for (const [name, value] of fromUrl) params.append(name, value);
}

interface Notes {
  readonly warnings?: readonly string[];
  readonly partial?: boolean;
}

async function success(call: Call, data: unknown, notes: Notes = {}): Promise<Response> {
  const warnings = notes.warnings ?? [];
  const body = JSON.stringify({ status: 'success', data, ...(warnings.length > 0 ? { warnings } : {}) });
  return respond(call.http.req.raw, [body], 200, partialHeaders(notes.partial ?? false));
}

function partialHeaders(partial: boolean): Record<string, string> {
  return partial ? { 'cache-control': 'no-store', 'x-skein-partial': 'true' } : {};
}

async function instantQuery(edge: QuerierEdge, call: Call): Promise<Response> {
  const limit = limitOf(call.params);
  const time = optionalTime(call.params, 'time', edge.clock.now());
  return runQuery(edge, call, limit, { startMs: time, endMs: time, stepMs: 0 });
}

async function rangeQuery(edge: QuerierEdge, call: Call): Promise<Response> {
  const limit = limitOf(call.params);
  const startMs = requiredTime(call.params, 'start');
  const endMs = requiredTime(call.params, 'end');
  if (endMs < startMs) throw invalidParameter('end', 'end timestamp must not be before start time');
  const stepText = call.params.get('step') ?? '';
  let stepMs: number;
  try {
    stepMs = parseDuration(stepText);
  } catch (error) {
    throw invalidParameter('step', asDomainError(error).message);
  }
  if (stepMs <= 0)
    throw invalidParameter(
      'step',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  if ((endMs - startMs) / stepMs > POINTS_MAX)
    throw new DomainError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  return runQuery(edge, call, limit, { startMs, endMs, stepMs: Math.max(1, Math.trunc(stepMs)) });
}

async function runQuery(
  edge: QuerierEdge,
  call: Call,
  limit: number,
  grid: { startMs: number; endMs: number; stepMs: number },
): Promise<Response> {
  const query = call.params.get('query') ?? '';
  if (query.length > edge.config.query.text_bytes_max)
    throw invalidParameter(
      'query',
      `query is ${query.length} characters long, the limit query.text_bytes_max is ${edge.config.query.text_bytes_max}`,
    );
  const timeoutMs = optionalDuration(call.params, 'timeout');
  const lookbackMs = lookbackOf(call.params);
  const request: QueryRequest = {
    ...call.asked,
    query,
    ...grid,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(lookbackMs ? { lookbackMs } : {}),
  };
  const { result, partial } = await edge.actor.ask('query', request).catch((error) => {
    const failure = asDomainError(error);
    throw failure.code === 'bad_data' ? invalidParameter('query', failure.message) : failure;
  });
  const pieces = encodeQueryResponse(result, { limit, stats: call.params.get('stats') ?? '' });
  return respond(call.http.req.raw, pieces, 200, partialHeaders(partial));
}

function lookbackOf(params: URLSearchParams): number | undefined {
  const text = params.get('lookback_delta') ?? '';
  if (text === '') return undefined;
  try {
    return parseDuration(text);
  } catch (error) {
    throw new DomainError(
      'bad_data',
      `error parsing lookback delta duration: ${asDomainError(error).message}`,
    );
  }
}

function matcherSetsOf(params: URLSearchParams): Matcher[][] {
  const sets = params.getAll('match[]').map((text) => [...parseSelector(text)]);
  for (const set of sets)
    if (set.every((matcher) => compileMatcher(matcher).matchesEmpty))
      throw new DomainError('bad_data', 'match[] must contain at least one non-empty matcher');
  return sets;
}

function timeRangeOf(params: URLSearchParams): { start: number; end: number } {
  return { start: optionalTime(params, 'start', TIME_MIN), end: optionalTime(params, 'end', TIME_MAX) };
}

async function series(edge: QuerierEdge, call: Call): Promise<Response> {
  if (!call.params.has('match[]')) throw new DomainError('bad_data', 'no match[] parameter provided');
  const limit = limitOf(call.params);
  const range = timeRangeOf(call.params);
  let matcherSets: Matcher[][];
  try {
    matcherSets = matcherSetsOf(call.params);
  } catch (error) {
    throw invalidParameter('match[]', asDomainError(error).message);
  }
  const hint = limit > 0 ? limit + 1 : 0;
  const answer = await edge.actor.ask('series', {
    ...call.asked,
    what: 'series',
    name: '',
    matcherSets,
    ...range,
    limit: hint,
  });
  const { rows, warnings } = truncate(answer.rows as readonly Labels[], answer.warnings, limit);
  return success(call, rows.map(labelsToRecord), { warnings, partial: answer.partial });
}

async function labelRows(
  edge: QuerierEdge,
  call: Call,
  what: 'names' | 'values',
  name: string,
): Promise<Response> {
  const limit = limitOf(call.params);
  const range = timeRangeOf(call.params);
  const matcherSets = matcherSetsOf(call.params);
  const hint = limit > 0 ? limit + 1 : 0;
  const answer = await edge.actor.ask('series', {
    ...call.asked,
    what,
    name,
    matcherSets,
    ...range,
    limit: hint,
  });
  const { rows, warnings } = truncate(answer.rows, answer.warnings, limit);
  return success(call, rows, { warnings, partial: answer.partial });
}

function truncate<T>(
  rows: readonly T[],
  warnings: readonly string[],
  limit: number,
): { rows: readonly T[]; warnings: readonly string[] } {
  if (limit === 0 || rows.length <= limit) return { rows, warnings };
  return { rows: rows.slice(0, limit), warnings: [...warnings, TRUNCATED] };
}

function labelNameOf(raw: string): string {
  const name = unescapeLabelName(raw);
  if (name === '') throw new DomainError('bad_data', `invalid label name: ${JSON.stringify(name)}`);
  return name;
}

async function metadata(edge: QuerierEdge, call: Call): Promise<Response> {
  const count = (name: string): number => {
    const text = call.params.get(name) ?? '';
    if (text === '') return -1;
    if (!/^[+-]?\d+$/.test(text)) throw new DomainError('bad_data', `${name} must be a number`);
    return Number(text);
  };
  const limit = count('limit');
  const perMetric = count('limit_per_metric');
  const answer = await edge.actor.ask('metadata', {
    ...call.asked,
    metric: call.params.get('metric') ?? '',
    limit: Math.max(0, limit),
  });
  const out: Record<string, unknown[]> = {};
  let metrics = 0;
  for (const { metric, metadata: entry } of answer.rows) {
    if (out[metric] === undefined) {
      if (limit >= 0 && metrics >= limit) break;
      out[metric] = [];
      metrics++;
    }
    if (perMetric <= 0 || out[metric].length < perMetric)
      out[metric].push({ type: entry.type, help: entry.help, unit: entry.unit });
  }
  return success(call, out, answer);
}

async function exemplars(edge: QuerierEdge, call: Call): Promise<Response> {
  const range = timeRangeOf(call.params);
  if (range.end < range.start)
    throw invalidParameter('end', 'end timestamp must not be before start timestamp');
  const matcherSets = extractSelectors(parseQuery(call.params.get('query') ?? ''));
  if (matcherSets.length === 0) return success(call, []);
  const answer = await edge.actor.ask('exemplars', { ...call.asked, matcherSets, ...range });
  const data = answer.rows.map((row) => ({
    seriesLabels: labelsToRecord(row.labels),
    exemplars: row.exemplars.map((exemplar) => ({
      labels: labelsToRecord(exemplar.labels),
      value: String(exemplar.value),
      timestamp: exemplar.timestamp / 1000,
    })),
  }));
  return success(call, data, answer);
}

async function formatQuery(call: Call): Promise<Response> {
  try {
    return await success(call, prettyExpr(parseQuery(call.params.get('query') ?? '')));
  } catch (error) {
    throw invalidParameter('query', asDomainError(error).message);
  }
}

async function parsedQuery(call: Call): Promise<Response> {
  try {
    return await success(call, exprToJson(parseQuery(call.params.get('query') ?? '')));
  } catch (error) {
    throw invalidParameter('query', asDomainError(error).message);
  }
}

const STATISTICS_LIMIT_MAX = 10_000;

async function tsdbStatus(edge: QuerierEdge, call: Call): Promise<Response> {
  const text = call.params.get('limit') ?? '';
  const limit = text === '' ? 10 : Number(text);
  if (!Number.isInteger(limit) || limit < 1)
    throw new DomainError('bad_data', 'limit must be a positive number');
  if (limit > STATISTICS_LIMIT_MAX)
    throw new DomainError('bad_data', `limit must not exceed ${STATISTICS_LIMIT_MAX}`);
  const answer = await edge.actor.ask('statistics', { ...call.asked, limit });
  const { numSeries, numLabelPairs, chunkCount, minTime, maxTime, ...lists } = answer;
  const empty = numSeries === 0;
  return success(call, {
    headStats: {
      numSeries,
      numLabelPairs,
      chunkCount,
      minTime: empty ? 0 : minTime,
      maxTime: empty ? 0 : maxTime,
    },
    ...lists,
  });
}

function runtimeInfo(edge: QuerierEdge): unknown {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    startTime: iso(edge.startedMs),
    CWD: edge.folder,
    hostname: edge.hostname,
    serverTime: iso(edge.clock.now()),
    reloadConfigSuccess: true,
    lastConfigTime: iso(edge.startedMs),
    corruptionCount: 0,
    goroutineCount: 1,
    GOMAXPROCS: 1,
    GOMEMLIMIT: 0,
    GOGC: '',
    GODEBUG: '',
    storageRetention: 'unlimited',
  };
}
