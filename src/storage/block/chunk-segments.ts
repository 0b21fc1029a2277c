// Chunk segments of a block (tsdb/docs/format/chunks.md): files chunks/000001, 000002, ... of at most 512 MiB, each an 8-byte
// header and then chunks: uvarint data length, encoding byte, data, CRC32C of encoding and data. A chunk's reference is
// (segment index from 0) * 2^32 + offset, a double that stays exact for 2^21 segments.

import { aggregateSampleCount, isHistogramAggregate } from '../../codec/aggregate-chunk.ts';
import { ByteWriter, putUint32 } from '../../codec/bytes.ts';
import {
  CHUNK_AGGREGATE,
  CHUNK_FLOAT_HISTOGRAM,
  CHUNK_FLOAT_HISTOGRAM_ST,
  CHUNK_HISTOGRAM,
  CHUNK_HISTOGRAM_ST,
  CHUNK_XOR,
  CHUNK_XOR2,
  type Chunk,
} from '../../codec/chunk.ts';
import { crc32c } from '../../codec/hash.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { createFileSink, type FileSink } from '../index/file-sink.ts';

/** First four bytes of a chunk segment. */
export const SEGMENT_MAGIC = 0x85bd40dd;
/** Version byte of a chunk segment. */
export const SEGMENT_VERSION = 1;
/** Bytes before the first chunk of a segment. */
export const SEGMENT_HEADER_BYTES = 8;
/** Largest segment, as Prometheus writes them. */
export const SEGMENT_BYTES_MAX: number = 512 * 1024 * 1024;
/** Most bytes around a chunk's data: length varint, encoding, CRC. */
export const CHUNK_FRAME_BYTES_MAX = 10;

const TWO_32 = 0x1_0000_0000;

const ENCODING_NAMES: Readonly<Record<number, string>> = {
  [CHUNK_XOR]: 'XOR',
  [CHUNK_HISTOGRAM]: 'histogram',
  [CHUNK_FLOAT_HISTOGRAM]: 'floathistogram',
  [CHUNK_XOR2]: 'XOR2',
  [CHUNK_HISTOGRAM_ST]: 'histogramST',
  [CHUNK_FLOAT_HISTOGRAM_ST]: 'floathistogramST',
  [CHUNK_AGGREGATE]: 'aggregate (Thanos downsampled)',
};

/** The name Prometheus gives a chunk encoding, or its number. */
export function encodingName(encoding: number): string {
  return ENCODING_NAMES[encoding] ?? `unknown encoding ${encoding}`;
}

/** Whether a chunk of this encoding holds histograms. */
export function isHistogramEncoding(encoding: number): boolean {
  return (
    encoding === CHUNK_HISTOGRAM ||
    encoding === CHUNK_FLOAT_HISTOGRAM ||
    encoding === CHUNK_HISTOGRAM_ST ||
    encoding === CHUNK_FLOAT_HISTOGRAM_ST
  );
}

/**
 * Samples of a chunk, from the count in its first two bytes (14 bits of it in the ST histogram encodings); windows of an aggregate
 * chunk.
 */
export function chunkSampleCount(encoding: number, data: Uint8Array): number {
  if (encoding === CHUNK_AGGREGATE) return aggregateSampleCount(data);
  if (data.length < 2)
    throw new DomainError('corrupt', `cannot read a chunk: ${data.length} bytes, at least 2 wanted`);
  const count = (data[0]! << 8) | data[1]!;
  return encoding === CHUNK_HISTOGRAM_ST || encoding === CHUNK_FLOAT_HISTOGRAM_ST ? count & 0x3fff : count;
}

/** Whether a chunk holds histograms, or aggregates of some. */
export function holdsHistograms(encoding: number, data: Uint8Array): boolean {
  return encoding === CHUNK_AGGREGATE ? isHistogramAggregate(data) : isHistogramEncoding(encoding);
}

/** The segment index (from 0) of a chunk reference. */
export function segmentOf(ref: number): number {
  return Math.floor(ref / TWO_32);
}

/** The offset in its segment of a chunk reference. */
export function offsetOf(ref: number): number {
  return ref % TWO_32;
}

/** The file name of a segment: 000001 for index 0. */
export function segmentName(index: number): string {
  return String(index + 1).padStart(6, '0');
}

/** A written segment. */
export interface SegmentFacts {
  readonly name: string;
  readonly bytes: number;
}

/** Writes chunks to segments under `folder`, opening the next one when a chunk would pass the limit. */
export class ChunkSegmentWriter {
  /** Bytes of the largest chunk so far with its frame. */
  chunkBytesMax = 0;
  private readonly disk: Disk;
  private readonly folder: string;
  private readonly bytesMax: number;
  private readonly done: SegmentFacts[] = [];
  private readonly head = new ByteWriter(16);
  private readonly tail = new Uint8Array(4);
  private sink: FileSink | undefined;

  constructor(disk: Disk, folder: string, bytesMax: number = SEGMENT_BYTES_MAX) {
    this.disk = disk;
    this.folder = folder;
    this.bytesMax = bytesMax;
  }

  /** Where the next chunk of `dataBytes` will lie; opens a segment when needed. Call before `write`. */
  async place(dataBytes: number): Promise<void> {
    const needed = dataBytes + CHUNK_FRAME_BYTES_MAX;
    if (this.sink !== undefined && this.sink.position + needed <= this.bytesMax) return;
    await this.close();
    this.sink = await createFileSink(this.disk, `${this.folder}/${segmentName(this.done.length)}`);
    const header = new ByteWriter(SEGMENT_HEADER_BYTES);
    header.u32be(SEGMENT_MAGIC);
    header.u8(SEGMENT_VERSION);
    header.pad(SEGMENT_HEADER_BYTES);
    await this.sink.write(header.written());
  }

  /** Whether a chunk of `dataBytes` still fits into the open segment. */
  fits(dataBytes: number): boolean {
    return this.sink !== undefined && this.sink.position + dataBytes + CHUNK_FRAME_BYTES_MAX <= this.bytesMax;
  }

  /** Appends a chunk (`fits` must hold) and gives its reference; `settled` is a write to wait for, if one began. */
  write(chunk: Chunk): { readonly ref: number; readonly settled: Promise<void> | undefined } {
    const { head, tail } = this;
    head.clear();
    head.uvarint(chunk.bytes.length);
    head.u8(chunk.encoding);
    const crc = crc32c(chunk.bytes, crc32c(head.bytes.subarray(head.length - 1, head.length)));
    putUint32(tail, 0, crc);
    const length = head.length + chunk.bytes.length + tail.length;
    if (this.sink?.hasRoom(length)) {
      const { ref } = this.writeFrame(head.written());
      void this.sink.write(chunk.bytes);
      void this.sink.write(tail);
      if (length > this.chunkBytesMax) this.chunkBytesMax = length;
      return { ref, settled: undefined };
    }
    const frame = new Uint8Array(length);
    frame.set(head.written());
    frame.set(chunk.bytes, head.length);
    frame.set(tail, length - tail.length);
    return this.writeFrame(frame);
  }

  /** Appends a chunk that has its frame (`fits` must hold for its length) as `write` does; borrowed until that has settled. */
  writeFrame(frame: Uint8Array): { readonly ref: number; readonly settled: Promise<void> | undefined } {
    const sink = this.sink;
    invariant(sink !== undefined, 'a segment must be open before a chunk is written');
    const ref = this.done.length * TWO_32 + sink.position;
    if (frame.length > this.chunkBytesMax) this.chunkBytesMax = frame.length;
    return { ref, settled: sink.write(frame) };
  }

  /** Completes the open segment, durably, and lists all of them in order. */
  async finish(): Promise<readonly SegmentFacts[]> {
    await this.close();
    return this.done;
  }

  /** Closes the open file without finishing it. */
  async abandon(): Promise<void> {
    await this.sink?.file.close();
    this.sink = undefined;
  }

  private async close(): Promise<void> {
    const sink = this.sink;
    if (sink === undefined) return;
    this.sink = undefined;
    await sink.finish();
    this.done.push({ name: segmentName(this.done.length), bytes: sink.position });
  }
}
