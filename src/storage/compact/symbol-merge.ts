// The symbols of several indexes as one table, in byte order and without duplicates, and where each index's own symbols are in it.
// From there on labels are compared as numbers. Sources are read from front to back; memory is the table and 4 bytes a symbol of each.

import { ByteReader, uint32At } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import { invariant } from '../../model/errors.ts';
import type { Pause } from '../../model/pause.ts';
import { CorruptBlockError, type DamagePlace, placed } from '../block/corrupt-block.ts';
import type { ReadAhead } from '../block/read-ahead.ts';
import { type SymbolTable, SymbolTableBuilder } from '../index/symbol-table.ts';

/** Symbols between two calls of `pause`. */
const PAUSE_EVERY = 4096;
const LENGTH_BYTES_MAX = 8;
/** A section is length and count before its symbols and a checksum behind them. */
const FRAME_BYTES = 12;

/** The symbols of all sources. A symbol's row is its rank: rows are compared in place of texts. */
export interface MergedSymbols {
  readonly table: SymbolTable;
  /** By source and its symbol's number: the row. */
  readonly rowsOf: readonly Uint32Array[];
}

/** A symbol section to be merged. */
export interface SymbolSection {
  readonly ulid: string;
  /** Over the section, which ends at `stream.end` or before. */
  readonly stream: ReadAhead;
  readonly at: number;
}

/** Merges symbol sections; the empty text comes first, whoever has it. Errors: CorruptBlockError, those of the sources. */
export async function mergeSymbols(sections: readonly SymbolSection[], pause: Pause): Promise<MergedSymbols> {
  const cursors = sections.map((section) => new SymbolCursor(section));
  for (const cursor of cursors) await cursor.open();
  const table = new SymbolTableBuilder();
  table.addText('');
  for (const cursor of cursors) {
    if (!cursor.isDone && cursor.to === cursor.textFrom) {
      cursor.take(0);
      if (!cursor.next()) await cursor.load();
    }
  }
  for (;;) {
    const least = leastOf(cursors);
    if (least === undefined) break;
    const row = table.count;
    if (!table.addEntry(least.bytes, least.from, least.textFrom, least.to)) least.failOrder();
    for (const cursor of cursors) {
      if (cursor === least || cursor.isDone || compareSymbols(cursor, least) !== 0) continue;
      cursor.take(row);
      if (!cursor.next()) await cursor.load();
    }
    least.take(row);
    if (!least.next()) await least.load();
    if (row % PAUSE_EVERY === 0) await pause();
  }
  return { table: table.finish(), rowsOf: cursors.map((cursor) => cursor.rows) };
}

function leastOf(cursors: readonly SymbolCursor[]): SymbolCursor | undefined {
  let least: SymbolCursor | undefined;
  for (const cursor of cursors)
    if (!cursor.isDone && (least === undefined || compareSymbols(cursor, least) < 0)) least = cursor;
  return least;
}

function compareSymbols(a: SymbolCursor, b: SymbolCursor): number {
  const length = Math.min(a.to - a.textFrom, b.to - b.textFrom);
  const { bytes, textFrom } = a;
  const { bytes: other, textFrom: otherFrom } = b;
  for (let i = 0; i < length; i++) {
    const order = bytes[textFrom + i]! - other[otherFrom + i]!;
    if (order !== 0) return order;
  }
  return a.to - a.textFrom - (b.to - b.textFrom);
}

/** Goes over the symbols of one section; the symbol at hand is bytes [from, to), its text [textFrom, to). */
class SymbolCursor {
  isDone = false;
  bytes: Uint8Array = new Uint8Array(0);
  from = 0;
  textFrom = 0;
  to = 0;
  rows: Uint32Array = new Uint32Array(0);
  private readonly section: SymbolSection;
  private reader: ByteReader;
  private number = -1;
  /** Where in the file the next symbol begins, and where the last one ends. */
  private position: number;
  private end = 0;
  /** The checksum of what lies before `checkedTo`. */
  private crc = 0;
  private checkedTo: number;

  constructor(section: SymbolSection) {
    this.section = section;
    this.position = section.at;
    this.checkedTo = section.at + 4;
    this.reader = new ByteReader(this.bytes, 'symbols');
  }

  /** Reads the section's head and goes to its first symbol. */
  async open(): Promise<void> {
    const { stream, at } = this.section;
    if (!stream.contains(at, FRAME_BYTES)) this.fail(at, 'there is no room for symbols');
    await stream.load(at, FRAME_BYTES);
    const length = uint32At(stream.bytes, 0);
    const count = uint32At(stream.bytes, 4);
    this.end = at + 4 + length;
    if (length < 4 || !stream.contains(at, length + 8)) this.fail(at, `${length} bytes of symbols`);
    if (count > length) this.fail(at, `${count} symbols in ${length} bytes`);
    this.rows = new Uint32Array(count);
    this.position = at + 8;
    if (!this.next()) await this.load();
  }

  /** Notes the row of the symbol at hand. */
  take(row: number): void {
    this.rows[this.number] = row;
  }

  /** Says that the symbol at hand should have come before. */
  failOrder(): never {
    this.fail(this.section.stream.start + this.from, `symbol ${this.number} is not in order`);
  }

  /** Goes to the next symbol; false when `load` has to be waited for, which goes there, too. */
  next(): boolean {
    const { stream } = this.section;
    const { position, end } = this;
    if (this.number + 1 === this.rows.length) return false;
    const ahead = Math.min(LENGTH_BYTES_MAX, end - position);
    if (ahead < 1) this.fail(position, `${this.rows.length} symbols are more than there are`);
    if (!stream.has(position, ahead)) return false;
    if (this.bytes !== stream.bytes) {
      this.bytes = stream.bytes;
      this.reader = new ByteReader(this.bytes, 'a symbol');
    }
    const from = position - stream.start;
    this.reader.position = from;
    const length = this.lengthAt(position);
    const textFrom = this.reader.position;
    if (position + textFrom - from + length > end) this.fail(position, `a symbol of ${length} bytes`);
    if (textFrom + length > this.bytes.length) return false;
    this.number++;
    this.from = from;
    this.textFrom = textFrom;
    this.to = textFrom + length;
    this.position = stream.start + this.to;
    return true;
  }

  private lengthAt(offset: number): number {
    try {
      return this.reader.uvarint();
    } catch (error) {
      throw placed(error, this.place(offset));
    }
  }

  /** Reads on; at the end of the section checks its checksum. */
  async load(): Promise<void> {
    const { stream, at } = this.section;
    const isLast = this.number + 1 === this.rows.length;
    if (isLast && this.position !== this.end) this.fail(this.position, 'bytes behind the last symbol');
    this.check();
    if (isLast) {
      await stream.load(this.end, 4);
      if (uint32At(stream.bytes, 0) !== this.crc) this.fail(at, 'the checksum of the symbols does not match');
      this.isDone = true;
      return;
    }
    for (let want = 256; ; want *= 4) {
      await stream.load(this.position, Math.min(want, this.end - this.position));
      if (this.next()) return;
      invariant(want < this.end - this.position, 'a symbol that lies in the section is read at last');
    }
  }

  // Takes what lies before the next symbol into the checksum.
  private check(): void {
    const { stream } = this.section;
    const from = this.checkedTo - stream.start;
    this.crc = crc32c(stream.bytes.subarray(from, this.position - stream.start), this.crc);
    this.checkedTo = this.position;
  }

  private fail(offset: number, reason: string): never {
    throw new CorruptBlockError(this.place(offset), reason);
  }

  private place(offset: number): DamagePlace {
    return { ulid: this.section.ulid, file: 'index', offset };
  }
}
