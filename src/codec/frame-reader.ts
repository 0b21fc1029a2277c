// Decodes WAL frames (docs/formats/frame.md) into columns. Everything read is checked against the bytes that are there.

import { DomainError } from '../model/errors.ts';
import { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import { ByteReader } from './bytes.ts';
import {
  type DecodedFrame,
  FRAME_MAGIC,
  FRAME_VERSION,
  type FrameDefinition,
  type FrameExemplar,
  type FrameHeader,
  type FrameHistograms,
  type FrameMetadata,
  METRIC_TYPES,
  SECTION,
  WRITER_ID_BYTES,
} from './frame.ts';
import { crc32c } from './hash.ts';
import { readHistogram } from './histogram-bytes.ts';

interface Columns {
  readonly count: number;
  readonly refs: Uint32Array;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly bits: Uint32Array;
}

interface Content extends Columns {
  symbols: readonly string[];
  definitions: readonly FrameDefinition[];
  startTimestamps: Float64Array | undefined;
  histograms: FrameHistograms | undefined;
  exemplars: readonly FrameExemplar[];
  metadata: readonly FrameMetadata[];
}

/** Decodes one frame. Nothing of the result views `bytes`. Error: `corrupt`, naming the place. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  const reader = new ByteReader(bytes, 'WAL frame');
  const version = readVersion(reader);
  const end = bytes.length - 4;
  if (end < reader.position) throw reader.error('no room for the checksum');
  const stored = reader.view.getUint32(end, true);
  const computed = crc32c(bytes.subarray(0, end));
  if (stored !== computed) {
    throw new DomainError('corrupt', `cannot read WAL frame: checksum ${computed}, stored ${stored}`);
  }
  reader.end = end;
  const header = readHeader(reader);
  return { version, ...header, ...readSections(reader) };
}

function readVersion(reader: ByteReader): number {
  if (reader.u32() !== FRAME_MAGIC) throw reader.error('it does not begin with "SKWF"');
  const version = reader.u8();
  const readableFrom = reader.u8();
  if (version === 0 || readableFrom > FRAME_VERSION) {
    throw reader.error(
      `version ${version} needs a reader of version ${readableFrom}, this is ${FRAME_VERSION}`,
    );
  }
  return version;
}

function readHeader(reader: ByteReader): FrameHeader {
  const writer = reader.raw(WRITER_ID_BYTES).slice();
  const epoch = reader.uvarint();
  const epochFirst = reader.uvarint();
  const counter = reader.uvarint();
  const settled = reader.uvarint();
  const epochBegun = reader.uvarint();
  const tenant = reader.text();
  if (counter < 1 || epochFirst > counter || settled >= counter) {
    throw reader.error(`counter ${counter} with epoch from ${epochFirst} and settled ${settled}`);
  }
  return { writer, tenant, epoch, epochFirst, counter, settled, epochBegun };
}

function readSections(reader: ByteReader): Omit<Content, 'symbols'> {
  const content: Content = {
    symbols: [],
    definitions: [],
    ...emptyColumns(0),
    startTimestamps: undefined,
    histograms: undefined,
    exemplars: [],
    metadata: [],
  };
  const end = reader.end;
  let last = 0;
  while (reader.position < end) {
    const kind = reader.u8();
    if (kind <= last) throw reader.error(`section ${kind} after section ${last}`);
    last = kind;
    const length = reader.uvarint();
    const start = reader.skip(length);
    reader.position = start;
    reader.end = start + length;
    readSection(kind, reader, content);
    reader.position = start + length;
    reader.end = end;
  }
  const { symbols: _, ...rest } = content;
  return rest;
}

// What follows the known fields of a section belongs to a newer version and is left alone.
function readSection(kind: number, reader: ByteReader, content: Content): void {
  switch (kind) {
    case SECTION.symbols:
      content.symbols = readSymbols(reader);
      return;
    case SECTION.definitions:
      content.definitions = readDefinitions(reader, content.symbols);
      return;
    case SECTION.samples:
      Object.assign(content, readSamples(reader));
      return;
    case SECTION.startTimestamps:
      content.startTimestamps = readStartTimestamps(reader, content);
      return;
    case SECTION.exemplars:
      content.exemplars = readExemplars(reader, content.symbols);
      return;
    case SECTION.metadata:
      content.metadata = readMetadata(reader, content.symbols);
      return;
    case SECTION.histograms:
      content.histograms = readHistograms(reader);
      return;
  }
}

function readSymbols(reader: ByteReader): string[] {
  const symbols: string[] = [];
  for (let count = reader.count(1); count > 0; count--) symbols.push(reader.text());
  return symbols;
}

function readSymbol(reader: ByteReader, symbols: readonly string[]): string {
  const index = reader.uvarint();
  const symbol = symbols[index];
  if (symbol === undefined) throw reader.error(`symbol ${index} of ${symbols.length}`);
  return symbol;
}

function readLabels(reader: ByteReader, symbols: readonly string[]): Labels {
  const labels: string[] = [];
  for (let count = reader.count(2) * 2; count > 0; count--) labels.push(readSymbol(reader, symbols));
  return labels;
}

function readDefinitions(reader: ByteReader, symbols: readonly string[]): FrameDefinition[] {
  const definitions: FrameDefinition[] = [];
  let next = 0;
  for (let count = reader.count(2); count > 0; count--) {
    const ref = checkedRef(reader, next + reader.varint());
    definitions.push({ ref, labels: readLabels(reader, symbols) });
    next = ref + 1;
  }
  return definitions;
}

function checkedRef(reader: ByteReader, ref: number): number {
  if (!(ref >= 0 && ref <= 0xffffffff)) throw reader.error(`ref ${ref}`);
  return ref;
}

function emptyColumns(count: number): Columns {
  const values = new Float64Array(count);
  return {
    count,
    refs: new Uint32Array(count),
    timestamps: new Float64Array(count),
    values,
    bits: new Uint32Array(values.buffer),
  };
}

function readSamples(reader: ByteReader): Columns {
  const columns = emptyColumns(reader.count(8));
  readRefs(reader, columns.refs);
  readTimestamps(reader, columns.timestamps);
  new Uint8Array(columns.values.buffer).set(reader.raw(columns.count * 8));
  return columns;
}

function readRunLength(reader: ByteReader, left: number): number {
  const length = reader.uvarint() + 1;
  if (length > left) throw reader.error(`a run of ${length} with ${left} samples left`);
  return length;
}

function readRefs(reader: ByteReader, refs: Uint32Array): void {
  let next = 0;
  for (let i = 0; i < refs.length; ) {
    let ref = checkedRef(reader, next + reader.varint());
    const end = i + readRunLength(reader, refs.length - i);
    checkedRef(reader, ref + end - i - 1);
    while (i < end) refs[i++] = ref++;
    next = ref;
  }
}

function readTimestamps(reader: ByteReader, timestamps: Float64Array): void {
  let timestamp = 0;
  for (let i = 0; i < timestamps.length; ) {
    timestamp += reader.varint();
    const end = i + readRunLength(reader, timestamps.length - i);
    timestamps.fill(timestamp, i, end);
    i = end;
  }
}

function readStartTimestamps(
  reader: ByteReader,
  { timestamps }: { readonly timestamps: Float64Array },
): Float64Array {
  const starts = new Float64Array(timestamps.length);
  for (let i = 0; i < starts.length; i++) {
    const coded = reader.uvarint();
    if (coded === 0) continue;
    const distance = coded % 2 === 1 ? (coded - 1) / 2 : -coded / 2;
    starts[i] = timestamps[i]! - distance;
  }
  return starts;
}

function readHistograms(reader: ByteReader): FrameHistograms {
  const count = reader.count(2);
  const refs = new Uint32Array(count);
  const timestamps = new Float64Array(count);
  readRefs(reader, refs);
  readTimestamps(reader, timestamps);
  const startTimestamps = readStartTimestamps(reader, { timestamps });
  const columns = new HistogramColumns(Math.max(1, count));
  for (let row = 0; row < count; row++) readHistogram(reader, columns, row - 1);
  return { columns, refs, timestamps, startTimestamps };
}

function readExemplars(reader: ByteReader, symbols: readonly string[]): FrameExemplar[] {
  const exemplars: FrameExemplar[] = [];
  for (let count = reader.count(11); count > 0; count--) {
    const ref = checkedRef(reader, reader.uvarint());
    const timestamp = reader.varint();
    const value = reader.f64();
    exemplars.push({ ref, timestamp, value, labels: readLabels(reader, symbols) });
  }
  return exemplars;
}

function readMetadata(reader: ByteReader, symbols: readonly string[]): FrameMetadata[] {
  const metadata: FrameMetadata[] = [];
  for (let count = reader.count(4); count > 0; count--) {
    const family = readSymbol(reader, symbols);
    const type = METRIC_TYPES[reader.u8()] ?? 'unknown';
    const help = readSymbol(reader, symbols);
    metadata.push({ family, type, help, unit: readSymbol(reader, symbols) });
  }
  return metadata;
}
