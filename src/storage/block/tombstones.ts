// The tombstones file of a block (tsdb/docs/format/tombstones.md; the writer of 3.14 is the authority): magic, version, then
// per deleted interval series reference, first and last time, at the end a CRC32C of everything after the version byte.

import { ByteReader, ByteWriter, uint32At } from '../../codec/bytes.ts';
import { crc32c } from '../../codec/hash.ts';
import { DomainError } from '../../model/errors.ts';
import type { SampleColumns } from '../../model/samples.ts';

/** Name of the file in a block's folder. */
export const TOMBSTONES_FILE = 'tombstones';
const MAGIC = 0x0130ba30;
const VERSION = 1;
const HEADER_BYTES = 5;

/** A deleted time range of a series, both ends included, ms. */
export interface DeletedInterval {
  readonly minTime: number;
  readonly maxTime: number;
}

/** Deleted intervals by series reference, each list sorted and without overlaps. */
export type Tombstones = ReadonlyMap<number, readonly DeletedInterval[]>;

/** No deletions. */
export const NO_TOMBSTONES: Tombstones = new Map();

/** The bytes of a tombstones file; of an empty map the nine bytes Prometheus writes beside every new block. */
export function encodeTombstones(tombstones: Tombstones): Uint8Array {
  const out = new ByteWriter(64);
  out.u32be(MAGIC);
  out.u8(VERSION);
  for (const [ref, intervals] of tombstones) {
    for (const interval of intervals) {
      out.uvarint(ref);
      out.varint(interval.minTime);
      out.varint(interval.maxTime);
    }
  }
  out.u32be(crc32c(out.written().subarray(HEADER_BYTES)));
  return out.written();
}

/** Reads a tombstones file; `corrupt` when it does not check. */
export function decodeTombstones(bytes: Uint8Array, what = 'a tombstones file'): Tombstones {
  const cursor = new ByteReader(bytes, what);
  if (bytes.length < HEADER_BYTES + 4) cursor.fail(`${bytes.length} bytes are too few`);
  cursor.end = bytes.length - 4;
  if (cursor.u32be() !== MAGIC) cursor.fail('the magic number is wrong');
  const version = cursor.u8();
  if (version !== VERSION) cursor.fail(`version ${version} is not known`);
  if (crc32c(bytes.subarray(HEADER_BYTES, cursor.end)) !== uint32At(bytes, cursor.end))
    throw new DomainError('corrupt', `cannot read ${what}: its checksum does not match`);
  const out = new Map<number, DeletedInterval[]>();
  while (cursor.position < cursor.end) {
    const ref = cursor.uvarint();
    const interval = { minTime: clampedVarint(cursor), maxTime: clampedVarint(cursor) };
    const list = out.get(ref);
    if (list === undefined) out.set(ref, [interval]);
    else list.push(interval);
  }
  for (const [ref, list] of out) out.set(ref, mergeIntervals(list));
  return out;
}

/** Removes the samples from index `from` on that lie in a deleted interval, in place. */
export function dropDeleted(
  target: SampleColumns,
  from: number,
  intervals: readonly DeletedInterval[],
): void {
  const { timestamps, bits, starts, histograms, rows } = target;
  let kept = from;
  let next = 0;
  for (let i = from; i < target.count; i++) {
    const time = timestamps[i]!;
    while (next < intervals.length && intervals[next]!.maxTime < time) next++;
    if (next < intervals.length && intervals[next]!.minTime <= time) continue;
    timestamps[kept] = time;
    bits[2 * kept] = bits[2 * i]!;
    bits[2 * kept + 1] = bits[2 * i + 1]!;
    if (starts !== undefined) starts[kept] = starts[i]!;
    if (histograms !== undefined) rows[kept] = rows[i]!;
    kept++;
  }
  if (histograms !== undefined) rows.fill(-1, kept, target.count);
  target.count = kept;
}

// Prometheus marks "from the beginning" and "to the end" with int64's limits, which a double cannot hold exactly.
function clampedVarint(cursor: ByteReader): number {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = cursor.u8();
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
    if (shift > 56n) cursor.fail('an overlong varint');
  }
  const signed = Number(value >> 1n) * (value & 1n ? -1 : 1) - (value & 1n ? 1 : 0);
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, signed));
}

function mergeIntervals(list: readonly DeletedInterval[]): DeletedInterval[] {
  const sorted = list.toSorted((a, b) => a.minTime - b.minTime);
  const out: DeletedInterval[] = [];
  for (const interval of sorted) {
    const last = out.at(-1);
    if (last !== undefined && interval.minTime <= last.maxTime + 1)
      out[out.length - 1] = {
        minTime: last.minTime,
        maxTime: Math.max(last.maxTime, interval.maxTime),
      };
    else out.push(interval);
  }
  return out;
}
