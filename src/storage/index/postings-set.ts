// Set algebra over postings: sorted Uint32Arrays of series references without duplicates. Results are new arrays, or one of
// the inputs where that is the answer; inputs are borrowed and never changed.

/** The empty postings list. */
export const NO_POSTINGS: Uint32Array = new Uint32Array(0);

/** Length ratio from which looking up each element of the short list beats walking both. */
const GALLOP_RATIO = 16;

/** References that are in every list; of no lists: none. O(shortest) with galloping. */
export function intersect(lists: readonly Uint32Array[]): Uint32Array {
  if (lists.length === 0) return NO_POSTINGS;
  const sorted = lists.toSorted((a, b) => a.length - b.length);
  let result = sorted[0]!;
  for (let i = 1; i < sorted.length && result.length > 0; i++) result = intersectTwo(result, sorted[i]!);
  return result;
}

/** References that are in at least one list. O(n log k) by merging neighbours in rounds. */
export function union(lists: readonly Uint32Array[]): Uint32Array {
  let round = lists.filter((list) => list.length > 0);
  if (round.length === 0) return NO_POSTINGS;
  while (round.length > 1) {
    const next: Uint32Array[] = [];
    for (let i = 0; i < round.length; i += 2) {
      next.push(i + 1 < round.length ? unionTwo(round[i]!, round[i + 1]!) : round[i]!);
    }
    round = next;
  }
  return round[0]!;
}

/** References of `base` that are not in `removed`. */
export function without(base: Uint32Array, removed: Uint32Array): Uint32Array {
  if (base.length === 0 || removed.length === 0) return base;
  const out = new Uint32Array(base.length);
  let count = 0;
  let j = 0;
  const gallop = removed.length > base.length * GALLOP_RATIO;
  for (let i = 0; i < base.length; i++) {
    const ref = base[i]!;
    if (gallop) j = seek(removed, ref, j);
    else while (j < removed.length && removed[j]! < ref) j++;
    if (j === removed.length || removed[j] !== ref) out[count++] = ref;
  }
  return count === base.length ? base : out.slice(0, count);
}

/** Whether two lists share a reference. */
export function meets(a: Uint32Array, b: Uint32Array): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  let j = 0;
  for (let i = 0; i < short.length; i++) {
    j = seek(long, short[i]!, j);
    if (j === long.length) return false;
    if (long[j] === short[i]) return true;
  }
  return false;
}

/** First index >= `from` whose reference is >= `ref`; the list's length when there is none. O(log distance). */
export function seek(list: Uint32Array, ref: number, from: number): number {
  let low = from;
  let step = 1;
  let high = from;
  while (high < list.length && list[high]! < ref) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  if (high > list.length) high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < ref) low = middle + 1;
    else high = middle;
  }
  return low;
}

function intersectTwo(short: Uint32Array, long: Uint32Array): Uint32Array {
  const out = new Uint32Array(short.length);
  let count = 0;
  let j = 0;
  const gallop = long.length > short.length * GALLOP_RATIO;
  for (let i = 0; i < short.length; i++) {
    const ref = short[i]!;
    if (gallop) j = seek(long, ref, j);
    else while (j < long.length && long[j]! < ref) j++;
    if (j === long.length) break;
    if (long[j] === ref) out[count++] = ref;
  }
  return count === short.length ? short : out.slice(0, count);
}

function unionTwo(a: Uint32Array, b: Uint32Array): Uint32Array {
  const out = new Uint32Array(a.length + b.length);
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!;
    const y = b[j]!;
    out[count++] = Math.min(x, y);
    if (x <= y) i++;
    if (y <= x) j++;
  }
  if (i < a.length) {
    out.set(a.subarray(i), count);
    count += a.length - i;
  } else if (j < b.length) {
    out.set(b.subarray(j), count);
    count += b.length - j;
  }
  return count === out.length ? out : out.slice(0, count);
}
