// Series with finished, non-overlapping chunks out of a head: what becomes a block and what is shipped to queriers.

import { WRITE_SLACK_BYTES } from '../../codec/bits.ts';
import { CHUNK_XOR, type Chunk, type ChunkSeries } from '../../codec/chunk.ts';
import { XOR_BUFFER_BYTES, XOR_BYTES_BEFORE_APPEND_MAX, XorAppenders } from '../../codec/xor-chunk.ts';
import { type SampleColumns, sampleColumns } from '../../model/samples.ts';
import type { ChunkRange } from './chunk-range.ts';
import { SAMPLES_PER_CHUNK, type SampleStore } from './sample-store.ts';
import type { SeriesIndex } from './series-index.ts';

/** Encodes samples into chunks of at most 120 samples and 1024 bytes. */
export function chunksOf(samples: SampleColumns): Chunk[] {
  const out: Chunk[] = [];
  const one = new XorAppenders(1);
  const view = new DataView(new ArrayBuffer(XOR_BUFFER_BYTES + WRITE_SLACK_BYTES));
  let first = 0;
  one.begin(0);
  for (let i = 0; i < samples.count; i++) {
    if (i - first === SAMPLES_PER_CHUNK || one.byteLength(0) > XOR_BYTES_BEFORE_APPEND_MAX) {
      out.push(finished(one, view, samples.timestamps[first]!));
      one.begin(0);
      first = i;
    }
    one.append(0, view, 0, samples.timestamps[i]!, samples.bits[2 * i]!, samples.bits[2 * i + 1]!);
  }
  if (samples.count > first) out.push(finished(one, view, samples.timestamps[first]!));
  return out;
}

function finished(one: XorAppenders, view: DataView<ArrayBuffer>, minTime: number): Chunk {
  one.finish(0, view, 0);
  return {
    encoding: CHUNK_XOR,
    bytes: new Uint8Array(view.buffer.slice(0, one.byteLength(0))),
    minTime,
    maxTime: one.times[0]!,
  };
}

/** The chunks of a series that overlap start <= t <= end, not overlapping each other; untouched where all is in order. */
export function seriesChunks(store: SampleStore, ref: number, start: number, end: number): Chunk[] {
  if (!store.hasLate(ref, start, end)) return store.inOrderChunks(ref, start, end);
  const samples = sampleColumns(4 * SAMPLES_PER_CHUNK);
  store.read(ref, start, end, samples);
  return chunksOf(samples);
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
        ? chunksOf(samples)
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
