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

/** Packs label sets; they are borrowed. */
export function packLabelRows(rows: readonly Labels[]): LabelRows {
  const known = new Map<string, number>();
  const texts: string[] = [];
  const lengths = new Uint32Array(rows.length);
  let total = 0;
  for (let i = 0; i < rows.length; i++) total += lengths[i] = rows[i]!.length;
  const refs = new Uint32Array(total);
  let at = 0;
  for (const row of rows) {
    for (let i = 0; i < row.length; i++) {
      const text = row[i]!;
      let ref = known.get(text);
      if (ref === undefined) {
        ref = texts.length;
        known.set(text, ref);
        texts.push(text);
      }
      refs[at++] = ref;
    }
  }
  return { texts, lengths: new Uint8Array(lengths.buffer), refs: new Uint8Array(refs.buffer) };
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
