// The chunks of one series out of several blocks. Where chunks do not overlap they are copied as they are, in order of time; where they
// do, all that hang together are decoded, merged sample by sample and encoded anew, as in Prometheus (storage/merge.go,
// compactChunkIterator) and Thanos (pkg/dedup/chunk_iter.go). Deleted samples are left out.

import {
  CHUNK_FLOAT_HISTOGRAM_ST,
  CHUNK_HISTOGRAM_ST,
  RESET_HEADER,
  type TimeSpan,
} from '../../codec/chunk.ts';
import { SampleEncoder } from '../../codec/sample-chunks.ts';
import { clearSamples, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import type { BlockBuilder } from '../block/block-builder.ts';
import { isHistogramEncoding } from '../block/chunk-segments.ts';
import { mergeSamples } from '../block/merge-samples.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { mergeReplicas } from './penalty.ts';
import type { RankedIndex } from './ranked-index.ts';
import { type KeptTimes, Member, type MergeSource } from './series-member.ts';

/** Samples in a chunk that is encoded anew. */
const SAMPLES_PER_CHUNK = 120;
const RESET_BITS = 0xc0;

/**
 * How samples of a series that several blocks have become one: `one-to-one` keeps every time once, of equal times that of the first
 * block; `penalty` takes the blocks for replicas that scrape at different times and keeps one of them as long as it goes on.
 */
export type Deduplication = 'one-to-one' | 'penalty';

/** What a merge keeps, and how. */
export interface MergeOptions extends KeptTimes {
  readonly deduplication: Deduplication;
}

/** The block that takes the merged series. */
type Target = BlockBuilder<RankedIndex>;

/** Merges the chunks of one series after the other; memory is kept in between. */
export class SeriesMerge {
  private readonly options: MergeOptions;
  private readonly span: TimeSpan;
  private readonly pool: Member[] = [];
  private members: Member[] = [];
  /** Chunks that hang together, in order of time: their members and their numbers. */
  private readonly runMembers: Member[] = [];
  private readonly runChunks: number[] = [];
  private readonly encoder = new SampleEncoder();
  private readonly decoded = sampleColumns(2 * SAMPLES_PER_CHUNK);
  /** The chunk written last when it was copied. */
  private copied: { member: Member | undefined; chunk: number } = { member: undefined, chunk: -1 };
  private written = 0;

  constructor(options: MergeOptions) {
    this.options = options;
    this.span = { start: options.minTime, end: options.maxTime - 1 };
  }

  /** Writes the chunks of the series that all `sources` have at hand, in order of preference; returns how many there are. */
  async merge(sources: readonly MergeSource[], target: Target): Promise<number> {
    this.begin(sources);
    for (let first = this.earliest(); first !== undefined; first = this.earliest()) {
      this.collectRun(first);
      const [member] = this.runMembers;
      const isAlone = this.runMembers.length === 1 && !member!.isCut(this.runChunks[0]!, this.options);
      if (isAlone || (await this.areEqual())) {
        const settled = this.copy(target);
        if (settled !== undefined) await settled;
      } else await this.rewrite(target);
    }
    return this.written;
  }

  private begin(sources: readonly MergeSource[]): void {
    this.written = 0;
    this.copied = { member: undefined, chunk: -1 };
    this.members.length = 0;
    for (let i = 0; i < sources.length; i++) {
      const member = (this.pool[i] ??= new Member());
      member.begin(sources[i]!, this.options);
      this.members.push(member);
    }
  }

  private earliest(): Member | undefined {
    let first: Member | undefined;
    for (const member of this.members)
      if (member.hasNext && (first === undefined || member.minTime < first.minTime)) first = member;
    return first;
  }

  // The earliest chunk and all that overlap with it, or with one of those.
  private collectRun(first: Member): void {
    const { runMembers, runChunks } = this;
    runMembers.length = runChunks.length = 0;
    let end = Number.POSITIVE_INFINITY;
    for (
      let next: Member | undefined = first;
      next !== undefined && next.minTime <= end;
      next = this.earliest()
    ) {
      end = runMembers.length === 0 ? next.maxTime : Math.max(end, next.maxTime);
      runMembers.push(next);
      runChunks.push(next.next);
      next.advance(this.options);
    }
  }

  // Whether the chunks of the run are the same one, byte for byte, of blocks that were written twice.
  private async areEqual(): Promise<boolean> {
    const { runMembers, runChunks, options } = this;
    const [first] = runMembers;
    for (let i = 0; i < runMembers.length; i++) {
      const member = runMembers[i]!;
      if (member.isCut(runChunks[i]!, options) || (i > 0 && runMembers.indexOf(member) < i)) return false;
      if (!member.hasTimesOf(runChunks[i]!, first!, runChunks[0]!)) return false;
    }
    for (let i = 0; i < runMembers.length; i++) {
      const found = runMembers[i]!.find(runChunks[i]!);
      if (found !== undefined) await found;
      if (i > 0 && !sameChunk(first!.source.chunks, runMembers[i]!.source.chunks)) return false;
    }
    return true;
  }

  private copy(target: Target): Promise<void> | undefined {
    const member = this.runMembers[0]!;
    const chunk = this.runChunks[0]!;
    const found = member.find(chunk);
    return found === undefined
      ? this.copyFound(target, member, chunk)
      : found.then(() => this.copyFound(target, member, chunk));
  }

  private copyFound(target: Target, member: Member, chunk: number): Promise<void> | undefined {
    const { chunks, series } = member.source;
    if (chunks.samples === 0) return undefined;
    const isFollowed = this.written === 0 ? chunk === 0 : this.isCopied(member, chunk - 1);
    this.written++;
    this.copied.member = member;
    this.copied.chunk = chunk;
    const minTime = series.minTimes[chunk]!;
    const maxTime = series.maxTimes[chunk]!;
    if (!isFollowed && tellsOfReset(chunks))
      return target.addChunk({ ...withoutReset(chunks), minTime, maxTime });
    const { bytes, from, to, samples, hasHistograms } = chunks;
    return target.copyChunk({ bytes, from, to, samples, hasHistograms, minTime, maxTime });
  }

  private isCopied(member: Member, chunk: number): boolean {
    return this.copied.member === member && this.copied.chunk === chunk;
  }

  // Decodes the run, merges its samples and encodes them anew.
  private async rewrite(target: Target): Promise<void> {
    const { runMembers, runChunks, decoded } = this;
    for (const member of this.members) clearSamples(member.samples);
    for (let i = 0; i < runMembers.length; i++) {
      const member = runMembers[i]!;
      const found = member.find(runChunks[i]!);
      if (found !== undefined) await found;
      member.decode(runChunks[i]!, this.span, decoded);
    }
    const samples = this.deduplicate();
    this.copied.member = undefined;
    for (const chunk of this.encoder.encode(samples, 0, samples.count, SAMPLES_PER_CHUNK)) {
      this.written++;
      const settled = target.addChunk(chunk);
      if (settled !== undefined) await settled;
    }
  }

  private deduplicate(): SampleColumns {
    let merged: SampleColumns | undefined;
    for (const { samples } of this.members) {
      if (samples.count === 0) continue;
      if (merged === undefined) merged = samples;
      else if (this.options.deduplication === 'one-to-one') mergeSamples(merged, samples);
      else {
        const both = sampleColumns(merged.count + samples.count);
        mergeReplicas(merged, samples, both);
        merged = both;
      }
    }
    return merged ?? this.members[0]!.samples;
  }
}

function sameChunk(a: ChunkReader, b: ChunkReader): boolean {
  const length = a.to - a.from;
  if (a.encoding !== b.encoding || length !== b.to - b.from) return false;
  for (let i = 0; i < length; i++) if (a.bytes[a.from + i] !== b.bytes[b.from + i]) return false;
  return true;
}

// What a chunk of histograms says of a counter reset holds for the chunk it was written behind, and no other.
function tellsOfReset({ encoding, bytes, dataFrom }: ChunkReader): boolean {
  if (!isHistogramEncoding(encoding)) return false;
  const bits = bytes[dataFrom + resetByte(encoding)]! & RESET_BITS;
  return bits === RESET_HEADER.noReset || bits === RESET_HEADER.reset;
}

function withoutReset({ encoding, data }: ChunkReader): { encoding: number; bytes: Uint8Array } {
  const bytes = data.slice();
  bytes[resetByte(encoding)]! &= 0xff & ~RESET_BITS;
  return { encoding, bytes };
}

function resetByte(encoding: number): number {
  return encoding === CHUNK_HISTOGRAM_ST || encoding === CHUNK_FLOAT_HISTOGRAM_ST ? 0 : 2;
}
