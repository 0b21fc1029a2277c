// The postings of an index and their offset table (tsdb/docs/format/index.md), made from spooled series a few label names at a time:
// of each label its value and its series are collected in columns, sorted by value, written. Memory does not grow with the series
// but for one label's columns, 16 bytes a series.

import { ByteWriter, putUint32 } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import type { Pause } from '../../model/pause.ts';
import type { FileSink } from './file-sink.ts';
import type { SeriesSpool } from './series-spool.ts';
import { type PairColumns, sortPairs } from './sort-pairs.ts';
import type { ChosenSymbols } from './symbol-table.ts';

/** Labels of series collected at a time, unless one name has more. */
export const POSTINGS_PER_PASS: number = 4 << 20;
/** Series or postings lists between two calls of `pause`. */
const PAUSE_EVERY = 128;

/** What postings are made of. */
export interface PostingsInput {
  readonly spool: SeriesSpool;
  readonly symbols: ChosenSymbols;
  /** References of the spooled series in their order. */
  readonly refs: Uint32Array;
  /** By symbol number: series that have a label of this name. */
  readonly nameUses: Uint32Array;
  readonly pause: Pause;
  /** Told how much is done, of 1. */
  readonly onProgress: (done: number) => void;
  /** POSTINGS_PER_PASS unless a test wants to see several passes. */
  readonly perPass?: number;
}

/** Label names [first, last] by symbol number, and how many labels have them. */
interface NameBatch {
  readonly first: number;
  readonly last: number;
  readonly labels: number;
}

/**
 * Writes the postings lists to `target`, that of all series first, then one a label in order. Their table's entries go behind the
 * records of the spool; returns how many.
 */
export async function writePostings(target: FileSink, input: PostingsInput): Promise<number> {
  const lists = new ListWriter(target, input);
  await lists.writeAll();
  const { nameUses, spool, onProgress } = input;
  const next = new Uint32Array(nameUses.length);
  let done = 0;
  for (const batch of batchesOf(nameUses, input.perPass ?? POSTINGS_PER_PASS)) {
    let at = 0;
    let longest = 0;
    for (let name = batch.first; name <= batch.last; name++) {
      next[name] = at;
      at += nameUses[name]!;
      longest = Math.max(longest, nameUses[name]!);
    }
    const pairs = pairColumns(batch.labels);
    await collect(input, batch, next, pairs);
    const scratch = pairColumns(longest);
    for (let name = batch.first; name <= batch.last; name++) {
      if (nameUses[name] === 0) continue;
      const end = next[name]!;
      sortPairs(pairs, end - nameUses[name]!, end, scratch);
      await lists.writeName(name, pairs, end - nameUses[name]!, end);
      onProgress((done += nameUses[name]!) / spool.labelCount);
    }
  }
  return lists.count;
}

function pairColumns(rows: number): PairColumns {
  return { keys: new Uint32Array(rows), values: new Uint32Array(rows) };
}

function* batchesOf(nameUses: Uint32Array, labelsMax: number): Generator<NameBatch> {
  let first = 0;
  let labels = 0;
  for (let name = 0; name < nameUses.length; name++) {
    const uses = nameUses[name]!;
    if (labels > 0 && labels + uses > labelsMax) {
      yield { first, last: name - 1, labels };
      first = name;
      labels = 0;
    }
    labels += uses;
  }
  if (labels > 0) yield { first, last: nameUses.length - 1, labels };
}

// Value and series of every label of the batch, those of a name together, series in order.
async function collect(
  { spool, symbols, refs, pause }: PostingsInput,
  { first, last }: NameBatch,
  next: Uint32Array,
  { keys, values }: PairColumns,
): Promise<void> {
  const { numbers } = symbols;
  let series = 0;
  for await (const records of spool.records()) {
    while (records.position < records.end) {
      const end = records.u32be() + records.position;
      const ref = refs[series++]!;
      for (let left = records.uvarint(); left > 0; left--) {
        const name = numbers[records.uvarint()]!;
        const value = records.uvarint();
        if (name < first || name > last) continue;
        const at = next[name]!++;
        keys[at] = numbers[value]!;
        values[at] = ref;
      }
      records.position = end;
      if (series % PAUSE_EVERY === 0) await pause();
    }
  }
}

class ListWriter {
  /** Table entries written. */
  count = 0;
  private readonly target: FileSink;
  private readonly input: PostingsInput;
  private readonly list = new ByteWriter(1 << 12);
  private readonly entry = new ByteWriter(1 << 8);

  constructor(target: FileSink, input: PostingsInput) {
    this.target = target;
    this.input = input;
  }

  async writeAll(): Promise<void> {
    const { entry, input } = this;
    entry.clear();
    entry.uvarint(2);
    entry.text('');
    entry.text('');
    await this.write(input.refs, 0, input.refs.length);
  }

  /** Writes the lists of a name's values; rows [from, to) of `pairs` are value and series, in order of both. */
  async writeName(name: number, { keys, values }: PairColumns, from: number, to: number): Promise<void> {
    const { entry } = this;
    for (let start = from; start < to; ) {
      const value = keys[start]!;
      let end = start + 1;
      while (end < to && keys[end] === value) end++;
      entry.clear();
      entry.uvarint(2);
      this.addSymbol(name);
      this.addSymbol(value);
      const settled = this.write(values, start, end);
      if (settled !== undefined) await settled;
      if (this.count % PAUSE_EVERY === 0) await this.input.pause();
      start = end;
    }
  }

  private addSymbol(number: number): void {
    const { table, rows } = this.input.symbols;
    const row = rows === undefined ? number : rows[number]!;
    this.entry.raw(table.bytes.subarray(table.starts[row], table.starts[row + 1]));
  }

  // The list of refs [from, to), and its entry, which lacks its place yet.
  private write(refs: Uint32Array, from: number, to: number): Promise<void> | undefined {
    const { list, entry, target } = this;
    entry.uvarint(target.position);
    this.count++;
    const count = to - from;
    list.clear();
    list.reserve(count * 4 + 12);
    list.u32be(count * 4 + 4);
    list.u32be(count);
    let at = list.length;
    for (let i = from; i < to; i++) at = putUint32(list.bytes, at, refs[i]!);
    list.length = at;
    list.u32be(crc32c(list.bytes.subarray(4, at)));
    const written = target.write(list.written());
    const noted = this.input.spool.sink.write(entry.written());
    return written === undefined ? noted : written.then(() => noted);
  }
}
