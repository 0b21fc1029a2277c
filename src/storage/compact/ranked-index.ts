// The index of a merged block while it is made: series come with rows of the merged symbol table in place of texts. Symbols that no
// series of this block uses are left out.

import type { Pause } from '../../model/pause.ts';
import type { Disk } from '../../platform/disk.ts';
import type { IndexInTheMaking } from '../block/block-builder.ts';
import { type IndexFacts, writeIndex } from '../index/index-sections.ts';
import { type ChunkRefs, openSeriesSpool, type SeriesSpool } from '../index/series-spool.ts';
import { chooseSymbols, type SymbolTable } from '../index/symbol-table.ts';

/** What the index is made with. */
export interface RankedOptions {
  readonly table: SymbolTable;
  readonly pause: Pause;
  /** Told how much of `finish` is done, of 1. */
  readonly onProgress: (done: number) => void;
}

/** Opens the index at `path`. */
export async function openRankedIndex(
  disk: Disk,
  path: string,
  options: RankedOptions,
): Promise<RankedIndex> {
  return new RankedIndex(disk, path, { ...options, spool: await openSeriesSpool(disk, path) });
}

interface RankedParts extends RankedOptions {
  readonly spool: SeriesSpool;
}

/** An index being written. See openRankedIndex. */
export class RankedIndex implements IndexInTheMaking {
  private readonly disk: Disk;
  private readonly path: string;
  private readonly parts: RankedParts;
  /** By row of the table: 1 for symbols the index has. The empty text is one of them whatever the series are, as in Prometheus. */
  private readonly used: Uint8Array;

  constructor(disk: Disk, path: string, parts: RankedParts) {
    this.disk = disk;
    this.path = path;
    this.parts = parts;
    this.used = new Uint8Array(parts.table.count);
    this.used[0] = 1;
  }

  /** Adds a series, which must sort after the one before: rows of its `labelCount` names and values in turn. */
  add(labels: Uint32Array, labelCount: number, chunks: ChunkRefs): Promise<void> | undefined {
    for (let i = 0; i < 2 * labelCount; i++) this.used[labels[i]!] = 1;
    return this.parts.spool.add(labels, labelCount, chunks);
  }

  /** Writes the index file, durably; the temporary file is gone afterwards. */
  async finish(): Promise<IndexFacts> {
    const symbols = chooseSymbols(this.parts.table, this.used);
    try {
      return await writeIndex(this.disk, this.path, { ...this.parts, symbols });
    } finally {
      await this.abandon();
    }
  }

  /** Closes and removes the temporary file. */
  abandon(): Promise<void> {
    return this.parts.spool.remove();
  }
}
