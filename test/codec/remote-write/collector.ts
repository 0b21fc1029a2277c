// Test helper: a LabelSink that reads every series' labels as text, and the request as plain objects.

import { type LabelSink, labelRanges, type RequestColumns } from '../../../src/codec/remote-write/columns.ts';
import { Cursor } from '../../../src/codec/remote-write/cursor.ts';
import { readRawLabels } from '../../../src/codec/remote-write/labels.ts';

/** Limits wide enough for any test. */
export const WIDE = {
  seriesMax: 1000,
  samplesMax: 10_000,
  exemplarsMax: 1000,
  metadataMax: 1000,
  symbolsMax: 10_000,
  histogramBucketsMax: 1000,
  labelBytesMax: 65_536,
};

/** Accepts everything and remembers the labels in the order of the request. */
export class Collector implements LabelSink {
  readonly series: [string, string][][] = [];
  readonly refused: { index: number; reason: string }[] = [];
  predictedLength = 0;
  predict(): number {
    return -1;
  }
  predictSymbols(): number {
    return -1;
  }
  confirm(): void {}
  recognise(view: DataView, start: number, end: number): number {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const cursor = new Cursor();
    cursor.open(bytes, view);
    const labels = labelRanges();
    readRawLabels(cursor, start, end, labels);
    return this.series.push(pairs(bytes, labels.ranges, 0, labels.pairs)) - 1;
  }
  refuse(index: number, reason: string): number {
    this.refused.push({ index, reason });
    return -1;
  }
}

/** Pairs [first, end) as text. */
export function pairs(
  bytes: Uint8Array,
  ranges: Uint32Array,
  first: number,
  end: number,
): [string, string][] {
  const text = (at: number): string => new TextDecoder().decode(bytes.subarray(ranges[at]!, ranges[at + 1]!));
  const out: [string, string][] = [];
  for (let at = 4 * first; at < 4 * end; at += 4) out.push([text(at), text(at + 2)]);
  return out;
}

/** Time and sum of the histograms of series `i`. */
export function histogramsOf(columns: RequestColumns, i: number): [number, number][] {
  const end = i + 1 < columns.seriesCount ? columns.firstHistogram[i + 1]! : columns.histogramCount;
  const out: [number, number][] = [];
  for (let row = columns.firstHistogram[i]!; row < end; row++)
    out.push([columns.histogramTimes[row]!, columns.histograms.sums[row]!]);
  return out;
}

/** The samples of series `i` as [timestamp, value, start]. */
export function samplesOf(columns: RequestColumns, i: number): [number, number, number][] {
  const values = new Float64Array(columns.bits.buffer);
  const end = i + 1 < columns.seriesCount ? columns.firstSample[i + 1]! : columns.sampleCount;
  const out: [number, number, number][] = [];
  for (let s = columns.firstSample[i]!; s < end; s++) {
    out.push([columns.timestamps[s]!, values[s]!, columns.hasStarts ? columns.starts[s]! : 0]);
  }
  return out;
}

/** The exemplars of series `i`. */
export function exemplarsOf(columns: RequestColumns, bytes: Uint8Array, i: number): unknown[] {
  const values = new Float64Array(columns.exemplarBits.buffer);
  const out: unknown[] = [];
  for (let e = 0; e < columns.exemplarCount; e++) {
    if (columns.exemplarSeries[e] !== i) continue;
    const labels = pairs(bytes, columns.pairRanges, columns.exemplarPairs[e]!, columns.exemplarPairs[e + 1]!);
    out.push({ labels, value: values[e]!, timestamp: columns.exemplarTimestamps[e]! });
  }
  return out;
}

/** The metadata of the request as [type, family, help, unit, series]. */
export function metadataOf(columns: RequestColumns, bytes: Uint8Array): unknown[] {
  const text = (at: number): string =>
    new TextDecoder().decode(bytes.subarray(columns.metadataRanges[at]!, columns.metadataRanges[at + 1]!));
  return Array.from({ length: columns.metadataCount }, (_, i) => [
    columns.metadataTypes[i],
    text(6 * i),
    text(6 * i + 2),
    text(6 * i + 4),
    columns.metadataSeries[i],
  ]);
}
