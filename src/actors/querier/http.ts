// The Prometheus HTTP API of the querier (web/api/v1 as of 3.14): which path takes which methods and who answers it.

import { Hono } from 'hono';
import { route } from '../http-answers.ts';
import { activeQueries, killQuery } from './http-active.ts';
import { answerCall, type Call, type QuerierEdge, success } from './http-call.ts';
import { exemplars, labelNames, labelValues, metadata, series } from './http-lists.ts';
import {
  explainInstant,
  explainRange,
  formatQuery,
  instantQuery,
  parsedQuery,
  rangeQuery,
} from './http-query.ts';
import { respondNothing } from './http-respond.ts';
import {
  buildInfo,
  configuration,
  features,
  flags,
  refusalStatus,
  runtimeInfo,
  tsdbStatus,
} from './http-status.ts';

type Answer = (edge: QuerierEdge, call: Call) => Response | Promise<Response>;

const FORM = ['GET', 'POST'];
const READ = ['GET'];

const ROUTES: readonly (readonly [path: string, methods: readonly string[], answer: Answer])[] = [
  ['/query', FORM, instantQuery],
  ['/query_range', FORM, rangeQuery],
  ['/query_explain', FORM, explainInstant],
  ['/query_range_explain', FORM, explainRange],
  ['/query_exemplars', FORM, exemplars],
  ['/format_query', FORM, formatQuery],
  ['/parse_query', FORM, parsedQuery],
  ['/series', FORM, series],
  ['/labels', FORM, labelNames],
  ['/label/:name/values', READ, labelValues],
  ['/metadata', READ, metadata],
  ['/status/active_queries', READ, activeQueries],
  ['/status/active_queries/:id', ['DELETE'], killQuery],
  ['/status/tsdb', READ, tsdbStatus],
  ['/status/refusals', READ, refusalStatus],
  ['/status/buildinfo', READ, buildInfo],
  ['/status/runtimeinfo', READ, runtimeInfo],
  ['/status/flags', READ, flags],
  ['/status/config', READ, configuration],
  // Grafana asks for these of every Prometheus; rules come with the ruler.
  ['/rules', READ, (_edge, call) => success(call, { groups: [] })],
  ['/alerts', READ, (_edge, call) => success(call, { alerts: [] })],
  ['/features', READ, features],
];

/** The routes below /api/v1. */
export function querierRoutes(edge: QuerierEdge): Hono {
  const app = new Hono();
  for (const [path, methods, answer] of ROUTES)
    route(
      app,
      path,
      methods,
      (http) => answerCall(http, (call) => answer(edge, call)),
      (http) => respondNothing(http.req.raw),
    );
  // Browsers ask before they call; Prometheus answers for any path.
  app.options('/*', (http) => respondNothing(http.req.raw));
  return app;
}
