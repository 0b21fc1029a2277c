// Which blocks are to be downsampled: a pure decision, as Thanos makes it (cmd/thanos/downsample.go).

import type { BlockMeta } from '../block/block-meta.ts';
import { resolutionOf } from '../block/slices.ts';
import { RESOLUTION_1H, RESOLUTION_5M } from './windows.ts';

const HOUR_MS = 3_600_000;
/** Raw blocks from this length on are downsampled to 5 m, and those of 5 m to 1 h: two chunks or so come out of them. */
export const RANGE_FOR_5M: number = 40 * HOUR_MS;
export const RANGE_FOR_1H: number = 10 * 24 * HOUR_MS;

/** A block and the resolution it lacks, ms. */
export interface DownsampleJob {
  readonly meta: BlockMeta;
  readonly resolution: number;
}

/**
 * What there is to do, oldest first, 5 m before 1 h. `metas`: all blocks of a bucket that may be downsampled (not those marked for
 * deletion or against downsampling). A block is done when each of its sources is the source of a block of the next resolution.
 */
export function planDownsampling(metas: readonly BlockMeta[]): DownsampleJob[] {
  const ordered = metas.toSorted((a, b) => a.minTime - b.minTime);
  return [
    ...missing(ordered, { from: 0, to: RESOLUTION_5M, range: RANGE_FOR_5M }),
    ...missing(ordered, { from: RESOLUTION_5M, to: RESOLUTION_1H, range: RANGE_FOR_1H }),
  ];
}

function missing(
  metas: readonly BlockMeta[],
  { from, to, range }: { readonly from: number; readonly to: number; readonly range: number },
): DownsampleJob[] {
  const done = new Set<string>();
  for (const meta of metas)
    if (resolutionOf(meta) === to) for (const source of meta.compaction.sources) done.add(source);
  return metas
    .filter(
      (meta) =>
        resolutionOf(meta) === from &&
        meta.maxTime - meta.minTime >= range &&
        meta.compaction.sources.some((source) => !done.has(source)),
    )
    .map((meta) => ({ meta, resolution: to }));
}
