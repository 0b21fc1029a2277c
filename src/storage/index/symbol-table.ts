// The distinct texts of an index in byte order, kept as the bytes its symbol section holds: a million symbols are two arrays, not a
// million strings.

import { doubled } from '../../codec/byte-table.ts';
import { ByteWriter } from '../../codec/bytes.ts';
import { invariant } from '../../model/errors.ts';

const TABLE_BYTES_MAX = 0xffff_fff0;
/** Texts up to this length are copied by a loop: a call costs more. */
const COPY_LOOP_BYTES_MAX = 64;

/** Symbols in byte order; symbol i is bytes [starts[i], starts[i + 1]): its length (uvarint), then its text. Immutable. */
export interface SymbolTable {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

/** Which symbols of a table an index has, and what series call them while they are spooled. */
export interface ChosenSymbols {
  readonly table: SymbolTable;
  /** By the id that spooled series use: the symbol's number in the index. */
  readonly numbers: Uint32Array;
  /** By number: the symbol's row in the table; undefined where they are the same. */
  readonly rows: Uint32Array | undefined;
  /** Symbols of the index. */
  readonly count: number;
}

/** A symbol table being made, symbol after symbol in byte order. */
export class SymbolTableBuilder {
  count = 0;
  private readonly out: ByteWriter;
  private starts = new Uint32Array(1024);
  /** Where the text added last begins. */
  private lastText = 0;

  constructor(capacityBytes: number = 1 << 16) {
    this.out = new ByteWriter(capacityBytes);
  }

  /** Adds a text. */
  addText(text: string): void {
    const from = this.out.length;
    this.out.text(text);
    this.lastText = from;
    while (this.out.bytes[this.lastText++]! >= 0x80);
    this.close();
  }

  /**
   * Adds the bytes [from, to) of `bytes`: a length and, from `textFrom` on, a text, as a symbol section has them. False, with nothing
   * added, when the text does not come after the one before.
   */
  addEntry(bytes: Uint8Array, from: number, textFrom: number, to: number): boolean {
    const { out } = this;
    if (this.count > 0 && !this.isAfterLast(bytes, textFrom, to)) return false;
    out.reserve(to - from);
    this.lastText = out.length + textFrom - from;
    if (to - from > COPY_LOOP_BYTES_MAX) out.bytes.set(bytes.subarray(from, to), out.length);
    else for (let i = from; i < to; i++) out.bytes[out.length + i - from] = bytes[i]!;
    out.length += to - from;
    this.close();
    return true;
  }

  /** The table; the builder is not used any more. */
  finish(): SymbolTable {
    return {
      count: this.count,
      bytes: this.out.written(),
      starts: this.starts.subarray(0, this.count + 1),
    };
  }

  private isAfterLast(bytes: Uint8Array, from: number, to: number): boolean {
    const { out, lastText } = this;
    const length = out.length - lastText;
    const common = Math.min(length, to - from);
    for (let i = 0; i < common; i++) {
      const order = bytes[from + i]! - out.bytes[lastText + i]!;
      if (order !== 0) return order > 0;
    }
    return to - from > length;
  }

  private close(): void {
    invariant(this.out.length <= TABLE_BYTES_MAX, `symbols must stay below ${TABLE_BYTES_MAX} bytes`);
    if (this.count + 1 === this.starts.length) this.starts = doubled(this.starts);
    this.starts[++this.count] = this.out.length;
  }
}

/** The symbols of a table whose `used` is not 0, numbered in order; ids are rows of the table. */
export function chooseSymbols(table: SymbolTable, used: Uint8Array): ChosenSymbols {
  const numbers = new Uint32Array(table.count);
  let count = 0;
  for (let row = 0; row < table.count; row++) {
    numbers[row] = count;
    if (used[row] !== 0) count++;
  }
  if (count === table.count) return { table, numbers, rows: undefined, count };
  const rows = new Uint32Array(count);
  for (let row = 0; row < table.count; row++) if (used[row] !== 0) rows[numbers[row]!] = row;
  return { table, numbers, rows, count };
}
