// Bytes of the local log: segment header, records, bounds file (docs/formats/wal-record.md). Everything is little-endian.
//
//   segment  ┌ header 32 ┐┌ record ┐┌ record ┐ …      header  magic 4 │ version 4 │ first 8 │ created 8 │ 0 4 │ CRC 4
//   record   CRC 4 │ length 4 │ sequence 8 │ position 4 │ payload
//
// A record's CRC starts from its segment's header CRC, so that no bytes of another segment, and none that a sender could have
// made up, pass for a record. `position` is the record's place in its group commit: everything before the group was durable
// when the record was written, which tells a torn last write from damage to what was acknowledged.

import { crc32c } from '../../codec/hash.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import type { LogMessage } from '../durable-log.ts';

/** Bytes of a segment's header. */
export const segmentHeaderBytes = 32;
/** Bytes of a record besides its payload. */
export const recordHeaderBytes = 20;
/** A length above this is damage, whatever else the record says. */
export const recordPayloadBytesMax: number = 64 * 1024 * 1024;

const segmentMagic = 0x4c574b53; // "SKWL"
const boundsMagic = 0x42574b53; // "SKWB"
const formatVersion = 1;
const boundsBytes = 32;
const high = 0x1_0000_0000;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function setInteger(view: DataView, offset: number, value: number): void {
  invariant(Number.isSafeInteger(value) && value >= 0, `${value} does not fit a log field`);
  view.setUint32(offset, value % high, true);
  view.setUint32(offset + 4, Math.floor(value / high), true);
}

function getInteger(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * high;
}

/** What a segment's header says; `seed` starts the CRC of each of its records. */
export interface SegmentHeader {
  readonly first: number;
  readonly createdMs: number;
  readonly seed: number;
}

/** A header of the segment whose first record has sequence `first`. */
export function encodeSegmentHeader(first: number, createdMs: number): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const view = viewOf(bytes);
  view.setUint32(0, segmentMagic, true);
  view.setUint32(4, formatVersion, true);
  setInteger(view, 8, first);
  setInteger(view, 16, Math.max(0, Math.floor(createdMs)));
  view.setUint32(28, crc32c(bytes.subarray(0, 28)), true);
  return bytes;
}

/** Reads a header; `corrupt` names `file` when the bytes do not check. */
export function decodeSegmentHeader(bytes: Uint8Array, file: string): SegmentHeader {
  const seed = checkBlock(bytes, segmentHeaderBytes, segmentMagic, file);
  const view = viewOf(bytes);
  return { first: getInteger(view, 8), createdMs: getInteger(view, 16), seed };
}

/** What the bounds file says: the first sequence kept, and one up to which the log was durable when it was written. */
export interface StoredBounds {
  readonly first: number;
  readonly durable: number;
}

/** Bytes of the bounds file. */
export function encodeBounds(bounds: StoredBounds): Uint8Array {
  const bytes = new Uint8Array(boundsBytes);
  const view = viewOf(bytes);
  view.setUint32(0, boundsMagic, true);
  view.setUint32(4, formatVersion, true);
  setInteger(view, 8, bounds.first);
  setInteger(view, 16, bounds.durable);
  view.setUint32(28, crc32c(bytes.subarray(0, 28)), true);
  return bytes;
}

/** Reads a bounds file; `corrupt` names `file`. */
export function decodeBounds(bytes: Uint8Array, file: string): StoredBounds {
  checkBlock(bytes, boundsBytes, boundsMagic, file);
  const view = viewOf(bytes);
  return { first: getInteger(view, 8), durable: getInteger(view, 16) };
}

// Magic, version and CRC of a 32-byte block; returns the CRC.
function checkBlock(bytes: Uint8Array, length: number, magic: number, file: string): number {
  const bad = (reason: string): DomainError => new DomainError('corrupt', `cannot use ${file}: ${reason}`);
  if (bytes.length < length) throw bad(`it has ${bytes.length} bytes, at least ${length} are needed`);
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== magic) throw bad('it does not start with the magic number of its kind');
  const sum = view.getUint32(28, true);
  if (crc32c(bytes.subarray(0, 28)) !== sum) throw bad('the checksum of its header is wrong');
  const version = view.getUint32(4, true);
  if (version !== formatVersion)
    throw bad(`it has format version ${version}, this program knows version ${formatVersion}`);
  return sum;
}

/** Records as written by one group commit; record i lies in `bytes` from `offsets[i]` up to `offsets[i + 1]`. */
export interface RecordBatch {
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
}

/** Encodes payloads as consecutive records from sequence `first` on. Copies them. */
export function encodeBatch(payloads: readonly Uint8Array[], first: number, seed: number): RecordBatch {
  const offsets = new Uint32Array(payloads.length + 1);
  for (const [i, payload] of payloads.entries())
    offsets[i + 1] = offsets[i]! + recordHeaderBytes + payload.length;
  // Not pooled (readers keep parts of it), not zeroed (every byte is set below).
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(offsets[payloads.length]!).buffer);
  const view = viewOf(bytes);
  for (const [i, payload] of payloads.entries()) {
    const start = offsets[i]!;
    view.setUint32(start + 4, payload.length, true);
    setInteger(view, start + 8, first + i);
    view.setUint32(start + 16, i, true);
    bytes.set(payload, start + recordHeaderBytes);
    view.setUint32(start, crc32c(bytes.subarray(start + 4, offsets[i + 1]), seed), true);
  }
  return { first, count: payloads.length, bytes, offsets };
}

/** The messages of a batch from `index` on. */
export function messagesOf(batch: RecordBatch, index: number): LogMessage[] {
  const out: LogMessage[] = [];
  for (let i = index; i < batch.count; i++)
    out.push({
      sequence: batch.first + i,
      payload: batch.bytes.subarray(batch.offsets[i]! + recordHeaderBytes, batch.offsets[i + 1]),
    });
  return out;
}

/** Why parsing stopped before the end of the bytes. */
export interface Damage {
  /** Offset of the bad record within the parsed bytes. */
  readonly offset: number;
  readonly reason: string;
}

/** What `parseRecords` found. */
export interface ParsedRecords {
  /** Whole, checked records; payloads are views of the parsed bytes. */
  readonly messages: readonly LogMessage[];
  /** Offset after the last whole record. */
  readonly end: number;
  /** Bytes the record at `end` needs in all, when the bytes merely end too early; 0 when they end with a record. */
  readonly missing: number;
  readonly damage: Damage | undefined;
}

/** Parses consecutive records whose first has sequence `sequence`. Never reads past `bytes`. */
export function parseRecords(bytes: Uint8Array, sequence: number, seed: number): ParsedRecords {
  const view = viewOf(bytes);
  const messages: LogMessage[] = [];
  let at = 0;
  let expected = sequence;
  const stop = (missing: number, reason?: string): ParsedRecords => ({
    messages,
    end: at,
    missing,
    damage: reason === undefined ? undefined : { offset: at, reason },
  });
  while (at < bytes.length) {
    if (bytes.length - at < recordHeaderBytes) return stop(recordHeaderBytes);
    const length = view.getUint32(at + 4, true);
    const found = getInteger(view, at + 8);
    if (length > recordPayloadBytesMax) return stop(0, `its length ${length} is impossible`);
    if (found !== expected) return stop(0, `it says it is record ${found}`);
    const end = at + recordHeaderBytes + length;
    if (end > bytes.length) return stop(recordHeaderBytes + length);
    if (crc32c(bytes.subarray(at + 4, end), seed) !== view.getUint32(at, true))
      return stop(0, 'its checksum is wrong');
    messages.push({ sequence: found, payload: bytes.subarray(at + recordHeaderBytes, end) });
    expected++;
    at = end;
  }
  return stop(0);
}

/**
 * Whether `bytes`, which start at a damaged record of sequence `sequence`, hold proof that this record had been durable: a
 * whole record further on whose group commit began after it. Without proof the damage is the torn end of the last write.
 */
export function provesDurable(bytes: Uint8Array, sequence: number, seed: number): boolean {
  const view = viewOf(bytes);
  const last = sequence + Math.ceil(bytes.length / recordHeaderBytes);
  for (let at = 1; at + recordHeaderBytes <= bytes.length; at++) {
    const found = getInteger(view, at + 8);
    if (found <= sequence || found > last) continue;
    const end = at + recordHeaderBytes + view.getUint32(at + 4, true);
    if (end > bytes.length) continue;
    if (found - view.getUint32(at + 16, true) <= sequence) continue;
    if (crc32c(bytes.subarray(at + 4, end), seed) === view.getUint32(at, true)) return true;
  }
  return false;
}
