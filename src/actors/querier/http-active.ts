// Queries that wait or run, over HTTP: a list of them, and the end of one. A request that names a tenant sees that tenant's alone;
// one that names none is an operator's and sees all.

import type { ActiveQuery } from '../../model/active-query.ts';
import { isoTime } from '../../model/units.ts';
import { namedTenantOf } from '../tenant.ts';
import { type Call, type QuerierEdge, success } from './http-call.ts';

/** GET /status/active_queries */
export async function activeQueries(edge: QuerierEdge, call: Call): Promise<Response> {
  const answer = await edge.actor.ask('active', { ...namedTenant(call), signal: call.asked.signal });
  return success(call, { process: edge.processId, queries: answer.rows.map(rowOf) }, answer);
}

/** DELETE /status/active_queries/:id */
export async function killQuery(edge: QuerierEdge, call: Call): Promise<Response> {
  const id = call.http.req.param('id') ?? '';
  const named = namedTenant(call);
  const whose = named.tenant === undefined ? '' : ` for tenant ${named.tenant}`;
  const by = `${call.asked.caller?.address ?? 'somebody'}${whose} with DELETE /api/v1/status/active_queries/${id}`;
  const killed = await edge.actor.ask('kill', { ...named, id, by, signal: call.asked.signal });
  return success(call, rowOf(killed));
}

function namedTenant({ request }: Call): { tenant?: string } {
  const tenant = namedTenantOf((name) => request.headers.get(name));
  return tenant === undefined ? {} : { tenant };
}

function rowOf({ start, end, step, since, ageMs, ...facts }: ActiveQuery): Record<string, unknown> {
  return {
    ...facts,
    start: isoTime(start),
    end: isoTime(end),
    step: step / 1000,
    since: isoTime(since),
    age: Math.round(ageMs) / 1000,
  };
}
