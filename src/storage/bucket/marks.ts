// Thanos's markers beside a block (features.md 1.6): it will be deleted, must not be compacted, must not be downsampled.

import { DomainError } from '../../model/errors.ts';
import { DELETION_MARK_FILE } from '../block/bucket-scan.ts';
import type { ObjectStore } from '../objects/object-store.ts';

/** What a mark says about its block. */
export type MarkKind = 'deletion' | 'no-compact' | 'no-downsample';

interface MarkFormat {
  readonly file: string;
  /** The JSON field of its time, unix seconds. */
  readonly time: string;
  /** The reasons it may give; none for a mark without that field. */
  readonly reasons: readonly string[];
}

const FORMATS: Readonly<Record<MarkKind, MarkFormat>> = {
  deletion: { file: DELETION_MARK_FILE, time: 'deletion_time', reasons: [] },
  'no-compact': {
    file: 'no-compact-mark.json',
    time: 'no_compact_time',
    reasons: [
      'manual',
      'index-size-exceeding',
      'block-index-out-of-order-chunk',
      'downsample-vertical-compaction',
    ],
  },
  'no-downsample': { file: 'no-downsample-mark.json', time: 'no_downsample_time', reasons: ['manual'] },
};
const MARK_VERSION = 1;

/** Every kind of mark. */
export const MARK_KINDS: readonly MarkKind[] = ['deletion', 'no-compact', 'no-downsample'];

// The fields all kinds share, unchecked.
interface MarkJson {
  readonly id?: unknown;
  readonly version?: unknown;
  readonly details?: unknown;
  readonly reason?: unknown;
}

/** A mark of one block. */
export interface Mark {
  readonly kind: MarkKind;
  readonly ulid: string;
  /** For people. */
  readonly details: string;
  /** When it was made, ms since the epoch; whole seconds are stored. */
  readonly atMs: number;
  /** Why; undefined for a deletion, which has no such field. */
  readonly reason: string | undefined;
}

/** The key of a block's mark. */
export function markKey(kind: MarkKind, ulid: string): string {
  return `${ulid}/${FORMATS[kind].file}`;
}

/** A mark as Thanos writes it. Errors: `bad_data` for a reason that its kind does not know. */
export function encodeMark(mark: Mark): Uint8Array {
  const { time, reasons } = FORMATS[mark.kind];
  if (reasons.length === 0 ? mark.reason !== undefined : !reasons.includes(mark.reason ?? ''))
    throw new DomainError(
      'bad_data',
      `cannot mark block ${mark.ulid} ${mark.kind}: reason ${JSON.stringify(mark.reason)} is not one of [${reasons.join(', ')}]`,
    );
  const json = {
    id: mark.ulid,
    version: MARK_VERSION,
    details: mark.details,
    [time]: Math.floor(mark.atMs / 1000),
    ...(mark.reason === undefined ? {} : { reason: mark.reason }),
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** Reads a mark of block `ulid`. Reasons of later versions of Thanos pass. Errors: `corrupt`. */
export function decodeMark(kind: MarkKind, ulid: string, bytes: Uint8Array): Mark {
  const corrupt = (why: string): DomainError =>
    new DomainError('corrupt', `cannot read ${markKey(kind, ulid)}: ${why}`);
  const { time, reasons } = FORMATS[kind];
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw corrupt('it is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) throw corrupt('it is not an object');
  const json: MarkJson = parsed;
  if (json.version !== MARK_VERSION) throw corrupt(`its version is ${JSON.stringify(json.version)}, not 1`);
  if (json.id !== ulid) throw corrupt(`it says it is of block ${JSON.stringify(json.id)}`);
  const seconds = (parsed as Readonly<Record<string, unknown>>)[time];
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds) || seconds < 0)
    throw corrupt(`its ${time} is ${JSON.stringify(seconds)}`);
  return {
    kind,
    ulid,
    details: typeof json.details === 'string' ? json.details : '',
    atMs: seconds * 1000,
    reason: reasons.length > 0 && typeof json.reason === 'string' ? json.reason : undefined,
  };
}

/**
 * Marks a block. The first mark stays: marking again must not start the delay of a deletion anew. Returns whether the mark is
 * new. Errors: `bad_data` (reason), `unavailable`.
 */
export async function writeMark(objects: ObjectStore, mark: Mark): Promise<boolean> {
  try {
    await objects.putOnce(markKey(mark.kind, mark.ulid), encodeMark(mark));
    return true;
  } catch (error) {
    if (error instanceof DomainError && error.code === 'conflict') return false;
    throw error;
  }
}

/** The mark of a block, undefined when it has none. Errors: `corrupt`, `unavailable`. */
export async function readMark(
  objects: ObjectStore,
  kind: MarkKind,
  ulid: string,
): Promise<Mark | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await objects.get(markKey(kind, ulid));
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') return undefined;
    throw error;
  }
  return decodeMark(kind, ulid, bytes);
}
