// What leaves a bucket for good: blocks whose deletion mark is old enough, uploads that were given up, deletions that did not end
// (features.md 1.6). Planning is a pure decision over the state of the bucket; before anything is removed it is looked at once more.

import { asDomainError, type DomainError } from '../../model/errors.ts';
import { META_FILE } from '../block/block-meta.ts';
import { deleteBlock } from '../block/upload.ts';
import type { ObjectEntry, ObjectStore } from '../objects/object-store.ts';
import { type BucketState, brokenBlock } from './bucket-state.ts';
import { readMark } from './marks.ts';

/** When something may go. */
export interface CleaningRules {
  /** The time now, ms since the epoch. */
  readonly now: number;
  /** Age of a deletion mark, ms. Readers must have let go of a block by then. */
  readonly deleteDelayMs: number;
  /** Time since the last change of an upload that has no meta.json, ms. */
  readonly partialDelayMs: number;
}

/** Why a folder is removed. */
export type CleaningReason = 'marked' | 'partial-upload' | 'half-deleted';

/** A folder to remove. */
export interface CleaningStep {
  readonly ulid: string;
  readonly reason: CleaningReason;
  readonly bytes: number;
}

/** What became of a step: removed, not due any more when looked at again, or failed. */
export interface CleaningOutcome {
  readonly step: CleaningStep;
  readonly result: 'removed' | 'kept' | 'failed';
  readonly error?: DomainError;
}

/** The folders that may be removed now, deletions that were begun first. A deletion mark that cannot be read removes nothing. */
export function planCleaning(state: BucketState, rules: CleaningRules): CleaningStep[] {
  const halfDeleted = state.halfDeleted.map(({ ulid, bytes }) => step(ulid, 'half-deleted', bytes));
  const marked = state.blocks
    .filter(({ marks }) => isDue(marks.get('deletion')?.atMs, rules.now, rules.deleteDelayMs))
    .map(({ meta, bytes }) => step(meta.ulid, 'marked', bytes));
  const partial = state.partial
    .filter(({ changedMs }) => isDue(changedMs, rules.now, rules.partialDelayMs))
    .map(({ ulid, bytes }) => step(ulid, 'partial-upload', bytes));
  return [...halfDeleted, ...marked, ...partial];
}

/** What cleaning is done with. */
export interface CleaningRun {
  readonly rules: CleaningRules;
  /** Throws (`conflict`) when somebody else may be cleaning by now; asked before each step. */
  readonly assertOwner: () => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Removes the folders of the steps, one after the other; each is looked at first, because a mark may have been taken back and an upload
 * gone on since the listing. A step that fails is told of and the others go on. Errors: `conflict` from assertOwner, the signal's reason.
 */
export async function cleanBucket(
  objects: ObjectStore,
  steps: readonly CleaningStep[],
  run: CleaningRun,
): Promise<CleaningOutcome[]> {
  const outcomes: CleaningOutcome[] = [];
  for (const one of steps) {
    run.signal?.throwIfAborted();
    run.assertOwner();
    try {
      const isWanted = await isStillDue(objects, one, run.rules);
      if (isWanted) await deleteBlock(objects, one.ulid, run.signal);
      outcomes.push({ step: one, result: isWanted ? 'removed' : 'kept' });
    } catch (error) {
      run.signal?.throwIfAborted();
      outcomes.push({ step: one, result: 'failed', error: asDomainError(error) });
    }
  }
  return outcomes;
}

async function isStillDue(
  objects: ObjectStore,
  { ulid, reason }: CleaningStep,
  { now, deleteDelayMs, partialDelayMs }: CleaningRules,
): Promise<boolean> {
  if (reason === 'marked')
    return isDue((await readMark(objects, 'deletion', ulid))?.atMs, now, deleteDelayMs);
  // It has become a block.
  if ((await objects.stat(`${ulid}/${META_FILE}`)) !== undefined) return false;
  if (reason === 'half-deleted') return true;
  const entries: ObjectEntry[] = [];
  for await (const entry of objects.list(`${ulid}/`)) entries.push(entry);
  return isDue(brokenBlock(ulid, entries).changedMs, now, partialDelayMs);
}

function isDue(sinceMs: number | undefined, now: number, delayMs: number): boolean {
  return sinceMs !== undefined && now - sinceMs >= delayMs;
}

function step(ulid: string, reason: CleaningReason, bytes: number): CleaningStep {
  return { ulid, reason, bytes };
}
