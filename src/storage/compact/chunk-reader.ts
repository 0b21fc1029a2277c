// Reads the chunks of a block in about the order they lie in its segments. Every chunk is checked before it is handed on.

import { uint32At } from '../../codec/bytes.ts';
import type { TimeSpan } from '../../codec/chunk.ts';
import { crc32c } from '../../codec/hash.ts';
import { readChunk } from '../../codec/sample-chunks.ts';
import { DomainError } from '../../model/errors.ts';
import type { SampleColumns } from '../../model/samples.ts';
import {
  chunkSampleCount,
  encodingName,
  holdsHistograms,
  offsetOf,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_VERSION,
  segmentName,
  segmentOf,
} from '../block/chunk-segments.ts';
import { CorruptBlockError, type DamagePlace, placed } from '../block/corrupt-block.ts';
import type { BlockSources } from '../block/open-block.ts';
import { ReadAhead } from '../block/read-ahead.ts';

/** Least bytes of a chunk with its frame: length, encoding, count, checksum. */
const CHUNK_BYTES_MIN = 8;
const LENGTH_BYTES_MAX = 5;

/** How the segments are read. */
export interface ChunkReaderOptions {
  readonly pieceBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/** The chunks of a block; the one at hand is borrowed until the next `find`. */
export class ChunkReader {
  /** The chunk's frame is bytes [from, to), its encoding byte lies before its data [dataFrom, dataTo). */
  bytes: Uint8Array = new Uint8Array(0);
  from = 0;
  dataFrom = 0;
  dataTo = 0;
  to = 0;
  encoding = 0;
  samples = 0;
  hasHistograms = false;
  private readonly block: BlockSources;
  private readonly options: ChunkReaderOptions;
  private segment = -1;
  private stream: ReadAhead | undefined;

  constructor(block: BlockSources, options: ChunkReaderOptions) {
    this.block = block;
    this.options = options;
  }

  /** The chunk's data, borrowed. */
  get data(): Uint8Array {
    return this.bytes.subarray(this.dataFrom, this.dataTo);
  }

  /** Takes the chunk at a reference in hand; waits only to read. Errors: CorruptBlockError, those of the source. */
  find(ref: number): Promise<void> | undefined {
    const segment = segmentOf(ref);
    const { stream } = this;
    if (segment !== this.segment || stream === undefined) return this.open(segment, ref);
    const offset = offsetOf(ref);
    if (!stream.contains(offset, CHUNK_BYTES_MIN)) this.fail(ref, 'the index points to no chunk');
    if (!stream.has(offset, CHUNK_BYTES_MIN)) return this.load(stream, ref, CHUNK_BYTES_MIN);
    const from = offset - stream.start;
    const { bytes } = stream;
    let length = 0;
    let at = from;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      if (at - from === LENGTH_BYTES_MAX) this.fail(ref, 'a chunk length without an end');
    }
    const total = at - from + 1 + length + 4;
    if (!stream.contains(offset, total)) this.fail(ref, `a chunk of ${length} bytes`);
    if (!stream.has(offset, total)) return this.load(stream, ref, total);
    this.bytes = bytes;
    this.from = from;
    this.dataFrom = at + 1;
    this.dataTo = at + 1 + length;
    this.to = from + total;
    if (crc32c(bytes.subarray(at, this.dataTo)) !== uint32At(bytes, this.dataTo))
      this.fail(ref, 'the checksum does not match');
    this.encoding = bytes[at]!;
    this.count(ref);
    return undefined;
  }

  /**
   * Appends the samples of the chunk in hand within `span` to `target`. Errors: CorruptBlockError, also where times do not rise or
   * leave [min, max], which is what the index says; `execution` for an encoding that cannot be decoded.
   */
  decode(ref: number, span: TimeSpan & { min: number; max: number }, target: SampleColumns): void {
    const before = target.count;
    try {
      if (!readChunk({ encoding: this.encoding, bytes: this.data }, span, target))
        throw new DomainError(
          'execution',
          `cannot merge chunks of block ${this.block.meta.ulid}: ${encodingName(this.encoding)} cannot be decoded`,
        );
    } catch (error) {
      throw placed(error, this.place(ref));
    }
    let last = span.min - 1;
    for (let i = before; i < target.count; i++) {
      const time = target.timestamps[i]!;
      if (time <= last || time > span.max) this.fail(ref, `a sample at ${time} ms is out of place`);
      last = time;
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.stream?.close();
    this.stream = undefined;
  }

  private count(ref: number): void {
    try {
      const { encoding, data } = this;
      this.samples = chunkSampleCount(encoding, data);
      this.hasHistograms = holdsHistograms(encoding, data);
    } catch (error) {
      throw placed(error, this.place(ref));
    }
  }

  private async load(stream: ReadAhead, ref: number, bytes: number): Promise<void> {
    try {
      await stream.load(offsetOf(ref), bytes);
    } catch (error) {
      throw placed(error, this.place(ref));
    }
    await this.find(ref);
  }

  private async open(segment: number, ref: number): Promise<void> {
    await this.close();
    const source = this.block.segments[segment];
    if (source === undefined) this.fail(ref, 'there is no such segment');
    this.segment = segment;
    try {
      const head = await source.read(0, SEGMENT_HEADER_BYTES, this.options.signal);
      if (uint32At(head, 0) !== SEGMENT_MAGIC || head[4] !== SEGMENT_VERSION)
        this.fail(segment * 2 ** 32, 'this is no chunk segment of a known version');
    } catch (error) {
      throw placed(error, this.place(segment * 2 ** 32));
    }
    this.stream = new ReadAhead(source, { ...this.options, from: SEGMENT_HEADER_BYTES, to: source.size });
    await this.find(ref);
  }

  private fail(ref: number, reason: string): never {
    throw new CorruptBlockError(this.place(ref), reason);
  }

  private place(ref: number): DamagePlace {
    const file = `chunks/${segmentName(segmentOf(ref))}`;
    return { ulid: this.block.meta.ulid, file, offset: offsetOf(ref) };
  }
}
