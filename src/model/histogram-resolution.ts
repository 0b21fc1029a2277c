// Histograms of a higher resolution than is stored (schemas 9 to 52) are read by halving it until it fits (reduceResolution of
// Prometheus model/histogram/generic.go): a bucket of the target holds those of the origin whose bounds lie in it.

import { CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMA_MAX, HistogramColumns } from './histogram.ts';

/** Brings the row begun last to a schema that is stored, if its own is too fine. Its spans and buckets must fit each other. */
export function reduceToStored(columns: HistogramColumns): void {
  const row = columns.count - 1;
  const schema = columns.schemas[row]!;
  if (schema <= EXPONENTIAL_SCHEMA_MAX || schema === CUSTOM_BUCKETS_SCHEMA) return;
  const origin = new HistogramColumns(1);
  origin.copyRow(columns, row);
  columns.drop();
  columns.begin();
  columns.schemas[row] = EXPONENTIAL_SCHEMA_MAX;
  columns.floats[row] = origin.floats[0]!;
  columns.hints[row] = origin.hints[0]!;
  columns.zeroThresholds[row] = origin.zeroThresholds[0]!;
  columns.zeroCounts.set(origin.zeroCounts.subarray(0, 1), row);
  columns.counts.set(origin.counts.subarray(0, 1), row);
  columns.setSum(row, origin.sumBits[0]!, origin.sumBits[1]!);
  const shift = schema - EXPONENTIAL_SCHEMA_MAX;
  reduceSide(columns, origin, shift, false);
  reduceSide(columns, origin, shift, true);
}

function reduceSide(
  columns: HistogramColumns,
  origin: HistogramColumns,
  shift: number,
  negative: boolean,
): void {
  const spanEnd = negative ? origin.spanStarts[1]! : origin.negativeSpanStarts[0]!;
  let bucket = negative ? origin.negativeBucketStarts[0]! : 0;
  let number = 0;
  let last: number | undefined;
  for (let span = negative ? origin.negativeSpanStarts[0]! : 0; span < spanEnd; span += 2) {
    number += origin.spans[span]!;
    for (let left = origin.spans[span + 1]!; left > 0; left--) {
      const target = Math.floor((number++ - 1) / 2 ** shift) + 1;
      const observations = origin.buckets[bucket++]!;
      const row = columns.count - 1;
      if (target === last) columns.buckets[columns.bucketStarts[row + 1]! - 1]! += observations;
      else {
        if (last === undefined || target > last + 1)
          columns.addSpan(last === undefined ? target : target - last - 1, 1, negative);
        else columns.spans[columns.spanStarts[row + 1]! - 1]!++;
        columns.addBucket(observations, negative);
        last = target;
      }
    }
  }
}
