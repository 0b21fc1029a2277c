// Writes a whole block on local disk from label-sorted series.

import type { ChunkSeries } from '../../codec/chunk.ts';
import type { Pause } from '../../model/pause.ts';
import type { Disk } from '../../platform/disk.ts';
import { type IndexWriter, openIndexWriter } from '../index/index-writer.ts';
import { type BlockBuilder, type BlockFacts, openBlockBuilder, UNFINISHED_SUFFIX } from './block-builder.ts';
import type { BlockMeta } from './block-meta.ts';

/** Chunks between two calls of `pause`. */
const PAUSE_EVERY = 128;

/** Series in label order, all at once or as they come. */
export type SeriesInput = Iterable<ChunkSeries> | AsyncIterable<ChunkSeries>;

/** How a block is written. */
export interface WriteBlockOptions {
  /** Lets others run; called every 128 chunks. See timeSlices. */
  readonly pause: Pause;
  /** 512 MiB unless a test wants to see several segments. */
  readonly segmentBytesMax?: number;
}

/**
 * Writes the block `folder` (its last part is the ULID) and returns its meta; undefined, with nothing written, when there is
 * no series with a chunk. Equal series and facts give equal bytes. Errors: `full`, `config`, `internal` from the disk.
 */
export async function writeBlock(
  disk: Disk,
  folder: string,
  series: SeriesInput,
  facts: BlockFacts & WriteBlockOptions,
): Promise<BlockMeta | undefined> {
  const builder = await openBlockBuilder(disk, folder, facts, {
    ...facts,
    openIndex: (path) => openIndexWriter(disk, path, facts.pause),
  });
  try {
    await writeSeries(builder, series, facts.pause);
    return await builder.finish();
  } catch (error) {
    await builder.abandon();
    throw error;
  }
}

/** Removes what a crash left half-written in a folder of blocks. */
export async function removeUnfinished(disk: Disk, folder: string): Promise<void> {
  for (const entry of await disk.list(folder))
    if (entry.isFolder && entry.name.endsWith(UNFINISHED_SUFFIX))
      await disk.remove(`${folder}/${entry.name}`);
}

async function writeSeries(
  builder: BlockBuilder<IndexWriter>,
  series: SeriesInput,
  pause: Pause,
): Promise<void> {
  for await (const one of series) {
    if (one.chunks.length === 0) continue;
    for (const chunk of one.chunks) {
      const settled = builder.addChunk(chunk);
      if (settled !== undefined) await settled;
      if (builder.chunkCount % PAUSE_EVERY === 0) await pause();
    }
    const settled = builder.index.add(one.labels, builder.refs);
    if (settled !== undefined) await settled;
    builder.endSeries();
  }
}
