// A block on local disk while it is made: chunk segments, index, tombstones, meta.json last. Everything goes to a folder with
// Prometheus's suffix for unfinished blocks and is renamed when it is complete and durable.

import type { Chunk } from '../../codec/chunk.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import type { IndexFacts } from '../index/index-sections.ts';
import type { ChunkRefs } from '../index/series-spool.ts';
import { type BlockCompaction, type BlockMeta, encodeBlockMeta, META_FILE } from './block-meta.ts';
import {
  ChunkSegmentWriter,
  chunkSampleCount,
  holdsHistograms,
  SEGMENT_BYTES_MAX,
  type SegmentFacts,
} from './chunk-segments.ts';
import { encodeTombstones, NO_TOMBSTONES, TOMBSTONES_FILE } from './tombstones.ts';

/** Suffix of a block folder that is still being written; Prometheus removes such folders at start, and so do we. */
export const UNFINISHED_SUFFIX = '.tmp-for-creation';

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
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** The index of a block being made; series go to it as its maker has them. */
export interface IndexInTheMaking {
  finish(): Promise<IndexFacts>;
  abandon(): Promise<void>;
}

/** A chunk as it lies in a segment: bytes [from, to) of `bytes` are its length, encoding, data and checksum. */
export interface ChunkFrame {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly samples: number;
  readonly hasHistograms: boolean;
  readonly minTime: number;
  readonly maxTime: number;
}

/** Opens a block in the making at `folder`, whose last part is the ULID. `openIndex` opens its index at the given path. */
export async function openBlockBuilder<Index extends IndexInTheMaking>(
  disk: Disk,
  folder: string,
  facts: BlockFacts,
  options: { readonly openIndex: (path: string) => Promise<Index>; readonly segmentBytesMax?: number },
): Promise<BlockBuilder<Index>> {
  const unfinished = `${folder}${UNFINISHED_SUFFIX}`;
  await disk.remove(unfinished);
  const segments = new ChunkSegmentWriter(
    disk,
    `${unfinished}/chunks`,
    options.segmentBytesMax ?? SEGMENT_BYTES_MAX,
  );
  const index = await options.openIndex(`${unfinished}/index`);
  return new BlockBuilder({ disk, folder, unfinished, facts, segments, index });
}

interface BuilderParts<Index> {
  readonly disk: Disk;
  readonly folder: string;
  readonly unfinished: string;
  readonly facts: BlockFacts;
  readonly segments: ChunkSegmentWriter;
  readonly index: Index;
}

/**
 * A block in the making. Chunks of a series are added in time order, then the series itself to `index` with `refs`, then `endSeries`
 * is called.
 */
export class BlockBuilder<Index extends IndexInTheMaking> {
  readonly index: Index;
  /** Where the chunks of the series at hand are; borrowed. */
  readonly refs: ChunkRefs & { minTimes: number[]; maxTimes: number[]; refs: number[] } = {
    count: 0,
    minTimes: [],
    maxTimes: [],
    refs: [],
  };
  private readonly parts: BuilderParts<Index>;
  private readonly counts = { samples: 0, histogramSamples: 0, chunks: 0, series: 0 };

  constructor(parts: BuilderParts<Index>) {
    this.parts = parts;
    this.index = parts.index;
  }

  /** Chunks added. */
  get chunkCount(): number {
    return this.counts.chunks;
  }

  /** Adds a chunk, borrowed for the call; a write to wait for before the next call, if one began. */
  addChunk(chunk: Chunk): Promise<void> | undefined {
    const { segments } = this.parts;
    const { bytes, encoding } = chunk;
    if (!segments.fits(bytes.length)) return segments.place(bytes.length).then(() => this.addChunk(chunk));
    const { ref, settled } = segments.write(chunk);
    this.note(chunk, chunkSampleCount(encoding, bytes), holdsHistograms(encoding, bytes), ref);
    return settled;
  }

  /** Adds a chunk that comes with its frame, whose checksum the caller has checked; as addChunk otherwise. */
  copyChunk(frame: ChunkFrame): Promise<void> | undefined {
    const { segments } = this.parts;
    const bytes = frame.to - frame.from;
    if (!segments.fits(bytes)) return segments.place(bytes).then(() => this.copyChunk(frame));
    const { ref, settled } = segments.writeFrame(frame.bytes.subarray(frame.from, frame.to));
    this.note(frame, frame.samples, frame.hasHistograms, ref);
    return settled;
  }

  /** Ends the series at hand. */
  endSeries(): void {
    this.refs.count = 0;
    this.counts.series++;
  }

  /** Completes the block and returns its meta; undefined, with nothing left behind, when it has no chunk. */
  async finish(): Promise<BlockMeta | undefined> {
    const { disk, folder, unfinished, index, segments } = this.parts;
    if (this.counts.chunks === 0) {
      await this.abandon();
      return undefined;
    }
    const files = await segments.finish();
    const indexFacts = await index.finish();
    await disk.writeFile(`${unfinished}/${TOMBSTONES_FILE}`, encodeTombstones(NO_TOMBSTONES));
    const meta = this.meta(indexFacts, files);
    await disk.writeFile(`${unfinished}/${META_FILE}`, encodeBlockMeta(meta));
    await disk.remove(folder);
    await disk.rename(unfinished, folder);
    return meta;
  }

  /** Gives the block up; nothing is left behind. */
  async abandon(): Promise<void> {
    const { disk, unfinished, index, segments } = this.parts;
    await segments.abandon();
    await index.abandon();
    await disk.remove(unfinished);
  }

  private note(
    { minTime, maxTime }: { readonly minTime: number; readonly maxTime: number },
    samples: number,
    hasHistograms: boolean,
    ref: number,
  ): void {
    const { refs, counts } = this;
    const { facts } = this.parts;
    if (minTime < facts.minTime || maxTime >= facts.maxTime)
      throw new DomainError(
        'internal',
        `cannot write block ${facts.ulid}: a chunk from ${minTime} to ${maxTime} ms lies outside ` +
          `[${facts.minTime}, ${facts.maxTime})`,
      );
    refs.minTimes[refs.count] = minTime;
    refs.maxTimes[refs.count] = maxTime;
    refs.refs[refs.count++] = ref;
    counts.samples += samples;
    if (hasHistograms) counts.histogramSamples += samples;
    counts.chunks++;
  }

  private meta(index: IndexFacts, segments: readonly SegmentFacts[]): BlockMeta {
    const { counts } = this;
    const { facts } = this.parts;
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
        chunkBytesMax: this.parts.segments.chunkBytesMax,
        extensions: facts.extensions,
      },
    };
  }
}
