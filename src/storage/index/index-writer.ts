// Writes a block's index from series with labels as texts. `add` spools each series with ids for its texts in order of first sight;
// `finish` sorts the texts and has the sections written. Memory: the distinct texts, and what index-sections.ts takes.

import { DomainError } from '../../model/errors.ts';
import { compareLabels, type Labels, labelsText } from '../../model/labels.ts';
import type { Pause } from '../../model/pause.ts';
import { sortTexts } from '../../model/sliced-sort.ts';
import type { Disk } from '../../platform/disk.ts';
import { type IndexFacts, writeIndex } from './index-sections.ts';
import { type ChunkRefs, openSeriesSpool, type SeriesSpool } from './series-spool.ts';
import { type ChosenSymbols, SymbolTableBuilder } from './symbol-table.ts';

/** Symbols between two calls of `pause`. */
const SYMBOLS_PER_PAUSE = 4096;

/** Opens an index file for writing; series are added in label order, then `finish` completes it. */
export async function openIndexWriter(disk: Disk, path: string, pause: Pause): Promise<IndexWriter> {
  return new IndexWriter(disk, path, await openSeriesSpool(disk, path), pause);
}

/** An index being written. See openIndexWriter. */
export class IndexWriter {
  private readonly disk: Disk;
  private readonly path: string;
  private readonly spool: SeriesSpool;
  private readonly pause: Pause;
  /** Prometheus has the empty text among its symbols (from the postings of all series); so do we, to write the same bytes. */
  private readonly ids = new Map<string, number>([['', 0]]);
  private lastLabels: Labels = [];
  private lastIds: number[] = [];

  constructor(disk: Disk, path: string, spool: SeriesSpool, pause: Pause) {
    this.disk = disk;
    this.path = path;
    this.spool = spool;
    this.pause = pause;
  }

  /** Adds a series; labels must sort after those of the call before, chunks must be in order and not overlap. */
  add(labels: Labels, chunks: ChunkRefs): Promise<void> | undefined {
    if (this.spool.seriesCount > 0 && compareLabels(this.lastLabels, labels) >= 0)
      throw new DomainError(
        'internal',
        `cannot add series ${labelsText(labels)} to an index: it must sort after ${labelsText(this.lastLabels)}`,
      );
    const ids = this.idsOf(labels);
    const settled = this.spool.add(ids, labels.length / 2, chunks);
    this.lastLabels = labels;
    this.lastIds = ids;
    return settled;
  }

  /** Writes the index file, durably; the temporary file is gone afterwards. */
  async finish(): Promise<IndexFacts> {
    const { disk, path, spool, pause } = this;
    try {
      return await writeIndex(disk, path, { spool, symbols: await this.numberSymbols(), pause });
    } finally {
      await this.abandon();
    }
  }

  /** Closes and removes the temporary file; for a writer that will not be finished. */
  abandon(): Promise<void> {
    return this.spool.remove();
  }

  // Series next to each other share most of their labels.
  private idsOf(labels: Labels): number[] {
    const out: number[] = new Array(labels.length);
    for (let i = 0; i < labels.length; i++)
      out[i] = labels[i] === this.lastLabels[i] ? this.lastIds[i]! : this.idOf(labels[i]!);
    return out;
  }

  private idOf(text: string): number {
    const known = this.ids.get(text);
    if (known !== undefined) return known;
    const id = this.ids.size;
    this.ids.set(text, id);
    return id;
  }

  private async numberSymbols(): Promise<ChosenSymbols> {
    const texts = await sortTexts([...this.ids.keys()], this.pause);
    const numbers = new Uint32Array(texts.length);
    const table = new SymbolTableBuilder();
    for (let number = 0; number < texts.length; number++) {
      const text = texts[number]!;
      numbers[this.ids.get(text)!] = number;
      table.addText(text);
      if (number % SYMBOLS_PER_PAUSE === 0) await this.pause();
    }
    return { table: table.finish(), numbers, rows: undefined, count: texts.length };
  }
}
