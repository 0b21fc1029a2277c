// How samples are divided when a series is downsampled: windows of the resolution, and batches of windows that become one chunk each,
// as Thanos divides them (pkg/compact/downsample/downsample.go), so that the same samples give the same chunks.

/** Resolutions of downsampled blocks, ms. */
export const RESOLUTION_5M = 300_000;
export const RESOLUTION_1H = 3_600_000;

/** Raw samples are taken to be this far apart when chunks are planned, ms. */
export const RAW_INTERVAL_MS = 60_000;

const SAMPLES_PER_CHUNK = 140;

/** The last millisecond of the window that holds `time`. */
export function windowEnd(time: number, resolution: number): number {
  return Math.floor(time / resolution) * resolution + resolution - 1;
}

/** What the number of chunks depends on: times of the first and last sample, ms, and how many there are. */
export interface ChunkPlan {
  readonly minTime: number;
  readonly maxTime: number;
  readonly count: number;
  readonly fromResolution: number;
  readonly toResolution: number;
}

/** Into how many chunks samples go: as many as keep them below 140 windows on average, were they as dense as assumed. */
export function targetChunkCount({
  minTime,
  maxTime,
  count,
  fromResolution,
  toResolution,
}: ChunkPlan): number {
  const range = maxTime - minTime;
  const fullness = Math.min(1, count / (range / fromResolution));
  const expected = Math.trunc(Math.floor(range / toResolution) * fullness || 0) + 1;
  let chunks = 1;
  while (Math.floor(expected / chunks) > SAMPLES_PER_CHUNK) chunks++;
  return chunks;
}

/** The samples [.., end) that become one chunk; each batch begins where the one before ends. */
export interface Batch {
  readonly end: number;
  /** Time of its last sample that counts; its last window is stamped no later. */
  readonly lastTime: number;
}

/**
 * Divides the samples [from, to) of `times` into batches that end with a window. Samples that `counts` refuses (NaN) take part in the
 * division and are then left out; a batch of nothing else is left out, too.
 */
export function planBatches(
  times: ArrayLike<number>,
  { from, to }: { readonly from: number; readonly to: number },
  resolution: number,
  counts: (index: number) => boolean,
): Batch[] {
  if (from === to) return [];
  const chunks = targetChunkCount({
    minTime: times[from]!,
    maxTime: times[to - 1]!,
    count: to - from,
    fromResolution: RAW_INTERVAL_MS,
    toResolution: resolution,
  });
  const size = Math.floor((to - from) / chunks) + 1;
  const out: Batch[] = [];
  for (let start = from; start < to; ) {
    let end = Math.min(start + size, to);
    const last = windowEnd(times[end - 1]!, resolution);
    while (end < to && times[end]! <= last) end++;
    let latest = end - 1;
    while (latest >= start && !counts(latest)) latest--;
    if (latest >= start) out.push({ end, lastTime: times[latest]! });
    start = end;
  }
  return out;
}
