// Merging runs of samples of one series in time order, one sample per timestamp.

import { RESET_HINT } from '../../model/histogram.ts';
import {
  clearSamples,
  growColumns,
  pushSample,
  type SampleColumns,
  sampleColumns,
} from '../../model/samples.ts';

/**
 * Merges `added` into `target`, both in time order; where both have a timestamp, the sample of `target` stays. `added` is
 * borrowed. Cost: O(added) when it begins after `target` ends, else O(both).
 */
export function mergeSamples(target: SampleColumns, added: SampleColumns): void {
  if (added.count === 0) return;
  if (isPlain(target) && isPlain(added)) mergePlain(target, added);
  else mergeAny(target, added);
}

/**
 * Merges the samples that `append` appends to the columns it is given into `target`, as mergeSamples. They are read to where they belong
 * when they come after those of `target`, as nearly all do, else by way of `scratch`.
 */
export function mergeRead(
  target: SampleColumns,
  scratch: SampleColumns,
  append: (into: SampleColumns) => void,
): void {
  const before = target.count;
  if (before === 0) {
    append(target);
    return;
  }
  clearSamples(scratch);
  if (!isPlain(target)) {
    append(scratch);
    mergeSamples(target, scratch);
    return;
  }
  append(target);
  const { count, timestamps } = target;
  if (!isPlain(target)) {
    // Those of `target` were floats alone: once more, apart from them.
    target.histograms = undefined;
    target.starts = undefined;
    append(scratch);
  } else {
    if (count === before || timestamps[before]! > timestamps[before - 1]!) return;
    growColumns(scratch, count - before);
    copySamples(target, before, count, scratch, 0);
    scratch.count = count - before;
  }
  target.count = before;
  mergeSamples(target, scratch);
}

// Neither histograms nor start timestamps.
function isPlain(samples: SampleColumns): boolean {
  return samples.histograms === undefined && samples.starts === undefined;
}

function mergeAny(target: SampleColumns, added: SampleColumns): void {
  const merged = sampleColumns(target.count + added.count);
  let i = 0;
  let j = 0;
  let isLastMine = true;
  while (i < target.count || j < added.count) {
    const mine = i < target.count ? target.timestamps[i]! : Number.POSITIVE_INFINITY;
    const theirs = j < added.count ? added.timestamps[j]! : Number.POSITIVE_INFINITY;
    const isMine = mine <= theirs;
    if (isMine) pushSample(merged, target, i);
    else pushSample(merged, added, j);
    if (merged.count > 1 && isMine !== isLastMine) forgetNoReset(merged);
    isLastMine = isMine;
    if (mine <= theirs) i++;
    if (theirs <= mine) j++;
  }
  Object.assign(target, merged);
}

/**
 * Takes back of the sample added last that no counter reset came before it: known only of two histograms that were written one after
 * the other.
 */
export function forgetNoReset({ histograms, rows, count }: SampleColumns): void {
  const row = rows[count - 1];
  if (histograms === undefined || row === undefined || row < 0) return;
  if (histograms.hints[row] === RESET_HINT.noReset) histograms.hints[row] = RESET_HINT.unknown;
}

function mergePlain(target: SampleColumns, added: SampleColumns): void {
  const before = target.count;
  growColumns(target, before + added.count);
  if (before === 0 || added.timestamps[0]! > target.timestamps[before - 1]!) {
    copySamples(added, 0, added.count, target, before);
    target.count = before + added.count;
    return;
  }
  // From the back, so that nothing is overwritten before it is moved.
  let write = before + added.count;
  let i = before - 1;
  let j = added.count - 1;
  while (j >= 0) {
    const mine = i >= 0 ? target.timestamps[i]! : Number.NEGATIVE_INFINITY;
    const theirs = added.timestamps[j]!;
    write--;
    if (mine >= theirs) {
      moveSample(target, i--, target, write);
      if (mine === theirs) j--;
    } else moveSample(added, j--, target, write);
  }
  // What is left of `target` is in place at the front; duplicates left a hole behind it.
  const front = i + 1;
  if (write > front) copySamples(target, write, before + added.count, target, front);
  target.count = before + added.count - (write - front);
}

function moveSample(source: SampleColumns, from: number, target: SampleColumns, to: number): void {
  target.timestamps[to] = source.timestamps[from]!;
  target.bits[2 * to] = source.bits[2 * from]!;
  target.bits[2 * to + 1] = source.bits[2 * from + 1]!;
}

function copySamples(
  source: SampleColumns,
  from: number,
  to: number,
  target: SampleColumns,
  at: number,
): void {
  if (source === target) {
    target.timestamps.copyWithin(at, from, to);
    target.bits.copyWithin(2 * at, 2 * from, 2 * to);
    return;
  }
  target.timestamps.set(source.timestamps.subarray(from, to), at);
  target.bits.set(source.bits.subarray(2 * from, 2 * to), 2 * at);
}
