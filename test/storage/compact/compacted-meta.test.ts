import { describe, expect, it } from 'vitest';
import type { BlockMeta } from '../../../src/storage/block/block-meta.ts';
import { compactedFacts } from '../../../src/storage/compact/compacted-meta.ts';
import { testMeta } from '../test-meta.ts';

interface Given {
  readonly ulid: string;
  readonly minTime: number;
  readonly level?: number;
  readonly sources?: readonly string[];
  readonly hints?: readonly string[];
  readonly resolutionMs?: number;
  readonly extensions?: Readonly<Record<string, unknown>>;
}

function metaOf({ ulid, minTime, level = 1, sources, hints, resolutionMs, extensions }: Given): BlockMeta {
  return testMeta({
    ulid,
    span: [minTime, minTime + 10],
    compaction: { level, sources: sources ?? [ulid], ...(hints === undefined ? {} : { hints }) },
    thanos: { resolutionMs: resolutionMs ?? 0, source: 'receive', extensions },
  });
}

describe('compacted-meta', () => {
  it('spans all sources, is a level above them, and tells where it comes from', () => {
    const facts = compactedFacts([
      metaOf({ ulid: 'B', minTime: 0, level: 2, sources: ['Y', 'X'] }),
      metaOf({ ulid: 'A', minTime: 10, sources: ['A', 'X'] }),
    ]);
    expect(facts).toMatchObject({ minTime: 0, maxTime: 20, resolutionMs: 0 });
    expect(facts.compaction).toEqual({
      level: 3,
      sources: ['A', 'X', 'Y'],
      parents: [
        { ulid: 'B', minTime: 0, maxTime: 10 },
        { ulid: 'A', minTime: 10, maxTime: 20 },
      ],
    });
  });

  it('keeps the hint of late samples only if all have it, other hints if one has', () => {
    const hints = (...lists: string[][]): readonly string[] | undefined =>
      compactedFacts(lists.map((list, i) => metaOf({ ulid: String(i), minTime: 0, hints: list }))).compaction
        .hints;
    expect(hints(['from-out-of-order'], ['from-out-of-order'])).toEqual(['from-out-of-order']);
    expect(hints(['from-out-of-order'], [])).toBeUndefined();
    expect(hints(['from-out-of-order', 'from-stale-series'], [])).toEqual(['from-stale-series']);
  });

  it('keeps facts that all sources share, and of log entries what covers most', () => {
    const { extensions } = compactedFacts([
      metaOf({
        ulid: 'A',
        minTime: 0,
        extensions: { other: { a: 1 }, lone: 1, skein: { partition: 3, applied: 500, coveredEnd: 90 } },
      }),
      metaOf({
        ulid: 'B',
        minTime: 0,
        extensions: { other: { a: 1 }, skein: { partition: 3, applied: 700, coveredEnd: 95 } },
      }),
      metaOf({
        ulid: 'C',
        minTime: 0,
        extensions: { other: { a: 1 }, skein: { partition: 3, applied: 900 } },
      }),
    ]);
    expect(extensions).toEqual({ other: { a: 1 }, skein: { partition: 3, applied: 700, coveredEnd: 95 } });
    expect(compactedFacts([metaOf({ ulid: 'A', minTime: 0 })]).extensions).toBeUndefined();
  });

  it('refuses blocks of different resolutions', () => {
    expect(() =>
      compactedFacts([
        metaOf({ ulid: 'A', minTime: 0 }),
        metaOf({ ulid: 'B', minTime: 0, resolutionMs: 300_000 }),
      ]),
    ).toThrow('block B of 300000 ms with one of 0 ms');
  });
});
