// One source of a merge with the series at hand: how far its chunks are done, and which of its samples are deleted.

import type { TimeSpan } from '../../codec/chunk.ts';
import { clearSamples, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { mergeSamples } from '../block/merge-samples.ts';
import { type DeletedInterval, dropDeleted, type Tombstones } from '../block/tombstones.ts';
import type { ChunkReader } from './chunk-reader.ts';
import type { SeriesCursor } from './series-cursor.ts';

/** A source block during a merge. */
export interface MergeSource {
  readonly series: SeriesCursor;
  readonly chunks: ChunkReader;
  readonly tombstones: Tombstones;
}

/** Times that a merge keeps: [minTime, maxTime), ms. */
export interface KeptTimes {
  readonly minTime: number;
  readonly maxTime: number;
}

/** A source that has the series at hand, and how far its chunks are done. */
export class Member {
  source!: MergeSource;
  /** The next chunk that is not deleted as a whole, and its times. */
  next = 0;
  minTime = 0;
  maxTime = 0;
  /** Samples of the chunks that are merged at the time. */
  readonly samples: SampleColumns = sampleColumns(256);
  private deleted: readonly DeletedInterval[] | undefined;

  /** Whether a chunk is left. */
  get hasNext(): boolean {
    return this.next < this.source.series.chunkCount;
  }

  /** Begins with the series that a source has at hand. */
  begin(source: MergeSource, kept: KeptTimes): void {
    this.source = source;
    this.deleted = source.tombstones.get(source.series.ref);
    this.next = -1;
    this.advance(kept);
  }

  /** Goes to the next chunk of which something is kept. */
  advance(kept: KeptTimes): void {
    const { chunkCount, minTimes, maxTimes } = this.source.series;
    while (++this.next < chunkCount) {
      this.minTime = minTimes[this.next]!;
      this.maxTime = maxTimes[this.next]!;
      if (this.maxTime < kept.minTime || this.minTime >= kept.maxTime) continue;
      if (this.deleted === undefined || !this.deleted.some((interval) => this.isWithin(interval))) return;
    }
  }

  /** Whether samples of a chunk are to be left out. */
  isCut(chunk: number, kept: KeptTimes): boolean {
    const { minTimes, maxTimes } = this.source.series;
    const min = minTimes[chunk]!;
    const max = maxTimes[chunk]!;
    if (min < kept.minTime || max >= kept.maxTime) return true;
    return this.deleted?.some((interval) => interval.minTime <= max && interval.maxTime >= min) ?? false;
  }

  /** Whether a chunk begins and ends with one of `other`. */
  hasTimesOf(chunk: number, other: Member, otherChunk: number): boolean {
    const own = this.source.series;
    const theirs = other.source.series;
    return (
      own.minTimes[chunk] === theirs.minTimes[otherChunk] &&
      own.maxTimes[chunk] === theirs.maxTimes[otherChunk]
    );
  }

  /** Takes a chunk in hand. */
  find(chunk: number): Promise<void> | undefined {
    const { chunks, series } = this.source;
    return chunks.find(series.chunkRefs[chunk]!);
  }

  /** Adds what is kept of the chunk in hand to `samples`; what `scratch` holds is lost. */
  decode(chunk: number, span: TimeSpan, scratch: SampleColumns): void {
    const { chunks, series } = this.source;
    const { samples } = this;
    const times = { min: series.minTimes[chunk]!, max: series.maxTimes[chunk]! };
    const isBehind = samples.count === 0 || samples.timestamps[samples.count - 1]! < times.min;
    const target = isBehind ? samples : scratch;
    if (!isBehind) clearSamples(scratch);
    const before = target.count;
    chunks.decode(series.chunkRefs[chunk]!, { ...span, ...times }, target);
    if (this.deleted !== undefined) dropDeleted(target, before, this.deleted);
    if (!isBehind) mergeSamples(samples, scratch);
  }

  private isWithin(interval: DeletedInterval): boolean {
    return interval.minTime <= this.minTime && this.maxTime <= interval.maxTime;
  }
}
