// The catalogue: every message between actors of different processes, as data. From it come the types of rpc.ts, the check
// that an actor handles what it owns, and docs/subjects.md. Bodies are msgpack envelopes unless `body` says otherwise. A new field that
// old readers may pass over keeps `version`; anything else raises it, and readers of both versions come first.

import type { LabelRows } from '../codec/label-rows.ts';
import type { ActiveQuery } from '../model/active-query.ts';
import type { Exemplar, MetricMetadata } from '../model/exemplar.ts';
import type { HeadCounters, HeadList, NameCount } from '../model/head-statistics.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Refusal } from '../model/refusal.ts';

/** Limits a querier hands down with a fragment. */
export interface FragmentLimits {
  readonly samplesMax: number;
  readonly seriesMax: number;
  readonly memoryBytesMax: number;
  readonly samplesSeenMax?: number;
}

/** The smallest hashes of the values of a label, or of all label pairs for the name '' (model/distinct.ts); float64 little-endian. */
export interface ValueSketch {
  readonly name: string;
  readonly hashes: Uint8Array;
}

/** What every request of a query may ask for. */
export interface Consistency {
  /** Wait until everything that was in the log when the request came is applied. */
  readonly strong?: boolean;
}

/** What a series query asks of a shard: names of labels, values of one label, or whole label sets. */
export interface SeriesQuery extends Consistency {
  readonly tenant: string;
  readonly what: 'names' | 'values' | 'series';
  /** The label whose values are wanted; '' otherwise. */
  readonly name: string;
  /** Alternatives (match[]); empty means everything. */
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly start: number;
  readonly end: number;
  /** 0 = no limit. */
  readonly limit: number;
}

/** The newest sample of a tenant in a partition, and how far its log has been applied. */
export interface PartitionReport {
  readonly partition: number;
  readonly applied: number;
  readonly tenants: readonly { readonly tenant: string; readonly maxTime: number }[];
}

/** Request and reply type of every kind; `never` as reply marks an event. */
export interface Contract {
  'shard.query': {
    request: Consistency & {
      readonly tenant: string;
      readonly fragment: Uint8Array;
      readonly limits: FragmentLimits;
    };
    reply: Uint8Array;
  };
  'shard.series': {
    request: SeriesQuery;
    /** Sorted, each once: names or values as texts, series as label sets; at the end what the answer lacks, if anything. */
    reply:
      | { readonly texts: readonly string[] }
      | { readonly series: LabelRows }
      | { readonly lacks: readonly string[] };
  };
  'shard.metadata': {
    request: Consistency & { readonly tenant: string; readonly metric: string; readonly limit: number };
    reply: { readonly entries: readonly { readonly metric: string; readonly metadata: MetricMetadata }[] };
  };
  'shard.exemplars': {
    request: Consistency & {
      readonly tenant: string;
      readonly matcherSets: readonly (readonly Matcher[])[];
      readonly start: number;
      readonly end: number;
    };
    reply: {
      readonly series: readonly { readonly labels: Labels; readonly exemplars: readonly Exemplar[] }[];
    };
  };
  'shard.statistics': {
    request: { readonly tenant: string; readonly limit: number };
    /** Counters first, then lists in pieces; a partition without the tenant sends nothing. */
    reply:
      | { readonly counters: HeadCounters }
      | { readonly list: HeadList; readonly entries: readonly NameCount[] };
  };
  'shard.cardinality': {
    /** `names`: label names, '' for all pairs; `hashesMax`: hashes of one name at most. */
    request: { readonly tenant: string; readonly names: readonly string[]; readonly hashesMax: number };
    /** One for each name. */
    reply: ValueSketch;
  };
  'shard.refusals': {
    request: { readonly tenant: string };
    /** Nothing was refused of this tenant: no reply. */
    reply: { readonly partition: number; readonly refusals: readonly Refusal[] };
  };
  'querier.active': {
    /** Without a tenant: of all tenants. */
    request: { readonly tenant?: string };
    /** One for each query. */
    reply: ActiveQuery;
  };
  'querier.kill': {
    /** `by` says who wants it, for whoever waits for the query's answer. */
    request: { readonly id: string; readonly tenant?: string; readonly by: string };
    /** The query as it was last; absent when there is none of this id and tenant. */
    reply: { readonly killed?: ActiveQuery };
  };
  'replica.handover': { request: { readonly to: string }; reply: { readonly released: boolean } };
  'partition.report': { request: PartitionReport; reply: never };
}

/** Name of a message kind. */
export type Kind = keyof Contract;

/** How a message travels. */
export type Delivery = 'event' | 'request' | 'request-many';

/** What is fixed about one kind. */
export interface MessageSpec {
  readonly owner: string;
  readonly delivery: Delivery;
  readonly subject: string;
  /** Milliseconds a requester waits unless it knows better. */
  readonly deadlineMs: number;
  readonly body: string;
  readonly version: number;
  readonly purpose: string;
}

/** The catalogue itself. */
export const CATALOGUE: { readonly [K in Kind]: MessageSpec } = {
  'shard.query': {
    owner: 'shard',
    delivery: 'request-many',
    subject: '<prefix>.shard.<partition>.query',
    deadlineMs: 120_000,
    body: 'request: envelope {tenant, fragment, limits, strong?}; frames: query replies (src/query/exec/step-batch-codec.ts)',
    version: 1,
    purpose: 'Runs a fragment of a query plan over head and blocks of one partition.',
  },
  'shard.series': {
    owner: 'shard',
    delivery: 'request-many',
    subject: '<prefix>.shard.<partition>.series',
    deadlineMs: 120_000,
    body: 'envelopes: rows of label names, label values or label sets; a last one with what is lacking',
    version: 1,
    purpose: 'Lists label names, values of a label, or series.',
  },
  'shard.metadata': {
    owner: 'shard',
    delivery: 'request-many',
    subject: '<prefix>.shard.<partition>.metadata',
    deadlineMs: 30_000,
    body: 'envelope',
    version: 1,
    purpose: 'Type, help and unit of metrics as senders told them.',
  },
  'shard.exemplars': {
    owner: 'shard',
    delivery: 'request-many',
    subject: '<prefix>.shard.<partition>.exemplars',
    deadlineMs: 30_000,
    body: 'envelope',
    version: 1,
    purpose: 'Exemplars of matching series.',
  },
  'shard.statistics': {
    owner: 'shard',
    delivery: 'request-many',
    subject: '<prefix>.shard.<partition>.statistics',
    deadlineMs: 30_000,
    body: 'envelopes: counters, pieces of lists',
    version: 2,
    purpose: 'Counters and top lists of the head for status/tsdb.',
  },
  'shard.cardinality': {
    owner: 'shard',
    delivery: 'request-many',
    subject: '<prefix>.shard.<partition>.cardinality',
    deadlineMs: 30_000,
    body: 'envelopes {name, hashes}',
    version: 1,
    purpose: 'Hashes of label values: how many distinct ones partitions have together.',
  },
  'shard.refusals': {
    owner: 'shard',
    delivery: 'request-many',
    subject: '<prefix>.shard.<partition>.refusals',
    deadlineMs: 30_000,
    body: 'envelope {partition, refusals}',
    version: 1,
    purpose: 'Samples of a tenant that were refused after they had been acknowledged, by reason.',
  },
  'querier.active': {
    owner: 'querier',
    delivery: 'request-many',
    subject: '<prefix>.querier.<process>.active',
    deadlineMs: 2_000,
    body: 'envelopes, one for each query',
    version: 1,
    purpose: 'Lists the queries of one process that wait or run.',
  },
  'querier.kill': {
    owner: 'querier',
    delivery: 'request',
    subject: '<prefix>.querier.<process>.kill',
    deadlineMs: 2_000,
    body: 'envelope',
    version: 1,
    purpose: 'Cancels a query of one process.',
  },
  'replica.handover': {
    owner: 'shard',
    delivery: 'request',
    subject: '<prefix>.replica.<partition>.<process>.handover',
    deadlineMs: 30_000,
    body: 'envelope',
    version: 1,
    purpose: 'Asks the lease holder to give a partition to a process that has caught up.',
  },
  'partition.report': {
    owner: 'shard',
    delivery: 'event',
    subject: '<prefix>.partition.<partition>.report',
    deadlineMs: 0,
    body: 'envelope',
    version: 1,
    purpose: 'Newest sample per tenant (for the too-old check of receivers) and applied sequence.',
  },
};
