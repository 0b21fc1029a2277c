// Hashes of label values, by which several partitions tell together how many distinct ones there are (model/distinct.ts).

import { textHash } from '../../codec/hash.ts';
import { smallestHashes } from '../../model/distinct.ts';
import type { SeriesIndex } from './series-index.ts';

/** The `max` smallest hashes of the values of a label. O(values). */
export function valueHashes(index: SeriesIndex, name: string, max: number): Float64Array {
  const values = index.names.get(name)?.values;
  if (values === undefined) return new Float64Array(0);
  const hashes = new Float64Array(values.size);
  let count = 0;
  for (const value of values.keys()) hashes[count++] = textHash(value, 0);
  return smallestHashes(hashes, max);
}

/** The `max` smallest hashes of all pairs of name and value. O(pairs). */
export function pairHashes(index: SeriesIndex, max: number): Float64Array {
  let total = 0;
  for (const { values } of index.names.values()) total += values.size;
  const hashes = new Float64Array(total);
  let count = 0;
  for (const { name, values } of index.names.values()) {
    const seed = textHash(name, 0);
    for (const value of values.keys()) hashes[count++] = textHash(value, seed);
  }
  return smallestHashes(hashes, max);
}
