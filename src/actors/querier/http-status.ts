// What a process tells of itself under /api/v1: build, run time, flags, configuration, head statistics.

import { DomainError } from '../../model/errors.ts';
import { configText } from '../../platform/config-reader.ts';
import { featureList } from './features.ts';
import { type Call, type QuerierEdge, success } from './http-call.ts';
import { parseInteger } from './http-params.ts';

const STATISTICS_LIMIT_MAX = 10_000;
/** The Prometheus whose API and language this is. Grafana decides by it which endpoints it may use. */
const PROMETHEUS_VERSION = '3.14.0';

/** GET /status/buildinfo. Grafana takes a server without `features` for a plain Prometheus of this version. */
export function buildInfo(edge: QuerierEdge, call: Call): Response {
  return success(call, {
    version: PROMETHEUS_VERSION,
    revision: `skein-${edge.version}`,
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: `node ${process.version}`,
  });
}

/** GET /status/runtimeinfo */
export function runtimeInfo(edge: QuerierEdge, call: Call): Response {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return success(call, {
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
  });
}

/** GET /status/flags */
export function flags(edge: QuerierEdge, call: Call): Response {
  return success(call, edge.flags);
}

/** GET /features */
export function features(edge: QuerierEdge, call: Call): Response {
  return success(call, featureList(edge.config.query.enable_feature));
}

/** GET /status/config */
export function configuration(edge: QuerierEdge, call: Call): Response {
  return success(call, { yaml: configText(edge.config) });
}

/** GET /status/tsdb: the heads of all partitions taken together. */
export async function tsdbStatus(edge: QuerierEdge, call: Call): Promise<Response> {
  const text = call.params.get('limit') ?? '';
  const limit = text === '' ? 10 : parseInteger(text);
  if (typeof limit === 'string' || limit < 1)
    throw new DomainError('bad_data', 'limit must be a positive number');
  if (limit > STATISTICS_LIMIT_MAX)
    throw new DomainError('bad_data', `limit must not exceed ${STATISTICS_LIMIT_MAX}`);
  const answer = await edge.actor.ask('statistics', { ...call.asked, limit });
  const { numSeries, numLabelPairs, chunkCount, minTime, maxTime, ...lists } = answer;
  const times = numSeries === 0 ? { minTime: 0, maxTime: 0 } : { minTime, maxTime };
  return success(call, { headStats: { numSeries, numLabelPairs, chunkCount, ...times }, ...lists });
}

/** GET /status/refusals: samples of the tenant that were refused after they had been acknowledged, by reason. */
export async function refusalStatus(edge: QuerierEdge, call: Call): Promise<Response> {
  const answer = await edge.actor.ask('refusals', call.asked);
  const refusals = answer.rows.map(({ lastTime, ...row }) => ({
    ...row,
    lastTime: new Date(lastTime).toISOString(),
  }));
  return success(call, { tenant: call.asked.tenant, refusals }, answer);
}
