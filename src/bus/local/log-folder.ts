// The folder of one partition's log: making it, and opening it after a clean stop or a crash. What the last write left torn is
// cut off; damage to anything that had been acknowledged is `corrupt` and stays as it is.

import { DomainError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import {
  checkSegment,
  createSegment,
  isAcknowledgedDamage,
  openSegment,
  type Segment,
  type SegmentCheck,
  segmentFirst,
} from './segment.ts';
import { decodeBounds, encodeBounds, type StoredBounds, segmentHeaderBytes } from './wal-record.ts';

const boundsFile = 'bounds';

/** A log as found on disk. */
export interface OpenedFolder {
  readonly segments: Segment[];
  /** First sequence kept. */
  readonly first: number;
  /** Sequence of the last record; first - 1 at least. */
  readonly last: number;
}

/** Makes an empty log unless there is one. */
export async function createLogFolder(
  disk: Disk,
  partitionDisk: Disk,
  folder: string,
  nowMs: number,
): Promise<void> {
  if (await readBounds(partitionDisk)) return;
  await disk.makeFolder(folder);
  const [segment, ...others] = await listSegments(partitionDisk);
  // A crash between the two steps below leaves one empty segment; anything more was a log.
  if (others.length > 0 || (segment !== undefined && segment.bytes > segmentHeaderBytes))
    throw new DomainError(
      'corrupt',
      `cannot create the log ${disk.describe(folder)}: it holds records, but the file "${boundsFile}" is missing`,
    );
  if (!segment) await createSegment(partitionDisk, 1, nowMs);
  await writeBounds(partitionDisk, { first: 1, durable: 0 });
}

/** Stores the bounds; durable when it resolves. */
export function writeBounds(disk: Disk, bounds: StoredBounds): Promise<void> {
  return disk.writeFile(boundsFile, encodeBounds(bounds));
}

/** Opens a log: `not_found` when there is none, `corrupt` when acknowledged records are missing or damaged. */
export async function openLogFolder(disk: Disk, log: Logger): Promise<OpenedFolder> {
  const bounds = await readBounds(disk);
  const files = await listSegments(disk);
  if (!bounds && files.length === 0)
    throw new DomainError('not_found', `cannot open the log ${disk.describe('')}: it does not exist`);
  if (!bounds) throw corrupt(disk, `the file "${boundsFile}" is missing`);
  await dropForgotten(disk, files, bounds.first);
  const oldest = files[0];
  if (!oldest)
    throw corrupt(disk, `all of its segments are missing; records from ${bounds.first} on were kept`);
  if (oldest.first > bounds.first)
    throw corrupt(disk, `records ${bounds.first} to ${oldest.first - 1} are missing`);
  const segments: Segment[] = [];
  for (const file of files) segments.push(await openSegment(disk, file.name, file.bytes));
  const active = segments.at(-1)!;
  const check = await checkLast(disk, active, bounds, log);
  active.end = check.end;
  return { segments, first: bounds.first, last: Math.max(check.last, bounds.first - 1) };
}

async function readBounds(disk: Disk): Promise<StoredBounds | undefined> {
  try {
    return decodeBounds(await disk.readFile(boundsFile), disk.describe(boundsFile));
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') return undefined;
    throw error;
  }
}

interface SegmentFile {
  readonly name: string;
  readonly first: number;
  readonly bytes: number;
}

async function listSegments(disk: Disk): Promise<SegmentFile[]> {
  const out: SegmentFile[] = [];
  for (const entry of await disk.list('')) {
    const first = segmentFirst(entry.name);
    if (first !== undefined) out.push({ name: entry.name, first, bytes: entry.bytes });
  }
  return out;
}

// Segments a trim had forgotten but not yet removed.
async function dropForgotten(disk: Disk, files: SegmentFile[], first: number): Promise<void> {
  while (files.length > 1 && files[1]!.first <= first) await disk.remove(files.shift()!.name);
}

// Only the last segment can have a torn end: a new one begins after all of the one before is durable.
async function checkLast(
  disk: Disk,
  segment: Segment,
  bounds: StoredBounds,
  log: Logger,
): Promise<SegmentCheck> {
  const bytes = segment.end;
  const file = await disk.open(segment.name, 'write');
  try {
    const check = await checkSegment(file, segment, bytes);
    const reason = check.damage ?? 'the file ends there';
    const at = `record ${check.last + 1} of ${disk.describe(segment.name)} at byte ${check.end}`;
    if (check.last < bounds.durable)
      throw corrupt(disk, `${at} was acknowledged, as were all up to ${bounds.durable}, but ${reason}`);
    if (check.damage === undefined) return check;
    if (await isAcknowledgedDamage(file, segment, check, bytes))
      throw corrupt(disk, `${at} was acknowledged, but ${reason}; whole records follow it`);
    await file.truncate(check.end);
    await file.sync();
    log.warn('cut the torn end off a log: its last write had not been acknowledged', {
      segment: disk.describe(segment.name),
      record: check.last + 1,
      reason,
      bytesCut: bytes - check.end,
      recordsKept: check.last - segment.first + 1,
    });
    return check;
  } finally {
    await file.close();
  }
}

function corrupt(disk: Disk, reason: string): DomainError {
  return new DomainError(
    'corrupt',
    `cannot open the log ${disk.describe('')}: ${reason}; restore it from a copy, or remove the folder to go on without it`,
  );
}
