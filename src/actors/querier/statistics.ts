// /api/v1/status/tsdb of all partitions. Series never span partitions, so what counts series adds up; label values are in many
// of them, so the distinct ones are counted by their hashes (model/distinct.ts).

import type { RequestOf } from '../../bus/rpc.ts';
import { distinctCount, uniteHashes } from '../../model/distinct.ts';
import {
  HEAD_LISTS,
  type HeadCounters,
  type HeadList,
  type HeadStatistics,
  type NameCount,
} from '../../model/head-statistics.ts';
import { compareText } from '../../model/text.ts';
import { gather } from './handlers.ts';
import type { QuerierMessages } from './messages.ts';
import type { QuerierState } from './state.ts';

/** Hashes of one name's values asked of a partition: up to so many distinct values are counted exactly. */
const NAME_HASHES_MAX = 64 * 1024;
/** Hashes that one request may bring from all partitions, 64 MiB. */
const HASHES_MAX = 8 * 1024 * 1024;

/** Head statistics of a tenant. */
export async function onStatistics(
  state: QuerierState,
  message: QuerierMessages['statistics']['request'],
): Promise<HeadStatistics> {
  const { tenant, limit } = message;
  const parts: HeadCounters[] = [];
  const lists = new Map<HeadList, NameCount[]>(HEAD_LISTS.map((list) => [list, []]));
  await gather(state, 'shard.statistics', 'statistics', { tenant, limit }, message, (reply) => {
    if ('counters' in reply) parts.push(reply.counters);
    else lists.get(reply.list)?.push(...reply.entries);
  });
  const filled = parts.filter((part) => part.numSeries > 0);
  const sum = (field: keyof HeadCounters): number => parts.reduce((total, part) => total + part[field], 0);
  const distinct = await countDistinct(state, message, lists.get('labelValueCountByLabelName') ?? []);
  const top = (list: HeadList): NameCount[] => largest(addUp(lists.get(list) ?? []), limit);
  return {
    numSeries: sum('numSeries'),
    numLabelPairs: distinct.pairs,
    chunkCount: sum('chunkCount'),
    minTime: filled.reduce((least, part) => Math.min(least, part.minTime), Infinity),
    maxTime: filled.reduce((most, part) => Math.max(most, part.maxTime), -Infinity),
    seriesCountByMetricName: top('seriesCountByMetricName'),
    labelValueCountByLabelName: largest(distinct.names, limit),
    memoryInBytesByLabelName: top('memoryInBytesByLabelName'),
    seriesCountByLabelValuePair: top('seriesCountByLabelValuePair'),
  };
}

// The distinct values of those names that can be among the largest, and of all pairs.
async function countDistinct(
  state: QuerierState,
  message: QuerierMessages['statistics']['request'],
  counts: readonly NameCount[],
): Promise<{ names: NameCount[]; pairs: number }> {
  const wanted = candidates(counts, message.limit);
  const hashesMax = Math.min(NAME_HASHES_MAX, Math.floor(HASHES_MAX / state.fanout.partitions));
  const sketches = new Map<string, Float64Array>();
  // All pairs of all names are as many as their values together.
  const pairs = { name: '', value: counts.reduce((sum, { value }) => sum + value, 0) };
  for (const names of requests([pairs, ...wanted], hashesMax * state.fanout.partitions)) {
    const request: RequestOf<'shard.cardinality'> = { tenant: message.tenant, names, hashesMax };
    await gather(state, 'shard.cardinality', 'cardinality', request, message, ({ name, hashes }) => {
      const more = new Float64Array(new Uint8Array(hashes).buffer);
      sketches.set(name, uniteHashes(sketches.get(name) ?? NO_HASHES, more, hashesMax));
    });
  }
  const countOf = (name: string): number => distinctCount(sketches.get(name) ?? NO_HASHES, hashesMax);
  return { names: wanted.map(({ name }) => ({ name, value: countOf(name) })), pairs: countOf('') };
}

const NO_HASHES = new Float64Array(0);

// Names in groups of which all partitions together send HASHES_MAX hashes at most.
function* requests(names: readonly NameCount[], hashesOfNameMax: number): Generator<string[]> {
  let group: string[] = [];
  let hashes = 0;
  for (const { name, value } of names) {
    const more = Math.min(value, hashesOfNameMax);
    if (group.length > 0 && hashes + more > HASHES_MAX) {
      yield group;
      group = [];
      hashes = 0;
    }
    group.push(name);
    hashes += more;
  }
  if (group.length > 0) yield group;
}

/**
 * Names of which any can be one of the `limit` largest: a name has at least as many distinct values as in its largest partition,
 * and at most as many as all partitions together.
 */
export function candidates(counts: readonly NameCount[], limit: number): NameCount[] {
  const least = new Map<string, number>();
  for (const { name, value } of counts) least.set(name, Math.max(value, least.get(name) ?? 0));
  const sure = [...least.values()].sort((a, b) => b - a)[limit - 1] ?? 0;
  return addUp(counts).filter(({ value }) => value >= sure);
}

function addUp(counts: readonly NameCount[]): NameCount[] {
  const totals = new Map<string, number>();
  for (const { name, value } of counts) totals.set(name, (totals.get(name) ?? 0) + value);
  return Array.from(totals, ([name, value]) => ({ name, value }));
}

function largest(counts: readonly NameCount[], limit: number): NameCount[] {
  return counts.toSorted((a, b) => b.value - a.value || compareText(a.name, b.name)).slice(0, limit);
}
