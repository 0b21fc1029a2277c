// Series with finished, non-overlapping chunks out of a head: what becomes a block and what is shipped to queriers.

import type { Chunk, ChunkSeries } from '../../codec/chunk.ts';
import { encodeSamples } from '../../codec/sample-chunks.ts';
import { sampleColumns } from '../../model/samples.ts';
import type { ChunkRange } from './chunk-range.ts';
import { SAMPLES_PER_CHUNK, type SampleStore } from './sample-store.ts';
import type { SeriesIndex } from './series-index.ts';

/** The chunks of a series that overlap start <= t <= end, not overlapping each other; untouched where all is in order. */
export function seriesChunks(store: SampleStore, ref: number, start: number, end: number): Chunk[] {
  if (!store.hasLate(ref, start, end)) return store.inOrderChunks(ref, start, end);
  const samples = sampleColumns(4 * SAMPLES_PER_CHUNK);
  store.read(ref, start, end, samples);
  return encodeSamples(samples, 0, samples.count, SAMPLES_PER_CHUNK);
}

/** The series that have chunks in the given ranges (all of one time), in label order. Sorts metric by metric as it goes. */
export function* cutSeries(
  index: SeriesIndex,
  store: SampleStore,
  ranges: readonly ChunkRange[],
): Generator<ChunkSeries> {
  const samples = sampleColumns(4 * SAMPLES_PER_CHUNK);
  for (const group of groupsInOrder(index, ranges)) {
    group.sort((a, b) => index.compare(a, b));
    for (const ref of group) {
      const isLate = ranges.some((range) => range.late.has(ref));
      if (isLate) store.readRanges(ranges, ref, samples);
      const chunks = isLate
        ? encodeSamples(samples, 0, samples.count, SAMPLES_PER_CHUNK)
        : ranges.flatMap((range) => range.inOrderChunks(ref, range.start, range.end));
      yield { labels: index.labels(ref), chunks };
    }
  }
}

// References by first label pair: sorting a million series at once would hold everybody up.
function groupsInOrder(index: SeriesIndex, ranges: readonly ChunkRange[]): number[][] {
  const groups = new Map<number, number[]>();
  for (const ref of index.all()) {
    if (!ranges.some((range) => range.has(ref))) continue;
    const first = index.firstPair(ref);
    const group = groups.get(first);
    if (group === undefined) groups.set(first, [ref]);
    else group.push(ref);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < 0 ? -1 : b < 0 ? 1 : index.comparePairs(a, b)))
    .map(([, group]) => group);
}
