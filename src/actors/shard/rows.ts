// What the metadata endpoints ask of a shard: label names, values of a label, and series, over head and blocks, sorted.

import type { SeriesQuery } from '../../bus/contract.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { mergeSorted } from '../../model/merge-sorted.ts';
import { compareText } from '../../model/text.ts';
import { HeadSelection } from './source.ts';
import type { TenantStore } from './tenant-store.ts';

/** What rows are listed from. */
export type RowSource = Pick<TenantStore, 'head' | 'blocks' | 'matchers'>;

/** Label names or values of a label, in UTF-8 order, each once. */
export async function listTexts(
  store: RowSource,
  query: SeriesQuery,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { head, blocks } = store;
  const { start, end, limit, what, name } = query;
  const lists: (readonly string[])[] = [];
  for (const set of setsOf(query)) {
    const matchers = set.map((matcher) => store.matchers.compile(matcher));
    if (what === 'names') {
      lists.push(head.labelNames(matchers, start, end, limit));
      lists.push(await blocks.labelNames(matchers, start, end, { signal }));
    } else {
      lists.push(head.labelValues(name, matchers, start, end, limit));
      lists.push(await blocks.labelValues(name, matchers, start, end, { signal }));
    }
  }
  const rows = mergeSorted(lists, compareText);
  return limit > 0 ? rows.slice(0, limit) : rows;
}

/** Label sets of series that one of the matcher sets accepts, in label order, each once. */
export async function listSeries(
  store: RowSource,
  query: SeriesQuery,
  signal: AbortSignal,
): Promise<readonly Labels[]> {
  const { head, blocks } = store;
  const { start, end, limit } = query;
  const lists: (readonly Labels[])[] = [];
  for (const set of setsOf(query)) {
    const matchers = set.map((matcher) => store.matchers.compile(matcher));
    const selected = new HeadSelection(head, matchers, start, end);
    const selection = await blocks.select(matchers, start, end, { signal });
    for (const labels of selection.labels) selected.take(labels);
    lists.push(selection.labels);
    lists.push(Array.from(head.sortByLabels(selected.rest()), (ref) => head.labels(ref)));
    await selection.release();
  }
  const rows = mergeSorted(lists, compareLabels);
  return limit > 0 ? rows.slice(0, limit) : rows;
}

function setsOf({ matcherSets }: SeriesQuery): SeriesQuery['matcherSets'] {
  return matcherSets.length === 0 ? [[]] : matcherSets;
}
