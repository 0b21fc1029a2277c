// Many label sets in a control message: each distinct text once, and numbers for the rest. Series of one selection share most
// of their texts, which makes this several times smaller and faster than a list of lists of strings.

import { DomainError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';

/** Label sets end to end. The numbers are little-endian uint32 as bytes, as they travel in a message. */
export interface LabelRows {
  /** Distinct names and values, in order of appearance. */
  readonly texts: readonly string[];
  /** Texts per row. */
  readonly lengths: Uint8Array;
  /** Indexes into `texts`, row after row. */
  readonly refs: Uint8Array;
}

/** The distinct texts of label sets in order of appearance, and the number of every text, row after row. */
export function numberTexts(rows: readonly Labels[]): { texts: string[]; numbers: Uint32Array } {
  let total = 0;
  for (const row of rows) total += row.length;
  const texts: string[] = [];
  const numbers = new Uint32Array(total);
  const known = new Map<string, number>();
  let before: Labels = [];
  let at = 0;
  for (const row of rows) {
    // Rows in order share most texts with the one before, at the same places.
    const start = at - before.length;
    for (let i = 0; i < row.length; i++) {
      const text = row[i]!;
      let number = text === before[i] ? numbers[start + i] : known.get(text);
      if (number === undefined) {
        number = texts.length;
        known.set(text, number);
        texts.push(text);
      }
      numbers[at++] = number;
    }
    before = row;
  }
  return { texts, numbers };
}

/** Packs label sets; they are borrowed. */
export function packLabelRows(rows: readonly Labels[]): LabelRows {
  const { texts, numbers } = numberTexts(rows);
  const lengths = Uint32Array.from(rows, (row) => row.length);
  return { texts, lengths: new Uint8Array(lengths.buffer), refs: new Uint8Array(numbers.buffer) };
}

/** Unpacks what packLabelRows made; equal texts are one string. `corrupt` when the parts do not fit together. */
export function unpackLabelRows({ texts, lengths, refs }: LabelRows): Labels[] {
  const counts = numbersOf(lengths);
  const indexes = numbersOf(refs);
  const rows: Labels[] = new Array(counts.length);
  let at = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count > indexes.length - at) throw corrupt('a row ends too late');
    const row: string[] = new Array(count);
    for (let k = 0; k < count; k++) {
      const text = texts[indexes[at++]!];
      if (text === undefined) throw corrupt('a label outside the table');
      row[k] = text;
    }
    rows[i] = row;
  }
  return rows;
}

function numbersOf(bytes: Uint8Array): Uint32Array {
  if (bytes.byteLength % 4 !== 0) throw corrupt(`${bytes.byteLength} bytes of numbers`);
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}

function corrupt(reason: string): DomainError {
  return new DomainError('corrupt', `cannot decode label sets: ${reason}`);
}
