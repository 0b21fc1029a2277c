// What the querier is asked, and what it answers.

import type { SeriesQuery } from '../../bus/contract.ts';
import type { ActiveQuery } from '../../model/active-query.ts';
import type { Exemplar, MetricMetadata } from '../../model/exemplar.ts';
import type { HeadStatistics } from '../../model/head-statistics.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { Refusal } from '../../model/refusal.ts';
import type { OperatorTree } from '../../query/operator-tree.ts';
import type { QueryResult } from '../../query/result.ts';

/** What every question carries. */
export interface Asked {
  readonly tenant: string;
  readonly signal: AbortSignal;
  /** Overrides the configured default of partial_response. */
  readonly partialResponse?: boolean;
  /** Wait until every shard has applied what was in its log before the question. */
  readonly strong?: boolean;
  /** Who asked, and where. */
  readonly caller?: Caller;
}

/** Where a question came from. */
export interface Caller {
  /** IP address of the client, or of the proxy before it. */
  readonly address: string;
  readonly method: string;
  readonly path: string;
}

/** An instant or range query; stepMs 0 = instant at startMs. */
export interface QueryRequest extends Asked {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly timeoutMs?: number;
  readonly lookbackMs?: number;
  /** Measure each operator. */
  readonly analyze?: boolean;
  /** The coarsest downsampled data that are wanted where there are finer ones, ms; raw ones when absent. */
  readonly maxResolutionMs?: number;
}

/** A list of rows with the sentences that go with it. */
export interface Rows<T> {
  readonly rows: readonly T[];
  readonly warnings: readonly string[];
  /** Whether some partition did not answer. */
  readonly partial: boolean;
}

/** How long a query waited for its turn and took then. */
export interface QueryTimes {
  readonly queuedMs: number;
  readonly evaluatedMs: number;
}

/** A query's result, whether some partition did not answer, and how long it took. */
export interface QueryAnswer extends QueryTimes {
  readonly result: QueryResult;
  readonly partial: boolean;
}

/** Refusals of one reason over all partitions; the last of them was in `partition`. */
export interface PartitionRefusal extends Refusal {
  readonly partition: number;
}

/** Message kinds of the querier. */
export type QuerierMessages = {
  query: { request: QueryRequest; reply: QueryAnswer };
  series: { request: Asked & Omit<SeriesQuery, 'tenant'>; reply: Rows<string | Labels> };
  metadata: {
    request: Asked & { readonly metric: string; readonly limit: number };
    reply: Rows<{ readonly metric: string; readonly metadata: MetricMetadata }>;
  };
  exemplars: {
    request: Asked & {
      readonly matcherSets: readonly (readonly Matcher[])[];
      readonly start: number;
      readonly end: number;
    };
    reply: Rows<{ readonly labels: Labels; readonly exemplars: readonly Exemplar[] }>;
  };
  refusals: { request: Asked; reply: Rows<PartitionRefusal> };
  /** The plan of a query. */
  explain: { request: QueryRequest; reply: OperatorTree };
  /** Of all tenants without one. */
  active: {
    request: { readonly tenant?: string; readonly signal: AbortSignal };
    reply: Rows<ActiveQuery>;
  };
  /** `by` says who wants it, for whoever waits for the answer. */
  kill: {
    request: {
      readonly id: string;
      readonly tenant?: string;
      readonly by: string;
      readonly signal: AbortSignal;
    };
    reply: ActiveQuery;
  };
  statistics: { request: Asked & { readonly limit: number }; reply: HeadStatistics };
};
