// The blocks of one (tenant, partition) and reading across them: series of overlapping blocks become one series with one
// sample per timestamp.

import type { CompiledMatcher } from '../../codec/regex.ts';
import { DomainError } from '../../model/errors.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { mergeSorted } from '../../model/merge-sorted.ts';
import { clearSamples, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { compareText } from '../../model/text.ts';
import type { BlockMeta } from './block-meta.ts';
import type { BlockReader, BlockReadOptions, BlockSelection } from './block-reader.ts';
import type { LoadedSeries } from './chunk-load.ts';
import { withoutReplaced } from './lineage.ts';
import { mergeRead } from './merge-samples.ts';
import type { SeriesPlace } from './sliced-read.ts';
import { resolutionOf, type Slice, withRawStretches } from './slices.ts';

/** An open block of a set with the number of reads under way. */
interface Member {
  readonly reader: BlockReader;
  users: number;
  removed: boolean;
}

/** What a selection over blocks may use. */
export interface SetReadOptions extends BlockReadOptions {
  /** Which stretches are read from downsampled blocks (planSlices); all others are read raw. All blocks when absent. */
  readonly slices?: readonly Slice[];
}

/** Open blocks by ULID. Removing one waits for the reads that use it. */
export class BlockSet {
  private readonly members = new Map<string, Member>();
  private sorted: readonly BlockMeta[] = [];

  /** Metas of all blocks, by start and ULID. */
  metas(): readonly BlockMeta[] {
    return this.sorted;
  }

  private sort(): void {
    this.sorted = [...this.members.values()].map((member) => member.reader.meta).sort(byStart);
  }

  /** Whether the block is in the set. */
  has(ulid: string): boolean {
    return this.members.has(ulid);
  }

  /** Adds an open block, which the set owns from now on. A block that is already there is closed again. */
  async add(reader: BlockReader): Promise<void> {
    if (this.members.has(reader.meta.ulid)) {
      await reader.close();
      return;
    }
    this.members.set(reader.meta.ulid, { reader, users: 0, removed: false });
    this.sort();
  }

  /**
   * Adds open blocks, which the set owns from now on, and takes those out that they replace (lineage.ts), in one step: a read that begins
   * sees merged blocks or their parents, never both and never neither; one that is under way ends on what it began with.
   */
  async swapIn(readers: readonly BlockReader[]): Promise<void> {
    const unwanted: BlockReader[] = [];
    for (const reader of readers) {
      if (this.members.has(reader.meta.ulid)) unwanted.push(reader);
      else this.members.set(reader.meta.ulid, { reader, users: 0, removed: false });
    }
    const kept = new Set(
      withoutReplaced([...this.members.values()].map(({ reader }) => reader.meta)).map(({ ulid }) => ulid),
    );
    const closing: Promise<void>[] = unwanted.map((reader) => reader.close());
    // Taking a block out is synchronous but for its closing, so nothing is selected in between.
    for (const ulid of [...this.members.keys()]) if (!kept.has(ulid)) closing.push(this.remove(ulid));
    this.sort();
    await Promise.all(closing);
  }

  /** Takes a block out; it is closed when the last read that uses it ends. */
  async remove(ulid: string): Promise<void> {
    const member = this.members.get(ulid);
    if (member === undefined) return;
    this.members.delete(ulid);
    this.sort();
    member.removed = true;
    if (member.users === 0) await member.reader.close();
  }

  /** Closes every block. */
  async close(): Promise<void> {
    for (const ulid of [...this.members.keys()]) await this.remove(ulid);
  }

  /** Blocks that have samples in [start, end] (ms, both included), by start. */
  within(start: number, end: number): BlockMeta[] {
    return this.metas().filter((meta) => meta.minTime <= end && meta.maxTime > start);
  }

  /** The end (excluded) of the newest block, or undefined in an empty set. */
  maxTime(): number | undefined {
    let max: number | undefined;
    for (const { reader } of this.members.values())
      if (max === undefined || reader.meta.maxTime > max) max = reader.meta.maxTime;
    return max;
  }

  /** Series of all blocks that match, merged by labels. Call `release` of the result when done with it. */
  async select(
    matchers: readonly CompiledMatcher[],
    start: number,
    end: number,
    options: SetReadOptions = {},
  ): Promise<MergedSelection> {
    const { slices } = options;
    const all = this.membersWithin(start, end);
    const members = slices === undefined ? all : membersFor(all, withRawStretches(slices, { start, end }));
    const release = this.hold(members);
    try {
      const parts = await Promise.all(
        members.map((member) => member.reader.select(matchers, start, end, options)),
      );
      return new MergedSelection(parts, release);
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** Label names in blocks that overlap [start, end], sorted. */
  async labelNames(
    matchers: readonly CompiledMatcher[],
    start: number,
    end: number,
    options: BlockReadOptions = {},
  ): Promise<readonly string[]> {
    return this.gather(start, end, (reader) => reader.labelNames(matchers, options));
  }

  /** Values of a label in blocks that overlap [start, end], sorted. */
  async labelValues(
    name: string,
    matchers: readonly CompiledMatcher[],
    start: number,
    end: number,
    options: BlockReadOptions = {},
  ): Promise<readonly string[]> {
    return this.gather(start, end, (reader) => reader.labelValues(name, matchers, options));
  }

  private async gather(
    start: number,
    end: number,
    ask: (reader: BlockReader) => Promise<readonly string[]>,
  ): Promise<readonly string[]> {
    const members = this.membersWithin(start, end);
    const release = this.hold(members);
    try {
      const answers = await Promise.all(members.map((member) => ask(member.reader)));
      return mergeSorted(answers, compareText);
    } finally {
      await release();
    }
  }

  private membersWithin(start: number, end: number): Member[] {
    return this.within(start, end).map((meta) => this.members.get(meta.ulid)!);
  }

  private hold(members: readonly Member[]): () => Promise<void> {
    for (const member of members) member.users++;
    let released = false;
    return async () => {
      if (released) return;
      released = true;
      for (const member of members) {
        member.users--;
        if (member.removed && member.users === 0) await member.reader.close();
      }
    };
  }
}

// Those that have a stretch of their own resolution.
function membersFor(members: readonly Member[], stretches: readonly Slice[]): Member[] {
  return members.filter(({ reader: { meta } }) =>
    stretches.some(
      ({ start, end, resolutionMs }) =>
        resolutionOf(meta) === resolutionMs && meta.minTime <= end && meta.maxTime > start,
    ),
  );
}

function byStart(a: BlockMeta, b: BlockMeta): number {
  return a.minTime - b.minTime || compareText(a.ulid, b.ulid);
}

/** Series of several blocks, merged by labels and in label order. */
export class MergedSelection {
  /** One label set a series. */
  readonly labels: readonly Labels[];
  /** Lets go of the blocks; calling it twice is harmless. */
  readonly release: () => Promise<void>;
  private readonly parts: readonly BlockSelection[];
  /** Series i in part p is its series rows[i * parts + p] there, -1 when that block does not have it. */
  private readonly rows: Int32Array;

  constructor(parts: readonly BlockSelection[], release: () => Promise<void>) {
    this.parts = parts.filter((part) => part.table.labels.length > 0);
    this.release = release;
    const merged = mergeTables(this.parts);
    this.labels = merged.labels;
    this.rows = merged.rows;
  }

  /** Number of chunks of all series: what a load of everything would touch. */
  get chunkCount(): number {
    let sum = 0;
    for (const part of this.parts) sum += part.table.minTimes.length;
    return sum;
  }

  /** Reads the chunks of series [first, end). Errors: `corrupt`, `unavailable`, the signal's reason. */
  async load(first: number, end: number, signal?: AbortSignal): Promise<LoadedBatch> {
    const width = this.parts.length;
    const loaded: (LoadedSeries | undefined)[] = [];
    const starts = new Int32Array(width);
    await Promise.all(
      this.parts.map(async (part, p) => {
        let from = -1;
        let to = -1;
        for (let i = first; i < end; i++) {
          const row = this.rows[i * width + p]!;
          if (row < 0) continue;
          if (from < 0) from = row;
          to = row + 1;
        }
        starts[p] = from;
        loaded[p] = from < 0 ? undefined : await part.load(from, to, signal);
      }),
    );
    return new LoadedBatch(
      this.labels.slice(first, end),
      this.rows.subarray(first * width, end * width),
      loaded,
      starts,
      this.parts.map(({ meta }) => resolutionOf(meta)),
    );
  }
}

/** Series [first, end) of a merged selection with their chunks in memory. */
export class LoadedBatch {
  readonly labels: readonly Labels[];
  private readonly rows: Int32Array;
  private readonly loaded: readonly (LoadedSeries | undefined)[];
  private readonly starts: Int32Array;
  private readonly resolutions: readonly number[];
  private readonly scratch: SampleColumns = sampleColumns(256);

  constructor(
    labels: readonly Labels[],
    rows: Int32Array,
    loaded: readonly (LoadedSeries | undefined)[],
    starts: Int32Array,
    resolutions: readonly number[],
  ) {
    this.labels = labels;
    this.rows = rows;
    this.loaded = loaded;
    this.starts = starts;
    this.resolutions = resolutions;
  }

  /** Bytes of chunk data held in memory. */
  get bytes(): number {
    let sum = 0;
    for (const part of this.loaded) sum += part?.bytes ?? 0;
    return sum;
  }

  /** Where series `index` is, block by block. */
  places(index: number): SeriesPlace[] {
    const out: SeriesPlace[] = [];
    for (let p = 0; p < this.loaded.length; p++) {
      const row = this.rows[index * this.loaded.length + p]!;
      const loaded = this.loaded[p];
      if (row < 0 || loaded === undefined) continue;
      out.push({ resolutionMs: this.resolutions[p]!, loaded, index: row - this.starts[p]! });
    }
    return out;
  }

  /**
   * Decodes the samples of series `index` with start <= t <= end into `target` (its count is reset first), in time order, one
   * per timestamp; of two blocks with the same timestamp the one that begins earlier wins. Errors as LoadedSeries.append.
   */
  read(index: number, start: number, end: number, target: SampleColumns): void {
    clearSamples(target);
    const width = this.loaded.length;
    for (let p = 0; p < width; p++) {
      const row = this.rows[index * width + p]!;
      if (row < 0) continue;
      const part = this.loaded[p];
      if (part === undefined)
        throw new DomainError('internal', 'cannot read a series: its chunks are not loaded');
      mergeRead(target, this.scratch, (into) => part.append(row - this.starts[p]!, start, end, into));
    }
  }
}

// Merges the label-ordered series of all parts.
function mergeTables(parts: readonly BlockSelection[]): { labels: readonly Labels[]; rows: Int32Array } {
  const width = parts.length;
  if (width === 0) return { labels: [], rows: new Int32Array(0) };
  const tables = parts.map((part) => part.table.labels);
  if (width === 1) return { labels: tables[0]!, rows: Int32Array.from(tables[0]!.keys()) };
  const at = new Int32Array(width);
  const labels: Labels[] = [];
  const rows: number[] = [];
  const same = new Uint8Array(width);
  for (;;) {
    let least: Labels | undefined;
    for (let p = 0; p < width; p++) {
      const mine = tables[p]![at[p]!];
      same[p] = 0;
      if (mine === undefined) continue;
      const order = least === undefined ? -1 : compareLabels(mine, least);
      if (order < 0) {
        least = mine;
        same.fill(0, 0, p);
      }
      same[p] = order <= 0 ? 1 : 0;
    }
    if (least === undefined) break;
    labels.push(least);
    for (let p = 0; p < width; p++) rows.push(same[p] === 1 ? at[p]!++ : -1);
  }
  return { labels, rows: Int32Array.from(rows) };
}
