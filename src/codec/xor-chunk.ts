// Float XOR chunks (encoding 1), bit for bit as Prometheus writes them (tsdb/docs/format/chunks.md, tsdb/chunkenc/xor.go):
// uint16 count, then the first sample raw, the second with its delta, the rest as delta of delta plus XOR with the value before.
// Values travel as two unsigned 32-bit halves, so that a NaN keeps its payload; times are doubles, exact to 2^53 ms.

import { DomainError } from '../model/errors.ts';
import { growColumns, type SampleColumns } from '../model/samples.ts';
import { peekBits, WRITE_SLACK_BYTES, writeBits } from './bits.ts';
import { CHUNK_XOR, type Chunk } from './chunk.ts';

/** Bytes of the sample count in front. */
export const XOR_HEADER_BYTES = 2;
/** Most bytes one more sample can add. */
export const XOR_SAMPLE_BYTES_MAX = 19;
/** A chunk larger than this takes no further sample (chunkenc.MaxBytesPerXORChunkBeforeAppend), so none passes 1024 bytes. */
export const XOR_BYTES_BEFORE_APPEND_MAX: number = 1024 - XOR_SAMPLE_BYTES_MAX;
/** Memory a chunk may need while it is written. */
export const XOR_BUFFER_BYTES: number = 1024 + WRITE_SLACK_BYTES;

const TWO_32 = 0x1_0000_0000;
const NO_LEADING = 0xff;

/**
 * The state of many chunks being written, one per lane, as columns: a head has a lane per series. The bytes lie elsewhere;
 * their owner sees to it that `XOR_SAMPLE_BYTES_MAX + WRITE_SLACK_BYTES` bytes are free behind `byteLength` before an append.
 */
export class XorAppenders {
  /** Time of the last sample. */
  times: Float64Array;
  /** Time between the last two samples. */
  deltas: Float64Array;
  /** Bits of the last value: low half at 2i, high half at 2i + 1. */
  values: Uint32Array;
  /** Bits written, header included; 0 in a lane without a chunk. */
  bitLengths: Uint16Array;
  /** Samples written. */
  counts: Uint16Array;
  leading: Uint8Array;
  trailing: Uint8Array;
  /** The last byte as far as it is written. Kept here so that an append only stores to memory that is in no cache yet. */
  tails: Uint8Array;

  constructor(lanes: number) {
    this.times = new Float64Array(lanes);
    this.deltas = new Float64Array(lanes);
    this.values = new Uint32Array(2 * lanes);
    this.bitLengths = new Uint16Array(lanes);
    this.counts = new Uint16Array(lanes);
    this.leading = new Uint8Array(lanes);
    this.trailing = new Uint8Array(lanes);
    this.tails = new Uint8Array(lanes);
  }

  /** Makes room for at least `lanes` lanes; what is there stays. */
  grow(lanes: number): void {
    const grown = new XorAppenders(lanes);
    grown.times.set(this.times);
    grown.deltas.set(this.deltas);
    grown.values.set(this.values);
    grown.bitLengths.set(this.bitLengths);
    grown.counts.set(this.counts);
    grown.leading.set(this.leading);
    grown.trailing.set(this.trailing);
    grown.tails.set(this.tails);
    Object.assign(this, grown);
  }

  /** Begins an empty chunk; time and value of the sample before are kept until the first append. */
  begin(lane: number): void {
    this.bitLengths[lane] = XOR_HEADER_BYTES * 8;
    this.counts[lane] = 0;
    this.leading[lane] = NO_LEADING;
    this.trailing[lane] = 0;
    this.tails[lane] = 0;
  }

  /** Bytes written so far, header included. */
  byteLength(lane: number): number {
    return (this.bitLengths[lane]! + 7) >>> 3;
  }

  /** Writes the sample count into the header, which `append` leaves alone. */
  finish(lane: number, view: DataView, at: number): void {
    view.setUint16(at, this.counts[lane]!);
  }

  /** Appends a sample to the chunk that begins at byte `at` of `view`. `time` must be later than the last one. */
  append(lane: number, view: DataView, at: number, time: number, low: number, high: number): void {
    const count = this.counts[lane]!;
    const origin = at * 8;
    let position = origin + this.bitLengths[lane]!;
    view.setUint8(position >>> 3, this.tails[lane]!);
    if (count > 1) {
      const delta = time - this.times[lane]!;
      const dod = delta - this.deltas[lane]!;
      // Most samples come on time: the single 0 bit that says so goes in front of the value's bits.
      if (dod !== 0) {
        position = writeDeltaOfDelta(view, position, dod);
        this.deltas[lane] = delta;
      }
      position = this.#writeValue(lane, view, position, low, high, dod === 0 ? 1 : 0);
    } else if (count === 1) {
      const delta = time - this.times[lane]!;
      position = writeVarint(view, position, delta);
      this.deltas[lane] = delta;
      position = this.#writeValue(lane, view, position, low, high, 0);
    } else {
      position = writeVarint(view, position, time < 0 ? -2 * time - 1 : 2 * time);
      position = writeBits(view, position, high, 32);
      position = writeBits(view, position, low, 32);
      this.deltas[lane] = 0;
    }
    this.times[lane] = time;
    this.values[2 * lane] = low;
    this.values[2 * lane + 1] = high;
    this.bitLengths[lane] = position - origin;
    this.tails[lane] = (position & 7) === 0 ? 0 : view.getUint8(position >>> 3);
    this.counts[lane] = count + 1;
  }

  // `zeros` bits of 0, then the value's bits.
  #writeValue(
    lane: number,
    view: DataView,
    position: number,
    low: number,
    high: number,
    zeros: number,
  ): number {
    const xorLow = low ^ this.values[2 * lane]!;
    const xorHigh = high ^ this.values[2 * lane + 1]!;
    if ((xorLow | xorHigh) === 0) return writeBits(view, position, 0, zeros + 1);
    const leading = xorHigh !== 0 ? Math.clz32(xorHigh) : 31;
    const trailing = xorLow !== 0 ? 31 - Math.clz32(xorLow & -xorLow) : 63 - Math.clz32(xorHigh & -xorHigh);
    const oldLeading = this.leading[lane]!;
    const oldTrailing = this.trailing[lane]!;
    if (oldLeading !== NO_LEADING && leading >= oldLeading && trailing >= oldTrailing) {
      const count = 64 - oldLeading - oldTrailing;
      if (count > 29) {
        position = writeBits(view, position, 0b10, zeros + 2);
        return writeSignificant(view, position, xorLow, xorHigh, oldTrailing, count);
      }
      const value = shiftedDown(xorLow, xorHigh, oldTrailing);
      return writeBits(view, position, (0b10 << count) | value, zeros + 2 + count);
    }
    this.leading[lane] = leading;
    this.trailing[lane] = trailing;
    const count = 64 - leading - trailing;
    position = writeBits(view, position, (0b11 << 11) | (leading << 6) | (count & 63), zeros + 13);
    return writeSignificant(view, position, xorLow, xorHigh, trailing, count);
  }
}

// The `count` bits of the 64-bit number above its `trailing` low ones; the bits above them are 0.
function writeSignificant(
  view: DataView,
  position: number,
  low: number,
  high: number,
  trailing: number,
  count: number,
): number {
  if (count > 32) position = writeBits(view, position, high >>> trailing, count - 32);
  return writeBits(view, position, shiftedDown(low, high, trailing), Math.min(count, 32));
}

// The low 32 bits of a 64-bit number shifted right.
function shiftedDown(low: number, high: number, by: number): number {
  if (by === 0) return low;
  return by < 32 ? (low >>> by) | (high << (32 - by)) : high >>> (by - 32);
}

function writeDeltaOfDelta(view: DataView, position: number, dod: number): number {
  if (dod >= -8191 && dod <= 8192) return writeBits(view, position, 0x8000 | (dod & 0x3fff), 16);
  if (dod >= -65535 && dod <= 65536) return writeBits(view, position, 0xc0000 | (dod & 0x1ffff), 20);
  if (dod >= -524287 && dod <= 524288) return writeBits(view, position, 0xe00000 | (dod & 0xfffff), 24);
  position = writeBits(view, position, 0b1111, 4);
  position = writeBits(view, position, Math.floor(dod / TWO_32), 32);
  return writeBits(view, position, dod | 0, 32);
}

// LEB128 at any bit; 0 <= value < 2^54.
function writeVarint(view: DataView, position: number, value: number): number {
  while (value >= 128) {
    position = writeBits(view, position, (value % 128) | 0x80, 8);
    value = Math.floor(value / 128);
  }
  return writeBits(view, position, value, 8);
}

/** Number of samples a chunk's header tells. */
export function xorSampleCount(bytes: Uint8Array): number {
  return bytes.length < XOR_HEADER_BYTES ? 0 : (bytes[0]! << 8) | bytes[1]!;
}

/**
 * Decodes the samples of an XOR chunk with start <= t <= end and appends them to `target` in time order. The ChunkDecoder of
 * encoding 1. Error: `corrupt` for bytes that end early or make no sense. About 15 ns per sample.
 */
export function decodeXor(bytes: Uint8Array, start: number, end: number, target: SampleColumns): void {
  const count = xorSampleCount(bytes);
  if (count === 0) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  decodeXorAt(view, XOR_HEADER_BYTES, bytes.byteLength, count, start, end, target);
}

/**
 * As decodeXor, for `count` samples whose bits lie in bytes [from, to) of `view` without a header: what a head uses for chunks
 * that are still being written. Its twin in WebAssembly is src/kernels/assembly/xor.ts.
 */
export function decodeXorAt(
  view: DataView,
  from: number,
  to: number,
  count: number,
  start: number,
  end: number,
  target: SampleColumns,
): void {
  // A sample takes at least two bits, so a header cannot ask for more memory than its chunk could fill.
  if (count > (to - from) * 4) throw corrupt(`${count} samples in ${to - from} bytes`);
  growColumns(target, target.count + count);
  const { timestamps, bits, kernels } = target;
  let at = target.count;
  if (kernels !== undefined) {
    const next = kernels.decodeXor(view, from, to, count, start, end, at);
    if (next >= 0) {
      target.count = next;
      return;
    }
  }
  let position = from + varintBytes(view, from, to);
  let time = zigzag(varintAt(view, from, to));
  let high = peekBits(view, position * 8, to);
  let low = peekBits(view, position * 8 + 32, to);
  position += 8;
  let delta = 0;
  let leading = 0;
  let trailing = 0;
  if (count > 1) {
    delta = varintAt(view, position, to);
    position += varintBytes(view, position, to);
  }
  position *= 8;
  for (let index = 1; time <= end; index++) {
    if (time >= start) {
      timestamps[at] = time;
      bits[2 * at] = low;
      bits[2 * at + 1] = high;
      at++;
    }
    if (index >= count) break;
    let word = peekBits(view, position, to);
    if (index > 1) {
      const size = dodBits(word);
      if (size > 1) delta += size === 68 ? wideDod(view, position, to) : shortDod(word, size);
      position += size;
      word = size <= 16 ? word << size : peekBits(view, position, to);
    }
    time += delta;
    if (word >= 0) {
      position += 1;
      continue;
    }
    if (word >>> 30 === 0b11) {
      leading = (word >>> 25) & 31;
      trailing = 64 - leading - ((word >>> 19) & 63 || 64);
      if (trailing < 0) throw corrupt(`${leading} leading and ${64 - leading - trailing} significant bits`);
      position += 13;
    } else position += 2;
    const significant = 64 - leading - trailing;
    const first = peekBits(view, position, to);
    if (significant > 32) {
      const upper = first >>> (64 - significant);
      const lower = peekBits(view, position + significant - 32, to);
      low ^= lower << trailing;
      high ^= trailing === 0 ? upper : (upper << trailing) | (lower >>> (32 - trailing));
    } else {
      const lower = first >>> (32 - significant);
      if (trailing < 32) low ^= lower << trailing;
      high ^= trailing >= 32 ? lower << (trailing - 32) : trailing === 0 ? 0 : lower >>> (32 - trailing);
    }
    position += significant;
  }
  if (position > to * 8) throw corrupt(`the last sample ends ${position - to * 8} bits behind it`);
  target.count = at;
}

/** The samples as one XOR chunk: `count` (1..240) from `from` on; undefined for none. The caller keeps it under 1024 bytes. */
export function encodeXor(columns: SampleColumns, from: number, count: number): Chunk | undefined {
  if (count === 0) return undefined;
  const view = new DataView(new ArrayBuffer(count * XOR_SAMPLE_BYTES_MAX + 2 * XOR_SAMPLE_BYTES_MAX));
  const one = new XorAppenders(1);
  one.begin(0);
  for (let i = from; i < from + count; i++)
    one.append(0, view, 0, columns.timestamps[i]!, columns.bits[2 * i]!, columns.bits[2 * i + 1]!);
  one.finish(0, view, 0);
  return {
    encoding: CHUNK_XOR,
    bytes: new Uint8Array(view.buffer.slice(0, one.byteLength(0))),
    minTime: columns.timestamps[from]!,
    maxTime: columns.timestamps[from + count - 1]!,
  };
}

// Bits of a delta of delta with its size code, from its first bits.
function dodBits(word: number): number {
  if (word >= 0) return 1;
  if (word >>> 30 === 0b10) return 16;
  if (word >>> 29 === 0b110) return 20;
  return word >>> 28 === 0b1110 ? 24 : 68;
}

// The largest value of each size stands for itself, everything above it for a negative number.
function shortDod(word: number, size: number): number {
  if (size === 16) {
    const dod = (word << 2) >>> 18;
    return dod > 8192 ? dod - 16384 : dod;
  }
  if (size === 20) {
    const dod = (word << 3) >>> 15;
    return dod > 65536 ? dod - 131072 : dod;
  }
  const dod = (word << 4) >>> 12;
  return dod > 524288 ? dod - 1048576 : dod;
}

function wideDod(view: DataView, position: number, to: number): number {
  return peekBits(view, position + 4, to) * TWO_32 + (peekBits(view, position + 36, to) >>> 0);
}

function zigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function varintBytes(view: DataView, at: number, to: number): number {
  for (let i = at; i < to && i < at + 10; i++) if (view.getUint8(i) < 0x80) return i + 1 - at;
  throw corrupt('a varint without an end');
}

function varintAt(view: DataView, at: number, to: number): number {
  let value = 0;
  let scale = 1;
  for (let i = at; i < to; i++) {
    const byte = view.getUint8(i);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 128;
  }
  return value;
}

function corrupt(reason: string): DomainError {
  return new DomainError('corrupt', `cannot decode an XOR chunk: ${reason}`);
}
