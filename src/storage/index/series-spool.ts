// Series of an index that wait on disk until its symbols are known: symbols stand before series in the file, but the last one is known
// only after the last series. A record is
//
//   bytes that follow <4b> │ labels <uvarint> │ per label the ids of its name and value <uvarint> │ chunk places, as in the index
//
// What comes behind the records (the postings offset table, which has to wait as well) is up to the writer of the index.

import { ByteReader, ByteWriter, putUint32 } from '../../codec/bytes.ts';
import { invariant } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { createFileSink, type FileSink } from './file-sink.ts';

/** Spool bytes read back at a time. */
const READ_BYTES = 1 << 20;

/** Where a series' chunks are: parallel arrays of `count` entries in time order; borrowed for the call. */
export interface ChunkRefs {
  count: number;
  readonly minTimes: Float64Array | number[];
  readonly maxTimes: Float64Array | number[];
  /** segment * 2^32 + offset. */
  readonly refs: Float64Array | number[];
}

/** Opens the spool of the index at `path`. */
export async function openSeriesSpool(disk: Disk, path: string): Promise<SeriesSpool> {
  const name = `${path}.spool`;
  return new SeriesSpool(disk, name, await createFileSink(disk, name));
}

/** Series on their way into an index. */
export class SeriesSpool {
  readonly sink: FileSink;
  seriesCount = 0;
  /** Labels of all series together. */
  labelCount = 0;
  private readonly disk: Disk;
  private readonly path: string;
  private readonly record = new ByteWriter(4096);
  private end = 0;
  private isRemoved = false;

  constructor(disk: Disk, path: string, sink: FileSink) {
    this.disk = disk;
    this.path = path;
    this.sink = sink;
  }

  /** Adds a series: ids of its `labelCount` names and values in turn, and its chunks in order. A write to wait for, if one began. */
  add(ids: ArrayLike<number>, labelCount: number, chunks: ChunkRefs): Promise<void> | undefined {
    const { record } = this;
    record.clear();
    record.u32be(0);
    record.uvarint(labelCount);
    for (let i = 0; i < 2 * labelCount; i++) record.uvarint(ids[i]!);
    encodeChunkRefs(chunks, record);
    putUint32(record.bytes, 0, record.length - 4);
    this.seriesCount++;
    this.labelCount += labelCount;
    this.end += record.length;
    return this.sink.write(record.written());
  }

  /** The records, whole ones, a piece at a time. The readers are borrowed until the next piece. */
  async *records(): AsyncGenerator<ByteReader> {
    await this.sink.flush();
    let want = READ_BYTES;
    for (let at = 0; at < this.end; ) {
      const bytes = await this.sink.file.read(at, Math.min(want, this.end - at));
      const cursor = new ByteReader(bytes, 'the index spool');
      cursor.end = wholeRecords(bytes);
      if (cursor.end === 0) {
        want *= 2;
        invariant(bytes.length < this.end - at, 'the spool ends inside a record');
        continue;
      }
      at += cursor.end;
      yield cursor;
    }
  }

  /** Closes and removes the file, once. */
  async remove(): Promise<void> {
    if (this.isRemoved) return;
    this.isRemoved = true;
    await this.sink.file.close();
    await this.disk.remove(this.path);
  }
}

// Where the last whole record ends.
function wholeRecords(bytes: Uint8Array): number {
  const cursor = new ByteReader(bytes, 'the index spool');
  let whole = 0;
  while (bytes.length - whole >= 4) {
    cursor.position = whole;
    const next = whole + 4 + cursor.u32be();
    if (next > bytes.length) break;
    whole = next;
  }
  return whole;
}

// A series' chunk metas as an index entry holds them: delta-coded times and references.
function encodeChunkRefs(chunks: ChunkRefs, target: ByteWriter): void {
  const { count, minTimes, maxTimes, refs } = chunks;
  target.uvarint(count);
  for (let i = 0; i < count; i++) {
    const min = minTimes[i]!;
    const max = maxTimes[i]!;
    if (max < min) invariant(false, `a chunk's last time ${max} must not be before its first ${min}`);
    if (i === 0) {
      target.varint(min);
      target.uvarint(max - min);
      target.uvarint(refs[0]!);
    } else {
      const before = maxTimes[i - 1]!;
      if (min <= before)
        invariant(false, `a chunk must start after the one before ends: ${min} ms, ${before} ms`);
      target.uvarint(min - before);
      target.uvarint(max - min);
      target.varint(refs[i]! - refs[i - 1]!);
    }
  }
}
