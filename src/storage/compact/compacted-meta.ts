// What is known of a merged block from its sources' meta.json (Prometheus's CompactBlockMetas, features.md 1.6).

import { DomainError } from '../../model/errors.ts';
import type { BlockCompaction, BlockMeta } from '../block/block-meta.ts';

/** Prometheus's word for blocks of samples that came late: true of a merged block only if it is of all. */
const FROM_OUT_OF_ORDER = 'from-out-of-order';
/** Where our own facts are in thanos.extensions. */
const OWN_EXTENSION = 'skein';

/** Facts of a merged block; times in ms, `maxTime` excluded. */
export interface CompactedFacts {
  readonly minTime: number;
  readonly maxTime: number;
  readonly resolutionMs: number;
  readonly compaction: BlockCompaction;
  /** What the sources' extensions have in common. */
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
}

/** Merges what metas say. `sources` is not empty. Error: `bad_data` for blocks of different resolutions. */
export function compactedFacts(sources: readonly BlockMeta[]): CompactedFacts {
  const resolutionMs = sources[0]?.thanos?.resolutionMs ?? 0;
  for (const { ulid, thanos } of sources)
    if ((thanos?.resolutionMs ?? 0) !== resolutionMs)
      throw new DomainError(
        'bad_data',
        `cannot merge block ${ulid} of ${thanos?.resolutionMs ?? 0} ms with one of ${resolutionMs} ms`,
      );
  return {
    minTime: Math.min(...sources.map((meta) => meta.minTime)),
    maxTime: Math.max(...sources.map((meta) => meta.maxTime)),
    resolutionMs,
    compaction: mergedCompaction(sources),
    extensions: mergedExtensions(sources),
  };
}

function mergedCompaction(sources: readonly BlockMeta[]): BlockCompaction {
  const hints = new Set(sources.flatMap((meta) => meta.compaction.hints ?? []));
  if (!sources.every((meta) => meta.compaction.hints?.includes(FROM_OUT_OF_ORDER)))
    hints.delete(FROM_OUT_OF_ORDER);
  return {
    level: 1 + Math.max(...sources.map((meta) => meta.compaction.level)),
    sources: [...new Set(sources.flatMap((meta) => meta.compaction.sources))].sort(),
    parents: sources.map(({ ulid, minTime, maxTime }) => ({ ulid, minTime, maxTime })),
    ...(hints.size > 0 ? { hints: [...hints].sort() } : {}),
  };
}

// Foreign facts are kept where all agree. Of ours, which log entries blocks cover is told by the source that covers most.
function mergedExtensions(sources: readonly BlockMeta[]): Readonly<Record<string, unknown>> | undefined {
  const all = sources.map((meta) => meta.thanos?.extensions ?? {});
  const common = commonFields(all);
  const own = all.map((extensions) => recordOf(extensions[OWN_EXTENSION]));
  let covering: Readonly<Record<string, unknown>> = {};
  for (const facts of own)
    if (typeof facts['coveredEnd'] === 'number' && appliedOf(facts) > appliedOf(covering)) covering = facts;
  const { applied, coveredEnd } = covering;
  const merged = { ...commonFields(own), ...(coveredEnd === undefined ? {} : { applied, coveredEnd }) };
  const out = { ...common, ...(Object.keys(merged).length > 0 ? { [OWN_EXTENSION]: merged } : {}) };
  return Object.keys(out).length > 0 ? out : undefined;
}

function commonFields(records: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  const [first = {}, ...rest] = records;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) =>
      rest.every((record) => JSON.stringify(record[name]) === JSON.stringify(value)),
    ),
  );
}

function appliedOf(facts: Readonly<Record<string, unknown>>): number {
  return typeof facts['applied'] === 'number' ? facts['applied'] : -1;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}
