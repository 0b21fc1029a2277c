// Active queries over the whole cluster: each querier tells of its own and cuts off its own; whoever is asked asks the others.

import type { Service } from '../../bus/bus.ts';
import { call, callMany, serve, serveMany } from '../../bus/rpc.ts';
import { querierSubject } from '../../bus/subjects.ts';
import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import type { ActiveQuery } from '../../model/active-query.ts';
import { DomainError, errorText } from '../../model/errors.ts';
import { compareText } from '../../model/text.ts';
import type { ActorContext } from '../actor.ts';
import type { MemberFacts } from '../placer/state.ts';
import { type ActiveQueries, processOf } from './active-queries.ts';
import type { QuerierMessages, Rows } from './messages.ts';
import type { QuerierState } from './state.ts';

type Context = ActorContext<QuerierMessages>;

/** Queries of all queriers, the oldest first; one that does not answer is named in a warning. */
export async function onActive(
  state: QuerierState,
  { tenant, signal }: QuerierMessages['active']['request'],
  context: Context,
): Promise<Rows<ActiveQuery>> {
  const rows = state.active.list(tenant);
  const warnings: string[] = [];
  const message = tenant === undefined ? {} : { tenant };
  const askPeer = async (process: string): Promise<void> => {
    const subject = querierSubject(context.cluster.prefix, process, 'active');
    try {
      const found: ActiveQuery[] = [];
      for await (const frame of callMany(context.bus, 'querier.active', subject, message, { signal }))
        found.push(decodeEnvelope<ActiveQuery>(frame));
      rows.push(...found);
    } catch (error) {
      warnings.push(`the queries of process ${process} are missing: ${errorText(error)}`);
    }
  };
  try {
    await Promise.all((await peersOf(context)).map(askPeer));
  } catch (error) {
    warnings.push(`the queries of other processes are missing: ${errorText(error)}`);
  }
  const byAge = (a: ActiveQuery, b: ActiveQuery): number => a.since - b.since || compareText(a.id, b.id);
  return { rows: rows.sort(byAge), warnings, partial: warnings.length > 0 };
}

/** Cuts a query off, wherever it runs. Errors: `not_found`; `unavailable` or `timeout` when its process does not answer. */
export async function onKill(
  state: QuerierState,
  { id, tenant, by, signal }: QuerierMessages['kill']['request'],
  context: Context,
): Promise<ActiveQuery> {
  const killed = state.active.kill(id, tenant, by) ?? (await killElsewhere());
  if (killed === undefined)
    throw new DomainError(
      'not_found',
      `cannot kill query ${JSON.stringify(id)}: no such query waits or runs`,
    );
  context.log.info('query killed', { id, tenant: killed.tenant, query: killed.query, by });
  return killed;

  async function killElsewhere(): Promise<ActiveQuery | undefined> {
    const process = processOf(id);
    if (process === context.identity.id || !(await peersOf(context)).includes(process)) return undefined;
    const subject = querierSubject(context.cluster.prefix, process, 'kill');
    const message = { id, by, ...(tenant === undefined ? {} : { tenant }) };
    return (await call(context.bus, 'querier.kill', subject, message, { signal })).killed;
  }
}

/** Answers the other queriers. */
export async function serveActive(service: Service, active: ActiveQueries, context: Context): Promise<void> {
  const subject = (verb: string): string => querierSubject(context.cluster.prefix, context.identity.id, verb);
  await serveMany(service, 'querier.active', subject('active'), async ({ tenant }, send) => {
    for (const query of active.list(tenant)) await send(encodeEnvelope(query));
  });
  await serve(service, 'querier.kill', subject('kill'), async ({ id, tenant, by }) => {
    const killed = active.kill(id, tenant, by);
    return killed === undefined ? {} : { killed };
  });
}

// Ids of the other processes that have a querier.
async function peersOf({ directory, identity }: Context): Promise<string[]> {
  const members = (await directory.list('member.')).map((entry) => decodeEnvelope<MemberFacts>(entry.value));
  return members
    .filter(({ id, roles }) => id !== identity.id && roles.includes('querier'))
    .map(({ id }) => id);
}
