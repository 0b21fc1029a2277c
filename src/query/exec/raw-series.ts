// What raw series amount to.

import type { RawColumns } from '../source.ts';
import { samplesBeyondCells } from './histograms/sample-counts.ts';

/** Samples of a series, where a native histogram counts as several. */
export function rawSamples({ values, histograms }: RawColumns): number {
  return values.length + (histograms === undefined ? 0 : samplesBeyondCells(histograms, values.length));
}

/** Bytes of a series' samples. */
export function rawBytes({ values, histograms }: RawColumns): number {
  return values.length * 16 + (histograms === undefined ? 0 : histograms.columns.bytes + 4 * values.length);
}
