// meta.json of blocks that are never opened.

import type {
  BlockCompaction,
  BlockMeta,
  BlockStats,
  ThanosMeta,
} from '../../src/storage/block/block-meta.ts';

/** What a test says of a block; the rest is that of a raw block of one sample, made from nothing but itself. */
export interface MetaFacts {
  readonly ulid: string;
  /** [from, to), ms. */
  readonly span: readonly [from: number, to: number];
  readonly stats?: Partial<BlockStats>;
  readonly compaction?: Partial<BlockCompaction>;
  readonly thanos?: Partial<ThanosMeta>;
}

/** A block's meta. */
export function testMeta({ ulid, span, stats, compaction, thanos }: MetaFacts): BlockMeta {
  return {
    ulid,
    minTime: span[0],
    maxTime: span[1],
    stats: {
      numSamples: 1,
      numFloatSamples: 1,
      numHistogramSamples: 0,
      numSeries: 1,
      numChunks: 1,
      numTombstones: 0,
      ...stats,
    },
    compaction: { level: 1, sources: [ulid], ...compaction },
    thanos: {
      labels: {},
      resolutionMs: 0,
      source: 'test',
      segmentFiles: [],
      files: [],
      seriesBytesMax: 0,
      chunkBytesMax: 0,
      extensions: undefined,
      ...thanos,
    },
  };
}
