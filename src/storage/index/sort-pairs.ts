// Sorting pairs of numbers that lie in two columns, without objects or comparisons.

/** Runs up to this length are sorted by insertion. */
const SHORT_RUN = 48;
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** Two columns of numbers, sorted together. */
export interface PairColumns {
  readonly keys: Uint32Array;
  readonly values: Uint32Array;
}

/**
 * Sorts rows [from, to) of `pairs` by key, equal keys in the order they had. `scratch` has room for to - from rows; its content is
 * lost. O(rows) with a pass for each eleven bits that keys differ in, none where they are in order.
 */
export function sortPairs(pairs: PairColumns, from: number, to: number, scratch: PairColumns): void {
  const { keys, values } = pairs;
  let low = keys[from] ?? 0;
  let high = low;
  let isSorted = true;
  for (let i = from + 1; i < to; i++) {
    const key = keys[i]!;
    if (key < keys[i - 1]!) isSorted = false;
    if (key < low) low = key;
    if (key > high) high = key;
  }
  if (isSorted) return;
  if (to - from <= SHORT_RUN) insertionSort(keys, values, from, to);
  else radixSort(pairs, { from, to, low, high }, scratch);
}

function insertionSort(keys: Uint32Array, values: Uint32Array, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const key = keys[i]!;
    const value = values[i]!;
    let at = i;
    for (; at > from && keys[at - 1]! > key; at--) {
      keys[at] = keys[at - 1]!;
      values[at] = values[at - 1]!;
    }
    keys[at] = key;
    values[at] = value;
  }
}

interface KeyedRange {
  readonly from: number;
  readonly to: number;
  /** Smallest and largest key. */
  readonly low: number;
  readonly high: number;
}

// Least significant digit first.
function radixSort(pairs: PairColumns, { from, to, low, high }: KeyedRange, scratch: PairColumns): void {
  const count = to - from;
  let source = { keys: pairs.keys.subarray(from, to), values: pairs.values.subarray(from, to) };
  let target = { keys: scratch.keys.subarray(0, count), values: scratch.values.subarray(0, count) };
  const next = new Uint32Array(DIGITS + 1);
  let passes = 0;
  for (let shift = 0; shift < 32 && (high - low) >>> shift > 0; shift += DIGIT_BITS) {
    next.fill(0);
    for (let i = 0; i < count; i++) next[(((source.keys[i]! - low) >>> shift) & (DIGITS - 1)) + 1]!++;
    for (let digit = 0; digit < DIGITS; digit++) next[digit + 1]! += next[digit]!;
    for (let i = 0; i < count; i++) {
      const key = source.keys[i]!;
      const at = next[((key - low) >>> shift) & (DIGITS - 1)]!++;
      target.keys[at] = key;
      target.values[at] = source.values[i]!;
    }
    [source, target] = [target, source];
    passes++;
  }
  if (passes % 2 === 1) {
    target.keys.set(source.keys);
    target.values.set(source.values);
  }
}
