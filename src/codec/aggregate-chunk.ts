// Aggregate chunks (encoding 255): what is left of the samples of each window of a downsampled series, as Thanos stores it
// (pkg/compact/downsample/aggr.go). Five parts, each a chunk of its own or nothing:
//
//   count │ sum │ min │ max │ counter          part: uvarint length of data; if it is not 0: encoding <1b> │ data
//
// A sample of a part stands at its window's last millisecond. `counter` begins with the first raw sample and ends with the last raw
// value at the time of the last window again, so that a reset between two chunks can be seen. Parts of native histograms are float
// histograms; they have neither min nor max, and their counter has no raw samples.

import { ByteReader, ByteWriter } from './bytes.ts';
import { CHUNK_FLOAT_HISTOGRAM, CHUNK_HISTOGRAM, type EncodedBytes } from './chunk.ts';

/** The parts' places in a chunk. */
export const AGGREGATE = { count: 0, sum: 1, min: 2, max: 3, counter: 4 } as const;

/** What a part tells of a window's samples. */
export type Aggregate = keyof typeof AGGREGATE;

/** What a query takes a downsampled series for: one of its parts, or sums divided by counts. */
export type AggregateView = Aggregate | 'average';

/** The parts of one chunk; absent where there is none. */
export type AggregateParts = { readonly [part in Aggregate]?: EncodedBytes | undefined };

const PARTS: readonly Aggregate[] = ['count', 'sum', 'min', 'max', 'counter'];
const WHAT = 'an aggregate chunk';

/** The chunk's bytes, owned by the caller. A part of no bytes counts as absent. */
export function encodeAggregates(parts: AggregateParts): Uint8Array {
  let size = 0;
  for (const name of PARTS) size += 10 + (parts[name]?.bytes.length ?? 0);
  const out = new ByteWriter(size);
  for (const name of PARTS) {
    const part = parts[name];
    const length = part?.bytes.length ?? 0;
    out.uvarint(length);
    if (part === undefined || length === 0) continue;
    out.u8(part.encoding);
    out.raw(part.bytes);
  }
  return out.copy();
}

/** All parts of a chunk; their bytes are borrowed from it. Error: `corrupt` where lengths and bytes do not fit. */
export function decodeAggregates(bytes: Uint8Array): AggregateParts {
  const cursor = new ByteReader(bytes, WHAT);
  const parts: { [part in Aggregate]?: EncodedBytes } = {};
  for (const name of PARTS) {
    const part = readPart(cursor);
    if (part !== undefined) parts[name] = part;
  }
  if (cursor.left > 0) cursor.fail(`${cursor.left} bytes behind the last part`);
  return parts;
}

/** One part of a chunk, borrowed; undefined when the chunk does not have it. Error: `corrupt`. */
export function aggregatePart(bytes: Uint8Array, aggregate: Aggregate): EncodedBytes | undefined {
  const cursor = new ByteReader(bytes, WHAT);
  for (let i = 0; i < AGGREGATE[aggregate]; i++) readPart(cursor);
  return readPart(cursor);
}

function readPart(cursor: ByteReader): EncodedBytes | undefined {
  const length = cursor.uvarint();
  if (length === 0) return undefined;
  return { encoding: cursor.u8(), bytes: cursor.raw(length) };
}

/** Windows a chunk tells of: the samples of its count. Error: `corrupt`. */
export function aggregateSampleCount(bytes: Uint8Array): number {
  const count = aggregatePart(bytes, 'count');
  return count === undefined || count.bytes.length < 2 ? 0 : (count.bytes[0]! << 8) | count.bytes[1]!;
}

/** Whether a chunk tells of native histograms: its counter holds some. Error: `corrupt`. */
export function isHistogramAggregate(bytes: Uint8Array): boolean {
  const encoding = aggregatePart(bytes, 'counter')?.encoding;
  return encoding === CHUNK_HISTOGRAM || encoding === CHUNK_FLOAT_HISTOGRAM;
}
