// The judge: compares samples that were read with those that are owed.

import { waveValue } from './wave.ts';

/** A run of `count` slots from `first` on. */
export interface SlotRange {
  readonly first: number;
  readonly count: number;
}

/** What must hold for a range of slots when it was asked for. */
export interface Claim extends SlotRange {
  readonly series: number;
  readonly intervalMs: number;
  /** By slot of the range: 1 when its samples are owed. */
  readonly owed: Uint8Array;
}

/** One series of an answer: parallel arrays of times and values as they came. */
export interface SeriesRead {
  readonly series: number;
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
}

/** What is wrong with an answer: positions (slot - first) × series + number of the series. */
export interface Verdict {
  /** Samples owed. */
  readonly owed: number;
  /** Owed and not in the answer. */
  readonly missing: readonly number[];
  /** In the answer with a value that was never written. */
  readonly wrong: readonly number[];
  /** More than once in the answer. */
  readonly doubled: readonly number[];
  /** By position: 1 when the answer has the sample. */
  readonly seen: Uint8Array;
}

/** Judges an answer. Samples outside the range, off the interval or of other series are passed over. */
export function judge(claim: Claim, answer: readonly SeriesRead[]): Verdict {
  const { first, count, series: width, intervalMs, owed } = claim;
  const seen = new Uint8Array(count * width);
  const wrong: number[] = [];
  const doubled: number[] = [];
  for (const { series, timesMs, values } of answer) {
    if (!(series >= 0 && series < width)) continue;
    for (const [i, timeMs] of timesMs.entries()) {
      const offset = timeMs / intervalMs - first;
      if (!Number.isInteger(offset) || offset < 0 || offset >= count) continue;
      const position = offset * width + series;
      if (seen[position] === 1) doubled.push(position);
      seen[position] = 1;
      if (values[i] !== waveValue(series, timeMs)) wrong.push(position);
    }
  }
  const missing: number[] = [];
  let owedSamples = 0;
  for (let offset = 0; offset < count; offset++) {
    if (owed[offset] !== 1) continue;
    owedSamples += width;
    for (let position = offset * width; position < (offset + 1) * width; position++)
      if (seen[position] === 0) missing.push(position);
  }
  return { owed: owedSamples, missing, wrong, doubled, seen };
}
