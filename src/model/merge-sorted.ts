// Lists that are sorted already, as one list without duplicates.

/** Merges sorted lists; of equal items the first stays. A single list is handed on as it is, taken to be free of duplicates. */
export function mergeSorted<T>(
  lists: readonly (readonly T[])[],
  compare: (a: T, b: T) => number,
): readonly T[] {
  const filled = lists.filter((list) => list.length > 0);
  if (filled.length <= 1) return filled[0] ?? [];
  // The built-in sort finds the sorted runs and merges them.
  const all = filled.flat() as T[];
  all.sort(compare);
  let kept = 1;
  for (let i = 1; i < all.length; i++) if (compare(all[i]!, all[kept - 1]!) !== 0) all[kept++] = all[i]!;
  all.length = kept;
  return all;
}
