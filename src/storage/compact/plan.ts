// Which blocks of a group are merged next. A pure decision over meta.json contents, as Prometheus's leveled planner takes it
// (tsdb/compact.go, features.md 1.5), except that it names every merge that can be done now, not only the first, so that
// several workers find something to do.

import { DomainError } from '../../model/errors.ts';
import { compareText } from '../../model/text.ts';
import { alignDown } from '../../model/time-range.ts';
import type { BlockMeta } from '../block/block-meta.ts';

const HOUR_MS = 3_600_000;

/** Widths of blocks by level, ms: 2 h as cut from a head, then 8 h, 2 d and 14 d. */
export const COMPACTION_RANGES_MS: readonly number[] = [
  2 * HOUR_MS,
  8 * HOUR_MS,
  48 * HOUR_MS,
  14 * 24 * HOUR_MS,
];
/** Deleted intervals per series above which a lone block is written anew (Prometheus's 5 %). */
const TOMBSTONES_PER_SERIES_MAX = 0.05;

/** Why blocks are merged: their times overlap, they fill a range, or much of a block is deleted. */
export type PlanReason = 'overlap' | 'range' | 'tombstones';

/** One merge: its sources in time order, at least two unless the reason is `tombstones`. */
export interface CompactionPlan {
  readonly reason: PlanReason;
  readonly blocks: readonly BlockMeta[];
}

/** How to plan. */
export interface PlanOptions {
  /** Widths in ms, ascending, each a multiple of the one before. */
  readonly rangesMs: readonly number[];
  /** Whether a block is to be left alone (marked bad or `no-compact`); one whose meta says `failed` always is. */
  readonly isExcluded: (block: BlockMeta) => boolean;
}

/**
 * The blocks that may be merged with one another: same resolution and same external labels (tenant and partition among them).
 * Key: `resolution@labels`.
 */
export function groupBlocks(blocks: readonly BlockMeta[]): Map<string, BlockMeta[]> {
  const groups = new Map<string, BlockMeta[]>();
  for (const block of blocks) {
    const labels = Object.entries(block.thanos?.labels ?? {}).sort((a, b) => compareText(a[0], b[0]));
    const key = `${block.thanos?.resolutionMs ?? 0}@${JSON.stringify(labels)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [block]);
    else group.push(block);
  }
  return groups;
}

/**
 * The merges of one group that can be done now, overlaps first, then narrow ranges before wide ones. No block and no time is in
 * two of them; excluded blocks are in none, and blocks on both sides of an excluded one are not merged over it. Empty once
 * nothing is left to do; every merge done brings that nearer. Error: `config` for ranges that do not nest.
 */
export function planCompaction(group: readonly BlockMeta[], options: PlanOptions): CompactionPlan[] {
  checkRanges(options.rangesMs);
  const blocks = [...group].sort((a, b) => a.minTime - b.minTime || compareText(a.ulid, b.ulid));
  const isExcluded = (block: BlockMeta): boolean =>
    block.compaction.failed === true || options.isExcluded(block);
  const taken = new Set<BlockMeta>();
  const plans: CompactionPlan[] = [];
  const take = (reason: PlanReason, chosen: readonly BlockMeta[]): void => {
    for (const block of chosen) taken.add(block);
    plans.push({ reason, blocks: chosen });
  };
  for (const cluster of overlapping(blocks.filter((block) => !isExcluded(block)))) take('overlap', cluster);
  // The newest block may still get neighbours; its start tells what is complete.
  const settled = blocks.slice(0, -1);
  for (const width of options.rangesMs.slice(1)) {
    for (const part of completeParts(settled, width)) {
      if (part.some((block) => taken.has(block))) continue;
      for (const run of runsBetween(part, isExcluded)) if (run.length > 1) take('range', run);
    }
  }
  for (const block of settled)
    if (!taken.has(block) && !isExcluded(block) && isMuchDeleted(block, options.rangesMs))
      take('tombstones', [block]);
  return plans;
}

function checkRanges(ranges: readonly number[]): void {
  for (let i = 1; i < ranges.length; i++)
    if (!(ranges[i]! > ranges[i - 1]! && ranges[i]! % ranges[i - 1]! === 0))
      throw new DomainError(
        'config',
        `cannot plan compaction: range ${ranges[i]} ms is no multiple of ${ranges[i - 1]} ms`,
      );
}

// Sets of blocks connected by overlaps, two or more each.
function overlapping(blocks: readonly BlockMeta[]): BlockMeta[][] {
  const clusters: BlockMeta[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const block of blocks) {
    if (block.minTime < end) clusters.at(-1)!.push(block);
    else clusters.push([block]);
    end = Math.max(end, block.maxTime);
  }
  return clusters.filter((cluster) => cluster.length > 1);
}

// Blocks by the aligned range of `width` they lie in, where nothing can be added to the range any more: it is full from end to
// end, or a block behind it has come. Blocks that reach over a border are in none.
function completeParts(blocks: readonly BlockMeta[], width: number): BlockMeta[][] {
  const parts: BlockMeta[][] = [];
  let start = Number.NEGATIVE_INFINITY;
  for (const block of blocks) {
    const blockStart = alignDown(block.minTime, width);
    if (block.maxTime > blockStart + width) continue;
    if (blockStart === start) parts.at(-1)!.push(block);
    else parts.push([block]);
    start = blockStart;
  }
  const newestStart = blocks.at(-1)?.minTime ?? Number.NEGATIVE_INFINITY;
  return parts.filter((part) => {
    const end = part.reduce((most, block) => Math.max(most, block.maxTime), Number.NEGATIVE_INFINITY);
    return end - part[0]!.minTime === width || end <= newestStart;
  });
}

// What lies between excluded blocks.
function runsBetween(
  part: readonly BlockMeta[],
  isExcluded: (block: BlockMeta) => boolean,
): readonly BlockMeta[][] {
  const runs: BlockMeta[][] = [[]];
  for (const block of part) {
    if (isExcluded(block)) runs.push([]);
    else runs.at(-1)!.push(block);
  }
  return runs;
}

// Narrow blocks are merged soon anyway, which frees the same bytes.
function isMuchDeleted({ stats, minTime, maxTime }: BlockMeta, ranges: readonly number[]): boolean {
  const narrowest = ranges[Math.floor(ranges.length / 2)] ?? 0;
  return (
    maxTime - minTime >= narrowest && stats.numTombstones / (stats.numSeries + 1) > TOMBSTONES_PER_SERIES_MAX
  );
}
