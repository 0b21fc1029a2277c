// The steps of one merge of blocks (compact-blocks.ts): symbols, series with their chunks, indexes.

import { ByteWriter } from '../../codec/bytes.ts';
import { invariant } from '../../model/errors.ts';
import type { Pause } from '../../model/pause.ts';
import { type BlockBuilder, openBlockBuilder } from '../block/block-builder.ts';
import type { BlockMeta } from '../block/block-meta.ts';
import type { ByteSource } from '../block/byte-source.ts';
import { placed } from '../block/corrupt-block.ts';
import { type IndexToc, readIndexToc } from '../block/index-header.ts';
import type { BlockSources } from '../block/open-block.ts';
import { ReadAhead } from '../block/read-ahead.ts';
import type { SymbolTable } from '../index/symbol-table.ts';
import { ChunkReader, type ChunkReaderOptions } from './chunk-reader.ts';
import type { CompactOptions } from './compact-options.ts';
import type { CompactedFacts } from './compacted-meta.ts';
import { SeriesMerge } from './merge-series.ts';
import { openRankedIndex, type RankedIndex } from './ranked-index.ts';
import { SeriesCursor } from './series-cursor.ts';
import type { MergeSource } from './series-member.ts';
import { type MergedSymbols, mergeSymbols } from './symbol-merge.ts';

/** Memory for reading ahead, shared by all sources; each has two streams of two pieces. */
const READ_AHEAD_BYTES = 64 << 20;
const PIECE_BYTES_MIN = 128 << 10;
const PIECE_BYTES_MAX = 2 << 20;
/** Series between two calls of `pause`. */
const PAUSE_EVERY = 64;

/** A merge under way. `close` is called in any case, `abandon` when a step has failed. */
export class CompactRun {
  private readonly sources: readonly BlockSources[];
  private readonly facts: CompactedFacts;
  private readonly options: CompactOptions;
  private readonly pieceBytes: number;
  private readonly streams: { close(): Promise<void> }[] = [];
  private readonly builders: BlockBuilder<RankedIndex>[] = [];
  private readonly written: string[] = [];
  private readonly labelBytes = new ByteWriter(1024);
  private table: SymbolTable | undefined;
  private merging: readonly MergeSource[] = [];
  private readonly pause: Pause;
  private doneBytes = 0;
  private totalBytes = 0;
  /** Bytes of the sources' symbols and series. */
  private indexBytes = 0;

  constructor(sources: readonly BlockSources[], facts: CompactedFacts, options: CompactOptions) {
    this.sources = sources;
    this.facts = facts;
    this.options = options;
    this.pause = () => {
      options.signal?.throwIfAborted();
      return options.pause();
    };
    const share = Math.floor(READ_AHEAD_BYTES / (4 * sources.length));
    this.pieceBytes = options.pieceBytes ?? Math.max(PIECE_BYTES_MIN, Math.min(PIECE_BYTES_MAX, share));
  }

  /** Reads the symbols and begins the blocks. */
  async open(): Promise<void> {
    const tocs: IndexToc[] = [];
    for (const source of this.sources) tocs.push(await this.contentsOf(source));
    this.sources.forEach((source, i) => {
      this.indexBytes += seriesEnd(tocs[i]!) - tocs[i]!.symbols;
      for (const segment of source.segments) this.totalBytes += segment.size;
    });
    this.totalBytes += 2 * this.indexBytes;
    const symbols = await this.readSymbols(tocs);
    this.table = symbols.table;
    this.merging = this.sources.map((source, i) => this.mergeSource(source, tocs[i]!, symbols.rowsOf[i]!));
    const { disk, folder, writer = 'compactor', targets, segmentBytesMax } = this.options;
    for (const { ulid, labels } of targets)
      this.builders.push(
        await openBlockBuilder(
          disk,
          `${folder}/${ulid}`,
          { ...this.facts, ulid, labels, source: writer },
          {
            openIndex: (path) => this.openIndex(path, symbols.table),
            ...(segmentBytesMax === undefined ? {} : { segmentBytesMax }),
          },
        ),
      );
  }

  /** Merges all series, in order of labels. */
  async mergeAll(): Promise<void> {
    const merge = new SeriesMerge({ ...this.facts, deduplication: this.options.deduplication });
    const left: MergeSource[] = [];
    for (const source of this.merging) if (await source.series.next()) left.push(source);
    const group: MergeSource[] = [];
    for (let count = 1; left.length > 0; count++) {
      takeLeast(left, group);
      const { labels, labelCount } = group[0]!.series;
      const builder = this.builderOf(labels, labelCount);
      if ((await merge.merge(group, builder)) > 0) {
        const settled = builder.index.add(labels, labelCount, builder.refs);
        if (settled !== undefined) await settled;
        builder.endSeries();
      }
      for (const source of group) {
        const next = source.series.next();
        if (!(typeof next === 'boolean' ? next : await next)) left.splice(left.indexOf(source), 1);
      }
      if (count % PAUSE_EVERY === 0) await this.pause();
    }
  }

  /** Completes the blocks one after the other. */
  async finish(): Promise<BlockMeta[]> {
    const metas: BlockMeta[] = [];
    for (const [i, builder] of this.builders.entries()) {
      this.options.signal?.throwIfAborted();
      const meta = await builder.finish();
      if (meta === undefined) continue;
      this.written.push(this.options.targets[i]!.ulid);
      metas.push(meta);
    }
    return metas;
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    for (const builder of this.builders) await builder.abandon();
    for (const ulid of this.written) await this.options.disk.remove(`${this.options.folder}/${ulid}`);
  }

  /** Waits for reads that are under way. */
  async close(): Promise<void> {
    for (const stream of this.streams) await stream.close();
  }

  private async contentsOf({ meta, index }: BlockSources): Promise<IndexToc> {
    try {
      return await readIndexToc(index, this.options.signal);
    } catch (error) {
      throw placed(error, { ulid: meta.ulid, file: 'index', offset: 0 });
    }
  }

  private async readSymbols(tocs: readonly IndexToc[]): Promise<MergedSymbols> {
    const sections = this.sources.map(({ meta, index }, i) => {
      const { symbols, series } = tocs[i]!;
      return { ulid: meta.ulid, at: symbols, stream: this.readAhead(index, symbols, series) };
    });
    try {
      return await mergeSymbols(sections, this.pause);
    } finally {
      for (const { stream } of sections) await stream.close();
    }
  }

  private mergeSource(source: BlockSources, toc: IndexToc, rowsOf: Uint32Array): MergeSource {
    const { meta, index, tombstones } = source;
    const stream = this.readAhead(index, toc.series, seriesEnd(toc));
    const chunks = new ChunkReader(source, this.readOptions());
    this.streams.push(stream, chunks);
    return { series: new SeriesCursor({ ulid: meta.ulid, stream, rowsOf }), chunks, tombstones };
  }

  private readAhead(source: ByteSource, from: number, to: number): ReadAhead {
    return new ReadAhead(source, { ...this.readOptions(), from, to });
  }

  private readOptions(): ChunkReaderOptions {
    return {
      pieceBytes: this.pieceBytes,
      signal: this.options.signal,
      onRead: (bytes) => this.advance(bytes),
    };
  }

  // Indexes are as much work to write as they were to read.
  private openIndex(path: string, table: SymbolTable): Promise<RankedIndex> {
    const share = this.indexBytes / this.options.targets.length;
    let before = 0;
    const onProgress = (done: number): void => {
      this.advance(share * (done - before));
      before = done;
    };
    return openRankedIndex(this.options.disk, path, { table, pause: this.pause, onProgress });
  }

  private advance(bytes: number): void {
    this.doneBytes = Math.min(this.totalBytes, this.doneBytes + bytes);
    this.options.onProgress?.({ doneBytes: Math.round(this.doneBytes), totalBytes: this.totalBytes });
  }

  // Canonical label bytes (codec/label-bytes.ts): symbols have their lengths in front of them already.
  private builderOf(labels: Uint32Array, labelCount: number): BlockBuilder<RankedIndex> {
    const { builders, labelBytes, table } = this;
    if (builders.length === 1) return builders[0]!;
    invariant(table !== undefined, 'symbols are read before series');
    labelBytes.clear();
    labelBytes.uvarint(labelCount);
    for (let i = 0; i < 2 * labelCount; i++)
      labelBytes.raw(table.bytes.subarray(table.starts[labels[i]!], table.starts[labels[i]! + 1]));
    return builders[this.options.hasher.hash64(labelBytes.written()).low % builders.length]!;
  }
}

// Moves the sources whose series comes first, in their order, to `group`.
function takeLeast(sources: readonly MergeSource[], group: MergeSource[]): void {
  group.length = 0;
  for (const source of sources) {
    const order = group.length === 0 ? 0 : source.series.compare(group[0]!.series);
    if (order < 0) group.length = 0;
    if (order <= 0) group.push(source);
  }
}

// Behind the series come label indices in blocks that still have them, postings else.
function seriesEnd({ series, labelIndices, postings, postingsTable }: IndexToc): number {
  return Math.min(...[labelIndices, postings, postingsTable].filter((at) => at >= series));
}
