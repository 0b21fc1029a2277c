// What the querier does with questions that are no queries: fan out, merge. They are light and wait for nobody.

import type { Kind } from '../../bus/contract.ts';
import type { ReplyOf, RequestOf } from '../../bus/rpc.ts';
import { decodeEnvelope } from '../../codec/envelope.ts';
import { unpackLabelRows } from '../../codec/label-rows.ts';
import { DomainError } from '../../model/errors.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { mergeSorted } from '../../model/merge-sorted.ts';
import { compareText } from '../../model/text.ts';
import { fanOut, retryLost } from './fanout.ts';
import { refuseLacks } from './fragments.ts';
import type { Asked, QuerierMessages, Rows } from './messages.ts';
import type { QuerierState } from './state.ts';

/** Label names, values of a label, or series of all partitions, sorted, without duplicates. */
export async function onSeries(
  state: QuerierState,
  message: QuerierMessages['series']['request'],
): Promise<Rows<string | Labels>> {
  const { tenant, what, name, matcherSets, start, end, limit } = message;
  const request = { tenant, what, name, matcherSets, start, end, limit };
  const texts: string[][] = [];
  const series: Labels[][] = [];
  const heard = await gather(state, 'shard.series', 'series', request, message, (reply) => {
    if ('series' in reply) series.push(unpackLabelRows(reply.series));
    else if ('texts' in reply) texts.push([...reply.texts]);
    else throw new DomainError('corrupt', 'cannot read a list of series: it has a piece of an unknown kind');
  });
  const rows =
    what === 'series' ? mergeSorted(series, compareLabels) : mergeSorted<string>(texts, compareText);
  return { ...heard, rows: limit > 0 ? rows.slice(0, limit) : rows };
}

/** Metadata of all partitions; the same metric may be told of several times, each distinct text once. */
export async function onMetadata(
  state: QuerierState,
  message: QuerierMessages['metadata']['request'],
): Promise<QuerierMessages['metadata']['reply']> {
  const request = { tenant: message.tenant, metric: message.metric, limit: message.limit };
  const gathered = new Map<string, QuerierMessages['metadata']['reply']['rows'][number]>();
  const heard = await gather(state, 'shard.metadata', 'metadata', request, message, (reply) => {
    for (const entry of reply.entries) gathered.set(JSON.stringify(entry), entry);
  });
  return { ...heard, rows: [...gathered.values()].sort((a, b) => compareText(a.metric, b.metric)) };
}

/** Exemplars of all partitions, by series. */
export async function onExemplars(
  state: QuerierState,
  message: QuerierMessages['exemplars']['request'],
): Promise<QuerierMessages['exemplars']['reply']> {
  const request = {
    tenant: message.tenant,
    matcherSets: message.matcherSets,
    start: message.start,
    end: message.end,
  };
  const rows: QuerierMessages['exemplars']['reply']['rows'][number][] = [];
  const heard = await gather(state, 'shard.exemplars', 'exemplars', request, message, (reply) => {
    rows.push(...reply.series);
  });
  return { ...heard, rows: rows.sort((a, b) => compareLabels(a.labels, b.labels)) };
}

/** Asks all partitions and hands on their replies when all of them are there. */
export async function gather<K extends Kind>(
  state: QuerierState,
  kind: K,
  verb: string,
  request: RequestOf<K>,
  asked: Asked,
  each: (reply: ReplyOf<K>) => void,
): Promise<{ warnings: string[]; partial: boolean }> {
  const settings = {
    ...state.fanout,
    partialResponse: asked.partialResponse ?? state.fanout.partialResponse,
  };
  const { replies, warnings } = await retryLost(settings, asked.signal, async () => {
    const heard: { replies: ReplyOf<K>[]; warnings: string[] } = { replies: [], warnings: [] };
    const read = {
      frame: (frame: Uint8Array): void => {
        const reply = decodeEnvelope<ReplyOf<K> & { readonly lacks?: readonly string[] }>(frame);
        if (reply.lacks === undefined) heard.replies.push(reply);
        else heard.warnings.push(...reply.lacks);
      },
      missing: (text: string): void => void heard.warnings.push(text),
    };
    const message = asked.strong ? { ...request, strong: true } : request;
    for await (const _ of fanOut(settings, { kind, verb, message }, asked.signal, read));
    if (!settings.partialResponse) refuseLacks(heard.warnings);
    return heard;
  });
  for (const reply of replies) each(reply);
  if (warnings.length > 0) state.metrics.partial.add();
  return { warnings, partial: warnings.length > 0 };
}
