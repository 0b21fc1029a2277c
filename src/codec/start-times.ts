// Start timestamps within a chunk (tsdb/chunkenc/st.go): a header byte tells whether the first sample has one and from which sample
// on they change; from there each sample has its distance to the time of the sample before, as a difference to the distance before.

import type { BitReader } from './bit-stream.ts';

/** The start timestamps of a chunk while it is read. */
export class StartTimes {
  /** That of the sample at hand, ms; 0 where unknown. */
  start = 0;
  readonly #isFirstKnown: boolean;
  /** Number of the first sample, from 0, whose start differs from the one before; 0 for none. */
  readonly #firstChange: number;
  #distance = 0;

  constructor(header: number) {
    this.#isFirstKnown = (header & 0x80) !== 0;
    this.#firstChange = header & 0x7f;
  }

  /** Takes in what stands behind sample number `read` (from 1) at `time`, the one before being at `before`. */
  next(from: BitReader, at: { readonly read: number; readonly time: number; readonly before: number }): void {
    if (at.read === 1) {
      if (!this.#isFirstKnown) return;
      this.#distance = readByteVarint(from);
      this.start = at.time - this.#distance;
    } else if (this.#firstChange > 0 && at.read - 1 >= this.#firstChange) {
      const difference = from.varint();
      this.#distance = at.read - 1 === this.#firstChange ? difference : this.#distance + difference;
      this.start = at.before - this.#distance;
    }
  }
}

/** A zigzag LEB128 varint whose bytes lie anywhere in the bits. */
export function readByteVarint(from: BitReader): number {
  const value = readByteUvarint(from);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** An unsigned LEB128 varint whose bytes lie anywhere in the bits. */
export function readByteUvarint(from: BitReader): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    const byte = from.bits(8);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 128;
  }
  return value;
}
