// Goes over the series of an index from front to back. Labels are rows of the merged symbol table (symbol-merge.ts), whose order is
// that of texts, so that series of different indexes are compared as numbers.

import { ByteReader, uint32At } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import { CorruptBlockError, type DamagePlace, placed } from '../block/corrupt-block.ts';
import type { ReadAhead } from '../block/read-ahead.ts';
import { SERIES_ALIGN } from '../index/index-sections.ts';

const LENGTH_BYTES_MAX = 8;
const CHECKSUM_BYTES = 4;

/** The series section of an index. */
export interface SeriesSection {
  readonly ulid: string;
  /** Over the section, from its first byte to its last. */
  readonly stream: ReadAhead;
  /** By symbol number: its row in the merged table. */
  readonly rowsOf: Uint32Array;
}

/** The series of one index, one after the other. What it holds is borrowed until the next `next`. */
export class SeriesCursor {
  /** Rows of names and values in turn; the first 2 * labelCount count. */
  labels: Uint32Array = new Uint32Array(64);
  labelCount = 0;
  /** Reference of the series at hand. */
  ref = 0;
  /** Parallel columns of `chunkCount` chunks: first and last time, ms, and place. */
  minTimes: Float64Array = new Float64Array(64);
  maxTimes: Float64Array = new Float64Array(64);
  chunkRefs: Float64Array = new Float64Array(64);
  chunkCount = 0;
  private readonly section: SeriesSection;
  private before: Uint32Array = new Uint32Array(64);
  private beforeCount = -1;
  private reader: ByteReader = new ByteReader(new Uint8Array(0), 'a series');
  private position: number;

  constructor(section: SeriesSection) {
    this.section = section;
    this.position = section.stream.start;
  }

  /** Goes to the next series; false behind the last one. Errors: CorruptBlockError, those of the source. */
  next(): boolean | Promise<boolean> {
    const { stream } = this.section;
    const at = Math.ceil(this.position / SERIES_ALIGN) * SERIES_ALIGN;
    if (at >= stream.end) return false;
    const ahead = Math.min(LENGTH_BYTES_MAX, stream.end - at);
    if (!stream.has(at, ahead)) return this.loadNext(at, ahead);
    try {
      const bytes = this.entryBytes(at);
      if (!stream.has(at, bytes)) return this.loadNext(at, bytes);
      this.ref = at / SERIES_ALIGN;
      this.position = at + bytes;
      this.decode();
    } catch (error) {
      throw placed(error, this.place(at));
    }
    return true;
  }

  /** Negative, 0 or positive as the labels at hand come before, with or after those of `other`. */
  compare(other: SeriesCursor): number {
    return compareRows(this.labels, this.labelCount, other.labels, other.labelCount);
  }

  private async loadNext(at: number, bytes: number): Promise<boolean> {
    try {
      await this.section.stream.load(at, bytes);
    } catch (error) {
      throw placed(error, this.place(at));
    }
    return this.next();
  }

  // Bytes of the entry with its length and checksum; leaves the reader behind the length.
  private entryBytes(at: number): number {
    const { stream } = this.section;
    if (this.reader.bytes !== stream.bytes) this.reader = new ByteReader(stream.bytes, 'a series');
    const { reader } = this;
    const from = at - stream.start;
    reader.position = from;
    reader.end = reader.bytes.length;
    const length = reader.uvarint();
    const bytes = reader.position - from + length + CHECKSUM_BYTES;
    if (!stream.contains(at, bytes)) reader.fail(`a series of ${length} bytes`);
    reader.end = reader.position + length;
    return bytes;
  }

  private decode(): void {
    const { reader, section } = this;
    const { bytes, position, end } = reader;
    if (crc32c(bytes.subarray(position, end)) !== uint32At(bytes, end))
      throw new CorruptBlockError(this.place(this.ref * SERIES_ALIGN), 'the checksum does not match');
    [this.labels, this.before] = [this.before, this.labels];
    const labelCount = reader.count(2);
    if (2 * labelCount > this.labels.length) this.labels = new Uint32Array(4 * labelCount);
    const { labels } = this;
    const { rowsOf } = section;
    for (let i = 0; i < 2 * labelCount; i++) {
      const symbol = reader.uvarint();
      if (symbol >= rowsOf.length) reader.fail(`symbol ${symbol} of ${rowsOf.length}`);
      labels[i] = rowsOf[symbol]!;
      if (i > 1 && i % 2 === 0 && labels[i]! <= labels[i - 2]!) reader.fail('labels that are not in order');
    }
    this.labelCount = labelCount;
    if (this.beforeCount >= 0 && compareRows(labels, labelCount, this.before, this.beforeCount) <= 0)
      reader.fail('a series that is not in order');
    this.beforeCount = labelCount;
    this.decodeChunks();
  }

  private decodeChunks(): void {
    const { reader } = this;
    const count = reader.count(3);
    if (count > this.minTimes.length) this.grow(count);
    const { minTimes, maxTimes, chunkRefs } = this;
    let max = 0;
    let ref = 0;
    for (let i = 0; i < count; i++) {
      const min = i === 0 ? reader.varint() : max + reader.uvarint();
      max = min + reader.uvarint();
      ref = i === 0 ? reader.uvarint() : ref + reader.varint();
      minTimes[i] = min;
      maxTimes[i] = max;
      chunkRefs[i] = ref;
    }
    this.chunkCount = count;
  }

  private grow(count: number): void {
    this.minTimes = new Float64Array(2 * count);
    this.maxTimes = new Float64Array(2 * count);
    this.chunkRefs = new Float64Array(2 * count);
  }

  private place(offset: number): DamagePlace {
    return { ulid: this.section.ulid, file: 'index', offset };
  }
}

function compareRows(a: Uint32Array, aLabels: number, b: Uint32Array, bLabels: number): number {
  const length = 2 * Math.min(aLabels, bLabels);
  for (let i = 0; i < length; i++) {
    const order = a[i]! - b[i]!;
    if (order !== 0) return order;
  }
  return aLabels - bLabels;
}
