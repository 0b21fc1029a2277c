// Which resolution answers for which stretch of time. Blocks of several resolutions may tell of the same time, and retention takes raw
// ones first: each stretch is read from one resolution only, so that nothing is missing or counted twice where they meet.

import type { TimeSpan } from '../../codec/chunk.ts';
import type { BlockMeta } from './block-meta.ts';

/** A stretch of time, both ends included, ms, and the resolution it is read from; 0 is raw. */
export interface Slice extends TimeSpan {
  readonly resolutionMs: number;
}

type OpenSlice = { -readonly [key in keyof Slice]: Slice[key] };

/** The resolution of a block, ms; 0 is raw. */
export function resolutionOf({ thanos }: BlockMeta): number {
  return thanos?.resolutionMs ?? 0;
}

/**
 * The stretches of `span` that are read from downsampled blocks, in time order and disjoint; everything else is read raw. Wanted is the
 * coarsest resolution up to `maxResolutionMs`, then finer ones, then coarser ones: a gap in the data that are wanted is filled with
 * whatever there is.
 */
export function planSlices(metas: readonly BlockMeta[], span: TimeSpan, maxResolutionMs: number): Slice[] {
  if (metas.every((meta) => resolutionOf(meta) === 0)) return [];
  const resolutions = [...new Set(metas.map(resolutionOf))].sort((a, b) => b - a);
  const ordered = [
    ...resolutions.filter((resolution) => resolution <= maxResolutionMs),
    ...resolutions.filter((resolution) => resolution > maxResolutionMs).reverse(),
  ];
  let slices: OpenSlice[] = [];
  for (const resolutionMs of ordered)
    for (const meta of metas) {
      if (resolutionOf(meta) !== resolutionMs) continue;
      fillGaps(slices, meta, span);
      slices = slices.filter(({ start, end }) => start <= end);
    }
  return joined(slices.filter(({ resolutionMs }) => resolutionMs > 0));
}

// Adds what of a block's time no slice tells of yet. `slices` stays in time order and disjoint, but for slices that have become empty.
function fillGaps(slices: OpenSlice[], meta: BlockMeta, span: TimeSpan): void {
  const resolutionMs = resolutionOf(meta);
  const block = { start: meta.minTime, end: meta.maxTime - 1 };
  const end = Math.min(block.end, span.end);
  let start = Math.max(block.start, span.start);
  for (let at = 0; at <= slices.length && start <= end; at++) {
    const next = slices[at];
    if (next !== undefined && next.end < start) continue;
    const gap: OpenSlice = { start, end: Math.min(end, (next?.start ?? end + 1) - 1), resolutionMs };
    if (gap.start <= gap.end) {
      meetBefore(gap, slices, at - 1, block);
      meetAfter(gap, slices, at, block);
      slices.splice(at, 0, gap);
      at++;
    }
    if (next === undefined) return;
    start = Math.max(next.end, gap.end) + 1;
  }
}

// A window tells of all its samples at its end: where finer data end within one, the whole window is read from the coarser ones.
function meetBefore(gap: OpenSlice, slices: readonly OpenSlice[], at: number, block: TimeSpan): void {
  const before = slices[at];
  const { start, resolutionMs } = gap;
  if (before === undefined || before.end !== start - 1 || before.resolutionMs >= resolutionMs) return;
  const border = Math.floor(start / resolutionMs) * resolutionMs;
  if (border < block.start) return;
  gap.start = Math.max(border, endBefore(slices, at) + 1);
  before.end = gap.start - 1;
}

// Likewise where finer data begin within a window.
function meetAfter(gap: OpenSlice, slices: readonly OpenSlice[], at: number, block: TimeSpan): void {
  const after = slices[at];
  const { end, resolutionMs } = gap;
  if (after === undefined || after.start !== end + 1 || after.resolutionMs >= resolutionMs) return;
  const border = Math.ceil((end + 1) / resolutionMs) * resolutionMs - 1;
  if (border > block.end) return;
  gap.end = Math.min(border, (slices[at + 1]?.start ?? border + 1) - 1);
  after.start = gap.end + 1;
}

// Where the slices before `at` end.
function endBefore(slices: readonly OpenSlice[], at: number): number {
  let end = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < at; i++) end = Math.max(end, slices[i]!.end);
  return end;
}

function joined(slices: readonly OpenSlice[]): Slice[] {
  const out: OpenSlice[] = [];
  for (const slice of slices) {
    const last = out.at(-1);
    if (last !== undefined && last.resolutionMs === slice.resolutionMs && last.end === slice.start - 1)
      last.end = slice.end;
    else out.push(slice);
  }
  return out;
}

/** All of `span` in time order: the slices and, between them, raw stretches. */
export function withRawStretches(slices: readonly Slice[], { start, end }: TimeSpan): Slice[] {
  const out: Slice[] = [];
  let next = start;
  for (const slice of slices) {
    const from = Math.max(slice.start, start);
    const to = Math.min(slice.end, end);
    if (from > to) continue;
    if (from > next) out.push({ start: next, end: from - 1, resolutionMs: 0 });
    out.push({ start: from, end: to, resolutionMs: slice.resolutionMs });
    next = to + 1;
  }
  if (next <= end) out.push({ start: next, end, resolutionMs: 0 });
  return out;
}
