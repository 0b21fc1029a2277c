// Which blocks stand for which others: a block made from others lists, in compaction.sources, every first block whose samples it has
// (features.md 1.6). By it a reader tells that a merged block takes the place of its parents, and a writer that what it is about to
// make has been made and merged since.

import type { BlockMeta } from './block-meta.ts';
import { resolutionOf } from './slices.ts';

/**
 * Whether `later` holds all that `earlier` does: same resolution and external labels, and all its sources. Two blocks never stand for one
 * another: of equal sources the higher level counts. Blocks that share a merge's series differ in a label and replace nothing.
 */
export function replaces(later: BlockMeta, earlier: BlockMeta): boolean {
  const wider = later.compaction.sources.length - earlier.compaction.sources.length;
  if (later.ulid === earlier.ulid || wider < 0) return false;
  if (wider === 0 && later.compaction.level <= earlier.compaction.level) return false;
  if (resolutionOf(later) !== resolutionOf(earlier) || labelsText(later) !== labelsText(earlier))
    return false;
  // A foreign block may list nothing: its own name is its source then.
  const { sources } = earlier.compaction;
  const have = new Set(later.compaction.sources);
  return sources.length === 0 ? have.has(earlier.ulid) : sources.every((ulid) => have.has(ulid));
}

/** The blocks that no other of the list takes the place of, in the same order. Cost: compares each pair that shares a source. */
export function withoutReplaced(blocks: readonly BlockMeta[]): BlockMeta[] {
  const bySource = new Map<string, BlockMeta[]>();
  for (const block of blocks)
    for (const source of block.compaction.sources) {
      const sharing = bySource.get(source);
      if (sharing === undefined) bySource.set(source, [block]);
      else sharing.push(block);
    }
  return blocks.filter((block) => {
    const sharing = bySource.get(block.compaction.sources[0] ?? block.ulid) ?? [];
    return !sharing.some((other) => replaces(other, block));
  });
}

/** The block that is `ulid` or has its raw samples through merges, or undefined. */
export function holderOf(blocks: readonly BlockMeta[], ulid: string): BlockMeta | undefined {
  return (
    blocks.find((block) => block.ulid === ulid) ??
    blocks.find((block) => resolutionOf(block) === 0 && block.compaction.sources.includes(ulid))
  );
}

function labelsText({ thanos }: BlockMeta): string {
  return JSON.stringify(Object.entries(thanos?.labels ?? {}).sort((a, b) => (a[0] < b[0] ? -1 : 1)));
}
