// Counting distinct things that several processes have seen, without sending the things: each sends the smallest of their hashes
// (a bottom-k sketch). A union is the smallest of all; while it is shorter than k nothing was left out and the count is exact,
// beyond that the largest kept hash tells how dense hashes are (Bar-Yossef et al., "Counting distinct elements in a data stream",
// 2002): within 1/sqrt(k - 2), 0.4 % for k = 65536, two times out of three.

/** Hashes are whole numbers below this. */
export const HASH_LIMIT: number = 2 ** 53;

/** The `max` smallest of `hashes`, ascending, each once; `hashes` is sorted in place. */
export function smallestHashes(hashes: Float64Array, max: number): Float64Array {
  hashes.sort();
  let kept = 0;
  for (let i = 0; i < hashes.length && kept < max; i++)
    if (i === 0 || hashes[i] !== hashes[i - 1]) hashes[kept++] = hashes[i]!;
  return hashes.subarray(0, kept);
}

/** The `max` smallest hashes of two sketches, ascending, each once. */
export function uniteHashes(a: Float64Array, b: Float64Array, max: number): Float64Array {
  const out = new Float64Array(Math.min(max, a.length + b.length));
  let kept = 0;
  for (let i = 0, j = 0; kept < out.length && (i < a.length || j < b.length); kept++) {
    const x = i < a.length ? a[i]! : Infinity;
    const y = j < b.length ? b[j]! : Infinity;
    out[kept] = Math.min(x, y);
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return out.subarray(0, kept);
}

/** How many distinct things a sketch of at most `max` hashes stands for: exact while it is shorter. */
export function distinctCount(hashes: Float64Array, max: number): number {
  if (hashes.length < max) return hashes.length;
  return Math.round(((hashes.length - 1) * HASH_LIMIT) / hashes[hashes.length - 1]!);
}
