// What there is, over HTTP: series, label names and values, metadata, exemplars. Lists are written row by row: they can be long.

import type { JsonBytes } from '../../codec/json-bytes.ts';
import { queryListPieces, TRUNCATED, timestampText } from '../../codec/prom-json.ts';
import { compileMatcher } from '../../codec/regex.ts';
import { asDomainError, DomainError } from '../../model/errors.ts';
import type { Exemplar, MetricMetadata } from '../../model/exemplar.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { TIME_MAX, TIME_MIN } from '../../model/units.ts';
import { extractSelectors } from '../../query/parse/ast-walk.ts';
import { parseQuery, parseSelector } from '../../query/parse/parse-query.ts';
import { featureOptions } from './features.ts';
import { type Call, partialHeaders, type QuerierEdge, success } from './http-call.ts';
import {
  checkText,
  invalidParameter,
  labelNameOf,
  limitOf,
  optionalTime,
  parseInteger,
} from './http-params.ts';
import { respond, respondNothing } from './http-respond.ts';
import type { Rows } from './messages.ts';

/** GET, POST /series */
export async function series(edge: QuerierEdge, call: Call): Promise<Response> {
  if (call.problem !== undefined)
    throw new DomainError('bad_data', `error parsing form values: ${call.problem}`);
  if (!call.params.has('match[]')) throw new DomainError('bad_data', 'no match[] parameter provided');
  const limit = limitOf(call.params);
  const range = timeRangeOf(call.params);
  let matcherSets: Matcher[][];
  try {
    matcherSets = matcherSetsOf(edge, call.params);
  } catch (error) {
    throw invalidParameter('match[]', asDomainError(error).message);
  }
  const query = { what: 'series' as const, name: '', matcherSets, ...range, limit: hintOf(limit) };
  const answer = await edge.actor.ask('series', { ...call.asked, ...query });
  return list(call, answer as Rows<Labels>, limit, (row, out) => out.labels(row));
}

/** GET, POST /labels */
export function labelNames(edge: QuerierEdge, call: Call): Promise<Response> {
  return labelTexts(edge, call, 'names', '');
}

/** GET /label/:name/values */
export function labelValues(edge: QuerierEdge, call: Call): Promise<Response> {
  const segment = /\/label\/([^/?]*)\/values/.exec(call.request.url)?.[1] ?? '';
  return labelTexts(edge, call, 'values', labelNameOf(segment));
}

async function labelTexts(
  edge: QuerierEdge,
  call: Call,
  what: 'names' | 'values',
  name: string,
): Promise<Response> {
  const limit = limitOf(call.params);
  const range = timeRangeOf(call.params);
  const query = { what, name, matcherSets: matcherSetsOf(edge, call.params), ...range, limit: hintOf(limit) };
  const answer = await edge.actor.ask('series', { ...call.asked, ...query });
  return list(call, answer as Rows<string>, limit, (row, out) => out.text(row));
}

// One more than is shown, so that leaving some out is noticed.
function hintOf(limit: number): number {
  return limit > 0 ? limit + 1 : 0;
}

function matcherSetsOf(edge: QuerierEdge, params: URLSearchParams): Matcher[][] {
  const texts = params.getAll('match[]');
  checkText(
    edge.config,
    'match[]',
    texts.reduce((length, text) => length + text.length, 0),
  );
  const sets = texts.map((text) => [...parseSelector(text)]);
  for (const set of sets)
    if (set.every((matcher) => compileMatcher(matcher).matchesEmpty))
      throw new DomainError('bad_data', 'match[] must contain at least one non-empty matcher');
  return sets;
}

function timeRangeOf(params: URLSearchParams): { start: number; end: number } {
  return { start: optionalTime(params, 'start', TIME_MIN), end: optionalTime(params, 'end', TIME_MAX) };
}

function list<T>(
  call: Call,
  answer: Rows<T>,
  limit: number,
  write: (row: T, out: JsonBytes) => void,
): Response {
  const truncated = limit > 0 && answer.rows.length > limit;
  const rows = truncated ? answer.rows.slice(0, limit) : answer.rows;
  const warnings = truncated ? [...answer.warnings, TRUNCATED] : answer.warnings;
  return respond(call.request, queryListPieces(rows, write, warnings), 200, partialHeaders(answer.partial));
}

/** GET /metadata */
export async function metadata(edge: QuerierEdge, call: Call): Promise<Response> {
  const limit = countOf(call.params, 'limit');
  const perMetric = countOf(call.params, 'limit_per_metric');
  const metric = call.params.get('metric') ?? '';
  const answer = await edge.actor.ask('metadata', { ...call.asked, metric, limit: Math.max(0, limit) });
  const found = new Map<string, MetricMetadata[]>();
  for (const row of answer.rows) {
    const entries = found.get(row.metric);
    if (entries === undefined) {
      if (limit < 0 || found.size < limit) found.set(row.metric, [row.metadata]);
    } else if (perMetric <= 0 || entries.length < perMetric) entries.push(row.metadata);
  }
  const pairs = [...found].map(([name, entries]): [string, unknown] => [
    name,
    entries.map(({ type, help, unit }) => ({ type, help, unit })),
  ]);
  return success(call, Object.fromEntries(pairs), answer);
}

function countOf(params: URLSearchParams, name: string): number {
  const text = params.get(name) ?? '';
  if (text === '') return -1;
  const count = parseInteger(text);
  if (typeof count === 'string') throw new DomainError('bad_data', `${name} must be a number`);
  return count;
}

/** GET, POST /query_exemplars */
export async function exemplars(edge: QuerierEdge, call: Call): Promise<Response> {
  const range = timeRangeOf(call.params);
  if (range.end < range.start)
    throw new DomainError('bad_data', 'end timestamp must not be before start timestamp');
  const query = call.params.get('query') ?? '';
  checkText(edge.config, 'query', query.length);
  const { features } = featureOptions(edge.config.query.enable_feature);
  const matcherSets = extractSelectors(parseQuery(query, features));
  if (matcherSets.length === 0) return respondNothing(call.request);
  const answer = await edge.actor.ask('exemplars', { ...call.asked, matcherSets, ...range });
  const pieces = queryListPieces(
    answer.rows,
    (row, out) => {
      out.raw('{"seriesLabels":');
      out.labels(row.labels);
      out.raw(',"exemplars":[');
      for (let i = 0; i < row.exemplars.length; i++) writeExemplar(row.exemplars[i]!, i === 0, out);
      out.raw(']}');
    },
    answer.warnings,
  );
  return respond(call.request, pieces, 200, partialHeaders(answer.partial));
}

function writeExemplar({ labels, value, timestamp }: Exemplar, first: boolean, out: JsonBytes): void {
  out.raw(first ? '{"labels":' : ',{"labels":');
  out.labels(labels);
  out.raw(',"value":"');
  out.sample(value);
  out.raw(`","timestamp":${timestampText(timestamp)}}`);
}
