// A query's view of a tenant that says what it lacks: blocks the bucket has not told of, and blocks whose bytes cannot be had. The rest
// is answered from what is there.

import { DomainError } from '../../model/errors.ts';
import { type Lack, lackText } from '../../model/partial.ts';
import type { QueryBudget } from '../../query/budget.ts';
import type { SelectRequest, SeriesBatch, SeriesSource } from '../../query/source.ts';
import type { ShardState } from './state.ts';
import type { TenantStore } from './tenant-store.ts';

interface Span {
  readonly start: number;
  readonly end: number;
}

const NOTHING: SeriesSource = {
  async *select() {},
};

/** What one answer lacks, by reason; grows while the answer is made. */
export class Lacks {
  readonly #spans = new Map<string, { start: number; end: number }>();

  /** Notes that [start, end] is not there, both ends included. */
  add({ start, end, reason }: Lack): void {
    const known = this.#spans.get(reason);
    if (known === undefined) this.#spans.set(reason, { start, end });
    else {
      known.start = Math.min(known.start, start);
      known.end = Math.max(known.end, end);
    }
  }

  /** One sentence for each reason. */
  texts(partition: number): string[] {
    return [...this.#spans].map(([reason, span]) => lackText(partition, { ...span, reason }));
  }
}

/**
 * Head and blocks of a tenant as far as they can be read; what cannot is added to `lacks`. `behind`: why this replica may not have
 * what is newest.
 */
export function honestSource(
  state: ShardState,
  tenant: string,
  behind: string | undefined,
  lacks: Lacks,
): SeriesSource {
  const store = state.tenants.get(tenant);
  return {
    select(request, budget) {
      noteUnknown(state, store, request, lacks);
      noteBehind(behind, store, request, lacks);
      return store === undefined
        ? NOTHING.select(request, budget)
        : selectReadable(store, request, budget, lacks);
    },
  };
}

/** Notes that blocks which the bucket has not told of yet may have data of this time. */
export function noteUnknown(
  { bucket }: ShardState,
  store: TenantStore | undefined,
  { start, end }: Span,
  lacks: Lacks,
): void {
  if (bucket.blocksKnown) return;
  // What left the log is older than what is complete by now: everything newer is in the head.
  const before =
    store === undefined || store.seriesCount() === 0 ? Number.POSITIVE_INFINITY : store.completeEnd();
  if (start < before)
    lacks.add({
      start,
      end: Math.min(end, before - 1),
      reason: 'the bucket is away and its blocks are not known',
    });
}

/** Notes that the newest samples may be missing, and why. */
export function noteBehind(
  behind: string | undefined,
  store: TenantStore | undefined,
  { start, end }: Span,
  lacks: Lacks,
): void {
  if (behind === undefined) return;
  const from = store === undefined ? Number.NEGATIVE_INFINITY : store.openStart();
  if (end < from) return;
  lacks.add({ start: Math.max(start, from), end, reason: behind });
}

/** Notes that the blocks within a stretch cannot be read, if that is why `error` came; throws it again otherwise. */
export function noteUnreadable(store: TenantStore, { start, end }: Span, error: unknown, lacks: Lacks): void {
  const metas = store.blocks.within(start, end);
  if (!(error instanceof DomainError) || error.code !== 'unavailable' || metas.length === 0) throw error;
  lacks.add({
    start: Math.max(start, Math.min(...metas.map((meta) => meta.minTime))),
    end: Math.min(end, Math.max(...metas.map((meta) => meta.maxTime - 1))),
    reason: 'the bucket is away and its blocks cannot be read',
  });
}

// A read that fails after its first batch has been used cannot go on without blocks: the querier asks again.
async function* selectReadable(
  store: TenantStore,
  request: SelectRequest,
  budget: QueryBudget,
  lacks: Lacks,
): AsyncGenerator<SeriesBatch> {
  let begun = false;
  try {
    for await (const batch of store.source().select(request, budget)) {
      begun = true;
      yield batch;
    }
  } catch (error) {
    if (begun) throw error;
    noteUnreadable(store, request, error, lacks);
    yield* store.headSource().select(request, budget);
  }
}
