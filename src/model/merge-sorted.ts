// Lists that are sorted already, as one list without duplicates.

/** Merges sorted lists without duplicates of their own; of equal items the first stays. May hand on one of the lists. */
export function mergeSorted<T>(
  lists: readonly (readonly T[])[],
  compare: (a: T, b: T) => number,
): readonly T[] {
  let merged: readonly T[] = [];
  // Parts of one whole often have the same texts.
  for (const list of lists) if (!isSame(merged, list)) merged = mergeTwo(merged, list, compare);
  return merged;
}

function isSame<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function mergeTwo<T>(a: readonly T[], b: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const out: T[] = [];
  let i = 0;
  let k = 0;
  while (i < a.length && k < b.length) {
    const order = compare(a[i]!, b[k]!);
    out.push(order <= 0 ? a[i]! : b[k]!);
    if (order <= 0) i++;
    if (order >= 0) k++;
  }
  while (i < a.length) out.push(a[i++]!);
  while (k < b.length) out.push(b[k++]!);
  return out;
}
