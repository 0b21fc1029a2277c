// A whole block to the block of the next resolution, series by series: memory holds one series' raw samples and some thousand chunks,
// whatever the size of the block.

import type { Chunk, ChunkSeries } from '../../codec/chunk.ts';
import { encodeSamples } from '../../codec/sample-chunks.ts';
import { DomainError } from '../../model/errors.ts';
import { labelsText } from '../../model/labels.ts';
import type { Pause } from '../../model/pause.ts';
import { clearSamples } from '../../model/samples.ts';
import type { Disk } from '../../platform/disk.ts';
import { type BlockMeta, blockUlid, PARTITION_LABEL, TENANT_LABEL } from '../block/block-meta.ts';
import type { BlockReader } from '../block/block-reader.ts';
import { writeBlock } from '../block/block-writer.ts';
import type { LoadedSeries } from '../block/chunk-load.ts';
import { deleteWindows } from './delete-windows.ts';
import { downsampleAggregates } from './downsample-aggregates.ts';
import { downsampleRaw, downsampleScratch, type Scratch } from './downsample-raw.ts';

/** Samples in a raw chunk that is written again because some of its samples are deleted. */
const SAMPLES_PER_CHUNK = 120;

/** How far the work has come. */
export interface DownsampleProgress {
  readonly seriesDone: number;
  readonly seriesTotal: number;
}

/** How a block is downsampled. */
export interface DownsampleOptions {
  /** Ms; coarser than the block's own. */
  readonly resolution: number;
  readonly pause: Pause;
  readonly signal?: AbortSignal | undefined;
  /** Called after every series group. */
  readonly onProgress?: ((progress: DownsampleProgress) => void) | undefined;
}

/** The name of a block at a resolution: the same whoever downsamples it. */
export function downsampledUlid(
  { ulid, minTime, maxTime, compaction, thanos }: BlockMeta,
  resolution: number,
): string {
  return blockUlid({
    tenant: thanos?.labels[TENANT_LABEL] ?? '',
    partition: Number(thanos?.labels[PARTITION_LABEL] ?? -1),
    minTime,
    maxTime,
    level: compaction.level,
    salt: `${ulid} at ${resolution} ms`,
  });
}

/**
 * Writes the block `source` at a coarser resolution to `folder`, whose last part is downsampledUlid(); undefined, with nothing written,
 * when no series has a sample left. Errors: `bad_data` for a resolution that is not coarser, `corrupt`, those of the disk, the
 * signal's reason; nothing of the block is left then.
 */
export async function downsampleBlock(
  source: BlockReader,
  disk: Disk,
  folder: string,
  options: DownsampleOptions,
): Promise<BlockMeta | undefined> {
  const { meta } = source;
  const { resolution, pause } = options;
  const from = meta.thanos?.resolutionMs ?? 0;
  if (from >= resolution)
    throw new DomainError(
      'bad_data',
      `cannot downsample block ${meta.ulid} to ${resolution} ms: it has a resolution of ${from} ms`,
    );
  return writeBlock(disk, folder, downsampledSeries(source, { from, to: resolution }, options), {
    ulid: downsampledUlid(meta, resolution),
    minTime: meta.minTime,
    maxTime: meta.maxTime,
    labels: meta.thanos?.labels ?? {},
    source: 'compactor',
    compaction: meta.compaction,
    resolutionMs: resolution,
    ...(meta.thanos?.extensions === undefined ? {} : { extensions: meta.thanos.extensions }),
    pause,
  });
}

async function* downsampledSeries(
  source: BlockReader,
  resolutions: { readonly from: number; readonly to: number },
  { signal, pause, onProgress }: DownsampleOptions,
): AsyncGenerator<ChunkSeries> {
  const scratch = downsampleScratch();
  const seriesTotal = source.meta.stats.numSeries;
  let seriesDone = 0;
  for await (const group of source.walk(signal)) {
    for (let i = 0; i < group.count; i++) {
      signal?.throwIfAborted();
      const chunks = chunksOf(group, i, resolutions.from, scratch);
      assertOrder(group, i, chunks);
      const made =
        resolutions.from === 0
          ? downsampleRaw(chunks, resolutions.to, scratch)
          : downsampleAggregates(chunks, resolutions, scratch);
      if (made.length > 0) yield { labels: group.labels(i), chunks: made };
      await pause();
    }
    seriesDone += group.count;
    onProgress?.({ seriesDone, seriesTotal });
  }
}

// A series' chunks without what is deleted.
function chunksOf(group: LoadedSeries, index: number, from: number, { chunk }: Scratch): readonly Chunk[] {
  const deleted = group.deletions(index);
  if (deleted === undefined) return group.chunks(index);
  if (from > 0) return group.chunks(index).flatMap((one) => deleteWindows(one, deleted) ?? []);
  clearSamples(chunk);
  group.append(index, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, chunk);
  return encodeSamples(chunk, 0, chunk.count, SAMPLES_PER_CHUNK);
}

function assertOrder(group: LoadedSeries, index: number, chunks: readonly Chunk[]): void {
  for (let i = 1; i < chunks.length; i++) {
    if (chunks[i]!.minTime > chunks[i - 1]!.maxTime) continue;
    throw new DomainError(
      'corrupt',
      `cannot downsample series ${labelsText(group.labels(index))}: a chunk begins at ${chunks[i]!.minTime} ms, ` +
        `before the end of the one before at ${chunks[i - 1]!.maxTime} ms`,
    );
  }
}
