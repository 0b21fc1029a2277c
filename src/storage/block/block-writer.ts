// Writes a whole block on local disk from label-sorted series: chunk segments, index, tombstones, meta.json last. Everything
// goes to a folder with Prometheus's suffix for unfinished blocks and is renamed when it is complete and durable.

import type { ChunkSeries } from '../../codec/chunk.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import type { Pause } from '../../model/pause.ts';
import type { Disk } from '../../platform/disk.ts';
import { type ChunkRefs, type IndexFacts, type IndexWriter, openIndexWriter } from '../index/index-writer.ts';
import { type BlockCompaction, type BlockMeta, encodeBlockMeta, META_FILE } from './block-meta.ts';
import {
  ChunkSegmentWriter,
  chunkSampleCount,
  isHistogramEncoding,
  SEGMENT_BYTES_MAX,
  type SegmentFacts,
} from './chunk-segments.ts';
import { encodeTombstones, NO_TOMBSTONES, TOMBSTONES_FILE } from './tombstones.ts';

/** Suffix of a block folder that is still being written; Prometheus removes such folders at start, and so do we. */
export const UNFINISHED_SUFFIX = '.tmp-for-creation';
/** Chunks between two calls of `pause`. */
const PAUSE_EVERY = 128;

/** What the writer cannot know from the series. */
export interface BlockFacts {
  readonly ulid: string;
  /** The range the block stands for, ms; `maxTime` excluded. Every chunk must lie inside. */
  readonly minTime: number;
  readonly maxTime: number;
  /** External labels: cluster labels, tenant_id, skein_partition. */
  readonly labels: Readonly<Record<string, string>>;
  /** Thanos's word for the writer; `receive` when absent. */
  readonly source?: string;
  /** Level 1 with itself as source when absent. */
  readonly compaction?: BlockCompaction;
  readonly resolutionMs?: number;
  /** Our own facts (partition, log sequence range, hash), under thanos.extensions. */
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Series in label order, all at once or as they come. */
export type SeriesInput = Iterable<ChunkSeries> | AsyncIterable<ChunkSeries>;

/** How a block is written. */
export interface WriteBlockOptions {
  /** Lets others run; called every 128 chunks. See timeSlices. */
  readonly pause: Pause;
  /** 512 MiB unless a test wants to see several segments. */
  readonly segmentBytesMax?: number;
}

interface Counts {
  samples: number;
  histogramSamples: number;
  chunks: number;
  series: number;
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
  const unfinished = `${folder}${UNFINISHED_SUFFIX}`;
  await disk.remove(unfinished);
  try {
    const meta = await writeFiles(disk, unfinished, series, facts);
    if (meta === undefined) {
      await disk.remove(unfinished);
      return undefined;
    }
    await disk.remove(folder);
    await disk.rename(unfinished, folder);
    return meta;
  } catch (error) {
    await disk.remove(unfinished);
    throw error;
  }
}

/** Removes what a crash left half-written in a folder of blocks. */
export async function removeUnfinished(disk: Disk, folder: string): Promise<void> {
  for (const entry of await disk.list(folder))
    if (entry.isFolder && entry.name.endsWith(UNFINISHED_SUFFIX))
      await disk.remove(`${folder}/${entry.name}`);
}

async function writeFiles(
  disk: Disk,
  folder: string,
  series: SeriesInput,
  facts: BlockFacts & WriteBlockOptions,
): Promise<BlockMeta | undefined> {
  const segments = new ChunkSegmentWriter(
    disk,
    `${folder}/chunks`,
    facts.segmentBytesMax ?? SEGMENT_BYTES_MAX,
  );
  const index = await openIndexWriter(disk, `${folder}/index`, facts.pause);
  let counts: Counts;
  try {
    counts = await writeSeries(segments, index, series, facts);
  } catch (error) {
    await segments.abandon();
    await index.abandon();
    throw error;
  }
  if (counts.chunks === 0) {
    await index.abandon();
    return undefined;
  }
  const files = await segments.finish();
  const indexFacts = await index.finish();
  await disk.writeFile(`${folder}/${TOMBSTONES_FILE}`, encodeTombstones(NO_TOMBSTONES));
  const meta = blockMeta(facts, counts, indexFacts, files, segments.chunkBytesMax);
  await disk.writeFile(`${folder}/${META_FILE}`, encodeBlockMeta(meta));
  return meta;
}

async function writeSeries(
  segments: ChunkSegmentWriter,
  index: IndexWriter,
  series: SeriesInput,
  facts: BlockFacts & WriteBlockOptions,
): Promise<Counts> {
  const counts: Counts = { samples: 0, histogramSamples: 0, chunks: 0, series: 0 };
  const refs: ChunkRefs & { minTimes: number[]; maxTimes: number[]; refs: number[] } = {
    count: 0,
    minTimes: [],
    maxTimes: [],
    refs: [],
  };
  for await (const one of series) {
    if (one.chunks.length === 0) continue;
    refs.count = 0;
    for (const chunk of one.chunks) {
      if (chunk.minTime < facts.minTime || chunk.maxTime >= facts.maxTime)
        throw new DomainError(
          'internal',
          `cannot write block ${facts.ulid}: a chunk from ${chunk.minTime} to ${chunk.maxTime} ms lies outside ` +
            `[${facts.minTime}, ${facts.maxTime})`,
        );
      if (!segments.fits(chunk.bytes.length)) await segments.place(chunk.bytes.length);
      const { ref, settled } = segments.write(chunk);
      if (settled !== undefined) await settled;
      refs.minTimes[refs.count] = chunk.minTime;
      refs.maxTimes[refs.count] = chunk.maxTime;
      refs.refs[refs.count++] = ref;
      const samples = chunkSampleCount(chunk.encoding, chunk.bytes);
      counts.samples += samples;
      if (isHistogramEncoding(chunk.encoding)) counts.histogramSamples += samples;
      if (++counts.chunks % PAUSE_EVERY === 0) await facts.pause();
    }
    counts.series++;
    const settled = index.add(one.labels, refs);
    if (settled !== undefined) await settled;
  }
  return counts;
}

function blockMeta(
  facts: BlockFacts,
  counts: Counts,
  index: IndexFacts,
  segments: readonly SegmentFacts[],
  chunkBytesMax: number,
): BlockMeta {
  invariant(index.seriesCount === counts.series, `${index.seriesCount} series indexed of ${counts.series}`);
  return {
    ulid: facts.ulid,
    minTime: facts.minTime,
    maxTime: facts.maxTime,
    stats: {
      numSamples: counts.samples,
      numFloatSamples: counts.samples - counts.histogramSamples,
      numHistogramSamples: counts.histogramSamples,
      numSeries: counts.series,
      numChunks: counts.chunks,
      numTombstones: 0,
    },
    compaction: facts.compaction ?? { level: 1, sources: [facts.ulid] },
    thanos: {
      labels: facts.labels,
      resolutionMs: facts.resolutionMs ?? 0,
      source: facts.source ?? 'receive',
      segmentFiles: segments.map((segment) => segment.name),
      files: [
        ...segments.map((segment) => ({ relPath: `chunks/${segment.name}`, sizeBytes: segment.bytes })),
        { relPath: 'index', sizeBytes: index.bytes },
        { relPath: META_FILE, sizeBytes: undefined },
      ],
      seriesBytesMax: index.seriesBytesMax,
      chunkBytesMax,
      extensions: facts.extensions,
    },
  };
}
