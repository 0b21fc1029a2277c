// Rows of native histograms as remote write says them.

import type { HistogramMessage, SpanMessage } from '../../src/codec/proto/remote-write.ts';
import type { HistogramColumns } from '../../src/model/histogram.ts';

/** The message of a row at a time, with its start timestamp, 0 for none. */
export function histogramMessage(
  columns: HistogramColumns,
  row: number,
  timestamp: number,
  startTimestamp = 0,
): HistogramMessage {
  const isFloat = columns.floats[row] === 1;
  const [count, zeroCount] = [columns.counts[row]!, columns.zeroCounts[row]!];
  const positive = columns.buckets.slice(columns.bucketStarts[row], columns.negativeBucketStarts[row]);
  const negative = columns.buckets.slice(columns.negativeBucketStarts[row], columns.bucketStarts[row + 1]);
  return {
    ...(isFloat
      ? { countFloat: count, zeroCountFloat: zeroCount }
      : { countInt: count, zeroCountInt: zeroCount }),
    sum: columns.sums[row]!,
    schema: columns.schemas[row]!,
    zeroThreshold: columns.zeroThresholds[row]!,
    negativeSpans: spansOf(columns, columns.negativeSpanStarts[row]!, columns.spanStarts[row + 1]!),
    positiveSpans: spansOf(columns, columns.spanStarts[row]!, columns.negativeSpanStarts[row]!),
    ...(isFloat
      ? { positiveCounts: [...positive], negativeCounts: [...negative] }
      : { positiveDeltas: deltasOf(positive), negativeDeltas: deltasOf(negative) }),
    resetHint: columns.hints[row]!,
    timestamp,
    customValues: [...columns.bounds.subarray(columns.boundStarts[row], columns.boundStarts[row + 1])],
    startTimestamp,
  };
}

function spansOf({ spans }: HistogramColumns, from: number, to: number): SpanMessage[] {
  const out: SpanMessage[] = [];
  for (let i = from; i < to; i += 2) out.push({ offset: spans[i]!, length: spans[i + 1]! });
  return out;
}

function deltasOf(buckets: Float64Array): number[] {
  return Array.from(buckets, (bucket, i) => bucket - (i > 0 ? buckets[i - 1]! : 0));
}
