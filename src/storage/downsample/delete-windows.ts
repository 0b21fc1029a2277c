// An aggregate chunk without the windows that are deleted: those whose time lies in a deleted interval.

import { type AggregateParts, decodeAggregates, encodeAggregates } from '../../codec/aggregate-chunk.ts';
import { FloatPart, HistogramPart } from '../../codec/aggregate-chunk-writer.ts';
import { ALL_TIMES, type Chunk, type EncodedBytes } from '../../codec/chunk.ts';
import { readChunk } from '../../codec/sample-chunks.ts';
import { type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { type DeletedInterval, dropDeleted } from '../block/tombstones.ts';

/** The chunk with what is left, itself where nothing of it is deleted; undefined where all is. Error: `corrupt`. */
export function deleteWindows(chunk: Chunk, deleted: readonly DeletedInterval[]): Chunk | undefined {
  if (!deleted.some(({ minTime, maxTime }) => minTime <= chunk.maxTime && maxTime >= chunk.minTime))
    return chunk;
  const parts = decodeAggregates(chunk.bytes);
  const times = partWithout(parts.count, deleted);
  if (times.count === 0) return undefined;
  const left: AggregateParts = {
    count: encoded(times),
    sum: encoded(partWithout(parts.sum, deleted)),
    min: encoded(partWithout(parts.min, deleted)),
    max: encoded(partWithout(parts.max, deleted)),
    counter: counterWithout(parts.counter, deleted),
  };
  return {
    encoding: chunk.encoding,
    bytes: encodeAggregates(left),
    minTime: times.timestamps[0]!,
    maxTime: times.timestamps[times.count - 1]!,
  };
}

function partWithout(part: EncodedBytes | undefined, deleted: readonly DeletedInterval[]): SampleColumns {
  const samples = sampleColumns(16);
  if (part === undefined) return samples;
  readChunk(part, ALL_TIMES, samples);
  dropDeleted(samples, 0, deleted);
  return samples;
}

// A float counter that loses its last raw value gets its last window in its place, so that it still ends with a pair.
function counterWithout(
  part: EncodedBytes | undefined,
  deleted: readonly DeletedInterval[],
): EncodedBytes | undefined {
  const samples = partWithout(part, deleted);
  const { timestamps, values, count, histograms } = samples;
  if (histograms !== undefined || count === 0) return encoded(samples);
  const out = new FloatPart();
  for (let i = 0; i < count; i++) out.append(timestamps[i]!, values[i]!);
  const isPair = count > 1 && timestamps[count - 1] === timestamps[count - 2];
  if (!isPair) out.append(timestamps[count - 1]!, values[count - 1]!);
  return out.encoded();
}

function encoded({ timestamps, values, count, histograms, rows }: SampleColumns): EncodedBytes | undefined {
  if (histograms !== undefined) {
    const out = new HistogramPart();
    for (let i = 0; i < count; i++) out.append(timestamps[i]!, histograms, rows[i]!);
    return out.encoded();
  }
  const out = new FloatPart();
  for (let i = 0; i < count; i++) out.append(timestamps[i]!, values[i]!);
  return out.encoded();
}
