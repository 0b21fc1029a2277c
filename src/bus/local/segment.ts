// One segment file of the local log: making it, reading runs of records out of it, checking it when a log is opened.

import { DomainError, invariant } from '../../model/errors.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import type { LogMessage } from '../durable-log.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  parseRecords,
  provesDurable,
  recordHeaderBytes,
  segmentHeaderBytes,
} from './wal-record.ts';

/** Bytes read at once. */
const readBytes = 1024 * 1024;
/** Distance of two known positions in a segment. */
const indexStepBytes = 64 * 1024;

/** A segment as the log knows it. */
export interface Segment {
  readonly name: string;
  /** Sequence of its first record (which may not be there yet). */
  readonly first: number;
  /** Start of its records' checksums. */
  readonly seed: number;
  /** Bytes up to the end of its last durable record. */
  end: number;
  /** Some records' positions, in order: where to start looking for a sequence. */
  readonly index: { readonly sequence: number; readonly offset: number }[];
}

/** File name of the segment that begins with `first`. */
export function segmentName(first: number): string {
  return `${String(first).padStart(20, '0')}.wal`;
}

/** The first sequence a file name tells, or undefined for other files. */
export function segmentFirst(name: string): number | undefined {
  const digits = /^(\d{20})\.wal$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Makes an empty segment; durable when it resolves. */
export async function createSegment(disk: Disk, first: number, createdMs: number): Promise<Segment> {
  const name = segmentName(first);
  const header = encodeSegmentHeader(first, createdMs);
  await disk.writeFile(name, header);
  const { seed } = decodeSegmentHeader(header, name);
  return { name, first, seed, end: segmentHeaderBytes, index: [] };
}

/** A segment that is on disk with `bytes` bytes; its header is checked, its records are not. */
export async function openSegment(disk: Disk, name: string, bytes: number): Promise<Segment> {
  const file = await disk.open(name, 'read');
  try {
    const header = decodeSegmentHeader(await file.read(0, segmentHeaderBytes), disk.describe(name));
    if (header.first !== segmentFirst(name))
      throw new DomainError(
        'corrupt',
        `cannot use ${disk.describe(name)}: it is the segment of record ${header.first}, not the one its name tells`,
      );
    return { name, first: header.first, seed: header.seed, end: bytes, index: [] };
  } finally {
    await file.close();
  }
}

/** Remembers where a record lies, if nothing near is known; call in order of offsets. */
export function noteRecord(segment: Segment, sequence: number, offset: number): void {
  const known = segment.index.at(-1)?.offset ?? segmentHeaderBytes;
  if (offset >= known + indexStepBytes) segment.index.push({ sequence, offset });
}

/** A known record at or before `sequence`. */
export function nearestRecord(segment: Segment, sequence: number): { sequence: number; offset: number } {
  let low = 0;
  let high = segment.index.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segment.index[middle]!.sequence <= sequence) low = middle + 1;
    else high = middle;
  }
  const found = segment.index[low - 1];
  return found ? { ...found } : { sequence: segment.first, offset: segmentHeaderBytes };
}

/** A run of records read with one access to the disk, and where the next one starts. */
export interface RecordRun {
  readonly messages: readonly LogMessage[];
  readonly sequence: number;
  readonly offset: number;
  /** What is wrong with the record at `offset`. */
  readonly damage: string | undefined;
}

/** Reads records from `start` on, about 1 MB of them and at least one, none beyond `end`. */
export async function readRun(
  file: DiskFile,
  segment: Segment,
  start: { sequence: number; offset: number },
  end: number,
): Promise<RecordRun> {
  const available = end - start.offset;
  let bytes = await file.read(start.offset, Math.min(readBytes, available));
  let parsed = parseRecords(bytes, start.sequence, segment.seed);
  // one record larger than a read; its header may be all that is known yet
  while (parsed.end === 0 && bytes.length < Math.min(parsed.missing, available)) {
    const wanted = Math.min(parsed.missing, available);
    bytes = await file.read(start.offset, wanted);
    if (bytes.length < wanted) break;
    parsed = parseRecords(bytes, start.sequence, segment.seed);
  }
  const next = { sequence: start.sequence + parsed.messages.length, offset: start.offset + parsed.end };
  noteRecord(segment, start.sequence, start.offset);
  let damage = parsed.damage?.reason;
  if (parsed.messages.length === 0 && damage === undefined && available > 0)
    damage = `it needs ${parsed.missing} bytes, the file has ${Math.min(bytes.length, available)}`;
  return { messages: parsed.messages, ...next, damage };
}

/** What checking a segment found: records up to `end` are whole; what follows is `damage`. */
export interface SegmentCheck {
  readonly end: number;
  /** Sequence of the last whole record; first - 1 when there is none. */
  readonly last: number;
  readonly damage: string | undefined;
}

/** Reads all records of a segment up to the file's end `bytes`. Fills its index. */
export async function checkSegment(file: DiskFile, segment: Segment, bytes: number): Promise<SegmentCheck> {
  let at = { sequence: segment.first, offset: segmentHeaderBytes };
  while (at.offset < bytes) {
    const run = await readRun(file, segment, at, bytes);
    at = { sequence: run.sequence, offset: run.offset };
    if (run.damage !== undefined) return { end: at.offset, last: at.sequence - 1, damage: run.damage };
  }
  return { end: at.offset, last: at.sequence - 1, damage: undefined };
}

/** Whether the damage `check` found hit records that had been acknowledged, rather than the torn end of the last write. */
export async function isAcknowledgedDamage(
  file: DiskFile,
  segment: Segment,
  check: SegmentCheck,
  bytes: number,
): Promise<boolean> {
  const rest = await file.read(check.end, bytes - check.end);
  return provesDurable(rest, check.last + 1, segment.seed);
}

/** Offset of `sequence` in a segment that holds it (or ends right before it). */
export async function offsetOf(disk: Disk, segment: Segment, sequence: number): Promise<number> {
  const file = await disk.open(segment.name, 'read');
  try {
    const { end } = segment;
    let at = nearestRecord(segment, sequence);
    while (at.sequence < sequence && at.offset < end) {
      const run = await readRun(file, segment, at, end);
      if (run.damage !== undefined && run.messages.length === 0)
        throw damaged(disk, segment, run, run.damage);
      for (const message of run.messages) {
        if (message.sequence === sequence) break;
        at = {
          sequence: message.sequence + 1,
          offset: at.offset + recordHeaderBytes + message.payload.length,
        };
      }
    }
    invariant(at.sequence === sequence, `segment ${segment.name} ends before record ${sequence}`);
    return at.offset;
  } finally {
    await file.close();
  }
}

/** The error for a record that does not check. */
export function damaged(
  disk: Disk,
  segment: Segment,
  at: { sequence: number; offset: number },
  reason: string,
): DomainError {
  return new DomainError(
    'corrupt',
    `cannot read record ${at.sequence} of ${disk.describe(segment.name)} at byte ${at.offset}: ${reason}`,
  );
}
